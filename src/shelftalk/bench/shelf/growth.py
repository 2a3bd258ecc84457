"""What an event costs as cards, products and what is known of a shopper grow, and what each holds in memory."""

import gc
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from shelftalk.bench.shelf.world import (
    NOBODY,
    NOW_MS,
    ask,
    cart,
    cpu_us,
    decades,
    priced,
    record,
    resident,
    say,
    search,
    take_all,
    upserted,
    view,
    view_all,
    world,
)
from shelftalk.core.state import Copybook, Shelf
from shelftalk.evaluate.small_world import SmallWorld
from shelftalk.events.codec import encode
from shelftalk.events.types import CartAdded, ProductsSearched
from shelftalk.stream.rows import DiskRows

_ROUNDS: Final = 5

#: Product copy, ad and post: live cards of every product beside those of shoppers.
_COPIES: Final = 3


def cards(most: int) -> list[dict[str, float]]:
    """A price change of one product, as the cards that it feeds grow.

    What it costs to take it in, and for each card that it makes stale: on the shelf (words, id, provenance, JSON), and at the
    fence, which every card passes, whatever made it go out.
    """
    print(f"{'live cards':>12}{'us an event':>14}{'us a card':>12}{'at the fence':>14}   a price change of one product")
    rows = []
    for count in decades(1, most):
        shop = world(live_per_sku=most + 10)
        shop.take("inventory", "sku-0", upserted(0), NOW_MS)
        for shopper in range(count):
            shop.keeper.message(ask(shopper), 0, NOBODY, NOW_MS)
        shop.turn(NOW_MS)
        events, refreshed, passed = [], [], []
        for number in range(_ROUNDS if count < most else 2):
            value = priced(0, 3_999 - number, NOW_MS + number + 1)
            at_ms = NOW_MS + number + 1
            events.append(cpu_us(shop.take, "inventory", "sku-0", value, at_ms))
            refreshed.append(cpu_us(shop.refresh, at_ms) / (count + _COPIES))
            passed.append(cpu_us(shop.settle, at_ms) / count)
        row = {
            "live_cards": count,
            "us_per_event": round(statistics.median(events), 1),
            "us_per_card": round(statistics.median(refreshed), 1),
            "us_per_card_fence": round(statistics.median(passed), 1),
        }
        rows.append(row)
        print(
            f"{count:>12,}{row['us_per_event']:>14.1f}{row['us_per_card']:>12.1f}{row['us_per_card_fence']:>14.1f}",
            flush=True,
        )
    return rows


def products(most: int, memory_rows: int | None) -> list[dict[str, float]]:
    """A price change of any product, as the products grow; and what a product holds in memory and in its changelog.

    Args:
        most: products.
        memory_rows: products in memory, the others on disk; ``None`` is all in memory.
    """
    where = "all in memory" if memory_rows is None else f"{memory_rows:,} in memory, the others on disk"
    print(
        f"\n{'products':>12}{'us an event':>14}{'bytes each':>12}{'in the log':>12}   a price change of any product, {where}"
    )
    with tempfile.TemporaryDirectory() as folder:
        return _products(most, memory_rows, Path(folder))


def _products(most: int, memory_rows: int | None, folder: Path) -> list[dict[str, float]]:
    shop, rows, made, rng = world(channels=False), [], 0, random.Random(1)
    if memory_rows is not None:
        shop.store.shelves = DiskRows(
            folder, memory_rows, msgspec.msgpack.encode, msgspec.msgpack.Decoder(Shelf).decode
        )
        shop.store.copybooks = DiskRows(
            folder, memory_rows, msgspec.msgpack.encode, msgspec.msgpack.Decoder(Copybook).decode
        )
    gc.collect()
    empty = resident()
    for count in decades(1_000, most):
        for number in range(made, count):
            shop.take("inventory", f"sku-{number}", upserted(number), NOW_MS)
            if number % 5_000 == 0:
                say(f"{number:,} of {count:,} products")
        shop.turn(NOW_MS)
        made = count
        gc.collect()
        held = resident() - empty
        spent = []
        for number in range(_ROUNDS):
            changes = [(sku, priced(sku, 3_500 + number, NOW_MS + 9)) for sku in rng.sample(range(count), 500)]
            spent.append(cpu_us(take_all, shop, changes) / len(changes))
        log = sum(len(msgspec.msgpack.encode(shop.store.shelves[f"sku-{sku}"])) for sku in range(500)) / 500
        row = {
            "products": count,
            "us_per_event": round(statistics.median(spent), 1),
            "bytes_in_memory": round(held / count),
            "bytes_in_changelog": round(log),
        }
        rows.append(row)
        say("")
        print(f"{count:>12,}{row['us_per_event']:>14.1f}{row['bytes_in_memory']:>12,}{log:>12,.0f}", flush=True)
    return rows


