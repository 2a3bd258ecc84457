"""What a shelf costs: time per event as cards, products and profiles grow, memory per product and shopper, a render and a text.

Everything runs in one process on the rules of production (`shelftalk.evaluate.small_world`), without Kafka. Each figure is the
median of a few rounds; time is the process's own CPU time, which a busy machine hardly moves. The texts are the real model's.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, slots_for
from shelftalk.core.messages import Ask, Mode, Origin
from shelftalk.core.policy import Policy
from shelftalk.core.prompt import MAX_NEW_TOKENS, prompt_for
from shelftalk.core.rules import ShelfRules
from shelftalk.evaluate.small_world import SmallWorld
from shelftalk.events.codec import encode
from shelftalk.events.types import CartAdded, PriceChanged, ProductUpserted, ProductViewed
from shelftalk.stream.keeper import Limits

_NOW_MS: Final = 1_800_000_000_000
_PAGE: Final = 4096
_ROUNDS: Final = 5

#: Product copy, ad and post: live cards of every product beside those of shoppers.
_COPIES: Final = 3

_WORDS: Final = ("kettle", "rucksack", "lamp", "scarf", "teapot", "tent", "mug", "notebook")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table as it goes, and one JSON object at the end."""
    parser = argparse.ArgumentParser(prog="python -m shelftalk.bench.shelf", description=__doc__)
    parser.add_argument("--cards", type=int, default=100_000, help="live cards of one product at most (%(default)s)")
    parser.add_argument("--products", type=int, default=1_000_000, help="products at most (%(default)s)")
    parser.add_argument("--shoppers", type=int, default=20_000, help="shoppers with full profiles (%(default)s)")
    parser.add_argument("--texts", type=int, default=48, help="texts by the real model; 0 leaves it out (%(default)s)")
    given = parser.parse_args(arguments)
    found: dict[str, Any] = {
        "inventory_by_cards": cards(given.cards),
        "inventory_by_products": products(given.products),
        **shoppers(given.shoppers),
    }
    render_us = found["inventory_by_cards"][-1]["us_per_card"]
    if given.texts:
        found |= words(given.texts, render_us)
    print(json.dumps(found))
    return 0


def cards(most: int) -> list[dict[str, float]]:
    """A price change of one product, as the cards that it feeds grow: to take it in, and for each card that it makes stale."""
    print(f"{'live cards':>12}{'us an event':>14}{'us a card':>12}{'cards/s':>10}   a price change of one product")
    rows = []
    for count in _decades(1, most):
        world = _world(live_per_sku=most + 10)
        world.take("inventory", "sku-0", _upserted(0), _NOW_MS)
        for shopper in range(count):
            world.keeper.message(_ask(shopper), 0, _NOBODY, _NOW_MS)
        world.turn(_NOW_MS)
        events, refreshed = [], []
        for number in range(_ROUNDS if count < most else 2):
            value = _priced(0, 3_999 - number, _NOW_MS + number + 1)
            at_ms = _NOW_MS + number + 1
            events.append(_cpu_us(world.take, "inventory", "sku-0", value, at_ms))
            refreshed.append(_cpu_us(world.turn, at_ms) / (count + _COPIES))
        row = {
            "live_cards": count,
            "us_per_event": round(statistics.median(events), 1),
            "us_per_card": round(statistics.median(refreshed), 1),
        }
        rows.append(row)
        rate = 1e6 / row["us_per_card"]
        print(f"{count:>12,}{row['us_per_event']:>14.1f}{row['us_per_card']:>12.1f}{rate:>10,.0f}", flush=True)
    return rows


def products(most: int) -> list[dict[str, float]]:
    """A price change of any product, as the products grow; and what a product holds in memory and in its changelog."""
    print(f"\n{'products':>12}{'us an event':>14}{'bytes each':>12}{'in the log':>12}   a price change of any product")
    world, rows, made, rng = _world(channels=False), [], 0, random.Random(1)
    gc.collect()
    empty = _resident()
    for count in _decades(1_000, most):
        for number in range(made, count):
            world.take("inventory", f"sku-{number}", _upserted(number), _NOW_MS)
            if number % 50_000 == 0:
                _say(f"{number:,} of {count:,} products")
        world.turn(_NOW_MS)
        made = count
        gc.collect()
        held = _resident() - empty
        spent = []
        for number in range(_ROUNDS):
            changes = [(sku, _priced(sku, 3_500 + number, _NOW_MS + 9)) for sku in rng.sample(range(count), 500)]
            spent.append(_cpu_us(_take_all, world, changes) / len(changes))
        log = sum(len(msgspec.msgpack.encode(world.store.shelves[f"sku-{sku}"])) for sku in range(500)) / 500
        row = {
            "products": count,
            "us_per_event": round(statistics.median(spent), 1),
            "bytes_in_memory": round(held / count),
            "bytes_in_changelog": round(log),
        }
        rows.append(row)
        _say("")
        print(f"{count:>12,}{row['us_per_event']:>14.1f}{row['bytes_in_memory']:>12,}{log:>12,.0f}", flush=True)
    return rows


