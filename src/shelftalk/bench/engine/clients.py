"""Callers who come one after another and wait for their text: the same ones for every contestant."""

import dataclasses
import heapq
import random
import threading
import time
from collections.abc import Sequence

#: The first callers come spread over this time, so that nobody starts with a full batch.
RAMP_S = 0.5

#: A caller thinks at most this long before it asks again.
THINK_S = 0.05


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One text to write.

    Attributes:
        text: the prompt.
        prompt: its token ids.
        slots: names of the slots that it may use.
        new_tokens: how many tokens the text has, its end token included.
        most: the budget that a real request would give.
    """

    text: str
    prompt: list[int]
    slots: list[str]
    new_tokens: int
    most: int


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A caller who waits. `number` is unique in a course."""

    number: int
    wanted: Wanted
    arrived_s: float


@dataclasses.dataclass(frozen=True)
class Course:
    """What one contestant did in one course.

    Attributes:
        requests: texts finished.
        tokens: their tokens.
        seconds: from the first arrival to the last finish.
        waits_s: what each caller waited.
        peak_mb: the most memory that the process had meanwhile.
        cpu_s: what it computed meanwhile, all threads together, spinning included.
    """

    requests: int
    tokens: int
    seconds: float
    waits_s: list[float]
    peak_mb: float
    cpu_s: float


class Clients:
    """``concurrency`` callers in a closed loop: each asks, waits, thinks for a moment and asks again until time is up.

    May be used from several threads.
    """

    def __init__(self, wanted: Sequence[Wanted], concurrency: int, seconds: float, first: int = 0) -> None:
        """Let time begin.

        Args:
            wanted: what is asked for, in this order.
            concurrency: how many callers there are.
            seconds: how long they come back.
            first: where in the order the first caller begins.
        """
        self.concurrency = concurrency
        self._wanted = wanted
        self._first = first
        self._dice = random.Random(concurrency)
        self._started_s = time.perf_counter()
        self._ends_s = self._started_s + seconds
        self._coming = [self._started_s + RAMP_S * client / concurrency for client in range(concurrency)]
        self._changed = threading.Condition()
        self._in_flight = 0
        self._next = 0
        self._waits_s: list[float] = []
        self._tokens = 0
        self._last_s = self._started_s

    def take(self, limit: int, timeout_s: float | None = None) -> list[Arrival]:
        """Up to ``limit`` callers who have come.

        Args:
            limit: the most that are wanted.
            timeout_s: how long to wait for the first of them; None waits until one comes or the course is over.

        Returns:
            Nobody where nobody came in time, or the course is over.
        """
        until = None if timeout_s is None else time.perf_counter() + timeout_s
        with self._changed:
            while True:
                now = time.perf_counter()
                found: list[Arrival] = []
                while self._coming and self._coming[0] <= now and len(found) < limit:
                    came_s = heapq.heappop(self._coming)
                    wanted = self._wanted[(self._first + self._next) % len(self._wanted)]
                    found.append(Arrival(self._next, wanted, came_s))
                    self._next += 1
                self._in_flight += len(found)
                if found or not (self._coming or self._in_flight) or (until is not None and now >= until):
                    return found
                waits = [moment - now for moment in (until, *self._coming[:1]) if moment is not None]
                self._changed.wait(min(waits, default=None))

    def finish(self, arrival: Arrival) -> None:
        """A text is ready."""
        now = time.perf_counter()
        with self._changed:
            self._in_flight -= 1
            self._waits_s.append(now - arrival.arrived_s)
            self._tokens += arrival.wanted.new_tokens
            self._last_s = now
            back_s = now + self._dice.random() * THINK_S
            if back_s < self._ends_s:
                heapq.heappush(self._coming, back_s)
            self._changed.notify()

    @property
    def over(self) -> bool:
        """Whether nobody waits, is served or will come."""
        with self._changed:
            return not (self._coming or self._in_flight)

    def course(self, peak_mb: float, cpu_s: float = 0.0) -> Course:
        """What was done."""
        seconds = self._last_s - self._started_s
        return Course(len(self._waits_s), self._tokens, seconds, self._waits_s, peak_mb, cpu_s)


def gather(clients: Clients, limit: int, window_s: float) -> list[Arrival]:
    """A batch for a peer that can't let anybody join later: whoever comes within a moment of the first.

    Args:
        clients: the callers.
        limit: the largest batch.
        window_s: how long the first one waits for others.
    """
    batch = clients.take(limit)
    until = time.perf_counter() + window_s
    while batch and len(batch) < limit and (left_s := until - time.perf_counter()) > 0:
        batch += clients.take(limit - len(batch), left_s)
    return batch
