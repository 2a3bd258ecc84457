"""The auditor: were the cards true? From ``events.jsonl`` and ``cards.jsonl`` alone, without any code that wrote the cards.

A card is held against the shop's own words twice: as they stood at the inventory offset that the card says it was rendered
from, and as they stood in the topic `TOLERANCE_MS` before the card was published, because a card from old facts is wrong
even if it says so honestly. In the end, when everything is quiet, every card that a shopper could still see must be true.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from shelftalk.demo.claims import amounts_in, slot_readings
from shelftalk.demo.ledger import Book, Truth, books
from shelftalk.demo.page import alike

#: A card may be this much older than the newest event in the topic: an event needs its way through the worker.
TOLERANCE_MS = 1_000

#: Findings that mean that a shopper could have read a wrong amount.
PRICE_FINDINGS = frozenset(
    {"price", "stale_price", "text_amount", "text_price", "was_price", "percent_off", "final_price"}
)

MAX_EXAMPLES = 5

Record = Mapping[str, Any]


@dataclass
class Report:
    """What was found.

    Attributes:
        cards: cards that were checked, without tombstones and withdrawals.
        counts: findings by kind; empty is good.
        wrong_prices: cards with at least one finding about money.
        crossed: cards of a product that its placement had just left; consumers drop them by their revision.
        standing_ms: for each time that a fact under a shown card moved, how long until its correction was out.
    """

    cards: int = 0
    audiences: int = 0
    final_live: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    wrong_prices: int = 0
    crossed: int = 0
    standing_ms: list[int] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.counts

    def add(self, kind: str, record: Record, detail: str) -> None:
        """Note a finding."""
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(f"{record['topic']}[{record['partition']}]@{record['offset']} {record.get('key')}: {detail}")


def verify_folder(folder: Path) -> Report:
    """Check what ``shelftalk demo --out`` wrote.

    Raises:
        OSError: ``events.jsonl`` or ``cards.jsonl`` cannot be read.
        ValueError: a line of them is no JSON.
    """
    return verify(_lines(folder / "events.jsonl"), _lines(folder / "cards.jsonl"))


def _lines(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def verify(events: Iterable[Record], cards: Iterable[Record]) -> Report:
    """Hold cards against events.

    Args:
        events: records of the input topics.
        cards: records of the cards and copy topics, tombstones included.
    """
    ledger = books(events)
    report = Report()
    _one_partition_each(ledger, report)
    published = sorted(cards, key=lambda record: (record["topic"], record["partition"], record["offset"]))
    by_audience: dict[tuple[str, str], list[Record]] = defaultdict(list)
    by_id: dict[str, tuple[Record, str]] = {}
    for record in published:
        by_audience[record["topic"], str(record["key"])].append(record)
        card = record["value"]
        if card is None:
            continue
        if not isinstance(card, dict):
            report.add("unreadable", record, "no JSON object")
            continue
        _unique(by_id, record, card, report)
        if card["status"] == "live":
            report.cards += 1
            before = sum(report.counts[kind] for kind in PRICE_FINDINGS)
            _card(record, card, ledger.get(card["sku"], Book()), report)
            report.wrong_prices += sum(report.counts[kind] for kind in PRICE_FINDINGS) > before
    for record, what in alike(published):
        report.add("same_opening", record, what)
    report.audiences = len(by_audience)
    end_ms = max((record["timestamp_ms"] for record in published), default=0)
    for records in by_audience.values():
        _revisions(records, report)
        _final(records, ledger, end_ms, report)
        _standing(records, ledger, report)
    return report


def _one_partition_each(ledger: Mapping[str, Book], report: Report) -> None:
    for sku, book in ledger.items():
        places = {(entry.topic, entry.partition) for entry in book.entries}
        if len(places) > 1:
            first = book.entries[0]
            where = {"topic": first.topic, "partition": first.partition, "offset": first.offset, "key": sku}
            report.add("split_sku", where, f"its events lie in {len(places)} partitions, so they have no order")


def _unique(by_id: dict[str, tuple[Record, str]], record: Record, card: Record, report: Report) -> None:
    """The same id must mean the same card; only the moment of publication may differ, for a crash repeats it."""
    content = json.dumps(
        {k: v for k, v in card.items() if k not in {"published_at_ms", "valid_until_ms"}}, sort_keys=True
    )
    first, known = by_id.setdefault(card["card_id"], (record, content))
    if known != content:
        report.add("id_reused", record, f"card {card['card_id']} says something else at offset {first['offset']}")


def _card(record: Record, card: Record, book: Book, report: Report) -> None:
    """One live card, at the moment of its publication."""
    facts = card["facts"]
    here = [entry for entry in book.entries if entry.partition == facts["source_partition"]]
    claimed = book.upto(facts["source_offset"])
    if not here or not any(entry.offset == facts["source_offset"] for entry in here):
        report.add("unknown_source", record, f"no inventory event of {card['sku']} at offset {facts['source_offset']}")
        return
    truth = book.after(claimed)
    _facts(record, card, truth, report)
    _text(record, card, truth, report)
    published_ms = record["timestamp_ms"]
    late = book.after(max(claimed, book.known_at(published_ms - TOLERANCE_MS)))
    price = (facts["price_minor"], facts["currency"])
    if price != (late.price_minor, late.currency):
        report.add(
            "stale_price", record, f"{price}, but {late.price_minor} was in the topic for over {TOLERANCE_MS} ms"
        )
    if not late.sellable:
        report.add("sold_out", record, f"stock {late.stock}, delisted {late.delisted}")
    if late.over(published_ms - TOLERANCE_MS):
        report.add(
            "sale_over", record, f"the price was promised to end {published_ms - (late.sale_ends_at_ms or 0)} ms before"
        )


def _facts(record: Record, card: Record, truth: Truth, report: Report) -> None:
    facts = card["facts"]
    if (facts["price_minor"], facts["currency"]) != (truth.price_minor, truth.currency):
        report.add(
            "price",
            record,
            f"{facts['price_minor']} {facts['currency']}; the shop says {truth.price_minor} {truth.currency}",
        )
    if facts["was_price_minor"] != truth.was_minor:
        report.add(
            "was_price", record, f"was {facts['was_price_minor']}; the lowest of thirty days is {truth.was_minor}"
        )
    if facts["percent_off"] != _percent_off(truth):
        report.add("percent_off", record, f"{facts['percent_off']} per cent off; it is {_percent_off(truth)}")
    if facts["stock"] != truth.stock:
        report.add("stock", record, f"stock {facts['stock']}; the shop says {truth.stock}")
    if facts["stock"] == 0:
        report.add("sold_out", record, "live with a stock of 0")
    if not truth.is_called(facts["name"]) or facts["brand"] != truth.brand:
        report.add(
            "name", record, f"{facts['name']!r} by {facts['brand']!r}; the shop says {truth.name!r} by {truth.brand!r}"
        )


def _percent_off(truth: Truth) -> int | None:
    if truth.was_minor is None or truth.price_minor is None:
        return None
    return (truth.was_minor - truth.price_minor) * 100 // truth.was_minor


def _text(record: Record, card: Record, truth: Truth, report: Report) -> None:
    """What the shopper reads."""
    text, price, currency = card["text"], truth.price_minor, truth.currency
    if not text or price is None or currency is None:
        report.add(
            "empty", record, "a live card without text" if not text else "a live card without a price in the books"
        )
        return
    allowed = [minor for minor in (price, truth.was_minor) if minor is not None]
    # A product may have an amount in its name ("Gift card £20"); that is no price. Left out without a trace, it would join its
    # neighbours ("£74.82. Earbuds, 5% off" is not "£74.82. , 5").
    for amount in amounts_in(text.replace(card["facts"]["name"], "(name)"), currency):
        if not any(amount.is_amount(minor, currency) for minor in allowed):
            report.add(
                "text_amount",
                record,
                f"{text!r} says {amount.minor}; the price is {price} {currency}, was {truth.was_minor}",
            )
    known = {"name": card["facts"]["name"], "brand": truth.brand}  # that it is the shop's was looked at already
    readings = slot_readings(card["slotted"], text, {slot: name for slot, name in known.items() if name})
    if readings is None:
        report.add("text_not_slotted", record, f"{text!r} is not {card['slotted']!r} filled in")
        return
    for slot, values in readings.items():
        for value in values:
            wrong = _misread(slot, value, truth, card["facts"]["name"])
            if wrong:
                report.add(wrong, record, f"{{{slot}}} reads {value!r} in {text!r}; books: {truth}")


def _misread(slot: str, value: str, truth: Truth, name: str) -> str | None:
    """The kind of finding if a slot does not read as the books have it."""
    digits = "".join(sign for sign in value if sign.isdigit())
    currency = truth.currency or ""
    match slot:
        case "price" | "was_price":
            minor = truth.price_minor if slot == "price" else truth.was_minor
            said = amounts_in(value, currency)
            good = len(said) == 1 and minor is not None and said[0].is_amount(minor, currency)
            return None if good else "text_price"
        case "percent_off":
            return None if digits == str(_percent_off(truth)) else "percent_off"
        case "stock_left":
            return None if digits == str(truth.stock) else "stock_left"
        case "name":
            return None if value.casefold() == name.casefold() else "name"
        case "brand":
            return None if value.casefold() == (truth.brand or "").casefold() else "name"
        case _:
            return None


def _revisions(records: list[Record], report: Report) -> None:
    """Revisions of one audience only grow; what a crash brings again was there before, to the letter of its id.

    A placement wanders from one product's shelf to another's, and the old one may still publish while the word that it is released
    is on its way. A consumer keeps the highest revision and so drops that card; up to `TOLERANCE_MS` it is counted, not held
    against anybody. But what is last must be the highest: it is all that a compacted topic keeps.
    """
    highest: Record | None = None
    last: Record | None = None
    seen: set[tuple[int, str]] = set()
    for record in records:
        card = record["value"]
        if not isinstance(card, dict):
            highest = last = None if card is None else last
            continue
        last = record
        if (which := (card["revision"], card["card_id"])) in seen:
            continue
        seen.add(which)
        if highest is None or card["revision"] > highest["value"]["revision"]:
            highest = record
            continue
        revision, known = card["revision"], highest["value"]["revision"]
        late_ms = record["timestamp_ms"] - highest["timestamp_ms"]
        if revision < known and card["sku"] != highest["value"]["sku"] and late_ms <= TOLERANCE_MS:
            report.crossed += 1
        else:
            report.add("revision", record, f"revision {revision} of {card['sku']} after {known}, {late_ms} ms later")
    if last is not None and highest is not None and last["value"]["revision"] < highest["value"]["revision"]:
        detail = f"revision {last['value']['revision']} is what a compacted topic keeps; the highest was"
        report.add("last_is_old", last, f"{detail} {highest['value']['revision']}")


def _shown(records: Iterable[Record]) -> Iterator[Record]:
    """What a consumer shows one after the other: it keeps the highest revision; a tombstone takes everything away."""
    highest = -1
    for record in records:
        card = record["value"]
        if card is None:
            highest = -1
            yield record
        elif isinstance(card, dict) and card["revision"] >= highest:
            highest = card["revision"]
            yield record


def _final(records: list[Record], ledger: Mapping[str, Book], end_ms: int, report: Report) -> None:
    """The card that a shopper could still see when everything is quiet."""
    last = list(_shown(records))[-1:]
    card = last[0]["value"] if last else None
    if not isinstance(card, dict) or card["status"] != "live" or card["valid_until_ms"] <= end_ms:
        return
    report.final_live += 1
    book = ledger.get(card["sku"], Book())
    truth, facts, record = book.after(len(book.entries)), card["facts"], last[0]
    if (facts["price_minor"], facts["currency"], facts["was_price_minor"]) != (
        truth.price_minor,
        truth.currency,
        truth.was_minor,
    ):
        report.add("final_price", record, f"still shows {facts['price_minor']}; the price is {truth.price_minor}")
        report.wrong_prices += 1
    if not truth.sellable or truth.over(end_ms - TOLERANCE_MS):
        report.add("final_sold_out", record, f"still offered; stock {truth.stock}, delisted {truth.delisted}")
    elif facts["stock"] != truth.stock:
        report.add("final_stock", record, f"still says stock {facts['stock']}; it is {truth.stock}")


def _standing(records: list[Record], ledger: Mapping[str, Book], report: Report) -> None:
    """How long a shown card stood with a price that had moved, until the next record of its audience."""
    shown = list(_shown(records))
    for record, following in pairwise(shown):
        card = record["value"]
        if not isinstance(card, dict) or card["status"] != "live" or card["sku"] not in ledger:
            continue
        book = ledger[card["sku"]]
        price = card["facts"]["price_minor"]
        wrong_since: int | None = None
        for number in range(book.upto(card["facts"]["source_offset"]) + 1, len(book.entries) + 1):
            at_ms = book.entries[number - 1].timestamp_ms
            if at_ms >= following["timestamp_ms"]:
                break
            truth = book.after(number)
            wrong = truth.price_minor != price or not truth.sellable
            wrong_since = (at_ms if wrong_since is None else wrong_since) if wrong else None
        if wrong_since is not None:
            report.standing_ms.append(following["timestamp_ms"] - max(wrong_since, record["timestamp_ms"]))


def describe(report: Report) -> list[str]:
    """The report in lines to read."""
    lines = [
        f"{report.cards} live cards of {report.audiences} audiences checked; {report.final_live} can still be seen."
    ]
    if report.standing_ms:
        worst = max(report.standing_ms)
        lines.append(
            f"{len(report.standing_ms)} times a shown card was overtaken by its price or stock; corrected within {worst} ms."
        )
    if report.crossed:
        lines.append(
            f"{report.crossed} cards crossed with the next product's in the same place; by revision they are older."
        )
    if report.clean:
        return [*lines, "Nothing wrong was found."]
    for kind, count in report.counts.most_common():
        lines.append(f"{kind}: {count}")
        lines += [f"    {example}" for example in report.examples[kind]]
    return [*lines, f"wrong prices: {report.wrong_prices}"]
