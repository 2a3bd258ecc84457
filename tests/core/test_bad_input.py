"""What becomes of bad input: the table in ``src/shelftalk/core/README.md``, line by line."""

from typing import Any

import msgspec
import pytest

from shelftalk.core.brief import Promotion
from shelftalk.core.effects import Step
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import percent_off, prior_price_minor, promotion
from shelftalk.core.messages import CoVisited, board_key
from shelftalk.core.policy import Policy
from shelftalk.core.react import react
from shelftalk.core.shelf import on_ask, on_co_visited
from shelftalk.errors import BadInputError
from shelftalk.events.codec import MAX_CLOCK_SKEW_MS, decode_behaviour, decode_inventory, encode
from shelftalk.events.types import PriceChanged, ProductViewed
from tests.core.making import NO_MODEL, NOW, ask, asks, cards, folded, origin, priced, reasons, shelf, stocked, upserted


def test_no_card_is_written_about_a_product_without_facts() -> None:
    step = on_ask(shelf(Facts(sku="kettle-1")), ask(seed=None), NOW, NO_MODEL)
    assert reasons(step) == ["unknown_sku"]
    assert {publish.card.text for publish in cards(step)} == {""}  # the placement is emptied
    step = on_ask(shelf(Facts(sku="kettle-1")), ask(), NOW, NO_MODEL)  # the shopper started from another product
    assert [onward.key for onward in asks(step)] == [board_key("kitchen.kettles")]
    assert cards(step) == []


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        (priced(4_000), {"price_minor": 0}),
        (priced(4_000), {"price_minor": -1}),
        (stocked(4), {"stock": -1}),
        (upserted(), {"price_minor": 0}),
        (upserted(), {"stock": -3}),
    ],
)
def test_an_impossible_amount_is_a_dead_letter(event: Any, wrong: dict[str, int]) -> None:
    fields = msgspec.json.decode(encode(event)) | wrong
    with pytest.raises(BadInputError) as refused:
        decode_inventory(msgspec.json.encode(fields), NOW + 1)
    assert refused.value.reason == "schema"


@pytest.mark.parametrize("event", [priced(4_000, NOW - 60), stocked(4, NOW - 60)])
def test_of_a_product_that_is_known_in_part_nothing_is_said(event: Any) -> None:
    facts = folded(event)
    assert reasons(on_ask(shelf(facts), ask(seed=None), NOW, NO_MODEL)) == ["unknown_sku"]
    whole = folded(upserted(), facts=facts, first=1)
    assert (whole.price_minor, whole.stock) == ((4_000, 40) if isinstance(event, PriceChanged) else (4_000, 4))
    assert cards(on_ask(shelf(whole), ask(), NOW, NO_MODEL))[0].card.text


def test_a_price_beside_a_view_is_right_unknown_or_a_dead_letter() -> None:
    view = {
        "type": "product_viewed",
        "event_id": "v",
        "occurred_at_ms": NOW,
        "shopper_id": "ada",
        "sku": "k",
        "category": "c",
    }
    with pytest.raises(BadInputError) as refused:
        decode_behaviour(msgspec.json.encode(view | {"price_minor": -1, "currency": "GBP"}), NOW)
    assert refused.value.reason == "schema"
    for unknown in ({"price_minor": 0, "currency": "GBP"}, {"price_minor": 4_000}, {"price_minor": None}):
        event = decode_behaviour(msgspec.json.encode(view | unknown), NOW)
        profile = react(None, event, origin(), Policy()).profile
        assert profile is not None
        (leaning,) = profile.categories
        assert (leaning.weight, leaning.priced) == (1.0, 0.0)


def test_a_price_that_rose_has_no_was_price() -> None:
    facts = folded(upserted(price_minor=4_000), priced(5_000))
    assert (prior_price_minor(facts), percent_off(facts)) == (None, None)
    assert promotion(facts, NOW, NO_MODEL.facts) is Promotion.NONE


def test_a_was_price_of_the_shops_own_is_not_believed() -> None:
    """There is no such input: an event that carries one says it in vain, above the price or below it."""
    fields = msgspec.json.decode(encode(priced(5_000)))
    for said in (1, 4_999, 90_000):
        event = decode_inventory(msgspec.json.encode(fields | {"was_price_minor": said}), NOW + 1)
        facts = folded(upserted(price_minor=4_000), event)
        assert (prior_price_minor(facts), percent_off(facts)) == (None, None)


def test_of_a_sku_that_the_shop_never_spoke_of_no_shelf_keeps_anything() -> None:
    profile = None
    for number, sku in enumerate(("made-up", "made-up-too")):
        event = ProductViewed(event_id=f"e{number}", occurred_at_ms=NOW + number, shopper_id="ada", sku=sku)
        reaction = react(profile, event, origin(number), Policy())
        profile = reaction.profile
        visits = [message for message in reaction.messages if isinstance(message, CoVisited)]
        assert visits
        for visit in visits:
            assert on_co_visited(shelf(Facts(sku=visit.key)), visit) == Step()
    assert profile is not None
    assert [seen.sku for seen in profile.recent] == ["made-up", "made-up-too"]


def test_what_has_not_happened_yet_is_a_dead_letter_beyond_a_clocks_error() -> None:
    assert decode_inventory(encode(priced(4_000, NOW + MAX_CLOCK_SKEW_MS)), NOW)
    with pytest.raises(BadInputError) as refused:
        decode_inventory(encode(priced(4_000, NOW + MAX_CLOCK_SKEW_MS + 1)), NOW)
    assert refused.value.reason == "time_in_future"


def test_a_shopper_of_ten_thousand_events_a_second_causes_no_more_than_one_of_fifty() -> None:
    profile, policy, sent = None, Policy(), 0
    for number in range(10_000):
        event = ProductViewed(
            event_id=f"e{number}", occurred_at_ms=NOW + number // 10, shopper_id="bot", sku=f"p{number % 97}"
        )
        reaction = react(profile, event, origin(number, at_ms=NOW), policy)
        profile, sent = reaction.profile, sent + len(reaction.messages)
    assert reaction.outcome == "flood"
    per_event = 1 + policy.tell  # what was met with what; and one ask within the debounce
    assert sent <= policy.max_events_per_second * per_event + len(policy.placements) + 2
