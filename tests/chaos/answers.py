"""Which cards each event calls for, and whether they came."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.evidence import Fields, Place, offered, place_of, told
from tests.chaos.state import Lists, remember
from tests.chaos.topics import Record
from tests.chaos.verdict import Verdict

#: An event may go unsaid if its shopper asked to be forgotten so soon after it: longer than the longest backlog.
_FORGOTTEN_WITHIN_MS = 300_000

#: So many of the last things bought are not offered again.
_NOT_AGAIN = 20

_PAGE = ("next_1", "next_2")


def answers(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Each event that calls for cards was asked for them, and each ask has its answer, or a newer ask of its placement has."""
    events = told(topics["behaviour"])
    erased: dict[str, list[int]] = defaultdict(list)
    for record, fields in events:
        if fields["type"] == "shopper_erased":
            erased[fields["shopper_id"]].append(record.timestamp_ms)
    asks = _asks(topics["asks"])
    offered, answered = _offers(topics["offers"])
    newest_ms: dict[str, int] = {}
    shoppers: dict[str, Lists] = {}
    for record, fields in events:
        shopper, at_ms = fields["shopper_id"], fields["occurred_at_ms"]
        old = at_ms < newest_ms.get(shopper, 0)  # nothing is said to a latecomer
        newest_ms[shopper] = max(at_ms, newest_ms.get(shopper, 0))
        forgotten = any(0 <= gone_ms - record.timestamp_ms < _FORGOTTEN_WITHIN_MS for gone_ms in erased[shopper])
        called = _called_for(fields, list(remember(shoppers, fields)["bought"])[-_NOT_AGAIN:])
        came = [answered[place] for name in called if (place := (record.place, name)) in answered]
        if came:
            verdict.answer_ms.append((record.timestamp_ms, min(came)))
        if old or forgotten:
            continue
        for placement in called:
            ask = asks.get((record.place, placement))
            if ask is None:
                verdict.lose("not_asked", f"{record.place} {shopper} {fields['type']} {placement}")
            elif (record.place, placement) not in answered and offered.get(f"{shopper}|{placement}", 0) <= ask[
                "revision"
            ]:
                verdict.lose("not_answered", f"{record.place} {shopper} {placement}: {ask['revision']}")


def _called_for(fields: Fields, bought: Sequence[str]) -> Sequence[str]:
    """Which placements an event calls for at least: what was bought is not offered, whoever recommends it."""
    match fields["type"]:
        case "product_viewed":
            out = {fields["sku"], *bought}
            given = [sku for sku in dict.fromkeys(fields.get("candidates", ())) if sku not in out]
            return _PAGE[: len(given) or None]
        case "cart_added":
            return _PAGE
        case "products_searched" if any(sku not in bought for sku in fields.get("results", ())):
            return ("reminder",)
        case _:
            return ()


def _asks(records: Iterable[Record]) -> dict[tuple[Place, str], Fields]:
    """Asks by the event that caused them and by placement."""
    found: dict[tuple[Place, str], Fields] = {}
    for record in records:
        message = json.loads(record.value or b"{}")
        if message.get("type") == "ask":
            for placement in message["placements"]:
                found.setdefault((place_of(message["origin"]), placement), message)
    return found


def _offers(records: Iterable[Record]) -> tuple[dict[str, int], dict[tuple[Place, str], int]]:
    """The highest revision that was offered for each placement; and when each event was first answered there."""
    highest: dict[str, int] = {}
    answered: dict[tuple[Place, str], int] = {}
    for record in records:
        offer = offered(record.value)
        if offer.get("revision") is not None:
            key = f"{offer['shopper_id']}|{offer['placement']}"
            highest[key] = max(highest.get(key, 0), offer["revision"])
            answered.setdefault((place_of(offer["provenance"]["origin"]), offer["placement"]), record.timestamp_ms)
    return highest, answered
