"""The public REES46 log format: what shoppers of a real shop did, as CSV, plain or gzipped, of any size.

Columns: event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session; found by name.
Products are named from brand and category: "Samsung smartphone". One with neither has no facts that a card could state, and is left
out. Prices are US dollars. What the log does not know (the stock) is assumed as `shelftalk.events.log_events` says.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from shelftalk.errors import ConfigError
from shelftalk.events.log_events import Describe, Facts, LogEvents, Row, Tally, cents, counted, is_id, reading
from shelftalk.events.rees46_names import kind_of, name_of, spell_brand

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
    with reading(path, tally) as file:
        # NUL bytes, which some exports carry, would end the csv module's patience.
        reader = csv.reader(line.replace("\0", "") for line in file)
        yield from counted(_rows(reader, _header(path, next(reader, []))), tally)


def _header(path: Path, header: list[str]) -> dict[str, int]:
    index = {name.strip().lower(): position for position, name in enumerate(header)}
    missing = [name for name in ("event_time", "event_type", "product_id", "price", "user_id") if name not in index]
    if missing:
        raise ConfigError(f"{path}: no REES46 log: column {', '.join(missing)} is missing from its first line")
    return index


def _rows(reader: "Iterator[list[str]]", index: dict[str, int]) -> Iterator[Row | str]:
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield "not CSV"
            continue
        if cells:
            yield _row(number, {name: cells[at].strip() if at < len(cells) else "" for name, at in index.items()})


def _row(number: int, cells: dict[str, str]) -> Row | str:
    """The row, or why it is broken."""
    at_ms = _time(cells["event_time"])
    if at_ms is None:
        return "event_time"
    if cells["event_type"] not in TYPES:
        return "event_type"
    if not is_id(cells["product_id"]):
        return "product_id"
    if not is_id(cells["user_id"]):
        return "user_id"
    price_minor = cents(cells["price"])
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
        session=session if is_id(session) else None,
    )


def _time(text: str) -> int | None:
    """``2019-10-01 00:00:00 UTC``; some months leave the zone out, or write a T."""
    try:
        at = datetime.fromisoformat(text.removesuffix("UTC").strip())
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


class Rees46(LogEvents):
    """Turns rows of the log into events.

    Args:
        describe: the facts of a product at first sight; by default what the log itself gives.
    """

    def __init__(self, describe: Describe = describe) -> None:
        super().__init__("rees46", CURRENCY, describe)
