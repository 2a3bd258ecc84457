"""After a partition is taken, its inventory is read as far as it went then, before anything about its products is published.

A worker that is killed may have published cards from facts whose changelog never arrived. The next worker finds the older facts and
will read the inventory events again, for their offsets were not committed; but asks that it answered before would go out with the
older price. So asks wait, and the keeper publishes nothing (`Keeper.caught_up`), for the moment that this takes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog
from faust.types import TP

log = structlog.get_logger(__name__)

#: After so long asks are answered all the same: a backlog that takes longer is an outage of its own, and shoppers wait.
DEADLINE_S: Final = 10.0

_POLL_S: Final = 0.02


class Consumer(Protocol):
    """What is needed of Faust's consumer."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """The offset after the last record of each."""

    async def handed_on(self, tp: TP, end: int) -> int | None:
        """The last offset that went on towards a handler, -1 for none; ``None`` while some before `end` is still to be fetched."""


class CatchUp:
    """Tells when each partition that was taken has caught up.

    Args:
        topic: the inventory's.
        consumer: Faust's; asked for when it is needed, for it is made late.
        on_done: told of each partition, once a time that it is taken.
    """

    def __init__(self, topic: str, consumer: Callable[[], Consumer], on_done: Callable[[int], None]) -> None:
        self._topic = topic
        self._consumer = consumer
        self._on_done = on_done
        self._open: dict[int, asyncio.Event] = {}
        self._handled: dict[int, int] = {}  # by partition: the last offset
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, partitions: Iterable[int]) -> None:
        """These were taken, and their inventory is about to be read from where it was committed."""
        for partition in partitions:
            self._open[partition] = asyncio.Event()
            self._handled[partition] = -1
            task = asyncio.get_running_loop().create_task(self._watch(partition, self._open[partition]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def handled(self, partition: int, offset: int) -> None:
        """An inventory record was handled, whatever came of it."""
        self._handled[partition] = offset

    def lost(self, partitions: Iterable[int]) -> None:
        """These went elsewhere; whoever waits for them need not any more."""
        for partition in partitions:
            opened = self._open.pop(partition, None)
            if opened is not None:
                opened.set()

    async def wait(self, partition: int) -> None:
        """Until it has caught up, or is lost."""
        opened = self._open.get(partition)
        if opened is not None:
            await opened.wait()

    async def _watch(self, partition: int, opened: asyncio.Event) -> None:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._reach_end(TP(self._topic, partition), opened)
        except TimeoutError:
            log.warning("inventory is not read to its end yet; answering all the same", partition=partition)
        except Exception as error:  # noqa: BLE001  the broker does not say where the end is: then there is nothing to wait for
            log.warning(
                "the inventory's end is not known; answering all the same", partition=partition, error=str(error)
            )
        if self._open.get(partition) is opened:  # else it was lost meanwhile
            self._on_done(partition)
            opened.set()
            log.info("caught up", partition=partition, seconds=round(time.monotonic() - began_s, 2))

    async def _reach_end(self, tp: TP, opened: asyncio.Event) -> None:
        """Read on until the end is handled.

        The end may come without a last event: where there was nothing to read, or where that is a transaction's marker. Then what
        counts is that all was fetched, and what was fetched is handled. Seen under chaos, when a wait of 200 ms stood for the
        latter: six price changes waited for a busy event loop, and the price of before them was published.
        """
        consumer = self._consumer()
        end = (await consumer.highwaters(tp))[tp]
        while not opened.is_set() and self._handled[tp.partition] < end - 1:
            last = await consumer.handed_on(tp, end)
            if last is not None and self._handled[tp.partition] >= last:
                return
            await asyncio.sleep(_POLL_S)
