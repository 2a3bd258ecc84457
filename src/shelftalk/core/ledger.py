"""The ledger: which offsets may be committed, whatever order work finishes in.

An offset may be committed only after everything its event caused is delivered, and so is everything before it.
Faust's own bookkeeping breaks that when acks come out of order (0.15.3: offset 0 in flight, 1-5 acked, committed 6,
event 0 lost on kill -9), so it is replaced by this state machine. It knows no Kafka, no clock and no event loop.

An event passes through three states: *expected* (fetched from the broker), *open* (a handler has it), *finished*
(every obligation is done). Expected events hold the commit back as well: were one dropped between fetcher and handler,
commits would stop there and the event would come again, rather than be lost.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Partition = TypeVar("Partition", bound=Hashable)

#: Entries that may be open or wait behind an open one; how many events are processed again at most after a crash.
DEFAULT_LIMIT = 4096


class Entry:
    """One event and what must be done before its offset may be committed.

    It opens with one obligation, the handler's own. Whoever starts something on the event's behalf calls `hold`, and
    `done` once it is delivered, or `fail`.

    Attributes:
        offset: of the event in its partition.
        opened: whether a handler has it.
        context: whatever the shell wants to find again when the entry fails; the ledger does not look at it.
        error: the first failure.
    """

    __slots__ = ("_holds", "_log", "context", "error", "offset", "opened")

    def __init__(self, log: "_Log", offset: int) -> None:
        self._log: _Log | None = log
        self._holds = 1
        self.offset = offset
        self.opened = False
        self.context: object = None
        self.error: Exception | None = None

    @property
    def holds(self) -> int:
        """Obligations that are not done."""
        return self._holds

    @property
    def finished(self) -> bool:
        """Whether nothing is owed any more."""
        return self._holds == 0

    @property
    def forgotten(self) -> bool:
        """Whether its partition was revoked: another worker has the event now, so nothing more may be done for it."""
        return self._log is None

    def hold(self) -> None:
        """Add an obligation.

        Raises:
            ValueError: the entry is finished, so its offset may already be committed.
        """
        self._require_unfinished()
        self._holds += 1

    def done(self) -> None:
        """One obligation is done.

        Raises:
            ValueError: more were done than held.
        """
        self._require_unfinished()
        self._holds -= 1
        if self._holds == 0 and self._log is not None:
            self._log.release()

    def fail(self, error: Exception) -> None:
        """One obligation cannot be done.

        The ledger's `on_failed` takes over the obligation of the first failure and calls `done` when it has dealt with it
        (say, when the dead letter is delivered). Later failures of the same entry are only counted as done.

        Raises:
            ValueError: more were done than held.
        """
        self._require_unfinished()
        if self.error is None and self._log is not None:
            self.error = error
            self._log.failed(self, error)
        else:
            self.done()

    def forget(self) -> None:
        """Cut the entry off from its ledger."""
        self._log = None

    def _require_unfinished(self) -> None:
        if self._holds == 0:
            raise ValueError(f"offset {self.offset} is finished; nothing can be added to it or taken from it")


class Ledger(Generic[Partition]):
    """Entries of all partitions of one worker.

    Args:
        limit: bound on open entries and finished ones that wait behind them.
        on_change: called whenever an entry finishes or is forgotten, so that a shell can wake who waits for `room`.
        on_failed: called with an entry's first failure; it owes the entry one `done`. Without it a failure holds the
            commit back for good.
    """

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        on_change: Callable[[], None] | None = None,
        on_failed: Callable[[Entry, Exception], None] | None = None,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._logs: dict[Partition, _Log] = {}
        self._kept = 0  # of all logs: asked for once an event
        self.on_change = on_change
        self.on_failed = on_failed

    def expect(self, partition: Partition, offset: int) -> None:
        """An event was fetched and is on its way to a handler. A repeat changes nothing.

        Raises:
            LookupError: the offset is before the first one of this assignment, so that was not where it began.
        """
        self._log(partition).expect(offset)

    def open(self, partition: Partition, offset: int) -> Entry | None:
        """A handler takes an event.

        Returns:
            Its entry, or ``None`` if a handler had it before in this assignment: a redelivery after a seek, to be skipped.
        """
        entry = self._log(partition).open(offset)
        if entry is not None:
            self._kept += 1
        return entry

    def committable(self) -> dict[Partition, int]:
        """For each partition the next offset to read: everything below it that was fetched is finished."""
        return {key: log.position for key, log in self._logs.items() if log.position is not None}

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Partitions were revoked: drop their entries; what is done for them has no effect here any more."""
        for partition in partitions:
            log = self._logs.pop(partition, None)
            if log is not None:
                self._kept -= log.kept
                log.forget()
        self.changed()

    @property
    def unfinished(self) -> int:
        """Open entries that still owe something."""
        return sum(log.unfinished for log in self._logs.values())

    @property
    def kept(self) -> int:
        """Opened entries in memory: the unfinished ones, and finished ones behind them."""
        return self._kept

    @property
    def room(self) -> int:
        """How many more entries should be opened now."""
        return max(self._limit - self._kept, 0)

    def heads(self) -> dict[Partition, Entry]:
        """The entry that holds each partition's commit back."""
        return {key: log.line[0] for key, log in self._logs.items() if log.line}

    def open_entries(self) -> list[Entry]:
        """Every open entry that still owes something, per partition in offset order."""
        return [entry for log in self._logs.values() for entry in log.line if entry.opened and not entry.finished]

    def check(self) -> None:
        """All invariants in one place.

        Raises:
            AssertionError: one does not hold.
        """
        for log in self._logs.values():
            log.check()
        _require(self._kept == sum(log.kept for log in self._logs.values()), "kept is the sum of the logs'")

    def released(self, count: int) -> None:
        """Entries of a log are kept no longer."""
        self._kept -= count

    def changed(self) -> None:
        """Tell the shell."""
        if self.on_change is not None:
            self.on_change()

    def _log(self, partition: Partition) -> "_Log":
        log = self._logs.get(partition)
        if log is None:
            log = self._logs[partition] = _Log(self)
        return log


