"""The simulated world: a clock, a queue of what happens next, one source of randomness, and a diary."""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable

#: Simulations begin here: some day in 2027.
START_MS = 1_800_000_000_000

#: Diary lines that are kept to be shown with a failure.
_DIARY = 60


class PromiseBrokenError(Exception):
    """Something that must hold did not.

    Attributes:
        promise: a short code of what was promised.
    """

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


class World:
    """Time and chance.

    Attributes:
        rng: the only source of randomness; whoever draws from it does so in the order of simulated time.
        now_ms: the simulated wall clock.
        diary: the last things that happened.
        counts: how often what happened.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_ms = START_MS
        self.diary: deque[str] = deque(maxlen=_DIARY)
        self.counts: Counter[str] = Counter()
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, at_ms: int, what: Callable[[], None]) -> None:
        """Do something at a moment; of two for the same moment the first one asked for comes first."""
        self._number += 1
        heapq.heappush(self._agenda, (max(at_ms, self.now_ms), self._number, what))

    def after(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Do something later."""
        self.at(self.now_ms + delay_ms, what)

    def step(self) -> bool:
        """Let the next thing happen.

        Returns:
            Whether there was one.
        """
        if not self._agenda:
            return False
        self.now_ms, _, what = heapq.heappop(self._agenda)
        what()
        return True

    def note(self, kind: str, detail: str = "") -> None:
        """Write into the diary."""
        self.counts[kind] += 1
        self.diary.append(f"{self.now_ms - START_MS:>6} ms  {kind}  {detail}")

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return self.rng.random() < probability
