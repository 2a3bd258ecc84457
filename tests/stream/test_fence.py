"""The fence: revisions only grow, redeliveries pass again, erasure leaves a tombstone."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle
from shelftalk.core.card import Audience, Card, Rung, Status, identified
from shelftalk.core.effects import Publish
from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.ledger import Ledger
from shelftalk.core.offer import Offer, decode_offer, encode_erasure, encode_offer
from shelftalk.core.opening import opening
from shelftalk.core.publish import publish
from shelftalk.core.refresh import phrased
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, Stage
from shelftalk.errors import BadInputError
from shelftalk.stream.account import Entry
from shelftalk.stream.fence import REMEMBER_MS, Fence, Shown
from shelftalk.stream.record import Record
from shelftalk.stream.sweep import PER_TURN
from tests.core.making import NOW, folded, origin, upserted


class Table:
    def __init__(self) -> None:
        self.rows: dict[str, Shown] = {}

    def get(self, key: str, _partition: int, /) -> Shown | None:
        return self.rows.get(key)

    def put(self, key: str, value: Shown, _partition: int, _entry: Entry, /) -> None:
        self.rows[key] = value

    def delete(self, key: str, _partition: int, _entry: Entry, /) -> None:
        self.rows.pop(key, None)

    def items(self, _partition: int, /) -> Iterator[tuple[str, Shown]]:
        yield from list(self.rows.items())


class Erasures:
    def __init__(self, *erased: tuple[str, int]) -> None:
        self._revisions = {erased_key(shopper): revision for shopper, revision in erased}

    def get(self, key: str, _partition: int, /) -> Erased | None:
        return Erased(0, self._revisions[key], 0, 0) if key in self._revisions else None


class Cards:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None]] = []

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        assert owed_by, "somebody must wait for the delivery"
        self.sent.append((key, value))


PAGE = ("next_1", "next_2", "reminder")


def offered(values: Sequence[bytes], *erased: tuple[str, int]) -> tuple[Fence, Table, Cards]:
    table, cards, ledger = Table(), Cards(), Ledger[int]()
    fence = Fence(table, Erasures(*erased), cards, PAGE)
    for offset, value in enumerate(values):
        entry = ledger.open(0, offset)
        assert entry is not None
        fence.handle(Record("offers", 0, offset, b"s", value), entry)
    return fence, table, cards


def said(offer: Offer) -> bytes:
    """What goes out of `offered` one."""
    return msgspec.json.encode(offer)


def card_in(value: bytes) -> bytes:
    return decode_offer(value)[1]


def offering(offer: Offer) -> bytes:
    return encode_offer(offer, said(offer))


def offer(revision: int, placement: str = "next_1") -> bytes:
    return offering(Offer("s", placement, revision))


def test_of_equals_of_one_shelf_the_later_made_has_the_placement() -> None:
    """What a worker that was cut off had on the wire comes after its successor's answer, with an older price (seed 145)."""
    made = [offering(Offer("s", "next_1", 7, sku="kettle-1", published_at_ms=at)) for at in (20, 10, 20, 30)]
    fence, table, cards = offered(made)
    assert [msgspec.json.decode(value or b"")["published_at_ms"] for _, value in cards.sent] == [20, 20, 30]
    assert fence.counts["overtaken"] == 1
    assert table.rows["s|next_1"].made_ms == 30


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["next_1", "next_2"])), max_size=30))
def test_what_passes_never_goes_back_and_ends_with_the_newest(offers: list[tuple[int, str]]) -> None:
    _, _, cards = offered([offer(revision, placement) for revision, placement in offers])
    for placement in {place for _, place in offers}:
        passed = [
            msgspec.json.decode(value)["revision"] for key, value in cards.sent if key == f"s|{placement}" and value
        ]
        assert passed == sorted(passed)
        assert passed[-1] == max(revision for revision, place in offers if place == placement)


def test_a_redelivered_card_passes_again_and_an_overtaken_one_ends_here() -> None:
    fence, _, cards = offered([offer(5), offer(5), offer(4)])
    assert [value for _, value in cards.sent] == [card_in(offer(5)), card_in(offer(5))]
    assert fence.counts == {"passed": 2, "overtaken": 1}


