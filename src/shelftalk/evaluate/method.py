"""What every recommender that is compared looks like, and the two simplest of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from shelftalk.events.log_events import Row


class Session:
    """One visit so far: the rows that led from one product to another.

    Attributes:
        key: of the session in the log.
        steps: rows in order; a row about the same product as the one before it is not a step.
        seen: the products so far.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.steps: list[Row] = []
        self.seen: set[str] = set()

    @property
    def current(self) -> Row:
        """The last step."""
        return self.steps[-1]

    def add(self, row: Row) -> None:
        """One row more."""
        if not self.steps or self.steps[-1].product_id != row.product_id:
            self.steps.append(row)
            self.seen.add(row.product_id)


class Method(Protocol):
    """A recommender that learns while the log is replayed."""

    def learn(self, row: Row, session: Session) -> None:
        """One row happened; `session` is as it was before."""

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """Up to `count` products that may come next, best first, without the one that the session is at.

        Args:
            session: with at least one step.
            at_ms: the present, in the log's time.
            count: how many are wanted.
        """


def best(scores: Iterable[tuple[str, float]], count: int) -> list[str]:
    """The products with the highest scores; of equals the one whose id sorts first, so that runs repeat."""
    return [sku for sku, _ in sorted(scores, key=lambda scored: (-scored[1], scored[0]))[:count]]


class Popularity:
    """What was met most often so far."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def learn(self, row: Row, session: Session) -> None:
        """Count it."""
        del session
        self._count[row.product_id] += 1

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """The same for everybody."""
        del at_ms
        top = (sku for sku, _ in self._count.most_common(count + 1))
        return [sku for sku in top if sku != session.current.product_id][:count]


class LastCategory:
    """What was met most often in the category that the shopper is in."""

    def __init__(self) -> None:
        self._count: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def learn(self, row: Row, session: Session) -> None:
        """Count it."""
        del session
        self._count[_category(row)][row.product_id] += 1

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """The same for everybody in the category."""
        del at_ms
        top = self._count[_category(session.current)].most_common(count + 1)
        return [sku for sku, _ in top if sku != session.current.product_id][:count]


def _category(row: Row) -> str:
    return row.category_id or row.category_code
