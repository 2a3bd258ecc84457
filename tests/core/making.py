"""Small makers for the core's tests: a moment, origins, events, facts, shelves and asks."""

from collections.abc import Mapping
from typing import Any

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.effects import Drop, Publish, Send, Step, Write
from shelftalk.core.facts import Facts, fold
from shelftalk.core.messages import Ask, Mode, Origin, Seed
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Copybook, LiveCard, Neighbour, Shelf, ShelfState
from shelftalk.events.types import InventoryEvent, PriceChanged, ProductDelisted, ProductUpserted, StockChanged

NOW = 1_800_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

#: With a model, and with none.
RULES = ShelfRules(model="m-1", takes=1)
NO_MODEL = ShelfRules(takes=1)


def origin(offset: int = 0, topic: str = "behaviour", at_ms: int = NOW, partition: int = 0) -> Origin:
    return Origin(topic=topic, partition=partition, offset=offset, event_id=f"{topic}-{offset}", occurred_at_ms=at_ms)


def brief(**changes: Any) -> Brief:
    """Of a card that introduces a product, in English, without a brand to name."""
    fields: dict[str, Any] = {
        "sku": "A",
        "kind": "kettle",
        "points": (),
        "channel": Channel.CARD,
        "angle": Angle.INTRODUCE,
        "anchor": None,
        "promotion": Promotion.NONE,
        "tone": Tone.PLAIN,
        "branded": False,
        "locale": "en",
        "variant": "slots-v5",
        "model": "m",
    }
    return Brief(**fields | changes)


def upserted(at_ms: int = NOW - 90 * DAY, **changes: Any) -> ProductUpserted:
    fields: dict[str, Any] = {
        "event_id": f"up-{at_ms}-{len(changes)}",
        "occurred_at_ms": at_ms,
        "sku": "kettle-1",
        "name": "Harbour Kettle",
        "brand": "Harbour",
        "category": "kitchen.kettles",
        "points": ("holds its heat", "900 ml"),
        "price_minor": 4_000,
        "currency": "GBP",
        "stock": 40,
    }
    return ProductUpserted(**fields | changes)


def priced(price_minor: int, at_ms: int = NOW, ends_ms: int | None = None, currency: str = "GBP") -> PriceChanged:
    return PriceChanged(
        event_id=f"pr-{at_ms}-{price_minor}-{currency}-{ends_ms}",
        occurred_at_ms=at_ms,
        sku="kettle-1",
        price_minor=price_minor,
        currency=currency,
        sale_ends_at_ms=ends_ms,
    )


def stocked(stock: int, at_ms: int = NOW) -> StockChanged:
    return StockChanged(event_id=f"st-{at_ms}-{stock}", occurred_at_ms=at_ms, sku="kettle-1", stock=stock)


def delisted(at_ms: int = NOW) -> ProductDelisted:
    return ProductDelisted(event_id=f"de-{at_ms}", occurred_at_ms=at_ms, sku="kettle-1")


def folded(*events: InventoryEvent, facts: Facts | None = None, first: int = 0) -> Facts:
    """Facts after these events, which stand at offsets from `first` on."""
    facts = facts or Facts(sku="kettle-1")
    for offset, event in enumerate(events, start=first):
        facts = fold(facts, event, origin(offset, "inventory", event.occurred_at_ms))
    return facts


def shelf(
    facts: Facts | None = None,
    *,
    neighbours: tuple[Neighbour, ...] = (),
    copybook: Copybook | None = None,
    live: Mapping[str, LiveCard] | None = None,
) -> ShelfState:
    return ShelfState(
        Shelf(facts=facts or folded(upserted()), neighbours=neighbours), copybook or Copybook(), live or {}
    )


def ask(**changes: Any) -> Ask:
    fields: dict[str, Any] = {
        "key": "kettle-1",
        "shopper_id": "ada",
        "placements": ("next_1",),
        "revision": NOW << 10,
        "mode": Mode.SHOW,
        "because": Angle.LIKE_VIEWED,
        "locale": "en-GB",
        "origin": origin(),
        "seed": Seed(sku="teapot-1", kind="teapot", category="kitchen.kettles"),
    }
    return Ask(**fields | changes)


def after(state: ShelfState, step: Step) -> ShelfState:
    """The state once a step is applied."""
    live = dict(state.live)
    for key, card in step.live.items():
        live.pop(key, None)
        if card is not None:
            live[key] = card
    return ShelfState(step.shelf or state.shelf, step.copybook or state.copybook, live)


def with_facts(state: ShelfState, *events: InventoryEvent) -> ShelfState:
    """The state after inventory events that nobody reacted to yet."""
    facts = folded(*events, facts=state.shelf.facts, first=100)
    return ShelfState(Shelf(facts=facts, neighbours=state.shelf.neighbours), state.copybook, state.live)


def cards(step: Step) -> list[Publish]:
    return [effect for effect in step.effects if isinstance(effect, Publish)]


def writes(step: Step) -> list[Write]:
    return [effect for effect in step.effects if isinstance(effect, Write)]


def asks(step: Step) -> list[Ask]:
    return [effect.message for effect in step.effects if isinstance(effect, Send) and isinstance(effect.message, Ask)]


def reasons(step: Step) -> list[str]:
    return [effect.reason for effect in step.effects if isinstance(effect, Drop)]