def test_of_two_products_with_the_same_revision_the_first_has_the_placement() -> None:
    """Seen under chaos: an ask that was passed on and renewed left two shelves feeding one placement."""

    def of(sku: str, status: Status = Status.LIVE) -> bytes:
        return offering(Offer("s", "next_1", 5, status, sku=sku))

    fence, _, cards = offered([of("a"), of("b", Status.WITHDRAWN), of("a")])
    assert len(cards.sent) == 2
    assert fence.counts == {"passed": 2, "overtaken": 1}


def test_what_was_never_shown_is_not_withdrawn() -> None:
    def gone(revision: int) -> bytes:
        return offering(Offer("s", "next_1", revision, Status.WITHDRAWN))

    fence, _, cards = offered([gone(1), offer(2), gone(3), gone(4), offer(3)])
    assert [value for _, value in cards.sent] == [card_in(offer(2)), card_in(gone(3))]
    assert fence.counts == {"nothing_to_withdraw": 2, "passed": 2, "overtaken": 1}


def test_erasure_leaves_a_tombstone_and_no_trace() -> None:
    _, table, cards = offered([offer(5), encode_erasure("s", "next_1", 5)], ("s", 5))
    assert cards.sent[-1] == ("s|next_1", None)
    assert not table.rows


def test_without_a_memory_of_the_erasure_the_placement_is_remembered_for_a_while() -> None:
    """The order is of a worker that had lost the partition, say; what is older may be read again, and would find nothing."""
    fence, table, cards = offered([offer(5), encode_erasure("s", "next_1", 7), offer(6), offer(5), offer(8)])
    assert [value for _, value in cards.sent] == [card_in(offer(5)), None, card_in(offer(8))]
    assert fence.counts["overtaken"] == 2
    assert table.rows["s|next_1"].revision == 8
    _, table, _ = offered([offer(5), encode_erasure("s", "next_1", 7)])
    assert not table.rows["s|next_1"].live


def test_a_card_from_before_an_erasure_does_not_come_after_it() -> None:
    fence, table, cards = offered([offer(5), encode_erasure("s", "next_1", 7), offer(6), offer(7)], ("s", 7))
    assert cards.sent == [("s|next_1", None)]
    assert not table.rows
    assert fence.counts["forgotten"] == 3


def test_also_where_a_crash_took_the_news_that_the_placement_is_forgotten() -> None:
    table, cards = Table(), Cards()
    table.rows["s|next_1"] = Shown(5, sku="A")
    entry = Ledger[int]().open(0, 0)
    assert entry is not None
    Fence(table, Erasures(("s", 7)), cards, PAGE).handle(Record("offers", 0, 0, b"s", offer(6)), entry)
    assert cards.sent == []


def test_an_old_erasure_leaves_who_came_back_alone() -> None:
    """Re-driven from the dead letters, say, or redelivered."""
    order = encode_erasure("s", "next_1", 7)
    fence, table, cards = offered([offer(5), order, offer(8), order], ("s", 7))
    assert [value for _, value in cards.sent] == [None, card_in(offer(8))]
    assert table.rows["s|next_1"].revision == 8
    assert fence.counts["came_back"] == 1


def test_what_is_long_over_is_forgotten_and_what_is_not_stays() -> None:
    fence, table, cards = offered([offer(5)])
    table.rows["s|next_2"] = Shown(3, at_ms=NOW)
    table.rows["s|next_1"] = Shown(5, at_ms=NOW - REMEMBER_MS)
    for _ in range(2):  # a turn to list, a turn to look
        fence.sweep([0], NOW)
    assert set(table.rows) == {"s|next_2"}
    assert cards.sent[-1] == ("s|next_1", None)


