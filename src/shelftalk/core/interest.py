"""Interests of a shopper: decayed counts of what they choose, and at what price."""

import math
from collections.abc import Iterable
from typing import TypeVar

import msgspec

#: An interest halves in a day, so that the present session outweighs last week.
INTEREST_HALF_LIFE_MS = 24 * 3_600_000

#: The narrowest band, as a factor: who looked at one price only still looks a quarter around it.
_NARROWEST = math.log(1.25)


class Interest(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A decayed count."""

    name: str
    weight: float
    at_ms: int


class Leaning(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A category that a shopper looks in, and the prices of what they look at there.

    Attributes:
        priced: the part of the weight whose price is known.
        mean: of the logarithms of those prices, in minor units: a band is as wide upwards as downwards by factor.
        variance: likewise.
    """

    name: str
    weight: float
    at_ms: int
    currency: str = ""
    priced: float = 0.0
    mean: float = 0.0
    variance: float = 0.0


class Band(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The prices that a shopper looks at in a category, in minor units."""

    category: str
    currency: str
    low_minor: int
    high_minor: int

    def holds(self, category: str, currency: str, price_minor: int) -> bool:
        """Whether a product is within it."""
        same = (category, currency) == (self.category, self.currency)
        return same and self.low_minor <= price_minor <= self.high_minor

    @property
    def middle(self) -> float:
        """The geometric mean."""
        return math.sqrt(self.low_minor * self.high_minor)


Kept = TypeVar("Kept", Interest, Leaning)


def decayed(interest: Interest | Leaning, at_ms: int) -> float:
    """The weight as of a moment."""
    return interest.weight * _fading(interest, at_ms)


def _fading(interest: Interest | Leaning, at_ms: int) -> float:
    return float(0.5 ** (max(at_ms - interest.at_ms, 0) / INTEREST_HALF_LIFE_MS))


def raise_interest(
    interests: tuple[Interest, ...], name: str, at_ms: int, weight: float, limit: int
) -> tuple[Interest, ...]:
    """Add weight to one interest after decaying it; the faintest goes beyond the limit."""
    old = next((interest for interest in interests if interest.name == name), None)
    total = weight + (decayed(old, at_ms) if old else 0.0)
    raised = Interest(name, total, max(at_ms, old.at_ms if old else at_ms))
    return _strongest((*(interest for interest in interests if interest is not old), raised), at_ms, limit)


def lean(
    leanings: tuple[Leaning, ...],
    category: str,
    at_ms: int,
    weight: float,
    limit: int,
    *,
    price_minor: int | None = None,
    currency: str | None = None,
) -> tuple[Leaning, ...]:
    """Likewise for a category, with the price if it is known. Prices in another currency than before begin a new band.

    The running mean and variance of weighted values: D. H. D. West, "Updating mean and variance estimates", CACM 22 (1979).
    """
    old = next((leaning for leaning in leanings if leaning.name == category), None) or Leaning(category, 0.0, at_ms)
    fading = _fading(old, at_ms)
    priced, mean, variance, kept = old.priced * fading, old.mean, old.variance, old.currency
    if price_minor and currency:
        if currency != kept:
            priced, mean, variance, kept = 0.0, 0.0, 0.0, currency
        total = priced + weight
        off = math.log(price_minor) - mean
        mean += off * weight / total
        variance = priced / total * (variance + weight / total * off * off)
        priced = total
    new = Leaning(category, old.weight * fading + weight, max(at_ms, old.at_ms), kept, priced, mean, variance)
    return _strongest((*(leaning for leaning in leanings if leaning.name != category), new), at_ms, limit)


def band(leaning: Leaning, least: float) -> Band | None:
    """One standard deviation around the mean; ``None`` while less than `least` of priced weight is known."""
    if leaning.priced < least:
        return None
    half = max(math.sqrt(leaning.variance), _NARROWEST)
    low = max(round(math.exp(leaning.mean - half)), 1)  # nothing is given away: of no price there is no logarithm
    high = round(math.exp(leaning.mean + half))
    return Band(leaning.name, leaning.currency, low, high)


def _strongest(interests: Iterable[Kept], at_ms: int, limit: int) -> tuple[Kept, ...]:
    return tuple(sorted(interests, key=lambda entry: (-decayed(entry, at_ms), entry.name))[:limit])
