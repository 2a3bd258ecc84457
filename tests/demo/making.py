"""Records as the observer hands them on, for the tests of what is counted and shown."""

from typing import Any

import orjson

from shelftalk.demo.records import Seen

T = 1_789_000_000_000


def seen(stream: str, offset: int, at: int, value: Any, **more: Any) -> Seen:
    raw = None if value is None else orjson.dumps(value)
    fields: dict[str, Any] = {"stream": stream, "topic": f"demo.{stream}", "partition": 0, "key": "k"} | more
    return Seen(offset=offset, timestamp_ms=T + at, value=value, raw=raw, **fields)


def view(offset: int, at: int, sku: str = "LF-1") -> Seen:
    return seen("behaviour", offset, at, {"type": "product_viewed", "sku": sku}, key="s1-abc")


def price(offset: int, at: int, minor: int, **more: Any) -> Seen:
    value = {"type": "price_changed", "sku": "LF-1", "price_minor": minor, "currency": "GBP"} | more
    return seen("inventory", offset, at, value, key="LF-1")


def product(offset: int, at: int, minor: int = 1000) -> Seen:
    value = {
        "type": "product_upserted",
        "sku": "LF-1",
        "name": "Trail Shoe",
        "price_minor": minor,
        "currency": "GBP",
        "stock": 9,
    }
    return seen("inventory", offset, at, value, key="LF-1")


def card(
    offset: int,
    at: int,
    origin: tuple[str, int],
    *,
    rung: str = "cached",
    trigger: str = "ask",
    source: int = 0,
    minor: int = 1000,
    status: str = "live",
    stream: str = "cards",
    because: str = "it goes with it",
) -> Seen:
    place = {"topic": f"demo.{origin[0]}", "partition": 0, "offset": origin[1]}
    value = {
        "sku": "LF-1",
        "status": status,
        "channel": "card" if stream == "cards" else stream,
        "locale": "en-GB",
        "text": "Trail Shoe, it grips.",
        "facts": {
            "name": "Trail Shoe",
            "price_minor": minor,
            "currency": "GBP",
            "source_partition": 0,
            "source_offset": source,
        },
        "provenance": {"rung": rung, "trigger": trigger, "because": because, "origin": place, "cause": place},
    }
    return seen(stream, offset, at, value, key="s1-abc|next_1")
