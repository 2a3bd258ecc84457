"""When a partition that was taken has caught up: not a moment sooner, and in the end in any case."""

import asyncio
from collections.abc import Callable, Mapping

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


def slow(_log: Log) -> None:
    """It never comes to its end."""


def broken(log: Log) -> None:
    async def highwaters(*_: TP) -> Mapping[TP, int]:
        raise OSError("no broker")

    log.highwaters = highwaters  # type: ignore[method-assign]


@pytest.mark.parametrize("spoil", [slow, broken])
async def test_shoppers_are_answered_in_the_end(spoil: Callable[[Log], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "DEADLINE_S", 0.05)
    log = Log(end=10, last=9)
    spoil(log)
    caught_up, done = begun(log)
    await asyncio.wait_for(caught_up.wait(0), 5)
    assert done == [0]
