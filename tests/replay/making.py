"""Records for the tests of replay."""

import json
from pathlib import Path
from typing import Any

from shelftalk.replay.recording import About, Recorded, Writer

STREAMS = {"behaviour": "behaviour", "inventory": "inventory"}
START_MS = 1_700_000_000_000


def viewed(shopper: str, at_ms: int, sku: str = "A1", **more: Any) -> Recorded:
    event = {
        "type": "product_viewed",
        "event_id": f"e-{shopper}-{at_ms}",
        "occurred_at_ms": START_MS + at_ms,
        "shopper_id": shopper,
        "sku": sku,
    }
    return record("behaviour", shopper, event | more, at_ms)


def upserted(sku: str, at_ms: int = 0, **more: Any) -> Recorded:
    event = {
        "type": "product_upserted",
        "event_id": f"p-{sku}",
        "occurred_at_ms": START_MS + at_ms,
        "sku": sku,
        "name": f"Lamp {sku}",
        "category": "lamps",
        "kind": "lamp",
        "price_minor": 1_000,
        "currency": "GBP",
        "stock": 9,
    }
    return record("inventory", sku, event | more, at_ms)


def repriced(sku: str, at_ms: int, price_minor: int) -> Recorded:
    event = {
        "type": "price_changed",
        "event_id": f"c-{sku}-{at_ms}",
        "occurred_at_ms": START_MS + at_ms,
        "sku": sku,
        "price_minor": price_minor,
        "currency": "GBP",
    }
    return record("inventory", sku, event, at_ms)


def record(topic: str, key: str, value: Any, at_ms: int, offset: int = 0) -> Recorded:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Recorded(topic, 0, offset, START_MS + at_ms, key.encode(), raw)


def written(path: Path, rows: list[Recorded], **about: Any) -> Path:
    with Writer(path, About(source="test", streams=dict(STREAMS), **about)) as writer:
        for row in rows:
            writer.add(row)
    return path
