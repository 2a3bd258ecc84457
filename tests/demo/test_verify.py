"""The auditor must find what is planted, each by its own kind, and nothing in an honest record."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shelftalk.demo.claims import slot_readings
from shelftalk.demo.ledger import Truth
from shelftalk.demo.verify import describe, verify, verify_folder

T = 1_789_000_000_000
SKU = "LF-1"

Record = dict[str, Any]


def event(offset: int, at: int, **fields: Any) -> Record:
    value = {"event_id": f"e{offset}", "occurred_at_ms": T + at, "sku": SKU} | fields
    return {
        "topic": "inventory",
        "partition": 2,
        "offset": offset,
        "timestamp_ms": T + at + 1,
        "key": SKU,
        "value": value,
    }


def product(offset: int, at: int, price: int, stock: int) -> Record:
    return event(
        offset,
        at,
        type="product_upserted",
        name="Trail Shoe",
        brand="Fell",
        category="running",
        price_minor=price,
        currency="GBP",
        stock=stock,
    )


def price(offset: int, at: int, minor: int, **more: Any) -> Record:
    return event(offset, at, type="price_changed", price_minor=minor, currency="GBP", **more)


def stock(offset: int, at: int, left: int) -> Record:
    return event(offset, at, type="stock_changed", stock=left)


def card(offset: int, at: int, source: int, revision: int, **changes: Any) -> Record:
    """An honest card about the product at 100.00, 9 left, unless changed."""
    facts = {
        "version": source,
        "source_partition": 2,
        "source_offset": source,
        "name": "Trail Shoe",
        "brand": "Fell",
        "price_minor": 10_000,
        "currency": "GBP",
        "was_price_minor": None,
        "percent_off": None,
        "stock": 9,
        "promotion": "none",
    } | changes.pop("facts", {})
    value = {
        "card_id": f"c{offset}",
        "revision": revision,
        "status": "live",
        "channel": "card",
        "sku": SKU,
        "shopper_id": "s1",
        "placement": "next_1",
        "locale": "en-GB",
        "text": "Trail Shoe by Fell, £100.00.",
        "slotted": "{name} by {brand}, {price}.",
        "facts": facts,
        "valid_until_ms": T + 3_600_000,
        "published_at_ms": T + at,
    } | changes
    return {
        "topic": "cards",
        "partition": 0,
        "offset": offset,
        "timestamp_ms": T + at,
        "key": "s1|next_1",
        "value": value,
    }


SALE: dict[str, Any] = {
    "facts": {"price_minor": 8_000, "was_price_minor": 10_000, "percent_off": 20},
    "text": "£80.00, was £100.00 (20%): Trail Shoe.",
    "slotted": "{price}, was {was_price} ({percent_off}): {name}.",
}


def honest() -> tuple[list[Record], list[Record]]:
    events = [product(0, 0, 10_000, 9), price(1, 5_000, 8_000), stock(2, 9_000, 3)]
    low = copy.deepcopy(SALE)
    low["facts"]["stock"] = 3
    cards = [
        card(0, 1_000, 0, 1),
        card(1, 5_050, 1, 2, **copy.deepcopy(SALE)),
        card(2, 9_020, 2, 3, **low),
    ]
    return events, cards


def kinds(events: list[Record], cards: list[Record]) -> set[str]:
    return set(verify(events, cards).counts)


def test_honest_cards_pass() -> None:
    events, cards = honest()
    report = verify(events, cards)
    assert report.clean, describe(report)
    assert (report.cards, report.audiences, report.final_live, report.wrong_prices) == (3, 1, 1, 0)
    # The price moved under the first card, and the second one put it right 49 ms later. Stock that moves is no wrong price.
    assert report.standing_ms == [49]


def _change(index: int, **changes: Any) -> Callable[[list[Record], list[Record]], None]:
    def plant(_events: list[Record], cards: list[Record]) -> None:
        value = cards[index]["value"]
        value["facts"] |= changes.get("facts", {})
        value |= {name: new for name, new in changes.items() if name != "facts"}

    return plant


def _sell_out_before_the_last(events: list[Record], _cards: list[Record]) -> None:
    events[2] = stock(2, 7_000, 0)


def _delist_early(events: list[Record], _cards: list[Record]) -> None:
    events.append(event(3, 7_500, type="product_delisted"))


def _cheaper_but_not_told(events: list[Record], _cards: list[Record]) -> None:
    events.append(price(3, 7_000, 7_500))


def _cheaper_at_the_end(events: list[Record], _cards: list[Record]) -> None:
    events.append(price(3, 9_500, 7_500))


def _stock_moved_at_the_end(events: list[Record], _cards: list[Record]) -> None:
    events.append(stock(3, 9_500, 2))


def _sold_out_at_the_end(events: list[Record], _cards: list[Record]) -> None:
    events.append(stock(3, 9_500, 0))


def _sale_ended(events: list[Record], _cards: list[Record]) -> None:
    events[1]["value"]["sale_ends_at_ms"] = T + 7_000


def _repeat_id(_events: list[Record], cards: list[Record]) -> None:
    cards[2]["value"]["card_id"] = cards[1]["value"]["card_id"]


def _another_partition(events: list[Record], _cards: list[Record]) -> None:
    events.append(stock(3, 10_000, 3) | {"partition": 3})


PLANTS: dict[str, tuple[Callable[[list[Record], list[Record]], None], set[str]]] = {
    "a wrong price in facts and text": (
        _change(0, facts={"price_minor": 9_900}, text="Trail Shoe by Fell, £99.00."),
        {"price", "stale_price", "text_amount", "text_price"},
    ),
    "a wrong price in the text alone": (_change(0, text="Trail Shoe by Fell, £10.00."), {"text_amount", "text_price"}),
    "an amount without a slot": (
        _change(0, text="Trail Shoe by Fell, £100.00. Save £5!", slotted="{name} by {brand}, {price}. Save £5!"),
        {"text_amount"},
    ),
    "another currency": (_change(0, text="Trail Shoe by Fell, $100.00."), {"text_price", "text_amount"}),
    "another currency in the facts": (_change(0, facts={"currency": "USD"}), {"price", "stale_price"}),
    "an invented former price": (_change(0, facts={"was_price_minor": 12_000}), {"was_price"}),
    "a former price above the lowest": (
        _change(1, facts={"was_price_minor": 11_000}, text="£80.00, was £110.00 (20%): Trail Shoe."),
        {"was_price", "text_amount", "text_price"},
    ),
    "a flattering percentage": (_change(1, text="£80.00, was £100.00 (25%): Trail Shoe."), {"percent_off"}),
    "the wrong stock": (_change(1, facts={"stock": 4}), {"stock"}),
    "scarcity that is not": (
        _change(2, text="2 left of Trail Shoe.", slotted="{stock_left} left of {name}."),
        {"stock_left"},
    ),
    "another product's name": (_change(0, text="Road Shoe by Fell, £100.00."), {"name"}),
    "words that are not the slotted ones": (_change(0, text="Buy it, £100.00."), {"text_not_slotted"}),
    "a text from old facts": (_cheaper_but_not_told, {"stale_price", "final_price"}),
    "an old price that nobody corrects": (_cheaper_at_the_end, {"final_price"}),
    "an old stock that nobody corrects": (_stock_moved_at_the_end, {"final_stock"}),
    "offered while sold out": (_sell_out_before_the_last, {"sold_out", "stock", "final_sold_out"}),
    "sold out, and nobody withdraws it": (_sold_out_at_the_end, {"final_sold_out"}),
    "offered while delisted": (_delist_early, {"sold_out", "final_sold_out"}),
    "a sale that has ended": (_sale_ended, {"sale_over", "final_sold_out"}),
    "a revision that does not grow": (_change(2, revision=2), {"revision"}),
    "a revision that goes back": (_change(1, revision=0), {"revision"}),
    "a revision that goes back and stays": (_change(2, revision=0), {"revision", "last_is_old", "final_stock"}),
    "an id used twice": (_repeat_id, {"id_reused"}),
    "a source that does not exist": (_change(1, facts={"source_offset": 77}), {"unknown_source"}),
    "a product in two partitions": (_another_partition, {"split_sku"}),
}


@pytest.mark.parametrize("what", PLANTS)
def test_planted_wrongs_are_found(what: str) -> None:
    plant, expected = PLANTS[what]
    events, cards = honest()
    plant(events, cards)
    assert kinds(events, cards) == expected


def test_wrong_prices_count_cards_not_findings() -> None:
    events, cards = honest()
    _change(0, facts={"price_minor": 9_900}, text="Trail Shoe by Fell, £99.00.")(events, cards)
    assert verify(events, cards).wrong_prices == 1


def test_within_the_tolerance_an_old_price_is_not_yet_wrong() -> None:
    events, cards = honest()
    events.insert(2, price(9, 8_500, 8_000, sale_ends_at_ms=T + 900_000))  # same price, 520 ms before the last card
    assert kinds(events, cards) == set()


def test_a_late_event_does_not_undo_a_newer_one() -> None:
    events, cards = honest()
    late = stock(3, 2_000, 55)
    late["timestamp_ms"] = T + 9_100
    events.append(late)
    assert kinds(events, cards) == set()


def test_a_late_lower_price_lowers_the_former_price() -> None:
    events, cards = honest()
    late = price(3, 2_000, 9_000)
    late["timestamp_ms"] = T + 9_100
    events.append(late)
    corrected = card(
        3,
        9_150,
        3,
        4,
        facts={"price_minor": 8_000, "was_price_minor": 9_000, "percent_off": 11, "stock": 3},
        text="Trail Shoe by Fell, £80.00.",
    )
    assert kinds(events, cards) == {"final_price"}
    assert kinds(events, [*cards, corrected]) == set()


def test_poison_is_no_event() -> None:
    events, cards = honest()
    bad = price(3, 6_000, -5)
    broken = price(4, 6_000, 1) | {"value": '{"type":"price_chan', "raw_base64": "eyJ0"}
    ahead = price(5, 6_000, 1)
    ahead["value"]["occurred_at_ms"] = T + 10**10
    unknown = event(6, 6_000, type="price_exploded", price_minor=1, currency="GBP")
    assert kinds([*events, bad, broken, ahead, unknown], cards) == set()


def test_a_redelivered_card_is_no_finding_and_a_tombstone_ends_it() -> None:
    events, cards = honest()
    again = copy.deepcopy(cards[2]) | {"offset": 3}
    again["value"]["published_at_ms"] += 500
    tombstone = copy.deepcopy(cards[2]) | {"offset": 4, "value": None}
    events.append(price(3, 9_500, 7_500))
    assert kinds(events, [*cards, again]) == {"final_price"}
    assert kinds(events, [*cards, again, tombstone]) == set()


def test_a_crash_may_bring_several_again_in_their_order_but_not_end_in_the_middle() -> None:
    events, cards = honest()
    again = [copy.deepcopy(card) | {"offset": 3 + number} for number, card in enumerate(cards[1:])]
    assert kinds(events, [*cards, *again]) == set()
    assert "last_is_old" in kinds(events, [*cards, again[0]])


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("only £1,234.50 today", "GBP", 123_450),
        ("12,50 € statt mehr", "EUR", 1_250),
        ("nur 1.234,50\u00a0€", "EUR", 123_450),
        ("US$12.00 each", "USD", 1_200),
        ("\uffe51,500", "JPY", 1_500),
        ("KWD\u00a01.250", "KWD", 1_250),
        ("GBP 7.05", "GBP", 705),
        ("At £74.82. 5 left.", "GBP", 7_482),
        ("Three sizes of tip, £74.82. X, 5% off.", "GBP", 7_482),
        ("£74.82 5 times", "GBP", 7_482),
    ],
)
def test_amounts_are_read_as_they_are_written(text: str, currency: str, minor: int) -> None:
    events = [
        event(0, 0, type="product_upserted", name="X", category="c", price_minor=minor, currency=currency, stock=9)
    ]
    facts = {"name": "X", "brand": None, "price_minor": minor, "currency": currency}
    shown = card(0, 50, 0, 1, text=text, slotted=text, facts=facts)
    assert kinds(events, [shown]) == set()
    events[0]["value"]["price_minor"] = minor + 1
    assert "text_amount" in kinds(events, [shown])


def _elsewhere(offset: int, at: int, revision: int) -> Record:
    """A card for the same placement from another product's shelf."""
    other = card(offset, at, 0, revision, sku="LF-2", text="Road Shoe by Fell, £100.00.", facts={"name": "Road Shoe"})
    other["value"]["facts"]["source_offset"] = 9
    other["value"]["card_id"] = "elsewhere"
    return other


