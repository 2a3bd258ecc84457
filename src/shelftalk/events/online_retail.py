"""UCI's "Online Retail": every invoice line of a British gift shop over a year, as CSV, plain or gzipped.

Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country; found by name. It knows purchases
only, so each basket is assumed to have been filled one product after the other, `STEP_MS` apart, before it was paid. Prices are
pounds sterling; of most products they move. Times are ISO 8601, or as the file that most people have writes them, by month, day and
year: 12/1/2010 8:26. Returns, postage, bank charges and staff's notes are no products and are left out.
"""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from string import capwords
from typing import IO

from shelftalk.errors import ConfigError
from shelftalk.events.log_events import Facts, LogEvents, Row, Tally, cents, counted, is_id, reading
from shelftalk.events.types import Behaviour, CartAdded, Inventory, OrderCompleted, OrderItem

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")

#: Between two products that go into one basket. No source: fast enough for a basket of hundreds of lines to take minutes.
STEP_MS = 5_000

#: Month, day and year without leading zeros: with them it might be the day that comes first, and nobody could tell.
_AMERICAN = re.compile(r"[1-9]\d?/[1-9]\d?/\d{4} \d{1,2}:\d{2}")

_PRODUCT = re.compile(r"\d{5}[A-Za-z]{0,3}")


class OnlineRetail(LogEvents):
    """Turns invoices into events."""

    def __init__(self) -> None:
        super().__init__("uci", "GBP", describe)

    def invoice(self, rows: list[Row]) -> Iterator[Behaviour | Inventory]:
        """The events of one invoice: its products become known, go into the basket, and are paid.

        Args:
            rows: its lines, all of one customer and moment.
        """
        paid_ms = rows[0].at_ms
        for place, row in enumerate(rows):
            at_ms = paid_ms - (len(rows) - place) * STEP_MS
            yield from self.facts(row, at_ms)
            yield CartAdded(
                event_id=f"uci-{row.number}",
                occurred_at_ms=at_ms,
                shopper_id=row.user_id,
                session_id=row.session,
                sku=row.product_id,
            )
        yield OrderCompleted(
            event_id=f"uci-{rows[0].number}-order",
            occurred_at_ms=paid_ms,
            shopper_id=rows[0].user_id,
            session_id=rows[0].session,
            items=tuple(OrderItem(sku=row.product_id) for row in rows),
        )
        for row in rows:
            yield from self.sold(row, paid_ms)


def describe(row: Row) -> Facts:
    """The shop writes its names in capitals and knows no brands or categories."""
    name = "-".join(capwords(part) for part in capwords(row.name).split("-"))
    return Facts(name=name[:200], category="gifts", kind="gift")


def read_invoices(path: Path, tally: Tally) -> Iterator[list[Row]]:
    """The invoices of a file, one by one; broken lines are counted and left out.

    Raises:
        ConfigError: the file cannot be read, or its header is not this format's.
    """
    for _, lines in groupby(_read(path, tally), key=lambda row: row.session):
        yield list(lines)


def _read(path: Path, tally: Tally) -> Iterator[Row]:
    try:
        with reading(path, tally) as file:
            yield from counted(_rows(file, path), tally)
    except csv.Error:
        tally.broken["not CSV"] += 1


def _rows(file: IO[str], path: Path) -> Iterator[Row | str]:
    reader = csv.DictReader(line.replace("\0", "") for line in file)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path}: no Online Retail log: column {', '.join(missing)} is missing from its first line")
    for number, cells in enumerate(reader, start=1):
        yield _row(number, cells)


def _moment(text: str) -> datetime:
    """When it was, UTC.

    Raises:
        ValueError: no moment can be read from it.
    """
    if _AMERICAN.fullmatch(text):
        return datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _row(number: int, cells: dict[str, str | None]) -> Row | str:
    """The row, or why it is left out."""
    if any(cells[name] is None for name in COLUMNS):
        return "too short"
    invoice, sku, name, quantity, moment, price, customer = (str(cells[name]).strip() for name in COLUMNS)
    try:
        count, at = int(quantity), _moment(moment)
    except ValueError:
        return "Quantity or InvoiceDate"
    if count <= 0:
        return "returned"
    if not _PRODUCT.fullmatch(sku) or not name or name != name.upper():
        return "no product"
    price_minor = cents(price)
    if price_minor is None or price_minor <= 0:
        return "UnitPrice"
    if not is_id(invoice):
        return "InvoiceNo"
    return Row(
        number=number,
        at_ms=int(at.timestamp() * 1000),
        type="purchase",
        product_id=sku.upper(),
        category_id="",
        category_code="",
        brand="",
        price_minor=price_minor,
        user_id=customer.removesuffix(".0") or f"guest-{invoice}",
        session=invoice,
        name=name,
    )
