"""Ids and revisions of cards."""

from itertools import combinations

import msgspec

from shelftalk.core.card import Card, Trigger, encode_card, identified
from shelftalk.core.effects import Publish
from shelftalk.core.rules import ShelfRules
from shelftalk.core.shelf import on_ask
from tests.core.making import DAY, NO_MODEL, NOW, ask, cards, folded, origin, priced, shelf, stocked, upserted


def card(*, now_ms: int = NOW, rules: ShelfRules = NO_MODEL, **changes: object) -> Card:
    (publish,) = cards(on_ask(shelf(), ask(**changes), now_ms, rules))
    assert isinstance(publish, Publish)
    return publish.card


def test_the_same_cause_gives_the_same_id_whenever_it_is_processed() -> None:
    assert card().card_id == card(now_ms=NOW + 60_000).card_id


def test_anything_else_gives_another() -> None:
    base = card()
    made = base.provenance
    made_otherwise: list[dict[str, object]] = [
        {"trigger": Trigger.FACTS},
        {"cause": origin(1)},
        {"cause": origin(partition=1)},
        {"cause": origin(topic="inventory")},
    ]
    changes: list[dict[str, object]] = [
        {"placement": "next_2"},
        {"shopper_id": "bea"},
        {"sku": "p2"},
        {"revision": base.revision + 1},
        {"slotted": "x"},
    ]
    changes += [{"provenance": msgspec.structs.replace(made, **change)} for change in made_otherwise]
    others = [identified(msgspec.structs.replace(base, **change)) for change in changes]
    assert len({one.card_id for one in (base, *others)}) == 10


def test_the_same_id_is_the_same_card() -> None:
    """After a crash the same ask may meet newer facts: that is another card, and says so."""
    states = [shelf(), shelf(folded(upserted(), priced(3_000))), shelf(folded(upserted(), stocked(3)))]
    found = [cards(on_ask(state, ask(), NOW, NO_MODEL))[0].card for state in states]
    for one, other in combinations(found, 2):
        assert one.card_id != other.card_id


def test_a_card_explains_itself() -> None:
    one = card()
    assert one.provenance.origin == origin()
    assert (one.facts.version, one.facts.source_offset) == (1, 0)
    assert one.provenance.because.startswith("it is close to what you looked at")
    assert not one.ai_generated
    assert one.valid_until_ms == NOW + NO_MODEL.card_ttl_ms
    assert b'"status":"live"' in encode_card(one)


def test_a_price_is_never_promised_beyond_its_end() -> None:
    state = shelf(folded(upserted(), priced(3_000, NOW, NOW + 60_000)))
    assert cards(on_ask(state, ask(), NOW, NO_MODEL))[0].card.valid_until_ms == NOW + 60_000
    state = shelf(folded(upserted(), priced(3_000, NOW, NOW + DAY)))
    assert cards(on_ask(state, ask(), NOW, NO_MODEL))[0].card.valid_until_ms == NOW + NO_MODEL.card_ttl_ms