def test_a_card_that_crosses_with_the_next_one_is_counted_and_no_finding_unless_it_stays() -> None:
    events, cards = honest()
    road = product(9, 0, 10_000, 9) | {"key": "LF-2"}
    road["value"] |= {"sku": "LF-2", "name": "Road Shoe"}
    crossing = [*cards[:2], _elsewhere(2, 5_060, 1), cards[2] | {"offset": 3}]
    report = verify([*events, road], crossing)
    assert (report.clean, report.crossed) == (True, 1)
    late = [*cards[:2], _elsewhere(2, 6_900, 1), cards[2] | {"offset": 3}]
    assert kinds([*events, road], late) == {"revision"}
    assert "last_is_old" in kinds([*events, road], [*cards, _elsewhere(3, 9_030, 2)])


@pytest.mark.parametrize(
    ("said", "shown", "fits"),
    [
        ("Harbour Kettle", "Harbour Kettle", True),
        (" Harbour\u00a0 Kettle ", "Harbour Kettle", True),
        ("Harbour Kettle", "Harbour", False),
        ("Harbour Kettle", "Harbour Teapot", False),
        ("Harbour Kettle", "Kettle Harbour", False),
        ("Harbour Kettle", "The best Harbour Kettle", False),
        ("Kettle {price} <b>now</b> at evil.example", "Kettle (price) ‹b›now‹/b› at", True),
        ("Kettle, only £20 today", "Kettle, today", True),
        ("Kettle, only £20 today", "Kettle, only £2 today, really", False),
        ("Very long " * 20, "Very long Very long", True),
        (None, "", False),
    ],
)
def test_a_shown_name_is_the_shops_own(said: str | None, shown: str, fits: bool) -> None:
    """By rules of the auditor's own, not by the worker's."""
    assert Truth(name=said).is_called(shown) is fits


