"""What every public shop log has in common: rows of who did what to which product, and the events that follow from them.

Such a log names no products and knows no stock. So:

- A product is made known when it is first seen with a price. One that nothing can be said about is left out.
- The stock is assumed: `ASSUMED_STOCK`, lowered by purchases and filled up again at `RESTOCK_AT`, which is above any threshold for
  "only a few left": scarcity that nobody knows of must not be claimed.
- A price of 0 means unknown.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any

import msgspec

from shelftalk.errors import ConfigError
from shelftalk.events.rees46_names import spell_brand
from shelftalk.events.types import (
    Behaviour,
    CartAdded,
    CartRemoved,
    Inventory,
    OrderCompleted,
    OrderItem,
    PriceChanged,
    ProductUpserted,
    ProductViewed,
    StockChanged,
)

ASSUMED_STOCK, RESTOCK_AT = 25, 10

_MAX_ID = 128
_MAX_CENTS = 10**12


class Row(msgspec.Struct, frozen=True):
    """One good row of the log.

    Attributes:
        at_ms: when it happened, UTC milliseconds; the log may know seconds only.
        price_minor: in cents; ``None`` where the log does not know it.
        name: of the product, where the log gives one.
    """

    number: int
    at_ms: int
    type: str
    product_id: str
    category_id: str
    category_code: str
    brand: str
    price_minor: int | None
    user_id: str
    session: str | None
    name: str = ""


class Tally(msgspec.Struct):
    """What was read, and what was left out and why."""

    rows: int = 0
    broken: Counter[str] = msgspec.field(default_factory=Counter)
    products: int = 0
    nameless: int = 0
    priceless: int = 0


class Facts(msgspec.Struct, frozen=True):
    """What is said about a product of the log."""

    name: str
    category: str
    brand: str | None = None
    kind: str | None = None
    points: tuple[str, ...] = ()
    description: str | None = None
    consumable: bool = False


Describe = Callable[[Row], Facts | None]


def open_text(path: Path) -> IO[str]:
    """Open a text file; ``.gz`` is unpacked on the way, and bytes that are no UTF-8 are replaced."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


@contextmanager
def reading(path: Path, tally: Tally) -> Iterator[IO[str]]:
    """A log, open. One that is cut off is read as far as it goes.

    Raises:
        ConfigError: it cannot be read at all.
    """
    try:
        with open_text(path) as file:
            yield file
    except (OSError, EOFError) as error:  # EOFError: a .gz that was cut off
        if tally.rows == 0:
            raise ConfigError(f"{path}: {error}") from error
        tally.broken["file cut off"] += 1


def counted(rows: Iterable[Row | str], tally: Tally) -> Iterator[Row]:
    """The good rows; of the others, why they are broken is counted."""
    for row in rows:
        if isinstance(row, str):
            tally.broken[row] += 1
        else:
            tally.rows += 1
            yield row


def is_id(text: str) -> bool:
    """Whether the contract takes it as an id."""
    return 0 < len(text) <= _MAX_ID and not any(sign.isspace() or sign == "|" or sign < " " for sign in text)


def cents(text: str) -> int | None:
    """Cents by decimal arithmetic; -1 where it is no amount, ``None`` where there is none."""
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return -1
    if not amount.is_finite():
        return -1
    whole = int(amount.scaleb(2).to_integral_value(rounding="ROUND_HALF_UP"))
    return whole if whole <= _MAX_CENTS else -1


class _Known(msgspec.Struct):
    price_minor: int
    category: str
    stock: int = ASSUMED_STOCK


class LogEvents:
    """Turns rows into events, remembering what is known of each product.

    Args:
        log: the log's name, which its event ids begin with.
        currency: of its prices.
        describe: the facts of a product at first sight.

    Attributes:
        tally: counts so far.
    """

    def __init__(self, log: str, currency: str, describe: Describe) -> None:
        self.tally = Tally()
        self._log, self._currency = log, currency
        self._describe = describe
        self._known: dict[str, _Known] = {}
        self._nameless: set[str] = set()
        self._priceless: set[str] = set()

    def events(self, row: Row, at_ms: int) -> Iterator[Behaviour | Inventory]:
        """The events of a row, what makes a product known first.

        Args:
            row: of the log.
            at_ms: when it happens now.
        """
        yield from self.facts(row, at_ms)
        yield self._behaviour(row, at_ms)
        if row.type == "purchase":
            yield from self.sold(row, at_ms)

    def sold(self, row: Row, at_ms: int) -> Iterator[Inventory]:
        """What a purchase does to the stock."""
        known = self._known.get(row.product_id)
        if known is not None:
            known.stock = ASSUMED_STOCK if known.stock <= RESTOCK_AT else known.stock - 1
            yield StockChanged(
                event_id=f"{self._log}-{row.number}-stock", occurred_at_ms=at_ms, sku=row.product_id, stock=known.stock
            )

    def facts(self, row: Row, at_ms: int) -> Iterator[Inventory]:
        """What a row says about its product: that it exists, or that its price moved."""
        known = self._known.get(row.product_id)
        if row.price_minor is None:
            if known is None and row.product_id not in self._priceless:
                self._priceless.add(row.product_id)
                self.tally.priceless += 1
            return
        if known is None:
            upserted = self._upserted(row, row.price_minor, at_ms)
            if upserted is not None:
                yield upserted
        elif known.price_minor != row.price_minor:
            known.price_minor = row.price_minor
            yield PriceChanged(
                event_id=f"{self._log}-{row.number}-price",
                occurred_at_ms=at_ms,
                sku=row.product_id,
                price_minor=row.price_minor,
                currency=self._currency,
            )

    def _upserted(self, row: Row, price_minor: int, at_ms: int) -> ProductUpserted | None:
        facts = self._describe(row)
        if facts is None:
            if row.product_id not in self._nameless:
                self._nameless.add(row.product_id)
                self.tally.nameless += 1
            return None
        if row.product_id in self._priceless:  # it has one after all
            self._priceless.discard(row.product_id)
            self.tally.priceless -= 1
        self._known[row.product_id] = _Known(price_minor, facts.category)
        self.tally.products += 1
        return ProductUpserted(
            event_id=f"{self._log}-{row.number}-product",
            occurred_at_ms=at_ms,
            sku=row.product_id,
            name=facts.name,
            category=facts.category,
            price_minor=price_minor,
            currency=self._currency,
            stock=ASSUMED_STOCK,
            brand=facts.brand,
            kind=facts.kind,
            points=facts.points,
            description=facts.description,
            consumable=facts.consumable,
        )

    def _behaviour(self, row: Row, at_ms: int) -> Behaviour:
        head: dict[str, Any] = {
            "event_id": f"{self._log}-{row.number}",
            "occurred_at_ms": at_ms,
            "shopper_id": row.user_id,
            "session_id": row.session,
        }
        sku = row.product_id
        match row.type:
            case "cart":
                return CartAdded(**head, sku=sku, **self._told(row))
            case "remove_from_cart":
                return CartRemoved(**head, sku=sku)
            case "purchase":
                return OrderCompleted(**head, items=(OrderItem(sku=sku),))
            case _:
                return ProductViewed(**head, sku=sku, **self._told(row))

    def _told(self, row: Row) -> dict[str, Any]:
        """What a shop says of a product beside its number."""
        told: dict[str, Any] = {"brand": (spell_brand(row.brand) or None) if row.brand else None}
        known = self._known.get(row.product_id)
        if known is not None:
            told |= {"category": known.category, "price_minor": known.price_minor, "currency": self._currency}
        return told
