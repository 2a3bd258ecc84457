"""The verdict: was anything lost, or wrong? From the topics alone; no code that made them is used.

The worker's own words are read as anybody could read them: JSON, and the state tables' changelogs as plain MessagePack. What
should be there is worked out anew from the input topics. Prices are judged by the demo's auditor (`shelftalk.demo.verify`), which
shares no code with the worker either.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from shelftalk.demo.verify import PRICE_FINDINGS, Report, verify
from tests.chaos.poison import KINDS
from tests.chaos.topics import Record
from tests.chaos.traffic import KIND_HEADER

Place = tuple[str, int, int]
Fields = dict[str, Any]

_LETTER = "dead-letter-"

#: Findings of the auditor that mean that facts came late, not that they were wrong; under faults they are judged by `_went_back`.
_LATE = frozenset({"stale_price", "sold_out", "sale_over"})

#: Of how a page reads, which no crash can make untrue.
_STYLE = frozenset({"same_opening"})

#: An event may go unsaid if its shopper asked to be forgotten so soon after it: longer than the longest backlog.
_FORGOTTEN_WITHIN_MS = 300_000

#: Price points of a product that its shelf keeps at most; with more, none is missed.
_MAX_POINTS = 250

#: A card that took so long from its making to the topic was on the wire while its worker was cut off.
_LATE_ON_THE_WIRE_MS = 3_000

MAX_EXAMPLES = 5


@dataclass
class Verdict:
    """What was found.

    Attributes:
        losses: by kind; empty is good.
        wrong: cards that could have shown a shopper a wrong amount or an offer that is none, by kind; empty is good.
        examples: some of each kind.
        answer_ms: how long each of the shoppers' events waited for its first card, by the broker's clock, with when it came.
        stale_ms: how long a shown price stood after the shop had moved it, at most.
        late_facts: cards from facts that were more than a second old by the topic: their worker was dead, away or behind.
        late_on_the_wire: cards of a worker that was cut off which arrived after its successor's; their revision gives them away.
    """

    inputs: Counter[str] = field(default_factory=Counter)
    cards: int = 0
    copy: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    dead_letter_repeats: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    answer_ms: list[tuple[int, int]] = field(default_factory=list)
    stale_ms: int = 0
    late_facts: int = 0
    late_on_the_wire: int = 0
    poison_kinds: int = 0

    def lose(self, kind: str, detail: str) -> None:
        """Note a loss."""
        self.losses[kind] += 1
        self._example(kind, detail)

    def err(self, kind: str, detail: str) -> None:
        """Note something wrong."""
        self.wrong[kind] += 1
        self._example(kind, detail)

    def _example(self, kind: str, detail: str) -> None:
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(detail)


@dataclass(frozen=True)
class Evidence:
    """Everything that lies in the topics.

    Attributes:
        topics: records by short name: ``"behaviour"``, ``"cards"``, ``"table shelves"`` ...
        ends: of the consumed topics, by short name and partition, the next offset.
        committed: likewise what the group committed.
    """

    topics: Mapping[str, list[Record]]
    ends: Mapping[str, Mapping[int, int]]
    committed: Mapping[str, Mapping[int, int]]


def judge(evidence: Evidence) -> Verdict:
    """Hold what came out against what went in."""
    verdict = Verdict()
    topics = evidence.topics
    for name in ("behaviour", "inventory"):
        for record in topics[name]:
            verdict.inputs["poison" if KIND_HEADER in record.headers else name] += 1
    _all_committed(evidence, verdict)
    _poison(topics, verdict)
    _shelves(topics, verdict)
    _profiles(topics, verdict)
    _answers(topics, verdict)
    _fence(topics, verdict)
    _prices(topics, verdict)
    return verdict


def told(records: Iterable[Record]) -> list[tuple[Record, Fields]]:
    """Shoppers' events that count: without what was sent twice, and what happened before its shopper was forgotten.

    Only an erasure that is sent again counts again: whoever asks twice is forgotten twice.
    """
    seen: set[str] = set()
    erased_ms: dict[str, int] = {}
    found = []
    for record, fields in good(records):
        shopper = fields["shopper_id"]
        if fields["type"] == "shopper_erased":
            erased_ms[shopper] = max(fields["occurred_at_ms"], erased_ms.get(shopper, 0))
        elif fields["event_id"] in seen or fields["occurred_at_ms"] <= erased_ms.get(shopper, 0):
            continue
        seen.add(fields["event_id"])
        found.append((record, fields))
    return found


def good(records: Iterable[Record]) -> list[tuple[Record, Fields]]:
    """Inputs that say something."""
    return [(record, json.loads(record.value or b"")) for record in records if KIND_HEADER not in record.headers]


def _all_committed(evidence: Evidence, verdict: Verdict) -> None:
    for topic, ends in evidence.ends.items():
        for partition, end in ends.items():
            done = evidence.committed[topic].get(partition, 0)
            if done != end:
                verdict.losses["not_committed"] += end - done - 1
                verdict.lose("not_committed", f"{topic}[{partition}]: {done} of {end}")


def _poison(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Each bad record lies in the dead letters as it was, with its reason; no good one does."""
    letters: dict[Place, list[Record]] = defaultdict(list)
    for letter in topics["dead_letters"]:
        heads = {name: letter.headers.get(_LETTER + name, b"").decode() for name in ("topic", "partition", "offset")}
        letters[heads["topic"], int(heads["partition"]), int(heads["offset"])].append(letter)
    reasons = {poison.kind: poison.reason for poison in KINDS}
    kinds = set()
    for record in (*topics["behaviour"], *topics["inventory"]):
        kind = record.headers.get(KIND_HEADER)
        if kind is None:
            continue
        kinds.add(kind)
        found = letters.pop(record.place, [])
        verdict.dead_letters += bool(found)
        verdict.dead_letter_repeats += max(len(found) - 1, 0)
        if not found:
            verdict.lose("poison_vanished", f"{record.place} {kind.decode()}")
        for letter in found:
            reason = letter.headers.get(_LETTER + "reason", b"").decode()
            if letter.value != record.value or letter.key != record.key:
                verdict.lose("poison_altered", f"{record.place} {kind.decode()}")
            if reason != reasons[kind.decode()]:
                verdict.lose("poison_misjudged", f"{record.place} {kind.decode()}: {reason}")
    verdict.poison_kinds = len(kinds)
    for place, found in letters.items():
        reason, detail = (found[0].headers.get(_LETTER + name, b"").decode() for name in ("reason", "detail"))
        verdict.lose("good_in_dead_letters", f"{place}: {reason}: {detail[:200]}")


