"""What comes in during the chaos: a small shop with restless prices, its shoppers, repeats, latecomers and poison.

From a seed the same events in the same order, at the pace of the wall clock. Event times are unique within a product, so that
the order of events has one meaning however they arrive.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.poison import Poisoner, _json

PRODUCTS, SHOPPERS = 24, 40

#: The header in which a bad record says what kind it is; for the verifier, and nobody else looks at it.
KIND_HEADER = "chaos-poison"

POISON_SHARE, REPEAT_SHARE, LATE_SHARE = 0.01, 0.05, 0.15

#: How late a late event is: other events of its product have come meanwhile.
LATE_MS = 4_000

_KINDS = ("kettle", "teapot", "rucksack", "tent", "lamp", "towel")


@dataclass(frozen=True, slots=True)
class Input:
    """One record for an input topic.

    Attributes:
        poison: its kind; ``None`` for a good one.
        repeat: whether it was sent before.
        late: whether it happened well before it is sent.
    """

    topic: str
    key: str | None
    value: bytes | None
    poison: str | None = None
    repeat: bool = False
    late: bool = False


class Traffic:
    """Draws inputs.

    Args:
        seed: of all that is drawn.
        now_ms: the wall clock; event times come from it.
    """

    def __init__(self, seed: int, now_ms: Callable[[], int]) -> None:
        self._rng = random.Random(f"traffic {seed}")
        self._now_ms = now_ms
        self._numbers = itertools.count()
        self._poison = Poisoner(random.Random(f"poison {seed}"))
        self._spent: list[Input] = []
        self._times: dict[str, set[int]] = {}
        self.skus = [f"sku-{number}" for number in range(PRODUCTS)]
        self.shoppers = [f"s{number}" for number in range(SHOPPERS)]

    def opening(self) -> Iterator[Input]:
        """The shop's products."""
        for sku in self.skus:
            yield Input("inventory", sku, _json(self._upserted(sku)))

    def next(self) -> Input:
        """One more record."""
        draw = self._rng.random()
        if draw < POISON_SHARE:
            return self._bad()
        if draw < POISON_SHARE + REPEAT_SHARE and self._spent:
            old = self._rng.choice(self._spent[-200:])
            return Input(old.topic, old.key, old.value, repeat=True)
        made = self._inventory() if self._rng.random() < 0.4 else self._behaviour()
        self._spent.append(made)
        del self._spent[:-400]
        return made

    def farewell(self) -> Iterator[Input]:
        """The last word on every product, so that each has a price that moved after the last fault, and two erasures."""
        for sku in self.skus:
            yield Input("inventory", sku, _json(self._price(sku, self._when(sku, late=False))))
        for shopper in self.shoppers[:2]:
            yield Input("behaviour", shopper, _json(self._head(shopper, "shopper_erased")))

    def _bad(self) -> Input:
        poison = self._poison.next()
        if poison.topic == "inventory":
            key = self._rng.choice(self.skus)
            fields = self._price(key, self._now_ms())
        else:
            key = self._rng.choice(self.shoppers)
            fields = self._head(key, "product_viewed") | {"sku": self._rng.choice(self.skus)}
        return Input(poison.topic, poison.key(key), poison.spoil(fields), poison=poison.kind)

    # --- inventory ---------------------------------------------------------------------------------------------------

    def _when(self, sku: str, *, late: bool) -> int:
        """An event time that no other event of the product has."""
        at_ms = self._now_ms() - (self._rng.randrange(LATE_MS) if late else 0)
        taken = self._times.setdefault(sku, set())
        while at_ms in taken:
            at_ms -= 1
        taken.add(at_ms)
        return at_ms

    def _inventory(self) -> Input:
        sku, draw = self._rng.choice(self.skus), self._rng.random()
        late = self._rng.random() < LATE_SHARE
        at_ms = self._when(sku, late=late)
        if draw < 0.65:
            fields = self._price(sku, at_ms)
        elif draw < 0.92:
            fields = self._event("stock_changed", sku, at_ms) | {"stock": self._rng.choice((0, 1, 2, 5, 60, 60))}
        elif draw < 0.97:
            fields = self._upserted(sku, at_ms)
        else:
            fields = self._event("product_delisted", sku, at_ms)
        return Input("inventory", sku, _json(fields), late=late)

    def _event(self, kind: str, sku: str, at_ms: int) -> dict[str, Any]:
        return {"type": kind, "event_id": f"i{next(self._numbers)}", "occurred_at_ms": at_ms, "sku": sku}

    def _price(self, sku: str, at_ms: int) -> dict[str, Any]:
        return self._event("price_changed", sku, at_ms) | {
            "price_minor": self._rng.randrange(500, 9_000),
            "currency": "GBP",
        }

    def _upserted(self, sku: str, at_ms: int | None = None) -> dict[str, Any]:
        kind = _KINDS[int(sku.rsplit("-", 1)[1]) % len(_KINDS)]
        when_ms = self._when(sku, late=False) if at_ms is None else at_ms
        return self._event("product_upserted", sku, when_ms) | {
            "name": f"Harbour {kind.title()} {sku.rsplit('-', 1)[1]}",
            "brand": "Harbour",
            "category": f"home.{kind}s",
            "kind": kind,
            "points": ["holds its heat", "folds away"],
            "price_minor": self._rng.randrange(500, 9_000),
            "currency": "GBP",
            "stock": self._rng.choice((1, 3, 40, 40)),
        }

    # --- behaviour ---------------------------------------------------------------------------------------------------

    def _head(self, shopper: str, kind: str) -> dict[str, Any]:
        return {
            "type": kind,
            "event_id": f"b{next(self._numbers)}",
            "occurred_at_ms": self._now_ms(),
            "shopper_id": shopper,
        }

    def _behaviour(self) -> Input:
        shopper, sku, draw = self._rng.choice(self.shoppers), self._rng.choice(self.skus), self._rng.random()
        if draw < 0.45:
            fields = self._head(shopper, "product_viewed") | {"sku": sku, "brand": "Harbour"}
        elif draw < 0.60:
            others = self._rng.sample(self.skus, 3)
            fields = self._head(shopper, "product_viewed") | {"sku": sku, "candidates": others}
        elif draw < 0.75:
            fields = self._head(shopper, "cart_added") | {"sku": sku}
        elif draw < 0.80:
            fields = self._head(shopper, "cart_removed") | {"sku": sku}
        elif draw < 0.92:
            fields = self._head(shopper, "products_searched") | {"query": "kettle", "results": [sku]}
        elif draw < 0.99:
            fields = self._head(shopper, "order_completed") | {"items": [{"sku": sku}]}
        else:
            fields = self._head(shopper, "shopper_erased")
        return Input("behaviour", shopper, _json(fields))
