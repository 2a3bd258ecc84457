"""Which rate to try next: up in doublings, then bisecting, then once more for longer. Pure: no clock, no broker."""

import enum
import math

import msgspec

#: A worker that holds less is no worker.
SLOWEST = 0.5

#: More steps than this and the outcomes contradict each other.
MOST_STEPS = 24


class Outcome(enum.StrEnum):
    """What became of a step."""

    KEPT = "kept"
    BROKEN = "broken"
    LOAD_LATE = "the load generator could not keep up"
    INTERRUPTED = "interrupted"


class Try(msgspec.Struct, frozen=True):
    """A rate to be tried.

    Attributes:
        rate_per_s: records a second.
        longer: whether it was kept before, and is now to be held for longer.
    """

    rate_per_s: float
    longer: bool = False


class Search:
    """Finds the highest rate that is kept.

    Whether a rate is kept is taken to be monotonic; where a noisy machine makes it look otherwise, the newer outcome counts. The
    rate that is found was kept twice, the second time for longer.

    Args:
        first_per_s: tried first.
        within: stop when the lowest broken rate is at most so much (a share) above the highest kept one.

    Attributes:
        kept: highest rate that was kept, ``None`` as long as none was.
        broken: lowest that was not.
        confirmed: kept for longer, too; the result.
        at_limit: whether the load generator, rather than the workers, ended it.
    """

    def __init__(self, first_per_s: float, within: float = 0.1) -> None:
        if first_per_s <= 0 or within <= 0:
            raise ValueError("a rate and a share above 0 are needed")
        self._next = first_per_s
        self._within = within
        self._steps = 0
        self._below: list[float] = []  # kept rates, rising
        self.broken: float | None = None
        self.confirmed: float | None = None
        self.at_limit = False

    @property
    def kept(self) -> float | None:
        """The highest kept rate."""
        return self._below[-1] if self._below else None

    def next(self) -> Try | None:
        """The next rate to try; ``None`` at the end."""
        if self._steps >= MOST_STEPS:
            return None
        if self.kept is not None and self._narrow():
            return None if self.confirmed == self.kept else Try(self.kept, longer=True)
        if self.kept is None and (self.at_limit or self._next < SLOWEST):
            return None
        return Try(self._next)

    def note(self, tried: Try, outcome: Outcome) -> None:
        """What became of it."""
        self._steps += 1
        rate = tried.rate_per_s
        match outcome:
            case Outcome.KEPT:
                if tried.longer:
                    self.confirmed = rate
                if rate not in self._below:
                    self._below.append(rate)
            case Outcome.BROKEN:
                self.broken = rate
                self._below = [kept for kept in self._below if kept < rate]
            case Outcome.LOAD_LATE:
                self.at_limit = True
                if tried.longer:  # it was kept before; so much can be said
                    self.confirmed = rate
            case Outcome.INTERRUPTED:
                raise ValueError("an interrupted step says nothing")
        self._next = self._following()

    def _narrow(self) -> bool:
        """Whether nothing is left to be tried above the highest kept rate."""
        if self.at_limit:
            return True
        return self.broken is not None and self.broken <= (self.kept or 0.0) * (1 + self._within)

    def _following(self) -> float:
        if self.broken is None:
            return 2 * (self.kept or self._next)
        if self.kept is None:
            return self.broken / 2
        return math.sqrt(self.kept * self.broken)
