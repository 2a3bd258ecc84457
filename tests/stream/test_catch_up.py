"""When a partition that was taken has caught up: not a moment sooner."""

import asyncio
from collections.abc import Mapping

import pytest
from faust.types import TP

from shelftalk.stream import catch_up
from shelftalk.stream.catch_up import CatchUp


class Log:
    """A consumer of one partition: `fetched` of its records are with us, whose last offset is `last`."""

    def __init__(self, end: int, last: int) -> None:
        self.end, self.last, self.fetched = end, last, 0
        self.asked = asyncio.Event()

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.end)

    async def handed_on(self, tp: TP, end: int) -> int | None:
        assert (tp, end) == (TP("inventory", 0), self.end)
        self.asked.set()
        return self.last if self.fetched >= end else None


async def turns(log: Log, count: int = 3) -> None:
    """Let it look a few times."""
    for _ in range(count):
        log.asked.clear()
        await asyncio.wait_for(log.asked.wait(), 5)


def begun(log: Log) -> tuple[CatchUp, list[int]]:
    done: list[int] = []
    found = CatchUp("inventory", lambda: log, done.append)
    found.begin([0])
    return found, done


async def test_what_is_fetched_and_not_handled_is_waited_for_however_long_that_takes() -> None:
    log = Log(end=10, last=9)
    caught_up, done = begun(log)
    log.fetched = 10
    await turns(log, 15)  # longer than the 200 ms that it once gave an event loop
    assert done == []
    caught_up.handled(0, 8)
    await turns(log)
    assert done == []
    caught_up.handled(0, 9)
    await asyncio.wait_for(caught_up.wait(0), 5)
    assert done == [0]


@pytest.mark.parametrize("last", [-1, 7])
async def test_an_end_without_an_event_is_an_end(last: int) -> None:
    """The last records are a transaction's markers, or all is read already."""
    log = Log(end=10, last=last)
    caught_up, done = begun(log)
    await turns(log)
    assert done == []
    if last >= 0:
        caught_up.handled(0, last)
    log.fetched = 10
    await asyncio.wait_for(caught_up.wait(0), 5)
    assert done == [0]


async def test_nobody_waits_for_what_went_elsewhere() -> None:
    log = Log(end=10, last=9)
    caught_up, done = begun(log)
    waiting = asyncio.ensure_future(caught_up.wait(0))
    await turns(log)
    caught_up.lost([0])
    await asyncio.wait_for(waiting, 5)
    assert done == []


async def test_it_is_never_given_up_while_the_broker_does_not_say_where_the_end_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What went out then would be of facts that have moved."""
    monkeypatch.setattr(catch_up, "_RETRY_S", 0)
    monkeypatch.setattr(catch_up, "ANSWER_S", 0.01)
    log = Log(end=10, last=9)
    answers: list[Exception | None] = [OSError("no broker"), None, OSError("no broker")]

    async def highwaters(*partitions: TP) -> Mapping[TP, int]:
        if not answers:
            return dict.fromkeys(partitions, log.end)
        if error := answers.pop():
            raise error
        await asyncio.Event().wait()  # it does not answer at all
        raise AssertionError

    log.highwaters = highwaters  # type: ignore[method-assign]
    caught_up, done = begun(log)
    log.fetched = 10
    await turns(log)
    assert (done, answers, caught_up.behind) == ([], [], [0])
    caught_up.handled(0, 9)
    await asyncio.wait_for(caught_up.wait(0), 5)
    assert (done, caught_up.behind, caught_up.records) == ([0], [], 1)


async def test_who_is_lost_while_the_end_is_asked_for_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "_RETRY_S", 0)
    asked = asyncio.Event()
    log = Log(end=10, last=9)

    async def highwaters(*_: TP) -> Mapping[TP, int]:
        asked.set()
        raise OSError("no broker")

    log.highwaters = highwaters  # type: ignore[method-assign]
    caught_up, done = begun(log)
    await asyncio.wait_for(asked.wait(), 5)
    (task,) = caught_up._tasks
    caught_up.lost([0])
    await asyncio.wait_for(task, 5)
    assert done == []
