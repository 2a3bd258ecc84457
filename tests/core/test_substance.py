"""What has too little to say stays silent, and speaks as soon as there is more."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Channel, Promotion
from shelftalk.core.card import Status
from shelftalk.core.effects import Publish, Step
from shelftalk.core.facts import Facts
from shelftalk.core.refresh import refresh_all
from shelftalk.core.shelf import on_inventory
from shelftalk.core.state import ShelfState
from shelftalk.core.substance import LEAST, things_to_say
from shelftalk.events.types import InventoryEvent
from tests.core.making import NO_MODEL, NOW, RULES, after, cards, origin, priced, reasons, shelf, upserted, writes

KINDS = st.sampled_from(["", "kettle", "running socks"])
POINTS = st.lists(st.sampled_from(["folds flat", "hanging loop", "900 ml", "kettle", "dishwasher safe"]), unique=True)
PROMOTIONS = st.sampled_from(list(Promotion))
CHANNELS = st.sampled_from(list(Channel))


@given(KINDS, POINTS, PROMOTIONS, CHANNELS, st.sampled_from(["holds its heat", "whistles"]))
def test_one_more_point_is_one_more_thing_to_say(
    kind: str, points: list[str], promotion: Promotion, channel: Channel, more: str
) -> None:
    before = things_to_say(kind, points, promotion, channel)
    assert things_to_say(kind, [*points, more], promotion, channel) == before + 1
    assert things_to_say(kind, points, Promotion.NONE, channel) <= before
    assert before >= 0


@given(POINTS, PROMOTIONS)
def test_a_description_tells_no_offers(points: list[str], promotion: Promotion) -> None:
    told = {things_to_say("kettle", points, each, Channel.COPY) for each in (promotion, Promotion.NONE)}
    assert len(told) == 1


def test_what_the_kind_says_is_no_point() -> None:
    assert things_to_say("loaf tin", ("Tin",), Promotion.NONE, Channel.COPY) == 1


#: Of which the shop has not spoken.
UNKNOWN = shelf(Facts(sku="kettle-1"))


def known(state: ShelfState, *events: InventoryEvent, at_ms: int = NOW) -> tuple[ShelfState, Step]:
    """The state after events, and what was published in the end."""
    step = Step()
    for number, event in enumerate(events):
        place = origin(state.shelf.facts.read_to + 1 + number, "inventory", event.occurred_at_ms)
        state = after(state, on_inventory(state, event, place, NO_MODEL))
        step = refresh_all(state, state.live.values(), at_ms, NO_MODEL)
        state = after(state, step)
    return state, step


def told(published: list[Publish]) -> dict[Channel, Status]:
    return {one.card.channel: one.card.status for one in published}


BARE: dict[str, Any] = {"points": (), "category": "", "kind": None, "brand": None}
KETTLE: dict[str, Any] = {"points": (), "category": "kitchen.kettle"}


@pytest.mark.parametrize(
    ("said", "channels"),
    [
        (BARE, set()),
        (KETTLE, {Channel.AD}),
        (KETTLE | {"points": ("folds flat",)}, {Channel.AD, Channel.SOCIAL}),
        (KETTLE | {"points": ("folds flat", "900 ml")}, {Channel.AD, Channel.SOCIAL, Channel.COPY}),
    ],
)
def test_a_channel_speaks_when_there_is_enough_to_say(said: dict[str, Any], channels: set[Channel]) -> None:
    state, step = known(UNKNOWN, upserted(**said))
    assert {channel for channel, status in told(cards(step)).items() if status is Status.LIVE} == channels
    assert {reason.removeprefix("too_little_") for reason in reasons(step)} == set(LEAST) - channels
    quiet = [one.card for one in cards(step) if one.card.status is Status.WITHDRAWN]
    assert all("too little" in card.provenance.because and not card.text for card in quiet)
    assert not any(card.slotted for card in state.live.values() if card.channel not in channels)


def test_more_facts_give_it_its_copy_and_fewer_take_it_back() -> None:
    state, _ = known(UNKNOWN, upserted(**BARE | {"event_id": "a"}))
    full = upserted(
        NOW - 80 * 86_400_000, event_id="b", points=("folds flat", "holds its heat"), category="kitchen.kettle"
    )
    state, step = known(state, full)
    assert set(told(cards(step)).values()) == {Status.LIVE}
    _, step = known(state, upserted(NOW - 70 * 86_400_000, **BARE | {"event_id": "c"}))
    assert told(cards(step)) == dict.fromkeys(LEAST, Status.WITHDRAWN)


def test_an_offer_is_something_to_say() -> None:
    state, _ = known(UNKNOWN, upserted(**KETTLE))
    _, step = known(state, priced(3_000, NOW - 1))
    assert told(cards(step))[Channel.SOCIAL] is Status.LIVE


def test_what_would_stay_silent_is_not_written_ahead() -> None:
    step = on_inventory(UNKNOWN, upserted(**BARE), origin(0, "inventory", NOW), RULES)
    assert {write.brief.channel for write in writes(step)} <= {Channel.CARD, Channel.AD}


def test_a_shop_may_want_less_or_more() -> None:
    rules = msgspec.structs.replace(NO_MODEL, least={Channel.AD: 9})
    state = after(UNKNOWN, on_inventory(UNKNOWN, upserted(**BARE), origin(0, "inventory", NOW), rules))
    step = refresh_all(state, state.live.values(), NOW, rules)
    statuses = told(cards(step))
    assert statuses[Channel.COPY] is statuses[Channel.SOCIAL] is Status.LIVE
    assert statuses[Channel.AD] is Status.WITHDRAWN
