"""The public REES46 log format: what shoppers of a real shop did, as CSV, plain or gzipped, of any size.

Columns: event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session; found by name.
The log names no products and knows no stock. So:

- A product is made known when it is first seen with a price, and is named from its brand and category: "Samsung smartphone". One
  with neither has no facts that a card could state, and is left out.
- The stock is assumed: `ASSUMED_STOCK`, lowered by purchases and filled up again at `RESTOCK_AT`, which is above any threshold for
  "only a few left": scarcity that nobody knows of must not be claimed.
- Prices are US dollars. A price of 0 means unknown.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

import msgspec

from shelftalk.errors import ConfigError
from shelftalk.events.rees46_names import kind_of, name_of, spell_brand
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

COLUMNS = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
TYPES = frozenset({"view", "cart", "remove_from_cart", "purchase"})
CURRENCY = "USD"
ASSUMED_STOCK, RESTOCK_AT = 25, 10

_MAX_ID = 128
_MAX_CENTS = 10**12


class Row(msgspec.Struct, frozen=True):
    """One good row of the log.

    Attributes:
        at_ms: when it happened, UTC milliseconds; the log knows seconds.
        price_minor: in cents; ``None`` where the log does not know it.
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


def describe(row: Row) -> Facts | None:
    """The facts that the log itself gives: brand and category. ``None`` where it has neither."""
    brand = spell_brand(row.brand) if row.brand else None
    kind = kind_of(row.category_code) if row.category_code else None
    name = name_of(brand, kind)
    if name is None:
        return None
    # Without a category the shop's own number still says which products are of a kind.
    category = row.category_code or f"rees46.{row.category_id or 'unknown'}"
    return Facts(name=name[:200], category=category[:200], brand=brand, kind=(kind or "product")[:80])


def read_rows(path: Path, tally: Tally) -> Iterator[Row]:
    """The rows of a log, one by one; broken ones are counted and left out.

    Args:
        path: a CSV file with a header; ``.gz`` is unpacked on the way.
        tally: where counts go.

    Raises:
        ConfigError: the file cannot be read, or its header is not this format's.
    """
    try:
        with _open(path) as file:
            # NUL bytes, which some exports carry, would end the csv module's patience.
            reader = csv.reader(line.replace("\0", "") for line in file)
            index = _header(path, next(reader, []))
            yield from _rows(reader, index, tally)
    except (OSError, EOFError) as error:  # EOFError: a .gz that was cut off
        if tally.rows == 0:
            raise ConfigError(f"{path}: {error}") from error
        tally.broken["file cut off"] += 1


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _header(path: Path, header: list[str]) -> dict[str, int]:
    index = {name.strip().lower(): position for position, name in enumerate(header)}
    missing = [name for name in ("event_time", "event_type", "product_id", "price", "user_id") if name not in index]
    if missing:
        raise ConfigError(f"{path}: no REES46 log: column {', '.join(missing)} is missing from its first line")
    return index


def _rows(reader: "Iterator[list[str]]", index: dict[str, int], tally: Tally) -> Iterator[Row]:
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            tally.broken["not CSV"] += 1
            continue
        if not cells:
            continue
        row = _row(number, {name: cells[at].strip() if at < len(cells) else "" for name, at in index.items()})
        if isinstance(row, str):
            tally.broken[row] += 1
        else:
            tally.rows += 1
            yield row


def _row(number: int, cells: dict[str, str]) -> Row | str:
    """The row, or why it is broken."""
    at_ms = _time(cells["event_time"])
    if at_ms is None:
        return "event_time"
    if cells["event_type"] not in TYPES:
        return "event_type"
    if not _is_id(cells["product_id"]):
        return "product_id"
    if not _is_id(cells["user_id"]):
        return "user_id"
    price_minor = _cents(cells["price"])
    if price_minor is not None and price_minor < 0:
        return "price"
    session = cells.get("user_session", "")
    return Row(
        number=number,
        at_ms=at_ms,
        type=cells["event_type"],
        product_id=cells["product_id"],
        category_id=cells.get("category_id", ""),
        category_code=cells.get("category_code", ""),
        brand=cells.get("brand", ""),
        price_minor=price_minor or None,
        user_id=cells["user_id"],
        session=session if _is_id(session) else None,
    )


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MAX_ID and not any(sign.isspace() or sign == "|" or sign < " " for sign in text)


def _time(text: str) -> int | None:
    """``2019-10-01 00:00:00 UTC``; some months leave the zone out, or write a T."""
    try:
        at = datetime.fromisoformat(text.removesuffix("UTC").strip())
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _cents(text: str) -> int | None:
    """Cents by decimal arithmetic; -1 where it is no amount, ``None`` where there is none."""
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return -1
    if not amount.is_finite():
        return -1
    cents = int(amount.scaleb(2).to_integral_value(rounding="ROUND_HALF_UP"))
    return cents if cents <= _MAX_CENTS else -1


class _Known(msgspec.Struct):
    price_minor: int
    stock: int = ASSUMED_STOCK


class Rees46:
    """Turns rows into events, remembering what is known of each product.

    Args:
        describe: the facts of a product at first sight; by default what the log itself gives.

    Attributes:
        tally: counts so far.
    """

    def __init__(self, describe: Describe = describe) -> None:
        self.tally = Tally()
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
        yield from self._facts(row, at_ms)
        yield self._behaviour(row, at_ms)
        known = self._known.get(row.product_id)
        if row.type == "purchase" and known is not None:
            known.stock = ASSUMED_STOCK if known.stock <= RESTOCK_AT else known.stock - 1
            yield StockChanged(
                event_id=f"rees46-{row.number}-stock", occurred_at_ms=at_ms, sku=row.product_id, stock=known.stock
            )

    def _facts(self, row: Row, at_ms: int) -> Iterator[Inventory]:
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
                event_id=f"rees46-{row.number}-price",
                occurred_at_ms=at_ms,
                sku=row.product_id,
                price_minor=row.price_minor,
                currency=CURRENCY,
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
        self._known[row.product_id] = _Known(price_minor)
        self.tally.products += 1
        return ProductUpserted(
            event_id=f"rees46-{row.number}-product",
            occurred_at_ms=at_ms,
            sku=row.product_id,
            name=facts.name,
            category=facts.category,
            price_minor=price_minor,
            currency=CURRENCY,
            stock=ASSUMED_STOCK,
            brand=facts.brand,
            kind=facts.kind,
            points=facts.points,
            description=facts.description,
            consumable=facts.consumable,
        )

    def _behaviour(self, row: Row, at_ms: int) -> Behaviour:
        event_id = f"rees46-{row.number}"
        brand = (spell_brand(row.brand) or None) if row.brand else None
        shopper_id, session_id, sku = row.user_id, row.session, row.product_id
        match row.type:
            case "cart":
                return CartAdded(
                    event_id=event_id,
                    occurred_at_ms=at_ms,
                    shopper_id=shopper_id,
                    session_id=session_id,
                    sku=sku,
                    brand=brand,
                )
            case "remove_from_cart":
                return CartRemoved(
                    event_id=event_id, occurred_at_ms=at_ms, shopper_id=shopper_id, session_id=session_id, sku=sku
                )
            case "purchase":
                return OrderCompleted(
                    event_id=event_id,
                    occurred_at_ms=at_ms,
                    shopper_id=shopper_id,
                    session_id=session_id,
                    items=(OrderItem(sku=sku),),
                )
            case _:
                return ProductViewed(
                    event_id=event_id,
                    occurred_at_ms=at_ms,
                    shopper_id=shopper_id,
                    session_id=session_id,
                    sku=sku,
                    brand=brand,
                )