def shoppers(count: int) -> dict[str, Any]:
    """A view by a shopper, as what is known of them grows; and what a full profile holds."""
    print(
        f"\n{'views before':>12}{'us an event':>14}   a view by a shopper, with all the messages that it sends and answers"
    )
    rng, rows = random.Random(2), []
    world = _world(channels=False, products_known=200)
    for before in (0, 1, 5, 20, 100):
        spent = []
        for number in range(_ROUNDS):
            people = [f"s{before}-{number}-{person}" for person in range(40)]
            for person in people:
                for step in range(before):
                    _view(world, person, rng.randrange(200), _NOW_MS + step * 2_000)
            at_ms = _NOW_MS + before * 2_000
            spent.append(_cpu_us(_view_all, world, people, rng, at_ms) / len(people))
        rows.append({"views_before": before, "us_per_event": round(statistics.median(spent), 1)})
        print(f"{before:>12}{rows[-1]['us_per_event']:>14.1f}", flush=True)
    gc.collect()
    bare = _world(channels=False)
    empty = _resident()
    for number in range(count):
        for step in range(25):
            value = encode(_cart(number, rng.randrange(10_000), _NOW_MS + step))
            bare.react.handle(_record(f"p{number}", value), _NOBODY, _NOW_MS + step)
            bare.tray.messages.clear()
        if number % 2_000 == 0:
            _say(f"{number:,} of {count:,} shoppers")
    _say("")
    gc.collect()
    held = (_resident() - empty) / count
    log = sum(len(msgspec.msgpack.encode(profile)) for profile in list(bare.profiles.rows.values())[:500]) / min(
        count, 500
    )
    print(f"a full profile: {held:,.0f} bytes in memory, {log:,.0f} in its changelog ({count:,} shoppers)")
    return {
        "behaviour_by_views": rows,
        "shopper_bytes_in_memory": round(held),
        "shopper_bytes_in_changelog": round(log),
    }


def words(count: int, render_us: float) -> dict[str, float]:
    """What a text costs by the real model, all cores and rows busy, beside the re-render of a card whose price moved."""
    from shelftalk.engine import Engine, Priority, Request  # noqa: PLC0415  slow to import
    from shelftalk.modelling.build import ensure_default_model  # noqa: PLC0415

    folder = ensure_default_model(lambda message, _: _say(message))
    requests = []
    for number in range(count):
        brief = Brief(
            f"sku-{number}", _WORDS[number % len(_WORDS)], ("holds its heat", f"{number + 3} cm"), Channel.CARD,
            Angle.INTRODUCE, None, Promotion.NONE, Tone.PLAIN, branded=True, locale="en", variant="line-v1", model="m",
        )  # fmt: skip
        requests.append(
            Request(
                key=str(number),
                prompt=prompt_for(brief),
                slots=slots_for(brief),
                max_new_tokens=MAX_NEW_TOKENS[Channel.CARD],
                priority=Priority.SHOPPER,
                deadline_s=None,
                seed=number,
                temperature=0.6,
                top_p=0.92,
            )
        )
    with Engine(folder, rows=16, queue_limit=4 * count) as engine:
        engine.submit(requests[0]).result(timeout=120)  # the first run allocates
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for done in [engine.submit(request) for request in requests]:
            done.result(timeout=300)
        wall_ms = (time.monotonic() - began_s) * 1000 / count
        cpu_ms = (time.process_time() - began_cpu_s) * 1000 / count
    ratio = cpu_ms * 1000 / render_us
    print(f"\na text: {cpu_ms:.1f} ms of CPU ({wall_ms:.1f} ms of the clock, {count} texts, 16 at a time)")
    print(f"a price re-render: {render_us:.1f} us of CPU, {ratio:,.0f} times cheaper")
    return {
        "text_cpu_ms": round(cpu_ms, 2),
        "text_wall_ms": round(wall_ms, 2),
        "rerender_us": render_us,
        "text_to_rerender": round(ratio),
    }


