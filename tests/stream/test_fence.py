"""The fence: revisions only grow, redeliveries pass again, erasure leaves a tombstone."""

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.card import Status
from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.ledger import Ledger
from shelftalk.errors import BadInputError
from shelftalk.stream.account import Entry
from shelftalk.stream.fence import REMEMBER_MS, Fence, Offer, Shown, encode_erasure
from shelftalk.stream.record import Record
from tests.core.making import NOW


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


def offered(values: Sequence[bytes], *erased: tuple[str, int]) -> tuple[Fence, Table, Cards]:
    table, cards, ledger = Table(), Cards(), Ledger[int]()
    fence = Fence(table, Erasures(*erased), cards)
    for offset, value in enumerate(values):
        entry = ledger.open(0, offset)
        assert entry is not None
        fence.handle(Record("offers", 0, offset, b"s", value), entry)
    return fence, table, cards


def offer(revision: int, placement: str = "next_1") -> bytes:
    return msgspec.json.encode(Offer("s", placement, revision))


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
    assert [value for _, value in cards.sent] == [offer(5), offer(5)]
    assert fence.counts == {"passed": 2, "overtaken": 1}


def test_what_was_never_shown_is_not_withdrawn() -> None:
    def gone(revision: int) -> bytes:
        return msgspec.json.encode(Offer("s", "next_1", revision, Status.WITHDRAWN))

    fence, _, cards = offered([gone(1), offer(2), gone(3), gone(4), offer(3)])
    assert [value for _, value in cards.sent] == [offer(2), gone(3)]
    assert fence.counts == {"nothing_to_withdraw": 2, "passed": 2, "overtaken": 1}


def test_erasure_leaves_a_tombstone_and_no_trace() -> None:
    _, table, cards = offered([offer(5), encode_erasure("s", "next_1", 5)])
    assert cards.sent[-1] == ("s|next_1", None)
    assert not table.rows


def test_a_card_from_before_an_erasure_does_not_come_after_it() -> None:
    fence, table, cards = offered([offer(5), encode_erasure("s", "next_1", 7), offer(6), offer(7)], ("s", 7))
    assert cards.sent == [("s|next_1", None)]
    assert not table.rows
    assert fence.counts["forgotten"] == 3


def test_an_old_erasure_leaves_who_came_back_alone() -> None:
    """Re-driven from the dead letters, say, or redelivered."""
    order = encode_erasure("s", "next_1", 7)
    fence, table, cards = offered([offer(5), order, offer(8), order], ("s", 7))
    assert [value for _, value in cards.sent] == [None, offer(8)]
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
    table.rows = {f"s|{number}": Shown(1, at_ms=0) for number in range(250)}
    left = []
    for _ in range(4):
        fence.sweep([0], NOW)
        left.append(len(table.rows))
    assert left == [250, 150, 50, 0]


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"shopper_id": 1}'])
def test_what_no_shelf_wrote_is_refused(value: bytes) -> None:
    with pytest.raises(BadInputError):
        offered([value])
