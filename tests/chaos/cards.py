"""What the cards say and which of them stand in the end.

Prices are judged by the demo's auditor (`shelftalk.demo.verify`), which shares no code with the worker.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from shelftalk.demo.verify import Report, verify
from tests.chaos.evidence import Fields, good, offered
from tests.chaos.topics import Record
from tests.chaos.traffic import KIND_HEADER
from tests.chaos.verdict import Verdict

#: Findings of the auditor that mean that facts came late, not that they were wrong; under faults they are judged by `_went_back`.
_LATE = frozenset({"stale_price", "sold_out", "sale_over"})

#: Of how a page reads, which no crash can make untrue.
_STYLE = frozenset({"same_opening"})

#: A card that took so long from its making to the topic was on the wire while its worker was cut off.
_LATE_ON_THE_WIRE_MS = 3_000


def fence(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """What stands last on a placement is the newest that any shelf offered for it, and nothing of who was forgotten."""
    erased_ms: dict[str, int] = {}
    for _, fields in good(topics["behaviour"]):
        if fields["type"] == "shopper_erased":
            erased_ms[fields["shopper_id"]] = max(erased_ms.get(fields["shopper_id"], 0), fields["occurred_at_ms"])
    best: dict[str, Fields] = {}
    for record in topics["offers"]:
        offer = offered(record.value)
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


def prices(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
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
