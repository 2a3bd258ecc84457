"""The loop of every agent, without a broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from shelftalk.core.ledger import Entry, Ledger
from shelftalk.errors import BadInputError, CancelledRequestError, DeliveryError, FatalError, RetryableError
from shelftalk.stream.batch import Batch
from shelftalk.stream.dead_letters import DeadLetter
from shelftalk.stream.intake import Intake
from shelftalk.stream.record import Record
from shelftalk.stream.settings import Retry

HERE = TP("t", 0)


class FakeOutbox:
    roomy = True

    async def room(self) -> None: ...


@dataclass
class FakeDeadLetters:
    letters: list[DeadLetter] = field(default_factory=list)

    def publish(self, letter: DeadLetter, entry: Entry) -> None:
        self.letters.append(letter)
        entry.done()


class FakeStream:
    """Batches of records, each a list of offsets."""

    def __init__(self, *batches: "list[int]", current: Callable[[], bool] = lambda: True) -> None:
        self._batches = batches
        self._current = current

    async def events(self) -> AsyncIterator[Any]:
        for offsets in self._batches:
            records = [
                SimpleNamespace(
                    topic="t", partition=0, offset=offset, key=b"k", value=b"v", headers=(("a", b"1"),), timestamp=1500
                )
                for offset in offsets
            ]
            yield SimpleNamespace(value=Batch(HERE, records, self._current))


class Rig:
    def __init__(self, limit: int = 100) -> None:
        self.ledger: Ledger[TP] = Ledger(limit)
        self.dead = FakeDeadLetters()
        self.fatal: list[Exception] = []
        retry = Retry(attempts=3, first_backoff_ms=1, max_backoff_ms=2)
        self.intake = Intake(self.ledger, FakeOutbox(), self.dead, retry, self.fatal.append)  # type: ignore[arg-type]

    async def run(self, handler: Any, count: int = 1) -> None:
        await asyncio.wait_for(self.intake.run("agent", FakeStream(list(range(count))), handler), 5)


async def test_a_handled_event_is_committable() -> None:
    rig, seen = Rig(), []

    def handler(record: Record, _entry: Entry) -> None:
        seen.append(record)

    await rig.run(handler, 3)
    assert rig.ledger.committable() == {HERE: 3}
    assert seen[0] == Record("t", 0, 0, b"k", b"v", (("a", b"1"),), 1500)
    assert rig.intake.counts == {("agent", "handled"): 3}


async def test_a_redelivery_is_skipped() -> None:
    rig, seen = Rig(), []
    await asyncio.wait_for(
        rig.intake.run("agent", FakeStream([0, 1], [0, 1, 2]), lambda record, _entry: seen.append(record.offset)), 5
    )
    assert seen == [0, 1, 2]
    assert rig.intake.counts["agent", "redelivered"] == 2


@pytest.mark.parametrize(
    ("error", "attempts", "reason"),
    [
        (BadInputError("not_json", "because"), 1, "not_json"),
        (RetryableError("later"), 3, "RetryableError"),
        (KeyError("x"), 1, "KeyError"),
    ],
)
async def test_what_becomes_a_dead_letter(error: Exception, attempts: int, reason: str) -> None:
    rig, calls = Rig(), []

    async def handler(_record: Record, _entry: Entry) -> None:
        calls.append(1)
        raise error

    await rig.run(handler)
    (letter,) = rig.dead.letters
    assert (letter.reason, letter.attempts, len(calls)) == (reason, attempts, attempts)
    assert rig.ledger.committable() == {HERE: 1}


async def test_a_retry_that_works_is_no_dead_letter() -> None:
    rig, calls = Rig(), []

    def handler(_record: Record, _entry: Entry) -> None:
        calls.append(1)
        if len(calls) < 3:
            raise RetryableError("not yet")

    await rig.run(handler)
    assert (len(calls), rig.dead.letters) == (3, [])
    assert rig.ledger.committable() == {HERE: 1}


@pytest.mark.parametrize("error", [FatalError("stop"), DeliveryError("no broker")])
async def test_a_fatal_error_stops_the_worker_and_commits_nothing(error: Exception) -> None:
    rig, calls = Rig(), []

    def handler(_record: Record, _entry: Entry) -> None:
        calls.append(1)
        raise error

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rig.intake.run("agent", FakeStream([0, 1]), handler), 0.1)
    assert (rig.fatal, calls) == ([error], [1])
    assert rig.ledger.committable() == {}


async def test_later_work_fails_the_same_way() -> None:
    rig, held = Rig(), []

    def handler(_record: Record, entry: Entry) -> None:
        entry.hold()
        held.append(entry)

    await rig.run(handler, 3)
    held[0].fail(BadInputError("too_big", "x"))
    held[1].fail(DeliveryError("gone"))
    assert [letter.reason for letter in rig.dead.letters] == ["too_big"]
    assert [type(error) for error in rig.fatal] == [DeliveryError]
    held[2].done()
    assert rig.ledger.committable() == {HERE: 1}


async def test_too_many_open_events_make_the_loop_wait() -> None:
    rig, held = Rig(limit=2), asyncio.Queue[Entry]()

    def handler(_record: Record, entry: Entry) -> None:
        entry.hold()
        held.put_nowait(entry)

    running = asyncio.ensure_future(rig.run(handler, 3))
    first, second = await asyncio.wait_for(held.get(), 5), await asyncio.wait_for(held.get(), 5)
    for _ in range(10):
        await asyncio.sleep(0)
    assert held.empty()
    first.done()
    third = await asyncio.wait_for(held.get(), 5)
    second.done()
    third.done()
    await running
    assert rig.ledger.committable() == {HERE: 3}


async def test_idle_waits_for_open_entries() -> None:
    rig, held = Rig(), []

    def handler(_record: Record, entry: Entry) -> None:
        entry.hold()
        held.append(entry)

    await rig.run(handler)
    assert not await rig.intake.idle(0.01)
    waiting = asyncio.ensure_future(rig.intake.idle(5))
    await asyncio.sleep(0)
    held[0].done()
    assert await waiting


async def test_what_is_raised_for_a_revoked_event_is_nobodys_business() -> None:
    rig = Rig()

    async def handler(_record: Record, _entry: Entry) -> None:
        rig.ledger.forget([HERE])
        raise KeyError("x")

    await rig.run(handler)
    assert (rig.dead.letters, rig.fatal) == ([], [])
    assert rig.intake.counts == {("agent", "revoked"): 1}


async def test_the_rest_of_a_batch_is_left_alone_once_its_partition_goes() -> None:
    """A handler that waits (a retry, a full outbox) may see its partition revoked: the ledger must not learn of it again."""
    rig, seen, ours = Rig(), [], [True]

    def handler(record: Record, _entry: Entry) -> None:
        seen.append(record.offset)
        if record.offset == 1:
            ours[0] = False
            rig.ledger.forget([HERE])

    stream = FakeStream([0, 1, 2, 3], current=lambda: ours[0])
    await asyncio.wait_for(rig.intake.run("agent", stream, handler), 5)
    assert seen == [0, 1]
    assert rig.ledger.heads() == {}


async def test_a_long_batch_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelftalk.stream.intake.SLICE_S", 0.0)
    rig, turns = Rig(), []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    background = asyncio.ensure_future(other())
    await rig.run(lambda _record, _entry: None, 20)
    background.cancel()
    assert len(turns) >= 20


async def test_work_cancelled_without_a_revocation_stops_the_worker_and_is_no_dead_letter() -> None:
    """Seen under chaos: a record handled before its partition's state was there went to the dead letters."""
    rig = Rig()

    def handler(_record: Record, _entry: Entry) -> None:
        raise CancelledRequestError("table t: partition 0 is not ours")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rig.run(handler), 0.2)
    assert not rig.dead.letters
    assert len(rig.fatal) == 1
    assert rig.ledger.committable() == {}
