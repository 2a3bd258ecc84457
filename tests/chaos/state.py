"""What the shelves and profiles should remember, and do."""

from collections import defaultdict
from collections.abc import Mapping

from tests.chaos.evidence import Fields, good, newest, told
from tests.chaos.topics import Record
from tests.chaos.verdict import Verdict

#: Price points of a product that its shelf keeps at most; with more, none is missed.
_MAX_POINTS = 250

#: What a profile keeps of each list.
_KEPT = {"recent": 20, "cart": 20, "bought": 50}

#: What a shopper did: products with their times, in order, by list.
Lists = dict[str, dict[str, int]]


def shelves(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """Every price that the shop ever said is on its shelf's record, and what it said last is in force."""
    kept = newest(topics["table shelves"])
    said: dict[str, list[Fields]] = defaultdict(list)
    for _, fields in good(topics["inventory"]):
        said[fields["sku"]].append(fields)
    for sku, events in said.items():
        shelf = kept.get(sku)
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


def profiles(topics: Mapping[str, list[Record]], verdict: Verdict) -> None:
    """What is remembered of a shopper is what the shopper did, in order."""
    kept = newest(topics["table profiles"])
    shoppers: dict[str, Lists] = {}
    for _, fields in told(topics["behaviour"]):
        remember(shoppers, fields)
    for shopper, lists in shoppers.items():
        for name, wanted in lists.items():
            found = [tuple(seen[:2]) for seen in kept.get(shopper, {}).get(name, ())]
            if found != list(wanted.items()):
                missing = [seen for seen in wanted.items() if seen not in found]
                verdict.lose(
                    "behaviour_lost", f"{shopper} {name}: misses {missing or 'nothing, but the order differs'}"
                )


def remember(shoppers: dict[str, Lists], fields: Fields) -> Lists:
    """Fold an event into what should be known of its shopper.

    Returns:
        That, as products with their times, in order.
    """
    shopper, at_ms, kind = fields["shopper_id"], fields["occurred_at_ms"], fields["type"]
    if kind == "shopper_erased" or shopper not in shoppers:
        shoppers[shopper] = {name: {} for name in _KEPT}
    lists = shoppers[shopper]
    if kind in {"product_viewed", "cart_added"}:
        _to_the_end(lists, "recent", fields["sku"], at_ms)
    if kind == "cart_added":
        _to_the_end(lists, "cart", fields["sku"], at_ms)
    if kind == "cart_removed":
        lists["cart"].pop(fields["sku"], None)
    if kind == "order_completed":
        for item in fields["items"]:
            _to_the_end(lists, "bought", item["sku"], at_ms)
            lists["cart"].pop(item["sku"], None)
    return lists


def _to_the_end(lists: Lists, name: str, sku: str, at_ms: int) -> None:
    held = lists[name]
    held.pop(sku, None)
    held[sku] = at_ms
    while len(held) > _KEPT[name]:
        del held[next(iter(held))]
