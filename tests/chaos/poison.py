"""Twenty kinds of records that no worker can take: each must end in the dead-letter topic, as it is, and stop nothing."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DAY_MS = 86_400_000

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Poison:
    """A kind of bad record.

    Attributes:
        kind: its name here.
        topic: ``"behaviour"`` or ``"inventory"``.
        reason: what the dead letter must say.
        spoil: makes the bytes from a good event's fields.
        key: what the record's key is made from the good one.
    """

    kind: str
    topic: str
    reason: str
    spoil: Callable[[Fields], bytes | None]
    key: Callable[[str], str | None] = lambda key: key


def _json(fields: object) -> bytes:
    return json.dumps(fields).encode()


def _without(name: str) -> Callable[[Fields], bytes]:
    return lambda fields: _json({key: value for key, value in fields.items() if key != name})


def _with(**changes: Any) -> Callable[[Fields], bytes]:
    return lambda fields: _json(fields | changes)


KINDS = (
    Poison("no value", "inventory", "empty", lambda _: None),
    Poison("no bytes", "behaviour", "not_json", lambda _: b""),
    Poison("cut in half", "inventory", "not_json", lambda fields: _json(fields)[: len(_json(fields)) // 2]),
    Poison("two documents", "behaviour", "not_json", lambda fields: _json(fields) * 2),
    Poison("bad UTF-8", "inventory", "not_json", lambda _: b'{"type":"price_changed","sku":"\xff\xfe"}'),
    Poison("not a number", "inventory", "not_json", lambda f: _json(f | {"price_minor": float("nan")})),
    Poison("XML", "behaviour", "not_json", lambda _: b"<event>view</event>"),
    Poison("a list", "inventory", "not_an_object", lambda fields: _json([fields])),
    Poison("a string", "behaviour", "not_an_object", lambda _: b'"product_viewed"'),
    Poison("null", "behaviour", "not_an_object", lambda _: b"null"),
    Poison("unknown type", "inventory", "unknown_type", _with(type="price_exploded")),
    Poison("the other topic's type", "behaviour", "unknown_type", _with(type="price_changed")),
    Poison("no type", "behaviour", "unknown_type", _without("type")),
    Poison("no shopper", "behaviour", "schema", _without("shopper_id")),
    Poison("negative price", "inventory", "schema", _with(price_minor=-100)),
    Poison("price as text", "inventory", "schema", _with(price_minor="1,299.00")),
    Poison("endless SKU", "inventory", "schema", _with(sku="x" * 5_000)),
    Poison(
        "next year",
        "inventory",
        "time_in_future",
        lambda f: _json(f | {"occurred_at_ms": f["occurred_at_ms"] + 365 * DAY_MS}),
    ),
    Poison("a quarter of a megabyte", "behaviour", "too_large", lambda f: _json(f | {"note": "x" * 250_000})),
    Poison("another's key", "behaviour", "key_mismatch", _json, lambda key: f"{key}-other"),
)


class Poisoner:
    """Deals the kinds in a shuffled round, so that even few bad records are of many kinds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._hand: list[Poison] = []

    def next(self) -> Poison:
        """The next kind."""
        if not self._hand:
            self._hand = list(KINDS)
            self._rng.shuffle(self._hand)
        return self._hand.pop()
