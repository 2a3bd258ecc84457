"""The naive form: a Faust agent that calls the model for each event and waits for the words.

What a tutorial shows: products in a dict, an event in, a prompt, `await model(prompt)`, a card out. As its users would write it,
the model is a plain loop around ONNX Runtime in a thread of its own (`plain`); a second contestant is handed shelftalk's engine. It
promises little: one event after the other, words that nobody checks, a price that is the one of the moment when writing began and
is never told anew (`faults` counts what comes of both), and Faust's own acknowledgements.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust

from shelftalk.asking import request_for
from shelftalk.bench.pipeline.plain import PlainModel
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.money import format_money
from shelftalk.core.prompt import DEFAULT_VARIANT, MAX_NEW_TOKENS, prompt_for, text_of
from shelftalk.core.render import fill, slots_in
from shelftalk.engine import Engine

Write = Callable[[Brief], Awaitable[str]]


def make_app(servers: str, name: str, prefix: str, write: Write, variant: str) -> faust.App:
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
    async def tell(stream: Any) -> None:
        async for event in stream:
            product = products.get(event.get("sku", ""))
            if event["type"] != "product_viewed" or product is None:
                continue
            brief = brief_for(product, variant)
            words = text_of(brief, await write(brief))
            await cards.send(key=f"{event['shopper_id']}|next_1", value=_card(event, product, words))

    return app


def by_loop(model: PlainModel) -> Write:
    """The plain loop, in the event loop's pool of threads."""

    async def write(brief: Brief) -> str:
        running = asyncio.get_running_loop()
        return await running.run_in_executor(None, model.write, prompt_for(brief), MAX_NEW_TOKENS[brief.channel])

    return write


def by_engine(engine: Engine) -> Write:
    """Our engine, alone with one text at a time."""

    async def write(brief: Brief) -> str:
        answer = engine.submit(request_for(brief, brief.brief_id, temperature=0.0))
        return (await asyncio.wrap_future(answer)).text

    return write


def brief_for(product: dict[str, Any], variant: str) -> Brief:
    """What is asked of the model for a product."""
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


def main() -> None:
    """``naive SERVERS NAME PREFIX MODEL_FOLDER loop|engine``."""
    servers, name, prefix, folder, writer = sys.argv[1:6]
    sys.argv[1:] = ["worker"]  # for Faust
    if writer == "engine":
        with Engine(Path(folder), rows=1) as engine:
            variant = engine.prompt_variant or DEFAULT_VARIANT
            _run(make_app(servers, name, prefix, by_engine(engine), variant))
    else:
        model = PlainModel(Path(folder))
        variant = model.prompt_variant or DEFAULT_VARIANT
        sample = brief_for({"sku": "sample", "kind": "kettle", "points": ("folds flat", "quiet at night")}, variant)
        model.tune(prompt_for(sample), MAX_NEW_TOKENS[sample.channel])
        print(f"the plain loop has {model.threads} thread(s)", flush=True)
        _run(make_app(servers, name, prefix, by_loop(model), variant))


def _run(app: faust.App) -> None:
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    main()
