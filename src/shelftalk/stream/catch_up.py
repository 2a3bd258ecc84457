"""After a partition is taken, its inventory is read as far as it went then, before anything about its products is published.

A worker that is killed may have published cards from facts whose changelog never arrived. The next worker finds the older facts and
will read the inventory events again, for their offsets were not committed; but asks that it answered before would go out with the
older price. So asks wait, and the keeper publishes nothing (`Keeper.caught_up`), for as long as this takes: mostly a moment.

It is never given up, for what came out then would be wrong. A worker that gets on with nothing is ended by the watchdog
(`deadlines.stall_s`), as at any other work.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import structlog
from faust.types import TP

log = structlog.get_logger(__name__)

#: How long the broker may take to say where the inventory ends, before it is asked again.
ANSWER_S: Final = 10.0

#: How often it is said that this takes long.
_TELL_S: Final = 10.0

#: Before a broker that gave no answer is asked again.
_RETRY_S: Final = 0.5

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

    Attributes:
        records: inventory records that were handled: it grows while this gets on.
    """

    def __init__(self, topic: str, consumer: Callable[[], Consumer], on_done: Callable[[int], None]) -> None:
        self._topic = topic
        self._consumer = consumer
        self._on_done = on_done
        self.records = 0
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
        self.records += 1

    def lost(self, partitions: Iterable[int]) -> None:
        """These went elsewhere; whoever waits for them need not any more."""
        for partition in partitions:
            opened = self._open.pop(partition, None)
            if opened is not None:
                opened.set()

    @property
    def behind(self) -> list[int]:
        """The partitions that have not caught up."""
        return [partition for partition, opened in self._open.items() if not opened.is_set()]

    async def wait(self, partition: int) -> None:
        """Until it has caught up, or is lost."""
        opened = self._open.get(partition)
        if opened is not None:
            await opened.wait()

    async def _watch(self, partition: int, opened: asyncio.Event) -> None:
        began_s = time.monotonic()
        place = TP(self._topic, partition)
        end = await self._end_of(place, opened)
        if end is not None:
            await self._reach(place, end, opened)
        if self._open.get(partition) is opened:  # else it was lost meanwhile
            self._on_done(partition)
            opened.set()
            log.info("caught up", partition=partition, seconds=round(time.monotonic() - began_s, 2))

    async def _end_of(self, place: TP, opened: asyncio.Event) -> int | None:
        """Where the inventory ends now, asked for until the broker says it; ``None`` where the partition is lost meanwhile."""
        while not opened.is_set():
            try:
                async with asyncio.timeout(ANSWER_S):
                    return (await self._consumer().highwaters(place))[place]
            except Exception as error:  # noqa: BLE001  whatever it is: nothing may be published before this is known
                log.warning("the inventory's end is not known yet", partition=place.partition, error=str(error))
            await asyncio.sleep(_RETRY_S)
        return None

    async def _reach(self, place: TP, end: int, opened: asyncio.Event) -> None:
        """Read on until the end is handled.

        The end may come without a last event: where there was nothing to read, or where that is a transaction's marker. Then what
        counts is that all was fetched, and what was fetched is handled. Seen under chaos, when a wait of 200 ms stood for the
        latter: six price changes waited for a busy event loop, and the price of before them was published.
        """
        tell_s = time.monotonic() + _TELL_S
        while not opened.is_set() and self._handled[place.partition] < end - 1:
            last = await self._consumer().handed_on(place, end)
            if last is not None and self._handled[place.partition] >= last:
                return
            if time.monotonic() >= tell_s:
                tell_s += _TELL_S
                log.info(
                    "still catching up", partition=place.partition, handled=self._handled[place.partition], end=end
                )
            await asyncio.sleep(_POLL_S)
