"""The crowd: one seed, one piece; and everything in it but the poison is what the contract allows."""

from collections import Counter
from itertools import takewhile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.demo.catalogue import Product, load_demo_store, load_searches
from shelftalk.demo.crowd import DOORS_MS, Crowd
from shelftalk.demo.plan import Planned, Stream
from shelftalk.demo.shoppers import LOCALES
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.events.types import (
    Behaviour,
    CartAdded,
    Inventory,
    OrderCompleted,
    PriceChanged,
    ProductDelisted,
    ProductUpserted,
    StockChanged,
)

START_MS = 1_789_000_000_000
STORE = load_demo_store().products
SEARCHES = load_searches()


def play(seed: int, seconds: float = 60, rate: float = 25, start_ms: int = START_MS) -> list[Planned]:
    crowd = Crowd(STORE, SEARCHES, seed, rate, start_ms)
    return list(takewhile(lambda record: record.due_ms < start_ms + seconds * 1000, crowd))


def decode(record: Planned) -> object:
    decoder = decode_inventory if record.stream is Stream.INVENTORY else decode_behaviour
    return decoder(record.value, record.due_ms)


def test_a_seed_decides_everything() -> None:
    assert play(7, 30) == play(7, 30)
    assert [record.value for record in play(7, 5)] != [record.value for record in play(8, 5)]


def test_another_start_shifts_the_times_and_nothing_else() -> None:
    later_ms = 86_400_000
    first, second = play(3, 30), play(3, 30, start_ms=START_MS + later_ms)

    def shifted(record: Planned) -> object:
        event = record.event
        if event is None:
            return record.poison
        moved = {
            name: value + later_ms
            for name in ("occurred_at_ms", "sale_ends_at_ms", "released_at_ms")
            if (value := getattr(event, name, None)) is not None
        }
        return msgspec.structs.replace(event, **moved)

    assert [shifted(record) for record in first] == [record.event or record.poison for record in second]
    assert [record.due_ms + later_ms for record in first] == [record.due_ms for record in second]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), rate=st.sampled_from([5.0, 25.0, 100.0]))
def test_what_holds_for_every_seed(seed: int, rate: float) -> None:
    records = play(seed, 20, rate)
    assert [record.due_ms for record in records] == sorted(record.due_ms for record in records)
    known = {product.sku for product in STORE}
    for record in records:
        if record.poison is not None:
            with pytest.raises(BadInputError) as refused:
                decode(record)
            assert refused.value.reason == record.poison
            continue
        assert decode(record) == record.event
        event = record.event
        assert event is not None
        assert event.occurred_at_ms <= record.due_ms
        if isinstance(event, Inventory):
            assert record.key == event.sku
            assert event.sku in known
        if isinstance(event, PriceChanged | ProductUpserted):
            assert event.price_minor > 0
        if isinstance(event, StockChanged | ProductUpserted):
            assert event.stock >= 0
        if isinstance(event, Behaviour):
            assert record.key == event.shopper_id


def test_the_catalogue_is_published_first() -> None:
    records = play(1, 60)
    opening = [record for record in records if record.due_ms < START_MS + DOORS_MS]
    assert all(isinstance(record.event, ProductUpserted) for record in opening)
    later = [r.event for r in records[len(opening) :] if isinstance(r.event, ProductUpserted)]
    assert len(opening) + len({event.sku for event in later if event.released_at_ms}) <= len(STORE)
    assert len(opening) >= 0.95 * len(STORE)


@pytest.mark.parametrize("seed", range(5))
def test_a_minute_has_everything_worth_showing(seed: int) -> None:
    records = play(seed)
    prices = [r.event for r in records if isinstance(r.event, PriceChanged)]
    stocks = [r.event for r in records if isinstance(r.event, StockChanged)]
    end_ms = START_MS + 60_000
    assert any(event.sale_ends_at_ms and event.sale_ends_at_ms < end_ms for event in prices)
    sold_out = {event.sku: event.occurred_at_ms for event in reversed(stocks) if event.stock == 0}
    assert any(event.stock > 0 and event.occurred_at_ms > sold_out.get(event.sku, end_ms) for event in stocks)
    assert any(isinstance(r.event, ProductDelisted) for r in records)
    assert any(isinstance(r.event, ProductUpserted) and r.event.released_at_ms for r in records)
    assert any(isinstance(r.event, OrderCompleted) for r in records)
    assert any(record.poison for record in records)


def test_the_rate_is_kept() -> None:
    seconds = 120
    for seed in range(3):
        records = [record for record in play(seed, seconds) if record.due_ms >= START_MS + DOORS_MS]
        assert 0.75 * 25 < len(records) / (seconds - DOORS_MS / 1000) < 1.25 * 25


def test_shoppers_speak_as_agreed_and_come_back() -> None:
    behaviour = [r.event for r in play(5, 300) if isinstance(r.event, Behaviour)]
    locale_of = {event.shopper_id: event.locale for event in behaviour if event.locale}
    found = Counter(locale_of.values())
    assert set(found) == set(LOCALES)
    assert 0.04 < found["zh-CN"] / len(locale_of) < 0.13
    visits = {(event.shopper_id, event.session_id) for event in behaviour}
    assert len(visits) > 1.1 * len(locale_of)


def test_popular_products_are_looked_at_more() -> None:
    views = Counter(r.event.sku for r in play(2, 300) if isinstance(r.event, CartAdded | type(None)) and r.event)
    assert views  # carts at least; and of all that is looked at, the top tenth has more than its share:
    seen = Counter(getattr(r.event, "sku", None) for r in play(2, 300) if isinstance(r.event, Behaviour))
    seen.pop(None, None)
    top = sum(count for _, count in seen.most_common(len(STORE) // 10))
    assert top > 0.2 * sum(seen.values())


def test_duplicates_and_late_events_happen() -> None:
    inventory = [r for r in play(4, 300) if isinstance(r.event, Inventory)]
    ids = Counter(record.event.event_id for record in inventory if record.event)
    assert any(count == 2 for count in ids.values())
    assert any(record.event and record.due_ms - record.event.occurred_at_ms > 500 for record in inventory)


def test_purchases_lower_the_stock() -> None:
    records = play(6, 120)
    orders = [r.event for r in records if isinstance(r.event, OrderCompleted)]
    stock_moments = {(r.event.sku, r.event.occurred_at_ms) for r in records if isinstance(r.event, StockChanged)}
    assert orders
    cut_ms = START_MS + 115_000  # the stock of the very last orders may be due after the end
    assert all(
        (line.sku, o.occurred_at_ms) in stock_moments for o in orders for line in o.items if o.occurred_at_ms < cut_ms
    )


def test_a_foreign_catalogue_without_popularity_will_do() -> None:
    products = [
        Product(sku=f"p{n}", name=f"Thing {n}", category=f"c{n % 3}", price_minor=100 + n, currency="EUR", stock=5)
        for n in range(30)
    ]
    crowd = Crowd(products, {}, 1, 50, START_MS)
    records = list(takewhile(lambda record: record.due_ms < START_MS + 20_000, crowd))
    assert len(records) > 300
    assert all(decode(record) == record.event for record in records if record.poison is None)
