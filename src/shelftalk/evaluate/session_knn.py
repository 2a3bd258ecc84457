"""Session-based nearest neighbours, the baselines that simple and neural methods alike have to beat.

V-SKNN: M. Ludewig, D. Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 28 (2018). STAN: D. Garg et al.,
"Sequence and time aware neighborhood for session-based recommendations", SIGIR 2019. Both with the parameters that the authors of
the comparison found good for shops, and incremental: every session that was seen so far is a possible neighbour, but never the
shopper's own.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from shelftalk.evaluate.method import Session, best
from shelftalk.events.log_events import Row

_DAY_MS = 86_400_000


class _Neighbourhood:
    """All sessions so far.

    Args:
        neighbours: sessions that scores are made of.
        sample: the latest sessions with a product in common that neighbours are looked for in.
    """

    def __init__(self, neighbours: int, sample: int) -> None:
        self._neighbours = neighbours
        self._sample = sample
        self._items: dict[str, list[str]] = {}
        self._at_ms: dict[str, int] = {}
        self._with: defaultdict[str, dict[str, None]] = defaultdict(dict)  # by product: sessions, the latest last

    def learn(self, row: Row, session: Session) -> None:
        """The session went on."""
        items = self._items.setdefault(session.key, [])
        if not items or items[-1] != row.product_id:
            items.append(row.product_id)
        found = self._with[row.product_id]
        found.pop(session.key, None)
        found[session.key] = None
        self._at_ms[session.key] = row.at_ms

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """By what the nearest sessions hold."""
        current = [step.product_id for step in session.steps]
        weights = self._weights(current)
        sims = sorted(self._similarities(session.key, weights, at_ms), reverse=True)[: self._neighbours]
        scores: defaultdict[str, float] = defaultdict(float)
        for similarity, key in sims:
            for item, vote in self._votes(self._items[key], current, weights):
                scores[item] += similarity * vote
        scores.pop(current[-1], None)
        return best(scores.items(), count)

    def _similarities(self, own: str, weights: dict[str, float], at_ms: int) -> list[tuple[float, str]]:
        shared: dict[str, None] = {}
        for item in weights:
            shared.update(dict.fromkeys(islice(reversed(self._with.get(item, {})), self._sample)))
        shared.pop(own, None)
        latest = sorted(shared, key=self._at_ms.__getitem__, reverse=True)[: self._sample]
        return [(self._similarity(key, weights, at_ms), key) for key in latest]

    def _weights(self, current: list[str]) -> dict[str, float]:
        raise NotImplementedError

    def _similarity(self, key: str, weights: dict[str, float], at_ms: int) -> float:
        raise NotImplementedError

    def _votes(self, items: list[str], current: list[str], weights: dict[str, float]) -> Iterator[tuple[str, float]]:
        raise NotImplementedError


class VSknn(_Neighbourhood):
    """Vector multiplication session-kNN: k=100 of 1,000 recent, linear position weights, 1/step decay, idf weighting."""

    def __init__(self, neighbours: int = 100, sample: int = 1_000) -> None:
        super().__init__(neighbours, sample)

    def _weights(self, current: list[str]) -> dict[str, float]:
        return {item: place / len(current) for place, item in enumerate(current, start=1)}

    def _similarity(self, key: str, weights: dict[str, float], at_ms: int) -> float:
        del at_ms
        return sum(weights[item] for item in set(self._items[key]) & weights.keys()) / len(weights)

    def _votes(self, items: list[str], current: list[str], weights: dict[str, float]) -> Iterator[tuple[str, float]]:
        del weights
        held = set(items)
        step = next(step for step, item in enumerate(reversed(current), start=1) if item in held)
        for item in held:
            idf = math.log(len(self._items) / len(self._with[item]))
            yield item, (1 + idf) / step


class Stan(_Neighbourhood):
    """Sequence and time aware neighbourhood: k=500 of 2,500 recent."""

    #: Decay of a product's weight with its position, of a session's with its age, of a candidate's with the distance to a match.
    _POSITION, _AGE_MS, _DISTANCE = 4.0, 80.0 * _DAY_MS, 4.0

    def __init__(self, neighbours: int = 500, sample: int = 2_500) -> None:
        super().__init__(neighbours, sample)

    def _weights(self, current: list[str]) -> dict[str, float]:
        last = len(current)
        return {item: math.exp((place - last) / self._POSITION) for place, item in enumerate(current, start=1)}

    def _similarity(self, key: str, weights: dict[str, float], at_ms: int) -> float:
        held = set(self._items[key])
        norm = math.sqrt(sum(weight * weight for weight in weights.values()) * len(held))
        age = math.exp(-(at_ms - self._at_ms[key]) / self._AGE_MS)
        return sum(weights[item] for item in held & weights.keys()) / norm * age

    def _votes(self, items: list[str], current: list[str], weights: dict[str, float]) -> Iterator[tuple[str, float]]:
        del current
        last, match = {}, 0
        for place, item in enumerate(items):
            last[item] = place
            if item in weights:
                match = place
        for item, place in last.items():
            yield item, math.exp(-abs(place - match) / self._DISTANCE)
