"""To be forgotten, on a real Kafka: of a shopper who asks for it nothing is left to read, and nothing comes back."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shelftalk.events.codec import encode
from shelftalk.events.types import CartAdded, OrderCompleted, OrderItem, ProductsSearched, ShopperErased, StockChanged
from shelftalk.stream.store import TABLES
from shelftalk.stream.tables import changelog_name
from tests.stream.harness import Seen, Site, wait_for
from tests.stream.test_pipeline import Shop

pytestmark = pytest.mark.kafka


@pytest.fixture
def shop(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Shop]:
    with Site(kafka_bootstrap, tmp_path) as site:
        site.create_topics(*TABLES)
        yield Shop(site)


class Visitor:
    """A shopper whose every id says who they are."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop, self.id = shop, f"{name}-{uuid.uuid4().hex[:12]}"
        self.events: list[Any] = []

    def stamp(self, at_ms: int | None = None) -> dict[str, Any]:
        now_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
        stamp = self.shop.stamp() | {"occurred_at_ms": now_ms}
        return stamp | {
            "event_id": f"{self.id}-{stamp['event_id']}",
            "shopper_id": self.id,
            "session_id": f"{self.id}/s",
        }

    def does(self, kind: type, **fields: Any) -> None:
        self.events.append(kind(**self.stamp(), **fields))
        self.shop.happens(self.events[-1])


def traces(shop: Shop, of: str) -> list[str]:
    """Where a text stands in what a reader of the compacted topics is left with: the newest record of each key."""
    site = shop.site
    names = [changelog_name(site.name, table) for table in TABLES]
    names += [site.topic(topic) for topic in ("cards", "copy", "review")]
    found = []
    for name in names:
        newest = {message.key(): message.value() for message in site.everything(name)}
        for key, value in newest.items():
            if value is not None and (of.encode() in key or of.encode() in value):
                found.append(f"{name}: {key!r}: {value[:200]!r}")
    return found


def placements(seen: Seen, shopper: str) -> set[str]:
    keys = {message.key().decode() for message in seen.messages if message.value()}
    return {key.split("|")[1] for key in keys if key.startswith(f"{shopper}|")}


def wander(visitor: Visitor) -> None:
    """Fill every placement, and leave traces on every shelf."""
    shop = visitor.shop
    visitor.does(type(shop.view("x", "A")), sku="A", brand="Harbour")
    shop.site.until("cards", lambda seen: len(placements(seen, visitor.id)) >= 2, 30)
    visitor.does(ProductsSearched, query=f"a gift from {visitor.id}", results=("D",))
    visitor.does(OrderCompleted, items=(OrderItem(sku="A"), OrderItem(sku="C")))
    visitor.does(CartAdded, sku="B")


def test_of_an_erased_shopper_nothing_is_left_and_nothing_comes_back(shop: Shop) -> None:
    site = shop.site
    worker = shop.start()
    shop.opens("A", "B", "C", "D")
    ada, bea = Visitor(shop, "ada"), Visitor(shop, "bea")
    for visitor in (ada, bea):
        wander(visitor)
    shop.happens(StockChanged(sku="B", stock=0, **shop.stamp()))  # its cards are passed on to other shelves
    wait_for(site.settled, 30, "all is done")
    before = traces(shop, ada.id)
    assert len({line.split(":")[0] for line in before}) >= 4, (
        before
    )  # profiles, live, shown, cards: or this test shows nothing

    ada.does(ShopperErased)
    gone = {
        f"{ada.id}|{placement}".encode()
        for placement in placements(Seen.of(site.everything(site.topic("cards"))), ada.id)
    }
    assert len(gone) >= 2
    site.until("cards", lambda seen: any(not m.value() and m.key() in gone for m in seen.messages), 30)
    worker.kill()  # in the middle of it
    shop.start()
    wait_for(site.settled, 40, "all is done after the restart")
    assert traces(shop, ada.id) == []
    assert traces(shop, bea.id) != []

    view = ada.events[0]
    shop.site.produce("behaviour", [(ada.id, encode(view))])  # the shop sends it once more
    late = type(view)(**ada.stamp(view.occurred_at_ms + 5), sku="C")
    shop.happens(late)  # from before the erasure, and only now here
    wait_for(site.settled, 30, "what came late is done")
    assert traces(shop, ada.id) == []

    ada.does(type(view), sku="C")
    came = ada.events[-1].event_id
    back = shop.cards(lambda cards: any(card["provenance"]["origin"]["event_id"] == came for card in cards))
    assert back[-1]["status"] == "live"
    for each in site.workers:
        log = each.log.read_text()
        assert ada.id not in log
        assert bea.id not in log