def test_a_sweep_looks_at_a_few_placements_a_turn() -> None:
    fence, table, _ = offered([])
    table.rows = {f"s|{number}": Shown(1, at_ms=0) for number in range(5 * PER_TURN // 2)}
    left = []
    for _ in range(4):
        fence.sweep([0], NOW)
        left.append(len(table.rows))
    assert left == [5 * PER_TURN // 2, 3 * PER_TURN // 2, PER_TURN // 2, 0]


def shown_as(
    name: str,
    placement: str,
    revision: int = 1,
    angle: Angle = Angle.INTRODUCE,
    text: str = "",
    *,
    price_minor: int = 2999,
) -> bytes:
    """A card as a shelf offers it: from the phrasebook, or with a text of a model's."""
    facts = folded(upserted(name=name, brand=None, points=(), price_minor=price_minor))
    card = LiveCard(
        audience=Audience("s", placement),
        stage=Stage.SHOWN,
        asked_revision=revision,
        revision=revision,
        origin=origin(),
        locale="en-GB",
        valid_until_ms=NOW,
        angle=angle,
    )
    scene = Scene(facts, NOW, ShelfRules())
    words = {"slotted": text, "rung": Rung.GENERATED, "model": "m-1"} if text else {}
    (effect,) = publish(scene, card, **phrased(scene.brief(card)) | words).effects
    assert isinstance(effect, Publish)
    return effect.offered()


def texts_of(cards: Cards) -> list[str]:
    return [msgspec.json.decode(value)["text"] for _, value in cards.sent if value]


SAME = "Worth a long look before you decide: {name}."


def test_two_cards_on_a_page_never_begin_alike() -> None:
    values = [shown_as(name, place, text=SAME) for name, place in zip(("Kettle", "Mug", "Tray"), PAGE, strict=True)]
    fence, _, cards = offered(values)
    assert len({opening(text) for text in texts_of(cards)}) == 3
    assert texts_of(cards)[0].startswith("Worth a long look")
    assert fence.counts == {"passed": 3, "reworded": 2}
    for _, value in cards.sent:
        card = msgspec.json.decode(value or b"", type=Card)
        assert card == identified(card), "the id is that of the words that went out"
        assert card.ai_generated is (card.provenance.rung is not Rung.PHRASEBOOK)


def test_a_price_tells_no_two_openings_apart() -> None:
    """Of a bare log, two products of one brand have nothing but their prices to differ in."""
    values = [
        shown_as("Montale", "next_1", text="{name}, {price}.", price_minor=10_293),
        shown_as("Montale", "next_2", text="{name}. {price}.", price_minor=10_296),
    ]
    fence, _, _ = offered(values)
    assert fence.counts == {"passed": 2, "reworded": 1}


def withdrawal(revision: int, placement: str = "next_1") -> bytes:
    return offering(Offer("s", placement, revision, Status.WITHDRAWN))


def test_a_card_that_came_after_a_withdrawal_of_its_revision_can_be_withdrawn() -> None:
    values = [offer(1), withdrawal(2), offer(2), withdrawal(3)]
    _, table, cards = offered(values)
    assert [value for _, value in cards.sent] == [card_in(value) for value in values]
    assert not table.rows["s|next_1"].live


def test_a_withdrawal_that_was_kept_back_passes_when_it_comes_again() -> None:
    # The withdrawal before it may have been lost in the crash, and would not pass any more.
    _, _, cards = offered([offer(1), withdrawal(2), withdrawal(3), withdrawal(2), withdrawal(3)])
    assert [value for _, value in cards.sent] == [card_in(value) for value in (offer(1), withdrawal(2), withdrawal(3))]


def test_what_left_the_page_may_be_begun_with_again() -> None:
    values = [
        shown_as("Kettle", "next_1", text=SAME),
        shown_as("Mug", "next_1", 2),
        shown_as("Tray", "next_2", text=SAME),
    ]
    _, _, cards = offered(values)
    assert texts_of(cards)[-1] == "Worth a long look before you decide: Tray."


def test_a_reworded_card_is_reworded_the_same_when_a_crash_brings_it_again() -> None:
    first, second = shown_as("Kettle", "next_1", text=SAME), shown_as("Mug", "next_2", text=SAME)
    _, _, cards = offered([first, second, shown_as("Tray", "next_1", 2), second])
    assert cards.sent[1] == cards.sent[3]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Kettle", "Mug", "Samsung phone"]), st.sampled_from(PAGE), st.sampled_from(list(Angle))
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_no_page_ever_shows_one_opening_twice(steps: list[tuple[str, str, Angle]], model: bool) -> None:
    values = [
        shown_as(name, place, number, angle, SAME if model and number % 2 else "")
        for number, (name, place, angle) in enumerate(steps, start=1)
    ]
    fence, _, cards = offered(values)
    page: dict[str, str] = {}
    for key, value in cards.sent:
        page[key] = opening(msgspec.json.decode(value or b"")["text"])
        assert len(set(page.values())) == len(page), page
    assert not fence.counts["same_opening"]


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"shopper_id": 1}'])
def test_what_no_shelf_wrote_is_refused(value: bytes) -> None:
    with pytest.raises(BadInputError):
        offered([value])
