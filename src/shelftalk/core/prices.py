"""Prices of a product over time: what the present one is, when it began and ends, and what the lowest before it was."""

from functools import lru_cache
from itertools import pairwise

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: The EU's Omnibus directive (98/6/EC, article 6a): the prior price is the lowest of the thirty days before the reduction.
PRIOR_PRICE_WINDOW_MS = 30 * DAY_MS

#: An event may come this late and still leave the same price history as if it had come in time.
LATENESS_MS = DAY_MS

#: Price points of one product that are remembered at most. Beyond it the two oldest become one with the lower price, which can
#: only make a sale look smaller, never larger.
MAX_PRICE_POINTS = 256


class PricePoint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """From this moment on, this price, for as long as the shop promised it."""

    at_ms: int
    price_minor: int
    ends_ms: int | None = None


def run_start(prices: tuple[PricePoint, ...]) -> int:
    """The index at which the present price began."""
    start = len(prices) - 1
    while start > 0 and prices[start - 1].price_minor == prices[-1].price_minor:
        start -= 1
    return start


def ends_ms(prices: tuple[PricePoint, ...]) -> int | None:
    """The promised end of the present price.

    A repeat of the price while it runs, by a product event say, does not take the promise back. One after the end means that the
    shop goes on with the price.
    """
    promised_ms = None
    for point in prices[run_start(prices) :]:
        if point.ends_ms is not None:
            promised_ms = point.ends_ms
        elif promised_ms is not None and point.at_ms >= promised_ms:
            promised_ms = None
    return promised_ms


def compact(points: dict[int, PricePoint]) -> tuple[PricePoint, ...]:
    """Sorted by time, without what can matter no more: the old inside of runs, and what lies before any window."""
    ordered = [points[at_ms] for at_ms in sorted(points)]
    settled_ms = ordered[-1].at_ms - LATENESS_MS
    kept = ordered[:1]
    for point, following in pairwise(ordered[1:]):
        inside = kept[-1].price_minor == point.price_minor == following.price_minor
        if not inside or point.ends_ms is not None or point.at_ms >= settled_ms:
            kept.append(point)
    kept += ordered[1:][-1:]
    # The present price may have begun before; a late event may yet make it begin at `settled_ms`.
    opens_ms = min(kept[run_start(tuple(kept))].at_ms, settled_ms) - PRIOR_PRICE_WINDOW_MS
    first = max((i for i, point in enumerate(kept) if point.at_ms <= opens_ms), default=0)
    kept = kept[first:]
    while len(kept) > MAX_PRICE_POINTS:
        oldest, second = kept[:2]
        kept[:2] = [PricePoint(oldest.at_ms, min(oldest.price_minor, second.price_minor))]
    return tuple(kept)


@lru_cache(maxsize=16_384)
def lowest_before(prices: tuple[PricePoint, ...]) -> int | None:
    """The lowest of the window before the present price; remembered, for every card of a product asks several times."""
    start = run_start(prices)
    opens_ms = prices[start].at_ms - PRIOR_PRICE_WINDOW_MS
    # A price counts for the window if it was still in force when the window opened.
    return min((prices[i].price_minor for i in range(start) if prices[i + 1].at_ms > opens_ms), default=None)


def prior_minor(prices: tuple[PricePoint, ...]) -> int | None:
    """The genuine "was" price: the lowest of the thirty days before the present price came, if that is above it.

    Source: Directive 98/6/EC as amended by (EU) 2019/2161, article 6a.
    """
    lowest = lowest_before(prices)
    return lowest if lowest is not None and lowest > prices[-1].price_minor else None
