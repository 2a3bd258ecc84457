"""The parts of the measurements: a worker in memory, its products and shoppers, a clock that counts the process's own time."""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from shelftalk.core.brief import Angle
from shelftalk.core.messages import Ask, Mode, Origin
from shelftalk.core.policy import Policy
from shelftalk.core.rules import ShelfRules
from shelftalk.evaluate.small_world import SmallWorld
from shelftalk.events.codec import encode
from shelftalk.events.types import CartAdded, PriceChanged, ProductsSearched, ProductUpserted, ProductViewed
from shelftalk.stream.keeper import Limits
from shelftalk.stream.record import Record

NOW_MS: Final = 1_800_000_000_000
_PAGE: Final = 4096
WORDS: Final = ("kettle", "rucksack", "lamp", "scarf", "teapot", "tent", "mug", "notebook")


class _Nobody:
    """Accounts are kept elsewhere; here the rules are measured."""

    forgotten = False

    def hold(self) -> None: ...

    def done(self) -> None: ...

    def fail(self, error: Exception) -> None:
        raise error


NOBODY: Final = _Nobody()


def world(*, live_per_sku: int = 100_000, channels: bool = True, products_known: int = 0) -> SmallWorld:
    """A worker in memory, with as much in a turn as there is."""
    rules = ShelfRules() if channels else ShelfRules(channels={})
    limits = Limits(live_per_sku=live_per_sku, refreshes_per_turn=10_000, refreshes_per_product=10_000)
    shop = SmallWorld(rules, Policy(debounce_ms=0, max_per_hour=10_000), limits)
    for number in range(products_known):
        shop.take("inventory", f"sku-{number}", upserted(number), NOW_MS - 1_000)
    return shop


def take_all(shop: SmallWorld, records: list[tuple[int, bytes]]) -> None:
    """Inventory events, one after the other."""
    for sku, value in records:
        shop.take("inventory", f"sku-{sku}", value, NOW_MS + 10)


def view_all(shop: SmallWorld, people: list[str], rng: random.Random, at_ms: int) -> None:
    """A view by each of these."""
    for person in people:
        view(shop, person, rng.randrange(200), at_ms)


def view(shop: SmallWorld, shopper: str, sku: int, at_ms: int) -> None:
    """A product page was opened."""
    event = ProductViewed(
        event_id=f"{shopper}-{at_ms}", occurred_at_ms=at_ms, shopper_id=shopper, sku=f"sku-{sku}", **_told(sku)
    )
    shop.take("behaviour", shopper, encode(event), at_ms)


def cart(person: int, sku: int, at_ms: int) -> CartAdded:
    """A product is put into a cart."""
    return CartAdded(
        event_id=f"{person}-{at_ms}", occurred_at_ms=at_ms, shopper_id=f"p{person}", sku=f"sku-{sku}", **_told(sku)
    )


def search(person: int, sku: int, at_ms: int) -> ProductsSearched:
    """A search for a kind of product."""
    word = WORDS[sku % len(WORDS)]
    return ProductsSearched(
        event_id=f"q{person}-{at_ms}",
        occurred_at_ms=at_ms,
        shopper_id=f"p{person}",
        query=f"steel {word}",
        category=f"shop.{word}",
    )


def _told(sku: int) -> dict[str, Any]:
    return {
        "brand": f"Harbour {sku % 40}",
        "category": f"shop.{WORDS[sku % len(WORDS)]}.{sku % 300}",
        "price_minor": 4_000 + sku % 5_000,
        "currency": "GBP",
    }


def record(key: str, value: bytes) -> Any:
    """An event as it lies in its topic."""
    _record_offset[0] += 1
    return Record("behaviour", 0, _record_offset[0], key.encode(), value)


_record_offset: Final = [0]


def ask(shopper: int) -> Ask:
    """An ask for the one product."""
    return Ask(
        key="sku-0",
        shopper_id=f"s{shopper}",
        placements=("next_1",),
        revision=NOW_MS << 10,
        mode=Mode.SHOW,
        because=Angle.INTRODUCE,
        locale="en-GB",
        origin=Origin(topic="behaviour", partition=0, offset=shopper, event_id=f"e{shopper}", occurred_at_ms=NOW_MS),
    )


def upserted(number: int) -> bytes:
    """A product."""
    kind = WORDS[number % len(WORDS)]
    return encode(
        ProductUpserted(
            event_id=f"up-{number}",
            occurred_at_ms=NOW_MS - 1_000,
            sku=f"sku-{number}",
            name=f"Harbour {kind} {number}",
            brand=f"Harbour {number % 40}",
            category=f"shop.{kind}.{number % 300}",
            kind=kind,
            points=("holds its heat", f"{number % 90 + 3} cm"),
            price_minor=4_000 + number % 5_000,
            currency="GBP",
            stock=40,
        )
    )


def priced(number: int, price_minor: int, at_ms: int) -> bytes:
    """A price that moved."""
    return encode(
        PriceChanged(
            event_id=f"pr-{number}-{price_minor}-{at_ms}",
            occurred_at_ms=at_ms,
            sku=f"sku-{number}",
            price_minor=price_minor,
            currency="GBP",
        )
    )


def decades(first: int, last: int) -> list[int]:
    """Powers of ten, and the last."""
    found = []
    while first < last:
        found.append(first)
        first *= 10
    return [*found, last]


def cpu_us(what: Callable[..., object], *given: object) -> float:
    """CPU time of a call, in microseconds."""
    began = time.process_time_ns()
    what(*given)
    return (time.process_time_ns() - began) / 1000


def resident() -> int:
    """Bytes of memory that the process has (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def say(message: str) -> None:
    """Progress, on standard error."""
    print(f"\r{message:<60}\r", end="", file=sys.stderr, flush=True)