def newest(records: Iterable[Record]) -> dict[str, Any]:
    """A table as a new worker would find it."""
    found: dict[str, Any] = {}
    for record in records:
        if record.value is None:
            found.pop(record.key or "", None)
        else:
            found[record.key or ""] = msgspec.msgpack.decode(record.value)
    return found


# --- inventory -------------------------------------------------------------------------------------------------------


def _shelves(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Every price that the shop ever said is on its shelf's record, and what it said last is in force."""
    shelves = newest(topics["table shelves"])
    said: dict[str, list[Fields]] = defaultdict(list)
    for _, fields in good(topics["inventory"]):
        said[fields["sku"]].append(fields)
    for sku, events in said.items():
        shelf = shelves.get(sku)
        if shelf is None:
            verdict.lose("shelf_missing", sku)
            continue
        facts = shelf["facts"]
        prices = {event["occurred_at_ms"]: event["price_minor"] for event in events if "price_minor" in event}
        held = {point[0]: point[1] for point in facts.get("prices", ())}
        if len(prices) <= _MAX_POINTS:
            for at_ms in sorted(prices.keys() - held.keys()):
                verdict.lose("price_lost", f"{sku}: {prices[at_ms]} of {at_ms}")
        if prices and held.get(max(prices)) != prices[max(prices)]:
            verdict.lose("price_not_in_force", f"{sku}: {prices[max(prices)]}")
        stock = max((event["occurred_at_ms"], event["stock"]) for event in events if "stock" in event)[1]
        if facts.get("stock") != stock:
            verdict.lose("stock_lost", f"{sku}: {stock}, the shelf has {facts.get('stock')}")
        gone_ms = max((e["occurred_at_ms"] for e in events if e["type"] == "product_delisted"), default=-1)
        there_ms = max((e["occurred_at_ms"] for e in events if e["type"] == "product_upserted"), default=-1)
        if facts.get("delisted", False) != (gone_ms > there_ms):
            verdict.lose("delisting_lost", f"{sku}: {gone_ms > there_ms}")


# --- behaviour -------------------------------------------------------------------------------------------------------


def _profiles(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """What is remembered of a shopper is what the shopper did, in order."""
    profiles = newest(topics["table profiles"])
    expected: dict[str, dict[str, dict[str, int]]] = {}
    for _, fields in told(topics["behaviour"]):
        _remember(expected, fields)
    for shopper, lists in expected.items():
        held = profiles.get(shopper, {})
        for name, limit in (("recent", 20), ("cart", 20), ("bought", 50)):
            found = [tuple(seen) for seen in held.get(name, ())]
            wanted = list(lists[name].items())[-limit:]
            if found != wanted:
                missing = [seen for seen in wanted if seen not in found]
                verdict.lose(
                    "behaviour_lost", f"{shopper} {name}: misses {missing or 'nothing, but the order differs'}"
                )


def _remember(expected: dict[str, dict[str, dict[str, int]]], fields: Fields) -> None:
    shopper, at_ms, kind = fields["shopper_id"], fields["occurred_at_ms"], fields["type"]
    if kind == "shopper_erased":
        expected[shopper] = {"recent": {}, "cart": {}, "bought": {}}
        return
    lists = expected.setdefault(shopper, {"recent": {}, "cart": {}, "bought": {}})
    if kind in {"product_viewed", "cart_added"}:
        _to_the_end(lists["recent"], fields["sku"], at_ms, 20)
    if kind == "cart_added":
        _to_the_end(lists["cart"], fields["sku"], at_ms, 20)
    if kind == "cart_removed":
        lists["cart"].pop(fields["sku"], None)
    if kind == "order_completed":
        for item in fields["items"]:
            _to_the_end(lists["bought"], item["sku"], at_ms, 50)
            lists["cart"].pop(item["sku"], None)


def _to_the_end(held: dict[str, int], sku: str, at_ms: int, limit: int) -> None:
    held.pop(sku, None)
    held[sku] = at_ms
    while len(held) > limit:
        del held[next(iter(held))]


def _placements(fields: Fields) -> tuple[str, ...]:
    """Which cards an event calls for at least."""
    match fields["type"]:
        case "product_viewed" | "cart_added":
            return ("next_1", "next_2")
        case "products_searched":
            return ("reminder",)
        case _:
            return ()


def _answers(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Each event that calls for cards was asked for them, and each ask has its answer, or a newer ask of its placement has."""
    events = told(topics["behaviour"])
    erased: dict[str, list[int]] = defaultdict(list)
    for record, fields in events:
        if fields["type"] == "shopper_erased":
            erased[fields["shopper_id"]].append(record.timestamp_ms)
    asks = _asks(topics["asks"])
    offered, answered = _offers(topics["offers"])
    newest_ms: dict[str, int] = {}
    for record, fields in events:
        shopper, at_ms = fields["shopper_id"], fields["occurred_at_ms"]
        old = at_ms < newest_ms.get(shopper, 0)  # nothing is said to a latecomer
        newest_ms[shopper] = max(at_ms, newest_ms.get(shopper, 0))
        forgotten = any(0 <= gone_ms - record.timestamp_ms < _FORGOTTEN_WITHIN_MS for gone_ms in erased[shopper])
        came = [answered[place] for name in _placements(fields) if (place := (record.place, name)) in answered]
        if came:
            verdict.answer_ms.append((record.timestamp_ms, min(came)))
        if old or forgotten:
            continue
        for placement in _placements(fields):
            ask = asks.get((record.place, placement))
            if ask is None:
                verdict.lose("not_asked", f"{record.place} {shopper} {fields['type']} {placement}")
            elif (record.place, placement) not in answered and offered.get(f"{shopper}|{placement}", 0) <= ask[
                "revision"
            ]:
                verdict.lose("not_answered", f"{record.place} {shopper} {placement}: {ask['revision']}")


def _asks(records: Iterable[Record]) -> dict[tuple[Place, str], Fields]:
    """Asks by the event that caused them and by placement."""
    found: dict[tuple[Place, str], Fields] = {}
    for record in records:
        message = json.loads(record.value or b"{}")
        if message.get("type") == "ask":
            for placement in message["placements"]:
                found.setdefault((_place(message["origin"]), placement), message)
    return found


def _offers(records: Iterable[Record]) -> tuple[dict[str, int], dict[tuple[Place, str], int]]:
    """The highest revision that was offered for each placement; and when each event was first answered there."""
    highest: dict[str, int] = {}
    answered: dict[tuple[Place, str], int] = {}
    for record in records:
        offer = json.loads(record.value or b"{}")
        if offer.get("revision") is not None:
            key = f"{offer['shopper_id']}|{offer['placement']}"
            highest[key] = max(highest.get(key, 0), offer["revision"])
            answered.setdefault((_place(offer["provenance"]["origin"]), offer["placement"]), record.timestamp_ms)
    return highest, answered


def _place(origin: Fields) -> Place:
    return origin["topic"], origin["partition"], origin["offset"]


# --- cards -----------------------------------------------------------------------------------------------------------


def _fence(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """What stands last on a placement is the newest that any shelf offered for it, and nothing of who was forgotten."""
    erased_ms: dict[str, int] = {}
    for _, fields in good(topics["behaviour"]):
        if fields["type"] == "shopper_erased":
            erased_ms[fields["shopper_id"]] = max(erased_ms.get(fields["shopper_id"], 0), fields["occurred_at_ms"])
    best: dict[str, Fields] = {}
    for record in topics["offers"]:
        offer = json.loads(record.value or b"{}")
        key = f"{offer['shopper_id']}|{offer['placement']}"
        if offer.get("revision") is None or _is_forgotten(offer, erased_ms):
            continue
        held = best.get(key)
        again = held is not None and (offer["revision"], offer["sku"]) == (held["revision"], held["sku"])
        if held is None or again or offer["revision"] > held["revision"]:
            best[key] = offer
    last = {record.key or "": record.value for record in _as_kept(topics["cards"], Verdict())}
    for key in best.keys() | last.keys():
        standing = json.loads(last.get(key) or b"null")
        _stands(key, standing if standing and standing["status"] == "live" else None, best.get(key), erased_ms, verdict)


def _is_forgotten(card: Fields, erased_ms: Mapping[str, int]) -> bool:
    return bool(card["provenance"]["origin"]["occurred_at_ms"] <= erased_ms.get(card["shopper_id"], 0))


def _stands(
    key: str, shown: Fields | None, best: Fields | None, erased_ms: Mapping[str, int], verdict: Verdict
) -> None:
    """One placement in the end."""
    if shown is not None and _is_forgotten(shown, erased_ms):
        verdict.err("card_of_the_forgotten", f"{key} r{shown['revision']}")
    elif best is not None and best["status"] == "live" and (shown is None or shown["revision"] != best["revision"]):
        standing = shown and shown["revision"]
        verdict.lose("card_lost", f"{key}: {standing} stands, {best['revision']} of {best['sku']} was offered")
    elif shown is not None and (best is None or best["revision"] > shown["revision"]):
        verdict.err("not_withdrawn", f"{key}: r{shown['revision']} of {shown['sku']} still stands")


def _prices(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """By the demo's auditor; then whether a shelf ever went back to older facts than it had shown it knew."""
    events = [_line(record) for record in topics["inventory"] if KIND_HEADER not in record.headers]
    cards = [_line(record) for name in ("cards", "copy") for record in _as_kept(topics[name], verdict)]
    for card in cards:
        if card["value"] is not None:  # when it was rendered, not when a slow network brought it
            card["timestamp_ms"] = card["value"]["published_at_ms"]
    report: Report = verify(events, cards)
    for kind, found in report.counts.items():
        count = found
        if kind in _LATE:
            verdict.late_facts += count
        if kind == "revision":  # a crash had asks answered once more, from newer facts: of equals the later counts
            count -= _answered_again([card for card in cards if card["value"] is not None])
        if kind in _LATE | _STYLE or not count:
            continue
        verdict.wrong[kind] += count
        verdict.examples.setdefault(kind, []).extend(report.examples[kind])
    verdict.stale_ms = max(report.standing_ms, default=0)
    verdict.copy = len(topics["copy"])
    ids: Counter[str] = Counter()
    for card in cards:
        if card["value"] is not None:
            ids[card["value"]["card_id"]] += 1
    verdict.cards = len(cards) - verdict.copy
    verdict.duplicates = sum(ids.values()) - len(ids)
    _went_back(cards, verdict)


def _as_kept(records: Iterable[Record], verdict: Verdict) -> list[Record]:
    """What a consumer keeps who goes by revision, and of equals by the time that the card was made.

    Nothing but transactions keeps what a worker had on the wire when it was cut off from arriving after its successor's cards.
    Passed over is only what was so late; what else is out of order is a finding.
    """
    newest: dict[str, tuple[int, int]] = {}
    kept = []
    for record in records:
        key = record.key or ""
        if record.value is None:
            newest.pop(key, None)
            kept.append(record)
            continue
        card = json.loads(record.value)
        made = (card["revision"], card["published_at_ms"])
        if made < newest.get(key, (0, 0)) and record.timestamp_ms - card["published_at_ms"] > _LATE_ON_THE_WIRE_MS:
            verdict.late_on_the_wire += 1
            continue
        newest[key] = max(made, newest.get(key, (0, 0)))
        kept.append(record)
    return kept


def _answered_again(cards: list[Fields]) -> int:
    """Cards that answer an ask which the same shelf had answered from older facts, with the same revision."""
    answers: dict[tuple[str, str, int], int] = {}
    found = 0
    for card in (line["value"] for line in cards if line["value"]["provenance"]["trigger"] == "ask"):
        place, source = (
            (f"{card['shopper_id']}|{card['placement']}", card["sku"], card["revision"]),
            card["facts"]["source_offset"],
        )
        found += source > answers.get(place, source)
        answers[place] = source
    return found


def _went_back(cards: list[Fields], verdict: Verdict) -> None:
    by_sku: dict[str, list[Fields]] = defaultdict(list)
    for card in cards:
        if card["value"] is not None and card["value"]["status"] == "live":
            by_sku[card["value"]["sku"]].append(card["value"])
    for sku, found in by_sku.items():
        found.sort(key=lambda card: card["published_at_ms"])
        known = found[0]
        for before, card in pairwise(found):
            if before["facts"]["source_offset"] > known["facts"]["source_offset"]:
                known = before
            older = card["facts"]["source_offset"] < known["facts"]["source_offset"]
            sooner = card["published_at_ms"] > known["published_at_ms"]
            if older and sooner and card["facts"]["price_minor"] != known["facts"]["price_minor"]:
                since_ms = card["published_at_ms"] - known["published_at_ms"]
                detail = f"{sku}: {card['facts']['price_minor']} {since_ms} ms after {known['facts']['price_minor']} was known"
                verdict.err("went_back", detail)


def _line(record: Record) -> Fields:
    value = None if record.value is None else json.loads(record.value)
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": record.key,
        "value": value,
    }


__all__ = ["PRICE_FINDINGS", "Evidence", "Verdict", "judge"]
