"""The pace: how much the worker has done, second by second; and, in a rush, no more on its way than it soon takes."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from shelftalk.demo.plan import Planned

#: The crowd of a rush, in events a second, and how long it takes where nothing else is said: some hundred seconds until what is
#: saved up for words is spent, and fifty to be counted.
RUSH_PER_S, RUSH_S = 1_000.0, 150.0

#: How often a worker commits in a rush, so that what it is done with is known at once; and how often it is asked.
COMMIT_S, LOOK_S = 0.2, 0.25

#: Records that an event becomes on its way through the stages, with itself.
_EACH: Final = 6

#: What may lie before the worker, in seconds of what it takes, so that no card comes late; half is done and not yet committed.
_AHEAD_S: Final = 0.8

#: Cards that take longer than this, in the median of the newest, say that it has too much already, whatever lies before it.
_LATE_MS: Final = 150.0

#: As TCP does: a little faster while that holds, a good deal slower where it does not.
_FASTER, _SLOWER, _SLOWEST_PER_S, _FIRST_PER_S = 1.05, 0.9, 10.0, 100.0

#: Looks that say how much it takes.
_RECENT: Final = 8
_NAP_S: Final = 0.1

_TEXTS: Final = 'shelftalk_shelf_total{what="texts_begun"}'
_DRAFTS: Final = "shelftalk_desk_drafts_total"
_TAKEN: Final = tuple(f'shelftalk_events_total{{agent="{agent}"' for agent in ("react", "shelf_inventory"))


class Steady(msgspec.Struct, frozen=True):
    """What the worker did in the last third of the time, when its copybook was as warm as it got.

    Attributes:
        texts: that were begun, each further try of one too.
    """

    seconds: float
    events: int
    texts: int

    def figures(self) -> dict[str, Any]:
        """For the summary."""
        return {
            "seconds": round(self.seconds, 1),
            "events": self.events,
            "events_per_s": round(self.events / self.seconds, 1),
            "texts": self.texts,
            "texts_per_event": round(self.texts / max(self.events, 1), 5),
        }


class _Sample(msgspec.Struct, frozen=True):
    at_s: float
    events: int
    texts: int


class Pace:
    """Told the worker's figures time and again by one thread; another may be held back by them.

    Attributes:
        texts: begun so far; `drafts` likewise.
    """

    def __init__(self) -> None:
        self.texts = self.drafts = 0
        self._samples: list[_Sample] = []
        self._told = threading.Condition()
        self._over = False
        self._per_s = _FIRST_PER_S  # of who is held back, for now
        self._sent = 0
        self._sent_then = 0  # when the worker last told
        self._room = self._per_s * LOOK_S  # since then

    def note(
        self, at_s: float, metrics: Mapping[str, float], lag: int | None = None, late_ms: float | None = None
    ) -> None:
        """What the worker says.

        Args:
            at_s: after the start.
            metrics: its own; none where it did not answer.
            lag: records that it is not done with, in all of its stages; ``None`` where nobody knows.
            late_ms: how long the newest cards took, in the median; ``None`` likewise.
        """
        if not metrics:
            return
        taken = sum(value for name, value in metrics.items() if name.startswith(_TAKEN))
        with self._told:
            self.texts, self.drafts = round(metrics.get(_TEXTS, 0)), round(metrics.get(_DRAFTS, 0))
            before_s = self._samples[-1].at_s if self._samples else 0.0
            self._samples.append(_Sample(at_s, round(taken), self.texts))
            self._steer(lag or 0, late_ms or 0.0, at_s - before_s)
            self._told.notify_all()

    def over(self) -> None:
        """Nobody is held back any more."""
        with self._told:
            self._over = True
            self._told.notify_all()

    def steady(self) -> Steady | None:
        """The last third."""
        if len(self._samples) < 2:  # noqa: PLR2004  a stretch has two ends
            return None
        last = self._samples[-1]
        first = next(sample for sample in self._samples if sample.at_s >= last.at_s * 2 / 3)
        if first is last:
            first = self._samples[-2]
        return Steady(last.at_s - first.at_s, last.events - first.events, last.texts - first.texts)

    def _steer(self, lag: int, late_ms: float, since_s: float) -> None:
        """How many records may go until the worker tells again; the pause between two questions stays about the same."""
        used = self._sent - self._sent_then >= self._room / 2
        first, last = self._samples[-_RECENT:][0], self._samples[-1]
        taken_per_s = (last.events - first.events) / max(last.at_s - first.at_s, LOOK_S)
        if late_ms > _LATE_MS or lag > max(taken_per_s, _SLOWEST_PER_S) * _EACH * _AHEAD_S:
            self._per_s = max(self._per_s * _SLOWER, _SLOWEST_PER_S)
        elif used:
            self._per_s *= _FASTER
        self._sent_then, self._room = self._sent, self._per_s * since_s

    def held_back(self, records: Iterable[Planned], until_ms: int) -> Iterator[Planned]:
        """The records, as fast as the worker is done with them; no more when the time is over."""
        for record in records:
            with self._told:
                while self._sent - self._sent_then >= self._room and not self._ends(until_ms):
                    self._told.wait(_NAP_S)
                self._sent += 1
            if self._ends(until_ms):
                return
            yield record

    def _ends(self, until_ms: int) -> bool:
        return self._over or time.time() * 1000 >= until_ms
