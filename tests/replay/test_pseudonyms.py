"""No shopper is left in what is recorded by default."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.replay.pseudonyms import pseudonymise
from shelftalk.replay.recording import Recorded
from tests.replay.making import record, upserted, viewed

rename = Pseudonyms(b"k" * 32).of


def everything(row: Recorded) -> bytes:
    return b"\0".join([row.key or b"", row.value or b"", *(value or b"" for _, value in row.headers)])


@given(st.text("abcdef0123456789-@.", min_size=2, max_size=30).map(lambda text: f"x~{text}~"))
def test_the_id_stands_nowhere_any_more(shopper: str) -> None:
    row = viewed(shopper, 0, session_id="s-77", note=f"by {shopper}", nested={"list": [shopper]})
    row = msgspec.structs.replace(row, headers=(("user", shopper.encode()),))
    renamed = pseudonymise(row, "behaviour", rename)
    assert shopper.encode() not in everything(renamed)
    assert b"s-77" not in everything(renamed)
    fields = json.loads(renamed.value or b"")
    assert fields["shopper_id"] == (renamed.key or b"").decode() == rename(shopper)
    assert {name: value for name, value in fields.items() if name in {"type", "sku", "occurred_at_ms"}} == {
        "type": "product_viewed",
        "sku": "A1",
        "occurred_at_ms": 1_700_000_000_000,
    }


def test_a_search_is_no_longer_in_the_shoppers_words() -> None:
    row = record(
        "behaviour", "ann-1", {"type": "products_searched", "shopper_id": "ann-1", "query": "gift for john smith"}, 0
    )
    assert b"john" not in everything(pseudonymise(row, "behaviour", rename))


def test_a_card_keeps_its_placement() -> None:
    row = record("cards", "ann-1|next_1", {"shopper_id": "ann-1", "placement": "next_1"}, 0)
    renamed = pseudonymise(row, "cards", rename)
    assert renamed.key == f"{rename('ann-1')}|next_1".encode()
    tombstone = Recorded("cards", 0, 0, 0, b"ann-1|next_1", None)
    assert pseudonymise(tombstone, "cards", rename).key == renamed.key


def test_what_cannot_be_searched_for_names_is_made_unreadable() -> None:
    row = record("behaviour", "ann-1", b'{"shopper_id": "ann-1", cut', 0)
    renamed = pseudonymise(row, "behaviour", rename)
    assert renamed.value == b"?" * len(row.value or b"")
    assert renamed.key == rename("ann-1").encode()


def test_products_are_left_as_they_are_to_the_byte() -> None:
    row = upserted("A1")
    assert pseudonymise(row, "inventory", rename) == row
    bad = record("inventory", "A1", b"not json", 0)
    assert pseudonymise(bad, "inventory", rename) == bad


def test_a_key_that_is_no_text_is_renamed_too() -> None:
    row = Recorded("behaviour", 0, 0, 0, b"\xff\xfe", b"{}")
    renamed = pseudonymise(row, "behaviour", rename)
    assert (renamed.key or b"").startswith(b"p-")