def test_a_folder_is_read(tmp_path: Path) -> None:
    events, cards = honest()
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in events))
    (tmp_path / "cards.jsonl").write_text("".join(json.dumps(line) + "\n" for line in cards))
    assert verify_folder(tmp_path).clean
    assert describe(verify_folder(tmp_path))[-1] == "Nothing wrong was found."


def test_a_name_may_hold_the_words_around_an_amount() -> None:
    readings = slot_readings("{name} at {price}, was {was_price}.", "Harbour at Dusk at £17.41, was £19.00.", {})
    assert readings == {"name": ["Harbour at Dusk"], "price": ["£17.41"], "was_price": ["£19.00"]}


def test_only_the_books_say_where_a_name_ends_that_stands_beside_an_amount() -> None:
    readings = slot_readings("记一笔：{name}{price}。", "记一笔：云团枕头¥135.15。", {"name": "云团枕头"})
    assert readings == {"name": ["云团枕头"], "price": ["¥135.15"]}
    wrong = slot_readings("记一笔：{name}{price}。", "记一笔：云团枕头¥135.15。", {"name": "秋被"})
    assert wrong is not None
    assert wrong["name"] != ["秋被"]


def test_a_name_that_ends_in_a_stop_is_read_with_it() -> None:
    assert slot_readings("Just in: {name}.", "Just in: Guess Who?", {"name": "Guess Who?"}) == {"name": ["Guess Who?"]}
    assert slot_readings("{name}. {price}.", "Acme Inc. £9.", {"name": "Acme Inc."}) == {
        "name": ["Acme Inc."],
        "price": ["£9"],
    }
    assert slot_readings("Just in: {name}.", "Just in: Kettle", {"name": "Kettle"}) is None
    assert slot_readings("{p1}。{name}。", "1.5升。电热壶。", {"name": "电热壶"}) == {
        "p1": ["1.5升"],
        "name": ["电热壶"],
    }