def copies(count: int) -> dict[str, int]:
    """What a product's copy, ad and post hold in memory, each a live card: beside the product itself, and wherever its row is.

    As many products before them fill what is remembered of briefs and phrases, which has a bound of its own.
    """
    held, shops = [], []
    for channels in (False, True):
        shop = world(channels=channels)
        shops.append(shop)  # what one gives back, the other would be given
        _fill(shop, range(count))
        gc.collect()
        before = resident()
        _fill(shop, range(count, 2 * count))
        gc.collect()
        held.append(resident() - before)
    each = round((held[1] - held[0]) / count)
    print(f"copy, ad and post of a product, live all three: {each:,} bytes in memory ({count:,} products)")
    return {"copies_bytes_in_memory": each}


def _fill(shop: SmallWorld, numbers: range) -> None:
    for number in numbers:
        shop.take("inventory", f"sku-{number}", upserted(number), NOW_MS)
        if number % 5_000 == 0:
            shop.turn(NOW_MS)
    shop.turn(NOW_MS)


def shoppers(count: int, most_views: int) -> dict[str, Any]:
    """A view by a shopper, as what is known of them grows; and what a full profile holds."""
    print(
        f"\n{'views before':>12}{'us an event':>14}   a view by a shopper, with all the messages that it sends and answers"
    )
    rng, rows = random.Random(2), []
    shop = world(channels=False, products_known=200)
    for before in (views for views in (0, 1, 5, 20, 100) if views <= most_views):
        spent = []
        for number in range(_ROUNDS):
            people = [f"s{before}-{number}-{person}" for person in range(40)]
            for person in people:
                for step in range(before):
                    view(shop, person, rng.randrange(200), NOW_MS + step * 2_000)
            at_ms = NOW_MS + before * 2_000
            spent.append(cpu_us(view_all, shop, people, rng, at_ms) / len(people))
        rows.append({"views_before": before, "us_per_event": round(statistics.median(spent), 1)})
        print(f"{before:>12}{rows[-1]['us_per_event']:>14.1f}", flush=True)
    gc.collect()
    bare = world(channels=False)
    empty = resident()
    for number in range(count):
        for event in _visits(number, rng):
            bare.react.handle(record(f"p{number}", encode(event)), NOBODY, event.occurred_at_ms)
            bare.tray.messages.clear()
        if number % 2_000 == 0:
            say(f"{number:,} of {count:,} shoppers")
    say("")
    gc.collect()
    held = (resident() - empty) / count
    log = sum(len(msgspec.msgpack.encode(profile)) for profile in list(bare.profiles.rows.values())[:500]) / min(
        count, 500
    )
    print(f"a full profile: {held:,.0f} bytes in memory, {log:,.0f} in its changelog ({count:,} shoppers)")
    return {
        "behaviour_by_views": rows,
        "shopper_bytes_in_memory": round(held),
        "shopper_bytes_in_changelog": round(log),
    }


def _visits(person: int, rng: random.Random) -> Iterator[CartAdded | ProductsSearched]:
    """Two visits that fill every list of a profile."""
    for visit_ms in (NOW_MS, NOW_MS + 3 * 3_600_000):
        for step in range(25):
            at_ms, sku = visit_ms + step, rng.randrange(10_000)
            yield search(person, sku, at_ms) if step % 5 == 0 else cart(person, sku, at_ms)
