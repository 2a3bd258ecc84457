"""A shop's day in a few seconds: the same events for everybody who is measured.

Shaped after the REES46 log that the demo plays: most events are views, a few products have most of them, and a visit stays
within a category or two. Seeded, so that every run of the benchmark asks for the same work.
"""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import msgspec

from shelftalk.events.codec import encode
from shelftalk.events.types import (
    Behaviour,
    CartAdded,
    CartRemoved,
    Inventory,
    OrderCompleted,
    OrderItem,
    PriceChanged,
    ProductsSearched,
    ProductUpserted,
    ProductViewed,
    StockChanged,
)

_KINDS = (
    "kettle", "desk lamp", "rain jacket", "running shoes", "garden hose", "bread knife", "backpack", "wool blanket", "headphones",
    "smartphone", "laptop", "water pump", "bicycle helmet", "tea pot", "office chair", "yoga mat", "toaster", "hair dryer",
    "fountain pen", "board game", "wall clock", "suitcase", "camping stove", "cutting board",
)  # fmt: skip
_BRANDS = 80
_POINTS = (
    "quiet at night",
    "repairable by hand",
    "folds flat",
    "dishwasher safe",
    "made from recycled wool",
    "light enough to carry",
)

#: Visits that go on at the same time, at least; one that ends makes room for the next.
_VISITS = 300
_VISIT_EVENTS = 12
_SHOPPERS = 200_000

#: Seconds between two events of one visit. In the REES46 log they are 32 in the median; fewer keep the worker's debounce at work,
#: but not so much at work that it, and not the worker, bounds the cards: 300 visitors can be told something 200 times a second.
_CLICK_EVERY_S = 10

#: How often a visitor looks at the kind of product that they came for.
_FAITHFUL = 0.8

#: What happens how often: 93 of 100 events are shoppers', the rest are prices and stock.
_SHARES: dict[type[Behaviour] | type[Inventory], float] = {
    ProductViewed: 85.5,
    CartAdded: 3.7,
    CartRemoved: 0.9,
    OrderCompleted: 1.4,
    ProductsSearched: 1.5,
    PriceChanged: 4,
    StockChanged: 3,
}


class Record(msgspec.Struct, frozen=True):
    """What goes to an input topic.

    Attributes:
        topic: ``behaviour`` or ``inventory``.
        event_id: of the event, by which its cards are recognised.
    """

    topic: str
    key: str
    value: bytes
    event_id: str


class Shop:
    """Makes the events of a shop, one after the other.

    Args:
        products: how many it sells; at least one of each kind.
        seed: of everything that is left to chance.
    """

    def __init__(self, products: int = 2_000, seed: int = 7) -> None:
        if products < len(_KINDS):
            raise ValueError(f"products must be at least {len(_KINDS)}, not {products}")
        self._dice = random.Random(seed)
        self._skus = [f"sku-{number:05d}" for number in range(products)]
        self._kind = {sku: number % len(_KINDS) for number, sku in enumerate(self._skus)}
        self._price = {sku: self._dice.randrange(500, 90_000) for sku in self._skus}
        self._of_kind = [[sku for sku in self._skus if self._kind[sku] == kind] for kind in range(len(_KINDS))]
        self._popularity = [list(accumulate(1 / (rank + 1) for rank in range(len(skus)))) for skus in self._of_kind]
        self._visits: list[tuple[str, str, int]] = []
        self._at_once = _VISITS
        self._number = 0

    def crowd(self, rate_per_s: float) -> None:
        """Have so many visitors at a time as make that many events a second, each clicking now and then."""
        self._at_once = max(_VISITS, round(rate_per_s * _CLICK_EVERY_S))

    @property
    def prices_minor(self) -> dict[str, int]:
        """What every product costs now."""
        return self._price

    def catalogue(self, at_ms: int) -> Iterator[Record]:
        """Every product once."""
        for sku in self._skus:
            yield _record(self._product(sku, at_ms))

    def _product(self, sku: str, at_ms: int) -> ProductUpserted:
        dice, kind = self._dice, _KINDS[self._kind[sku]]
        brand = f"Brand {dice.randrange(_BRANDS)}"
        return ProductUpserted(
            event_id=self._id(),
            occurred_at_ms=at_ms,
            sku=sku,
            name=f"{brand} {kind} {sku[-3:]}",
            category=f"home.{kind.replace(' ', '_')}",
            kind=kind,
            brand=brand,
            price_minor=self._price[sku],
            currency="GBP",
            stock=40,
            points=tuple(dice.sample(_POINTS, 2)),
        )

    def event(self, at_ms: int) -> Record:
        """The next event."""
        [kind] = self._dice.choices(list(_SHARES), list(_SHARES.values()))
        return _record(self._inventory(kind, at_ms) if issubclass(kind, Inventory) else self._behaviour(kind, at_ms))

    def view(self, at_ms: int) -> Record:
        """A product page is opened."""
        return _record(self._behaviour(ProductViewed, at_ms))

    def _inventory(self, kind: type[Inventory], at_ms: int) -> Inventory:
        sku = self._choose(self._dice.randrange(len(_KINDS)))
        if kind is StockChanged:
            return StockChanged(event_id=self._id(), occurred_at_ms=at_ms, sku=sku, stock=self._dice.randrange(2, 60))
        self._price[sku] = max(100, self._price[sku] + self._dice.randrange(-2_000, 2_000))
        return PriceChanged(
            event_id=self._id(), occurred_at_ms=at_ms, sku=sku, price_minor=self._price[sku], currency="GBP"
        )

    def _behaviour(self, kind: type[Behaviour], at_ms: int) -> Behaviour:
        shopper_id, session_id, interest = self._visit()
        sku = self._choose(interest if self._dice.random() < _FAITHFUL else self._dice.randrange(len(_KINDS)))
        what: dict[str, Any] = {"sku": sku}
        if kind is OrderCompleted:
            what = {"items": (OrderItem(sku=sku),)}
        elif kind is ProductsSearched:
            what = {"query": _KINDS[interest], "results": (sku,)}
        elif kind is not CartRemoved:
            what |= {"brand": f"Brand {self._dice.randrange(_BRANDS)}"}
        who: dict[str, Any] = {"shopper_id": shopper_id, "session_id": session_id, "locale": "en-GB"}
        return kind(event_id=self._id(), occurred_at_ms=at_ms, **who, **what)

    def _visit(self) -> tuple[str, str, int]:
        """Somebody who is there: shopper, session, and the kind of product that interests them."""
        dice = self._dice
        if len(self._visits) < self._at_once:
            shopper = f"shopper-{dice.randrange(_SHOPPERS)}"
            self._visits.append((shopper, f"visit-{self._number}", dice.randrange(len(_KINDS))))
        place = dice.randrange(len(self._visits))
        return self._visits.pop(place) if dice.random() < 1 / _VISIT_EVENTS else self._visits[place]

    def _choose(self, kind: int) -> str:
        return self._dice.choices(self._of_kind[kind], cum_weights=self._popularity[kind])[0]

    def _id(self) -> str:
        self._number += 1
        return f"bench-{self._number}"


def _record(event: Behaviour | Inventory) -> Record:
    if isinstance(event, Inventory):
        return Record("inventory", event.sku, encode(event), event.event_id)
    return Record("behaviour", event.shopper_id, encode(event), event.event_id)
