"""Records that no shop should send, and some do. Each must end in the dead-letter topic, and none may stop anything."""

import orjson

from shelftalk.demo.dice import Dice
from shelftalk.demo.plan import Planned, Stream
from shelftalk.demo.stage import Process, Stage
from shelftalk.demo.store import Store

#: When the first one comes, so that even a short demo has one.
FIRST_MS = 5_000

DAY_MS = 86_400_000


class Poisoner:
    """Where bad records come from.

    Args:
        stage: where it acts.
        store: whose SKUs it abuses.
        dice: its whims.
        rate_per_s: records a second, on average.
    """

    def __init__(self, stage: Stage, store: Store, dice: Dice, rate_per_s: float) -> None:
        self._stage, self._store, self._dice = stage, store, dice
        self._rate_per_ms = rate_per_s / 1000

    def mischief(self) -> Process:
        """One bad record after the other, at random moments."""
        yield FIRST_MS
        while True:
            self._stage.emit_record(self._record())
            yield self._dice.expovariate(self._rate_per_ms)

    def _record(self) -> Planned:
        item = self._dice.choice(list(self._store.items.values()))
        now_ms = self._stage.now_ms
        event_id = self._stage.next_id()
        currency = item.product.currency
        price = {
            "type": "price_changed",
            "event_id": event_id,
            "occurred_at_ms": now_ms,
            "sku": item.sku,
            "price_minor": item.price_minor,
            "currency": currency,
        }
        view = {"type": "product_viewed", "event_id": event_id, "occurred_at_ms": now_ms, "shopper_id": "s-bad"}
        good = orjson.dumps(price)
        values: list[tuple[Stream, str, bytes]] = [
            (Stream.INVENTORY, "not_json", good[: len(good) // 2]),
            (Stream.INVENTORY, "not_json", good.replace(b'"price_minor":', b'"price_minor":NaN,"was":')),
            (Stream.INVENTORY, "not_json", b'{"type":"price_changed","sku":"\xff\xfe"}'),
            (Stream.INVENTORY, "not_an_object", orjson.dumps([price])),
            (Stream.INVENTORY, "schema", orjson.dumps(price | {"price_minor": -item.price_minor})),
            (Stream.INVENTORY, "schema", orjson.dumps(price | {"price_minor": "1,299.00"})),
            (Stream.INVENTORY, "unknown_type", orjson.dumps(price | {"type": "price_exploded"})),
            (Stream.INVENTORY, "time_in_future", orjson.dumps(price | {"occurred_at_ms": now_ms + 1000 * DAY_MS})),
            (Stream.BEHAVIOUR, "schema", orjson.dumps(view)),
            (Stream.BEHAVIOUR, "unknown_type", orjson.dumps(view | {"type": "shopper_sneezed"})),
            (Stream.BEHAVIOUR, "not_json", b"<event>view</event>"),
        ]
        stream, reason, value = self._dice.choice(values)
        return Planned(now_ms, stream, item.sku if stream is Stream.INVENTORY else "s-bad", value, poison=reason)
