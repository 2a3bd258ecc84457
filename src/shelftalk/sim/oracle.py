"""What is true of a product after some of its inventory records: worked out anew each time, the slow and plain way.

Nothing of `shelftalk.core.facts` is used here, so that the two can be held against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shelftalk.events.types import InventoryEvent, PriceChanged, ProductDelisted, ProductUpserted, StockChanged

_THIRTY_DAYS_MS = 30 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Truth:
    """The product at one point of its log."""

    name: str | None = None
    price_minor: int | None = None
    was_minor: int | None = None
    ends_ms: int | None = None
    stock: int | None = None
    delisted: bool = False

    @property
    def complete(self) -> bool:
        """Whether there is enough to write about."""
        return self.name is not None and self.price_minor is not None and self.stock is not None

    def showable(self, now_ms: int) -> bool:
        """Whether it may be offered at this moment."""
        over = self.ends_ms is not None and self.ends_ms <= now_ms
        return self.complete and not self.delisted and bool(self.stock) and not over


@dataclass(slots=True)
class Book:
    """The inventory records of one product, by offset."""

    records: list[tuple[int, InventoryEvent]] = field(default_factory=list)
    _known: dict[int, Truth] = field(default_factory=dict)

    def add(self, offset: int, event: InventoryEvent) -> None:
        """One more record. A repeat says nothing new."""
        if all(event.event_id != held.event_id for _, held in self.records):
            self.records.append((offset, event))

    def upto(self, offset: int) -> Truth:
        """What was true when the log had been read up to an offset."""
        events = [event for place, event in self.records if place <= offset]
        if len(events) not in self._known:
            self._known[len(events)] = truth(events)
        return self._known[len(events)]

    def now(self) -> Truth:
        """What is true after everything."""
        return self.upto(2**62)


def truth(arrived: Sequence[InventoryEvent]) -> Truth:
    """What is true after these events, in order of arrival: the newest counts, of two from one moment the later arrival."""
    events = sorted(arrived, key=lambda event: event.occurred_at_ms)
    products = [event for event in events if isinstance(event, ProductUpserted)]
    stocks = [event for event in events if isinstance(event, ProductUpserted | StockChanged)]
    line = _price_line(events)
    delisted = False
    for event in events:
        if isinstance(event, ProductDelisted | ProductUpserted):
            delisted = isinstance(event, ProductDelisted)
    return Truth(
        name=products[-1].name if products else None,
        price_minor=line[-1][1] if line else None,
        was_minor=_was(line),
        ends_ms=_ends(line),
        stock=stocks[-1].stock if stocks else None,
        delisted=delisted,
    )


_Line = list[tuple[int, int, int | None]]


def _price_line(events: Sequence[InventoryEvent]) -> _Line:
    """Moments, prices and promised ends, in the present currency and since it has been the present one."""
    points: dict[int, tuple[int, str, int | None]] = {}
    for event in events:
        if isinstance(event, PriceChanged):
            points[event.occurred_at_ms] = (event.price_minor, event.currency, event.sale_ends_at_ms)
        elif isinstance(event, ProductUpserted):
            points[event.occurred_at_ms] = (event.price_minor, event.currency, None)
    line: _Line = []
    for at_ms, (minor, currency, ends_ms) in sorted(points.items(), reverse=True):
        if currency != points[max(points)][1]:
            break
        line.insert(0, (at_ms, minor, ends_ms))
    return line


def _run(line: _Line) -> int:
    """Where the present price began."""
    start = len(line) - 1
    while start > 0 and line[start - 1][1] == line[-1][1]:
        start -= 1
    return start


def _was(line: _Line) -> int | None:
    """The lowest price in force at any moment of the thirty days before the present one began, if that is higher."""
    if not line:
        return None
    start = _run(line)
    began_ms = line[start][0]
    lowest = None
    for (_, minor, _), (until_ms, _, _) in pairwise(line[: start + 1]):
        if until_ms > began_ms - _THIRTY_DAYS_MS:
            lowest = minor if lowest is None else min(lowest, minor)
    return lowest if lowest is not None and lowest > line[-1][1] else None


def _ends(line: _Line) -> int | None:
    """A promised end holds for the run of its price, until the shop states the price again at or after that end."""
    ends_ms = None
    for at_ms, _, promised_ms in line[_run(line) :] if line else ():
        if promised_ms is not None:
            ends_ms = promised_ms
        elif ends_ms is not None and at_ms >= ends_ms:
            ends_ms = None
    return ends_ms
