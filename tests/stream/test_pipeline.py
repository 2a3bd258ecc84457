"""The real worker, `shelftalk worker`, on a broker: events in, cards out, and what a crash may not change."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from shelftalk.commands.worker import to_toml
from shelftalk.events.codec import encode
from shelftalk.events.types import (
    Event,
    PriceChanged,
    ProductUpserted,
    ProductViewed,
    ShopperErased,
    StockChanged,
)
from tests.stream.harness import ROOT, Seen, Site, WorkerProcess, wait_for

POISON: list[tuple[str, Any]] = [
    ("shopper-1", b"\xff\xfe not json"),
    (
        "shopper-1",
        {"type": "product_viewed", "event_id": "p1", "occurred_at_ms": 32503680000000, "shopper_id": "shopper-1"},
    ),
    ("shopper-1", {"type": "teleported", "event_id": "p2", "occurred_at_ms": 1789000000000}),
]


class Shop:
    """A site with the real worker and a few products."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._number = 0

    def start(self, model: Path | None = None, store: str = "memory://") -> WorkerProcess:
        """`shelftalk worker`, configured by a file as a user would."""
        engine = {"model_folder": str(model), "rows": 4, "threads": 1} if model else {}
        # The embedded broker gives a killed worker's partitions only to a member of the same name.
        settings = self.site.settings(
            engine=engine, deadlines={"card_ms": 300}, instance_id="shop", store=store
        ).masked()
        config = self.site.folder / "shelftalk.toml"
        config.write_text("\n".join(to_toml(settings)))
        log = self.site.folder / f"shop-{len(self.site.workers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "shelftalk", "worker", "--create-topics"]
                + ([] if model else ["--phrasebook-only"]),
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": f"{ROOT}/src", "SHELFTALK_CONFIG": str(config)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.site.workers.append(WorkerProcess(process, log))
        return self.site.workers[-1]

    def happens(self, *events: Event) -> None:
        """Publish events in order."""
        for event in events:
            topic = "inventory" if hasattr(event, "sku") and not hasattr(event, "shopper_id") else "behaviour"
            key = event.sku if topic == "inventory" else event.shopper_id  # type: ignore[attr-defined]
            self.site.produce(topic, [(key, encode(event))])

    def opens(self, *skus: str) -> None:
        """Products go on sale; waits until their shelves have written about them and told the category's board."""
        self.happens(*(self.product(sku) for sku in skus))
        self.cards(lambda cards: len({(card["sku"], card["placement"]) for card in cards}) == 3 * len(skus), "copy")
        wait_for(lambda: sum(self.site.committed("asks").values()) >= len(skus), 30, "the board knows the products")

    def stamp(self) -> dict[str, Any]:
        """What every event needs; each a little later than the one before."""
        self._number += 1
        return {"event_id": f"e{self._number}", "occurred_at_ms": time.time_ns() // 1_000_000 - 60_000 + self._number}

    def product(self, sku: str, **fields: Any) -> ProductUpserted:
        facts: dict[str, Any] = {
            "name": f"Name {sku}",
            "category": "kettles",
            "price_minor": 4000,
            "currency": "GBP",
            "stock": 20,
        }
        return ProductUpserted(sku=sku, **self.stamp(), **(facts | fields))

    def view(self, shopper: str, sku: str, **fields: Any) -> ProductViewed:
        return ProductViewed(shopper_id=shopper, sku=sku, locale="en-GB", **self.stamp(), **fields)

    def cards(self, enough: Any, topic: str = "cards") -> list[dict[str, Any]]:
        """Read cards until they are enough."""

        def parsed(seen: Seen) -> list[dict[str, Any]]:
            return [json.loads(message.value()) for message in seen.messages if message.value()]

        return parsed(self.site.until(topic, lambda seen: enough(parsed(seen)), 30))


@pytest.fixture
def shop(site: Site) -> Shop:
    site.create_topics()
    return Shop(site)


def test_views_become_cards_prices_refresh_them_and_poison_is_set_aside(shop: Shop) -> None:
    worker = shop.start()
    shop.opens("A", "B")
    shop.site.produce("behaviour", POISON)
    shop.happens(shop.view("shopper-1", "A"))
    [card, *_] = shop.cards(lambda cards: len(cards) >= 1)
    assert (card["sku"], card["shopper_id"], card["status"]) == ("B", "shopper-1", "live")
    assert card["facts"]["price_minor"] == 4000
    assert card["ai_generated"] is False

    shop.happens(PriceChanged(sku="B", price_minor=3000, currency="GBP", **shop.stamp()))
    newest = shop.cards(lambda cards: cards[-1]["facts"]["price_minor"] == 3000)[-1]
    assert newest["revision"] > card["revision"]
    assert newest["facts"] | {"was_price_minor": 4000, "percent_off": 25} == newest["facts"]
    assert newest["provenance"]["trigger"] == "facts"

    letters = shop.site.until("dead_letters", lambda seen: len(seen.messages) == len(POISON))
    reasons = {dict(letter.headers())["dead-letter-reason"] for letter in letters.messages}
    assert reasons == {b"not_json", b"schema", b"unknown_type"}
    worker.terminate()
    assert worker.wait(30) == 0


def test_sold_out_is_withdrawn_and_the_next_best_takes_its_place(shop: Shop) -> None:
    shop.start()
    shop.opens("A", "B", "C")
    shop.happens(shop.view("shopper-1", "A"))
    first = {card["sku"]: card for card in shop.cards(lambda cards: len({card["sku"] for card in cards}) == 2)}
    shop.happens(StockChanged(sku="B", stock=0, **shop.stamp()))
    cards = shop.cards(lambda cards: any(card["status"] == "withdrawn" for card in cards))
    [gone] = [card for card in cards if card["status"] == "withdrawn"]
    assert (gone["sku"], gone["text"]) == ("B", "")
    assert gone["revision"] > first["B"]["revision"]


@pytest.mark.parametrize("store", ["memory://", "sqlite://"])
def test_a_kill_loses_no_card_and_live_cards_are_refreshed_after_it(shop: Shop, store: str) -> None:
    worker = shop.start(store=store)
    shop.opens("A", "B")
    shoppers = [f"shopper-{number}" for number in range(60)]
    shop.happens(*(shop.view(shopper, "A") for shopper in shoppers[:40]))
    shop.cards(lambda cards: len(cards) >= 10)
    worker.kill()
    shop.happens(*(shop.view(shopper, "A") for shopper in shoppers[40:]))
    shop.start(store=store)
    shop.cards(lambda cards: {card["shopper_id"] for card in cards} >= set(shoppers))

    shop.happens(PriceChanged(sku="B", price_minor=3500, currency="GBP", **shop.stamp()))
    cards = shop.cards(
        lambda cards: {card["shopper_id"] for card in cards if card["facts"]["price_minor"] == 3500} >= set(shoppers)
    )
    contents: dict[str, set[str]] = {}
    for card in cards:
        contents.setdefault(card["card_id"], set()).add(card["text"])
    assert all(len(texts) == 1 for texts in contents.values()), "the same id, another text"


def test_an_erased_shopper_leaves_only_a_tombstone(shop: Shop) -> None:
    shop.start()
    shop.opens("A", "B")
    shop.happens(shop.view("shopper-1", "A"))
    shop.cards(lambda cards: len(cards) >= 1)
    shop.happens(ShopperErased(shopper_id="shopper-1", **shop.stamp()))
    key = b"shopper-1|next_1"
    shop.site.until("cards", lambda seen: [m.value() for m in seen.messages if m.key() == key][-1:] == [None])


def test_nonsense_of_a_model_never_reaches_a_card(shop: Shop, tiny_model: Path) -> None:
    worker = shop.start(tiny_model)
    shop.opens("A", "B")
    shop.happens(shop.view("shopper-1", "A"))
    [card, *_] = shop.cards(lambda cards: len(cards) >= 1)
    assert card["provenance"]["rung"] == "phrasebook"
    worker.terminate()
    assert worker.wait(30) == 0
