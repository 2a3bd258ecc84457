"""The naive form: a Faust agent that calls the model for each event and waits for the words.

What a tutorial shows: products in a dict, an event in, a prompt, `await model(prompt)`, a card out. It is given the same engine and
model as shelftalk, with the whole machine for the one text at a time. It promises little: one event after the other, words that
nobody checks, a price that is the one of the moment when writing began, and Faust's own acknowledgements.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import faust

from shelftalk.asking import request_for
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.money import format_money
from shelftalk.core.prompt import DEFAULT_VARIANT, text_of
from shelftalk.core.render import fill, slots_in
from shelftalk.engine import Engine


def make_app(servers: str, name: str, prefix: str, engine: Engine) -> faust.App:
    """Two agents: one learns the products, one writes."""
    app = faust.App(name, broker=f"kafka://{servers}", store="memory://", topic_disable_leader=True, web_enabled=False)
    inventory = app.topic(f"{prefix}inventory", value_serializer="json")
    behaviour = app.topic(f"{prefix}behaviour", value_serializer="json")
    cards = app.topic(f"{prefix}cards", value_serializer="json")
    products: dict[str, dict[str, Any]] = {}

    @app.agent(inventory)
    async def learn(stream: Any) -> None:
        async for event in stream:
            products.setdefault(event["sku"], {}).update(event)

    @app.agent(behaviour)
    async def write(stream: Any) -> None:
        async for event in stream:
            product = products.get(event.get("sku", ""))
            if event["type"] != "product_viewed" or product is None:
                continue
            brief = _brief(product, engine.prompt_variant or DEFAULT_VARIANT)
            request = request_for(brief, event["event_id"], temperature=0.0)
            words = text_of(brief, (await asyncio.wrap_future(engine.submit(request))).text)
            await cards.send(key=f"{event['shopper_id']}|next_1", value=_card(event, product, words))

    return app


def _brief(product: dict[str, Any], variant: str) -> Brief:
    return Brief(
        sku=product["sku"],
        kind=product["kind"],
        points=tuple(product["points"]),
        channel=Channel.CARD,
        angle=Angle.INTRODUCE,
        anchor=None,
        promotion=Promotion.NONE,
        tone=Tone.PLAIN,
        branded=True,
        locale="en",
        variant=variant,
        model="naive",
    )


def _card(event: dict[str, Any], product: dict[str, Any], words: str) -> dict[str, Any]:
    price = format_money(product["price_minor"], product["currency"], "en-GB")
    values = {"name": product["name"], "brand": product["brand"], "price": price}
    return {
        "sku": product["sku"],
        "slotted": words,
        "text": fill(words, values) if slots_in(words) <= values.keys() else words,
        "status": "live",
        "revision": time.time_ns() // 1_000_000,
        "provenance": {"origin": {"event_id": event["event_id"]}, "rung": "generated", "trigger": "ask"},
    }


if __name__ == "__main__":
    servers_, name_, prefix_, model_ = sys.argv[1:5]
    sys.argv[1:] = ["worker"]  # for Faust
    with Engine(Path(model_), rows=1) as running:
        faust.Worker(make_app(servers_, name_, prefix_, running), loglevel="WARNING").execute_from_commandline()
