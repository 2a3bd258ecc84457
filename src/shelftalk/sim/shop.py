"""What comes in: a small shop with restless prices and shoppers, and some who send nonsense."""

from collections.abc import Iterator
from dataclasses import dataclass

from shelftalk.events.codec import encode
from shelftalk.events.types import (
    CartAdded,
    CartRemoved,
    OrderCompleted,
    OrderItem,
    PriceChanged,
    ProductDelisted,
    ProductsSearched,
    ProductUpserted,
    ProductViewed,
    ShopperErased,
    StockChanged,
)
from shelftalk.sim.world import START_MS, World

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that the outside world produces."""

    at_ms: int
    topic: str
    key: str
    value: bytes


_POISON = (
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"type":"telepathy"}',
    b'{"type":"price_changed","event_id":"e","occurred_at_ms":1800000000000,"sku":"p1","price_minor":-1,"currency":"GBP"}',
    b'{"type":"stock_changed","event_id":"e","occurred_at_ms":4000000000000,"sku":"p1","stock":3}',
    b'{"type":"product_viewed","event_id":"e","occurred_at_ms":1800000000000,"sku":"p1"}',
)

_KINDS = (
    ("kettle", "kitchen.kettles"),
    ("teapot", "kitchen.kettles"),
    ("rucksack", "outdoor.packs"),
    ("tent", "outdoor.packs"),
)


class Shop:
    """Draws the arrivals of one history."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._number = 0
        self._skus = [f"p{number}" for number in range(self._rng.randint(2, 7))]
        self._shoppers = [f"s{number}" for number in range(self._rng.randint(1, 5))]
        self._spent: list[Arrival] = []

    def arrivals(self, events: int, length_ms: int) -> Iterator[Arrival]:
        """The products at the beginning, then `events` more over the time."""
        for sku in self._skus:
            yield self._send("inventory", sku, self._upserted(sku, START_MS - HOUR_MS), START_MS)
        for _ in range(events):
            at_ms = START_MS + self._rng.randrange(length_ms)
            draw = self._rng.random()
            if draw < 0.05:
                yield Arrival(
                    at_ms,
                    self._rng.choice(("behaviour", "inventory")),
                    self._rng.choice(self._skus),
                    self._rng.choice(_POISON),
                )
            elif draw < 0.10 and self._spent:
                twice = self._rng.choice(self._spent)
                yield Arrival(at_ms, twice.topic, twice.key, twice.value)
            elif draw < 0.13:
                sku = self._rng.choice(self._skus)
                for step in range(self._rng.randint(5, 25)):  # a storm
                    yield self._send("inventory", sku, self._price(sku, at_ms + step), at_ms + step)
            elif draw < 0.50:
                yield self._inventory(at_ms)
            else:
                yield self._behaviour(at_ms)

    def _send(self, topic: str, key: str, event: object, at_ms: int) -> Arrival:
        arrival = Arrival(at_ms, topic, key, encode(event))  # type: ignore[arg-type]
        self._spent.append(arrival)
        return arrival

    def _id(self) -> str:
        self._number += 1
        return f"e{self._number}"

    def _when(self, at_ms: int) -> int:
        """Event time: a little before the arrival, now and then long before."""
        return at_ms - (self._rng.randrange(5_000) if self._world.chance(0.15) else self._rng.randrange(40))

    def _upserted(self, sku: str, at_ms: int) -> ProductUpserted:
        kind, category = _KINDS[int(sku[1:]) % len(_KINDS)]
        return ProductUpserted(
            event_id=self._id(),
            occurred_at_ms=at_ms,
            sku=sku,
            name=f"Harbour {kind} {sku}",
            brand=self._rng.choice((None, "Harbour")),
            category=category,
            kind=kind,
            points=("900 ml", "holds its heat"),
            price_minor=self._rng.randrange(500, 9_000),
            currency="GBP",
            stock=self._rng.choice((0, 1, 3, 40)),
            consumable=self._world.chance(0.2),
        )

    def _price(self, sku: str, at_ms: int) -> PriceChanged:
        ends_ms = at_ms + self._rng.randrange(500, 6_000) if self._world.chance(0.2) else None
        return PriceChanged(
            event_id=self._id(),
            occurred_at_ms=self._when(at_ms),
            sku=sku,
            price_minor=self._rng.randrange(500, 9_000),
            currency="GBP",
            sale_ends_at_ms=ends_ms,
        )

    def _inventory(self, at_ms: int) -> Arrival:
        sku, draw = self._rng.choice(self._skus), self._rng.random()
        event: object
        if draw < 0.45:
            event = self._price(sku, at_ms)
        elif draw < 0.85:
            event = StockChanged(
                event_id=self._id(),
                occurred_at_ms=self._when(at_ms),
                sku=sku,
                stock=self._rng.choice((0, 0, 1, 2, 5, 60)),
            )
        elif draw < 0.95:
            event = self._upserted(sku, self._when(at_ms))
        else:
            event = ProductDelisted(event_id=self._id(), occurred_at_ms=self._when(at_ms), sku=sku)
        return self._send("inventory", sku, event, at_ms)

    def _behaviour(self, at_ms: int) -> Arrival:
        shopper, sku, draw = self._rng.choice(self._shoppers), self._rng.choice(self._skus), self._rng.random()
        head = {"event_id": self._id(), "occurred_at_ms": self._when(at_ms), "shopper_id": shopper}
        event: object
        if draw < 0.35:
            event = ProductViewed(**head, sku=sku, brand=self._rng.choice((None, "Harbour")))  # type: ignore[arg-type]
        elif draw < 0.55:
            shown = tuple(self._rng.sample(self._skus, self._rng.randint(1, len(self._skus))))
            event = ProductViewed(**head, sku=sku, candidates=(*shown, "nobody-knows")[:20])  # type: ignore[arg-type]
        elif draw < 0.70:
            event = CartAdded(**head, sku=sku)  # type: ignore[arg-type]
        elif draw < 0.75:
            event = CartRemoved(**head, sku=sku)  # type: ignore[arg-type]
        elif draw < 0.90:
            event = ProductsSearched(**head, query="kettle", results=(sku,))  # type: ignore[arg-type]
        elif draw < 0.96:
            event = OrderCompleted(**head, items=(OrderItem(sku=sku),))  # type: ignore[arg-type]
        else:
            event = ShopperErased(**head)  # type: ignore[arg-type]
        return self._send("behaviour", shopper, event, at_ms)
