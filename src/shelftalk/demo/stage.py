"""A small discrete-event simulator: processes take turns in simulated time, and what they emit comes out in the order it is due.

A process is a generator that yields how many milliseconds it waits until it goes on. Ties are settled by who came first, so one
seed always plays the same piece.
"""

import heapq
from collections.abc import Generator, Iterator

from shelftalk.demo.plan import Planned, planned
from shelftalk.events.types import Behaviour, Inventory

Process = Generator[float, None, None]


class Stage:
    """Simulated time, the processes in it, and the records that they emit.

    Attributes:
        now_ms: simulated UTC milliseconds.
    """

    def __init__(self, seed: int, start_ms: int) -> None:
        self.now_ms = start_ms
        self._seed = seed
        self._ids = 0
        self._order = 0
        self._queue: list[tuple[int, int, Planned | Process]] = []

    def next_id(self) -> str:
        """The id of the next event: from the seed and a counter, so that a run can be repeated to the letter."""
        self._ids += 1
        return f"demo-{self._seed}-{self._ids}"

    def emit(self, event: Behaviour | Inventory, after_ms: float = 0) -> None:
        """Send an event, now or later; when it happened is the event's own affair."""
        self.emit_record(planned(self.now_ms + round(after_ms), event))

    def emit_record(self, record: Planned) -> None:
        """Send a record as it is."""
        self._push(record.due_ms, record)

    def start(self, process: Process, after_ms: float = 0) -> None:
        """Let a process begin."""
        self._push(self.now_ms + round(after_ms), process)

    def play(self) -> Iterator[Planned]:
        """Everything in the order it is due, for ever if a process goes on for ever."""
        while self._queue:
            due_ms, _, thing = heapq.heappop(self._queue)
            self.now_ms = due_ms
            if isinstance(thing, Planned):
                yield thing
                continue
            wait_ms = next(thing, None)
            if wait_ms is not None:
                self._push(due_ms + max(1, round(wait_ms)), thing)

    def _push(self, due_ms: int, thing: Planned | Process) -> None:
        self._order += 1
        heapq.heappush(self._queue, (due_ms, self._order, thing))