class _Log:
    """The entries of one partition that are not released, in offset order.

    Attributes:
        line: ascending; its head is never finished.
        position: the next offset to commit; ``None`` until the first release.
    """

    def __init__(self, ledger: Ledger[Partition]) -> None:
        self._ledger = ledger
        self._index: dict[int, Entry] = {}
        self._first: int | None = None
        self._last = -1
        self.line: deque[Entry] = deque()
        self.position: int | None = None
        self.unfinished = 0
        self.kept = 0

    def expect(self, offset: int) -> None:
        if self._first is None:
            self._first = offset
        if offset < self._first:
            # Later offsets of an earlier assignment came first. Were this one taken for a repeat, it would be lost.
            raise LookupError(f"offset {offset} comes after {self._first}, with which this assignment began")
        if offset > self._last:
            self._last = offset
            entry = Entry(self, offset)
            self.line.append(entry)
            self._index[offset] = entry

    def open(self, offset: int) -> Entry | None:
        self.expect(offset)
        entry = self._index.get(offset)
        if entry is None or entry.opened:
            return None
        entry.opened = True
        self.unfinished += 1
        self.kept += 1
        return entry

    def release(self) -> None:
        """An entry of this log finished: release the finished ones at its head."""
        self.unfinished -= 1
        line, before = self.line, self.kept
        while line and line[0].finished:
            head = line.popleft()
            del self._index[head.offset]
            self.kept -= 1
            self.position = head.offset + 1
        self._ledger.released(before - self.kept)
        self._ledger.changed()

    def failed(self, entry: Entry, error: Exception) -> None:
        if self._ledger.on_failed is not None:
            self._ledger.on_failed(entry, error)

    def forget(self) -> None:
        for entry in self.line:
            entry.forget()

    def check(self) -> None:
        offsets = [entry.offset for entry in self.line]
        opened = [entry for entry in self.line if entry.opened]
        _require(offsets == sorted(set(offsets)), "a line ascends without repeats")
        _require(set(offsets) == set(self._index), "index and line agree")
        _require(not self.line or not self.line[0].finished, "a finished head is released at once")
        _require(not offsets or self.position is None or self.position <= offsets[0], "no commit past the head")
        _require(self.kept == len(opened), "kept counts what was opened")
        _require(self.unfinished == sum(not entry.finished for entry in opened), "unfinished counts what owes")
        _require(all(entry.opened for entry in self.line if entry.finished), "only what was opened finishes")


def _require(condition: bool, invariant: str) -> None:
    if not condition:
        raise AssertionError(invariant)
