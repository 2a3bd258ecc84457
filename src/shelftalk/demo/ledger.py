"""What the shop said about each product, rebuilt from the inventory records alone: the auditor's side of the books.

For each SKU its records in partition order. What was true after any of them follows by event time: of price, stock and product
record the newest counts, and of two from the same millisecond the one that arrived later.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DAY_MS = 86_400_000
PRIOR_PRICE_MS = 30 * DAY_MS
MAX_AHEAD_MS = 5 * 60_000

#: A name of words and nothing else; whatever more there is may be no part of a name: an address, markup, a price.
_WORDS = re.compile(r"[^\W\d_]+(?:[ '’&-]+[^\W\d_]+)*")  # noqa: RUF001  a typographic apostrophe is meant
_LONGEST_NAME = 120

_INVENTORY = frozenset({"product_upserted", "price_changed", "stock_changed", "product_delisted"})


@dataclass(frozen=True)
class Entry:
    """One inventory record that says something."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    fields: Mapping[str, Any]

    @property
    def at_ms(self) -> int:
        """When it happened, as the shop says."""
        return int(self.fields["occurred_at_ms"])


@dataclass(frozen=True)
class Truth:
    """What was true of a product after some of its records.

    Attributes:
        was_minor: the lowest price of the thirty days before the present one came, if above it.
    """

    name: str | None = None
    brand: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    was_minor: int | None = None
    stock: int | None = None
    delisted: bool = False
    sale_ends_at_ms: int | None = None

    @property
    def sellable(self) -> bool:
        """Whether it may be offered."""
        return bool(self.stock) and not self.delisted and self.price_minor is not None

    def is_called(self, shown: str) -> bool:
        """Whether a name that is shown is the shop's own: word for word, or what is left of one that holds more than words.

        Nothing may be added or changed in any case: what is shown is in what the shop said, in its order.
        """
        said = " ".join((self.name or "").split())
        if not shown or shown == said:
            return bool(shown)
        left = iter(char for char in said if char.isalnum())
        kept = all(char in left for char in shown if char.isalnum())
        return kept and (len(said) > _LONGEST_NAME or _WORDS.fullmatch(said) is None)

    def over(self, at_ms: int) -> bool:
        """Whether the promised end of its price has passed by then."""
        return self.sale_ends_at_ms is not None and self.sale_ends_at_ms <= at_ms


@dataclass
class Book:
    """The records of one product, in partition order."""

    entries: list[Entry] = field(default_factory=list)
    _truths: dict[int, Truth] = field(default_factory=dict)

    def after(self, count: int) -> Truth:
        """What was true after the first `count` records."""
        if count not in self._truths:
            self._truths[count] = _truth(self.entries[:count])
        return self._truths[count]

    def upto(self, offset: int) -> int:
        """How many records stand at or before an offset."""
        return sum(entry.offset <= offset for entry in self.entries)

    def known_at(self, timestamp_ms: int) -> int:
        """How many records were in the topic at a time, by Kafka's own timestamps."""
        count = 0
        for number, entry in enumerate(self.entries, start=1):
            if entry.timestamp_ms <= timestamp_ms:
                count = number
        return count


def books(records: Iterable[Mapping[str, Any]]) -> dict[str, Book]:
    """The books of all products.

    Args:
        records: lines of ``events.jsonl``; behaviour and whatever is no valid inventory event is passed over.
    """
    found: dict[str, Book] = {}
    for record in records:
        fields = _event(record)
        if fields is not None:
            entry = Entry(record["topic"], record["partition"], record["offset"], record["timestamp_ms"], fields)
            found.setdefault(str(fields["sku"]), Book()).entries.append(entry)
    for book in found.values():
        book.entries.sort(key=lambda entry: (entry.partition, entry.offset))
    return found


def _event(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The fields of an inventory event that the contract allows; the auditor's own reading of the contract."""
    fields = record["value"]
    if isinstance(fields, str):
        try:
            fields = json.loads(fields, parse_constant=lambda _: None)
        except ValueError:
            return None
    if not isinstance(fields, dict) or fields.get("type") not in _INVENTORY or "raw_base64" in record:
        return None
    needed = {
        "product_upserted": ("price_minor", "currency", "stock", "name", "category"),
        "price_changed": ("price_minor", "currency"),
        "stock_changed": ("stock",),
        "product_delisted": (),
    }[fields["type"]]
    good = (
        all(name in fields for name in (*needed, "sku", "event_id", "occurred_at_ms"))
        and _integer(fields["occurred_at_ms"], 946_684_800_000)
        and fields["occurred_at_ms"] <= record["timestamp_ms"] + MAX_AHEAD_MS
        and ("price_minor" not in needed or _integer(fields["price_minor"], 1))
        and ("stock" not in needed or _integer(fields["stock"], 0))
    )
    return fields if good else None


def _integer(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _truth(entries: list[Entry]) -> Truth:
    # A sort by event time that keeps the order of arrival among equals: the last one wins.
    by_time = sorted(entries, key=lambda entry: entry.at_ms)
    products = [entry for entry in by_time if entry.fields["type"] == "product_upserted"]
    stocks = [entry for entry in by_time if "stock" in entry.fields]
    prices = [entry for entry in by_time if "price_minor" in entry.fields]
    gone = [entry for entry in by_time if entry.fields["type"] == "product_delisted"]
    product = products[-1].fields if products else {}
    current = prices[-1].fields if prices else {}
    return Truth(
        name=product.get("name"),
        brand=product.get("brand"),
        price_minor=current.get("price_minor"),
        currency=current.get("currency"),
        was_minor=_was(prices),
        stock=stocks[-1].fields["stock"] if stocks else None,
        delisted=bool(gone) and (not products or gone[-1].at_ms > products[-1].at_ms),
        sale_ends_at_ms=_sale_end(entries),
    )


def _was(prices: list[Entry]) -> int | None:
    """The prior price by Directive 98/6/EC, article 6a: the lowest of the thirty days before the present price came."""
    if not prices:
        return None
    steps: dict[int, tuple[int, str]] = {}
    for entry in prices:
        steps[entry.at_ms] = (entry.fields["price_minor"], entry.fields["currency"])
    line = sorted(steps.items())
    now_minor, currency = line[-1][1]
    since = len(line) - 1
    while since and line[since - 1][1] == (now_minor, currency):
        since -= 1
    opens_ms = line[since][0] - PRIOR_PRICE_MS
    before = []
    for index in range(since - 1, -1, -1):
        ends_ms = line[index + 1][0]
        if line[index][1][1] != currency or ends_ms <= opens_ms:
            break
        before.append(line[index][1][0])
    return min(before) if before and min(before) > now_minor else None


def _sale_end(entries: list[Entry]) -> int | None:
    """When the shop ends the present price, if it promised that.

    In order of arrival, because a repeat of the price in force (a nightly product record) does not take the promise back.
    """
    newest_ms, price, end = -1, None, None
    for entry in entries:
        if "price_minor" not in entry.fields or entry.at_ms < newest_ms:
            continue
        promised = entry.fields.get("sale_ends_at_ms")
        if entry.fields["price_minor"] != price or promised is not None:
            end = promised
        newest_ms, price = entry.at_ms, entry.fields["price_minor"]
    return end
