"""The loop of every agent: event, ledger entry, handler, and what its exceptions mean.

Nothing is left to Faust's own exception handling, which acks and skips the event that failed (seen in 0.15.3).
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

import structlog
from faust.types import TP

from shelftalk.core.ledger import Entry, Ledger
from shelftalk.errors import BadInputError, CancelledRequestError, DeliveryError, FatalError, RetryableError
from shelftalk.stream.batch import Batch
from shelftalk.stream.dead_letters import DeadLetter, DeadLetters
from shelftalk.stream.lease import Lease
from shelftalk.stream.outbox import Outbox
from shelftalk.stream.privacy import speaking_of
from shelftalk.stream.record import Record
from shelftalk.stream.settings import Retry

log = structlog.get_logger(__name__)

#: How long records are handled without a pause: deadlines are counted in hundreds of milliseconds.
SLICE_S: Final = 0.01

Handler = Callable[[Record, Entry], Awaitable[None] | None]
OnFatal = Callable[[Exception], None]


class Stream(Protocol):
    """What is needed of a stream of Faust's."""

    def events(self) -> AsyncIterator[Any]:
        """Its events."""


class Intake:
    """Feeds events to handlers, one at a time and in order, and sorts what they raise.

    ============================================  ================================================================
    a handler raises                              what happens
    ============================================  ================================================================
    nothing                                       its obligation is done; what it held goes on
    `BadInputError`                               dead letter
    `DeliveryError`, `FatalError`                 the worker stops non-zero; the event comes again after the restart
    `RetryableError` (any other)                  tried again with backoff, then dead letter; later events wait, so that
                                                  order holds
    `CancelledRequestError`, partition revoked    nothing: another worker has the event
    the same, partition ours                      the worker stops non-zero
    anything else                                 logged with its traceback, dead letter
    ============================================  ================================================================

    The same table holds for ``entry.fail(error)`` by work that goes on after the handler returned, except that it is not
    tried again: such work retries by itself.

    Attributes:
        counts: events by agent and outcome.
    """

    def __init__(
        self,
        ledger: "Ledger[TP]",
        outbox: Outbox,
        dead_letters: DeadLetters,
        retry: Retry,
        on_fatal: OnFatal,
        *,
        lease: Lease | None = None,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._ledger = ledger
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._retry = retry
        self._lease = lease
        self._on_fatal = on_fatal
        self._changed = asyncio.Event()
        self._halted = False
        ledger.on_change = self._changed.set
        ledger.on_failed = self._failed

    async def run(self, name: str, stream: Stream, handler: Handler) -> None:
        """Feed a stream to a handler until it ends.

        Args:
            name: for counts and the log.
            stream: of Faust's, of a topic that only this agent reads; its values are batches.
            handler: may be a coroutine function. It must not block. Work that outlives it holds the entry.
        """
        async for event in stream.events():
            await self._take(name, event.value, handler)

    async def _take(self, name: str, batch: Batch, handler: Handler) -> None:
        """Handle a batch, record by record, with a pause now and then for everybody else on the event loop."""
        place, counts = batch.place, self.counts
        pause_at = time.monotonic() + SLICE_S
        for fetched in batch.records:
            if self._lease is not None and not self._lease.valid:
                await self._lease.held()
            if not batch.current():  # it comes again, here or elsewhere
                counts[name, "revoked"] += 1
                return
            entry = self._ledger.open(place, fetched.offset)
            if entry is None:
                counts[name, "redelivered"] += 1
                continue
            record = entry.context = Record.of(fetched)
            counts[name, await self._handle(name, record, entry, handler)] += 1
            if self._halted or not self._outbox.roomy or not self._ledger.room:
                await self._wait_for_room()
            elif time.monotonic() >= pause_at:
                await asyncio.sleep(0)
            else:
                continue
            pause_at = time.monotonic() + SLICE_S

    async def idle(self, timeout_s: float) -> bool:
        """Wait until no open entry owes anything.

        Returns:
            Whether that is so; ``False`` when the deadline came first.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self._ledger.unfinished:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _wait_for_room(self) -> None:
        """Back-pressure: by events in flight and by outputs in flight. A stopping worker takes nothing more."""
        await self._outbox.room()
        while self._halted or not self._ledger.room:
            self._changed.clear()
            await self._changed.wait()

    async def _handle(self, name: str, record: Record, entry: Entry, handler: Handler) -> str:
        """Returns the outcome's name."""
        attempt = 1
        while True:
            try:
                result = handler(record, entry)
                if result is not None:
                    await result
            except Exception as error:  # noqa: BLE001  sorted below
                if entry.forgotten:
                    return "revoked"
                if not _worth_retrying(error) or attempt >= self._retry.attempts:
                    return self._give_up(name, record, entry, error, attempt)
                with speaking_of(record):
                    log.warning("will try again", agent=name, attempt=attempt, error=str(error))
            else:
                entry.done()
                return "handled"
            await asyncio.sleep(self._backoff_s(attempt))
            attempt += 1

    def _backoff_s(self, attempt: int) -> float:
        milliseconds = self._retry.first_backoff_ms * 2 ** min(attempt - 1, 30)
        return min(milliseconds, self._retry.max_backoff_ms) / 1000

    def _give_up(self, name: str, record: Record, entry: Entry, error: Exception, attempts: int) -> str:
        """Stop the worker, or let the dead-letter topic have the event; that takes over one obligation of the entry."""
        with speaking_of(record):
            return self._sorted(name, record, entry, error, attempts)

    def _sorted(self, name: str, record: Record, entry: Entry, error: Exception, attempts: int) -> str:
        # Cancelled, though the partition is ours: its state is not. Seen as dead letters of good events, before the worker stopped.
        if isinstance(error, FatalError | DeliveryError | CancelledRequestError):
            self._halted = True
            self._on_fatal(error)
            return "fatal"
        if not isinstance(error, BadInputError | RetryableError):
            where = {"agent": name, "topic": record.topic, "partition": record.partition, "offset": record.offset}
            log.error("a handler failed", exc_info=error, **where)
        self._dead_letters.publish(DeadLetter.of(record, error, attempts), entry)
        return "dead_letter"

    def _failed(self, entry: Entry, error: Exception) -> None:
        """An obligation failed after its handler returned: a delivery, or a task."""
        if isinstance(error, CancelledRequestError) and entry.forgotten:
            return
        record = entry.context
        if not isinstance(record, Record):
            self._on_fatal(FatalError(f"an entry without a record failed: {error}"))
            return
        self.counts["later", self._give_up("later", record, entry, error, 1)] += 1


def _worth_retrying(error: Exception) -> bool:
    return isinstance(error, RetryableError) and not isinstance(error, DeliveryError)