# --- parts ------------------------------------------------------------------------------------------------------------


class _Nobody:
    """Accounts are kept elsewhere; here the rules are measured."""

    forgotten = False

    def hold(self) -> None: ...

    def done(self) -> None: ...

    def fail(self, error: Exception) -> None:
        raise error


_NOBODY: Final = _Nobody()


def _world(*, live_per_sku: int = 100_000, channels: bool = True, products_known: int = 0) -> SmallWorld:
    rules = ShelfRules() if channels else ShelfRules(channels={})
    limits = Limits(live_per_sku=live_per_sku, refreshes_per_turn=10_000, refreshes_per_product=10_000)
    world = SmallWorld(rules, Policy(debounce_ms=0, max_per_hour=10_000), limits)
    for number in range(products_known):
        world.take("inventory", f"sku-{number}", _upserted(number), _NOW_MS - 1_000)
    return world


def _take_all(world: SmallWorld, records: list[tuple[int, bytes]]) -> None:
    for sku, value in records:
        world.take("inventory", f"sku-{sku}", value, _NOW_MS + 10)


def _view_all(world: SmallWorld, people: list[str], rng: random.Random, at_ms: int) -> None:
    for person in people:
        _view(world, person, rng.randrange(200), at_ms)


def _view(world: SmallWorld, shopper: str, sku: int, at_ms: int) -> None:
    event = ProductViewed(
        event_id=f"{shopper}-{at_ms}", occurred_at_ms=at_ms, shopper_id=shopper, sku=f"sku-{sku}", brand=f"b{sku % 7}"
    )
    world.take("behaviour", shopper, encode(event), at_ms)


def _cart(person: int, sku: int, at_ms: int) -> CartAdded:
    return CartAdded(
        event_id=f"{person}-{at_ms}",
        occurred_at_ms=at_ms,
        shopper_id=f"p{person}",
        sku=f"sku-{sku}",
        brand=f"b{sku % 12}",
    )


def _record(key: str, value: bytes) -> Any:
    from shelftalk.stream.record import Record  # noqa: PLC0415

    _record_offset[0] += 1
    return Record("behaviour", 0, _record_offset[0], key.encode(), value)


_record_offset: Final = [0]


def _ask(shopper: int) -> Ask:
    return Ask(
        key="sku-0",
        shopper_id=f"s{shopper}",
        placements=("next_1",),
        revision=_NOW_MS << 10,
        mode=Mode.SHOW,
        because=Angle.INTRODUCE,
        locale="en-GB",
        origin=Origin(topic="behaviour", partition=0, offset=shopper, event_id=f"e{shopper}", occurred_at_ms=_NOW_MS),
    )


def _upserted(number: int) -> bytes:
    kind = _WORDS[number % len(_WORDS)]
    return encode(
        ProductUpserted(
            event_id=f"up-{number}",
            occurred_at_ms=_NOW_MS - 1_000,
            sku=f"sku-{number}",
            name=f"Harbour {kind} {number}",
            brand=f"Harbour {number % 40}",
            category=f"shop.{kind}.{number % 300}",
            kind=kind,
            points=("holds its heat", f"{number % 90 + 3} cm"),
            price_minor=4_000 + number % 5_000,
            currency="GBP",
            stock=40,
        )
    )


def _priced(number: int, price_minor: int, at_ms: int) -> bytes:
    return encode(
        PriceChanged(
            event_id=f"pr-{number}-{price_minor}-{at_ms}",
            occurred_at_ms=at_ms,
            sku=f"sku-{number}",
            price_minor=price_minor,
            currency="GBP",
        )
    )


def _decades(first: int, last: int) -> list[int]:
    found = []
    while first < last:
        found.append(first)
        first *= 10
    return [*found, last]


def _cpu_us(what: Callable[..., object], *given: object) -> float:
    began = time.process_time_ns()
    what(*given)
    return (time.process_time_ns() - began) / 1000


def _resident() -> int:
    """Bytes of memory that the process has (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _say(message: str) -> None:
    print(f"\r{message:<60}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
