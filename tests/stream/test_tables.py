"""State tables between memory and changelog, without a broker: what is written when, and to whom it is owed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import msgspec
import pytest

from shelftalk.errors import BadInputError, CancelledRequestError, DeliveryError, FatalError, QueueFullError
from shelftalk.stream.outbox import OnOutcome, Outcome, Receipt
from shelftalk.stream.rows import RowStore
from shelftalk.stream.tables import StateTable


class Count(msgspec.Struct, frozen=True):
    n: int


class Account:
    """An entry of the ledger."""

    forgotten = False

    def __init__(self) -> None:
        self.holds = 0
        self.errors: list[Exception] = []

    def hold(self) -> None:
        self.holds += 1

    def done(self) -> None:
        self.holds -= 1

    def fail(self, error: Exception) -> None:
        self.holds -= 1
        self.errors.append(error)


class FakeOutbox:
    """Takes writes down and lets the test say what became of them."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.outcomes: list[OnOutcome] = []
        self.refusals: list[Exception] = []
        self.waiting: list[Callable[[], None]] = []

    def later(self, write: Callable[[], None]) -> None:
        self.waiting.append(write)

    def turn(self) -> None:
        """Now."""
        waiting, self.waiting = self.waiting, []
        for write in waiting:
            write()

    def post(self, _topic: str, key: str, raw: bytes | None, *, on_outcome: OnOutcome, **_others: Any) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.written.append((key, None if raw is None else msgspec.msgpack.decode(raw)["n"]))
        self.outcomes.append(on_outcome)

    def settle(self, outcome: Outcome) -> None:
        """Everything that is under way has this outcome."""
        outcomes, self.outcomes = self.outcomes, []
        for tell in outcomes:
            tell(outcome)


class Rig:
    def __init__(self, folder: Path, store: RowStore | None = None) -> None:
        self.outbox = FakeOutbox()
        self.fatal: list[FatalError] = []
        app = faust.App("t", datadir=folder, store="memory://")
        self.table: StateTable[Count] = StateTable(
            app,
            "counts",
            Count,
            self.outbox,  # type: ignore[arg-type]
            partitions=2,
            on_fatal=self.fatal.append,
            store=store,
        )
        self.table.recovered(frozenset({0, 1}))
        self.receipt = Receipt("t-counts-changelog", 0, 7)


@pytest.fixture(params=["memory", "disk"])
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Rig:
    """Both stores behind the same table; of the disk's rows two are in memory."""
    return Rig(tmp_path, RowStore(tmp_path / "rows", 2) if request.param == "disk" else None)


def test_changes_of_a_key_between_two_writes_are_one_owed_to_all(rig: Rig) -> None:
    first, second = Account(), Account()
    rig.table.put("a", Count(1), 0, first)
    rig.table.put("b", Count(9), 0, first)
    rig.table.put("a", Count(2), 0, second)
    assert rig.table.get("a", 0) == Count(2)
    assert rig.outbox.written == []
    rig.outbox.turn()
    assert rig.outbox.written == [("a", 2), ("b", 9)]
    assert (first.holds, second.holds) == (2, 1)
    rig.outbox.settle(rig.receipt)
    assert (first.holds, second.holds) == (0, 0)


def test_what_changes_after_a_write_is_written_again(rig: Rig) -> None:
    for n in (1, 2):
        rig.table.put("a", Count(n), 0, Account())
        rig.outbox.turn()
    assert rig.outbox.written == [("a", 1), ("a", 2)]


def test_what_was_put_and_deleted_leaves_a_tombstone(rig: Rig) -> None:
    rig.table.put("a", Count(1), 0, Account())
    rig.table.delete("a", 0, Account())
    rig.outbox.turn()
    assert rig.outbox.written == [("a", None)]


def test_partitions_are_told_apart(rig: Rig) -> None:
    rig.table.put("a", Count(1), 0, Account())
    rig.table.put("a", Count(2), 1, Account())
    rig.outbox.turn()
    assert rig.outbox.written == [("a", 1), ("a", 2)]


def test_what_goes_elsewhere_is_not_written_any_more(rig: Rig) -> None:
    gone, kept = Account(), Account()
    rig.table.put("a", Count(1), 0, gone)
    rig.table.put("a", Count(2), 1, kept)
    rig.table.lost(frozenset({0}))
    rig.outbox.turn()
    assert rig.outbox.written == [("a", 2)]
    assert [type(error) for error in gone.errors] == [CancelledRequestError]
    with pytest.raises(CancelledRequestError):
        rig.table.put("a", Count(3), 0, gone)


def test_a_lost_write_stops_the_worker(rig: Rig) -> None:
    entry = Account()
    rig.table.put("a", Count(1), 0, entry)
    rig.outbox.turn()
    rig.outbox.settle(DeliveryError("gone"))
    assert [type(error) for error in entry.errors] == [DeliveryError]
    assert len(rig.fatal) == 1


def test_a_full_outbox_only_delays(rig: Rig) -> None:
    rig.outbox.refusals = [QueueFullError("full")]
    rig.table.put("a", Count(1), 0, Account())
    rig.outbox.turn()
    assert rig.outbox.written == []
    rig.table.put("b", Count(2), 0, Account())
    rig.outbox.turn()
    assert rig.outbox.written == [("a", 1), ("b", 2)]


def test_a_value_that_no_message_can_carry_stops_the_worker(rig: Rig) -> None:
    entry = Account()
    rig.outbox.refusals = [BadInputError("output_refused", "too large")]
    rig.table.put("a", Count(1), 0, entry)
    rig.table.put("b", Count(2), 0, entry)
    rig.outbox.turn()
    assert rig.outbox.written == [("b", 2)]
    assert len(entry.errors) == 1
    assert len(rig.fatal) == 1


def test_who_was_expelled_writes_nothing_more_and_what_it_dropped_is_no_lost_write(rig: Rig) -> None:
    posted, waiting = Account(), Account()
    rig.table.put("a", Count(1), 0, posted)
    rig.outbox.turn()
    rig.table.put("b", Count(2), 0, waiting)
    rig.table.expelled()
    rig.outbox.settle(CancelledRequestError("purged"))
    rig.outbox.turn()
    assert rig.outbox.written == [("a", 1)]
    assert [type(error) for error in (*posted.errors, *waiting.errors)] == [CancelledRequestError] * 2
    assert (rig.fatal, rig.table.ready) == ([], frozenset())
