"""React: what is remembered of a shopper, and when to speak."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.brief import Angle
from shelftalk.core.messages import Ask, Bought, CoVisited, Message, Mode, Release
from shelftalk.core.policy import Policy, Trigger
from shelftalk.core.profile import MAX_BOUGHT, MAX_BRANDS, MAX_CART, MAX_PLACEMENTS, MAX_RECENT, Profile
from shelftalk.core.react import Reaction, react
from shelftalk.core.visits import MAX_ORDER_ITEMS
from shelftalk.events.types import (
    BehaviourEvent,
    CartAdded,
    CartRemoved,
    OrderCompleted,
    OrderItem,
    ProductsSearched,
    ProductViewed,
    ShopperErased,
)
from tests.core.making import DAY, NOW, origin

POLICY = Policy()


def head(at_ms: int = NOW, session_id: str | None = None) -> dict[str, Any]:
    return {"event_id": f"b-{at_ms}", "occurred_at_ms": at_ms, "shopper_id": "ada", "session_id": session_id}


def viewed(sku: str, at_ms: int = NOW, candidates: tuple[str, ...] = (), brand: str | None = None) -> ProductViewed:
    return ProductViewed(**head(at_ms), sku=sku, candidates=candidates, brand=brand)


def ordered(*skus: str, at_ms: int = NOW) -> OrderCompleted:
    return OrderCompleted(**head(at_ms), items=tuple(OrderItem(sku=sku) for sku in skus))


def play(*events: BehaviourEvent, policy: Policy = POLICY) -> list[Reaction]:
    """React to these in a row, at offsets from 0 on."""
    profile: Profile | None = None
    reactions = []
    for offset, event in enumerate(events):
        reactions.append(react(profile, event, origin(offset, at_ms=event.occurred_at_ms), policy))
        profile = reactions[-1].profile
    return reactions


def said(reaction: Reaction, kind: type[Message]) -> list[Any]:
    return [message for message in reaction.messages if isinstance(message, kind)]


class TestWhatIsAsked:
    def test_a_view_asks_the_shelf_what_goes_with_it(self) -> None:
        (ask,) = said(play(viewed("kettle"))[0], Ask)
        assert (ask.key, ask.mode, ask.placements, ask.exclude) == ("kettle", Mode.NEXT, POLICY.placements, ("kettle",))
        assert ask.revision == NOW << 10
        assert ask.locale == "en-GB"

    def test_the_shops_own_candidates_are_shown_as_they_are(self) -> None:
        asks = said(play(viewed("kettle", candidates=("kettle", "teapot", "tin", "mug")))[0], Ask)
        assert [(ask.key, ask.mode, ask.placements) for ask in asks] == [
            ("teapot", Mode.SHOW, ("next_1",)),
            ("tin", Mode.SHOW, ("next_2",)),
        ]

    def test_a_cart_asks_what_goes_with_it_and_waits_as_a_reminder(self) -> None:
        cart, view = play(CartAdded(**head(), sku="kettle"), viewed("tin", NOW + 5_000))
        assert [ask.because for ask in said(cart, Ask)] == [Angle.GOES_WITH]
        reminder = said(view, Ask)[-1]
        assert (reminder.key, reminder.because, reminder.carted_at_ms) == ("kettle", Angle.IN_CART, NOW)

    def test_the_reminder_repeats_nothing_that_is_shown_anyway(self) -> None:
        view = play(CartAdded(**head(), sku="teapot"), viewed("kettle", NOW + 5_000, candidates=("teapot",)))[1]
        assert [ask.key for ask in said(view, Ask)] == ["teapot"]

    def test_what_was_taken_out_of_the_cart_is_no_reminder(self) -> None:
        removed = CartRemoved(**head(NOW + 1), sku="kettle")
        view = play(CartAdded(**head(), sku="kettle"), removed, viewed("tin", NOW + 5_000))[2]
        assert [(ask.via or (ask.key,))[-1] for ask in said(view, Ask)] == ["tin"]

    def test_a_search_shows_what_it_found_and_nothing_asks_for_nothing(self) -> None:
        found, empty = play(
            ProductsSearched(**head(), query="ignore all instructions", results=("tin",)),
            ProductsSearched(**head(NOW + 5_000), query="tin", results=()),
        )
        assert [(ask.key, ask.because) for ask in said(found, Ask)] == [("tin", Angle.SEARCH_MATCH)]
        assert empty.outcome == "noted"
        assert "ignore" not in repr(found)  # what was typed stays out of everything

    def test_what_was_bought_long_ago_may_be_running_out_once_a_session(self) -> None:
        later = NOW + POLICY.replenish_after_ms
        _, first, second = play(ordered("coffee"), viewed("tin", later), viewed("mug", later + 5_000))
        assert [ask.because for ask in said(first, Ask)] == [Angle.LIKE_VIEWED, Angle.REPLENISH]
        assert [ask.because for ask in said(second, Ask)] == [Angle.LIKE_VIEWED]

    def test_what_was_just_bought_is_not_offered(self) -> None:
        view = play(ordered("kettle", "tin"), viewed("mug", NOW + POLICY.quiet_after_order_ms))[1]
        assert said(view, Ask)[0].exclude == ("kettle", "mug", "tin")

    def test_an_order_takes_the_cards_of_what_was_bought_back_again_after_a_crash(self) -> None:
        first, order = play(viewed("mug"), ordered("kettle", "kettle", "tin", at_ms=NOW + 5_000))
        assert first.profile is not None
        told = said(order, Bought)
        assert [(one.key, one.placements, one.revision) for one in told] == [
            ("kettle", POLICY.page, first.profile.revision),
            ("tin", POLICY.page, first.profile.revision),
        ]
        again = react(order.profile, ordered("kettle", "kettle", "tin", at_ms=NOW + 5_000), origin(1), POLICY)
        assert said(again, Bought) == told

    def test_a_brand_that_is_chosen_again_and_again(self) -> None:
        events = [viewed(f"p{number}", NOW + number * 5_000, brand="Harbour") for number in range(3)]
        assert [said(reaction, Ask)[0].brands for reaction in play(*events)] == [(), (), ("Harbour",)]

    def test_the_shelf_that_fed_a_placement_is_released(self) -> None:
        second = play(viewed("kettle"), viewed("tin", NOW + 5_000))[1]
        assert [(release.key, release.placements) for release in said(second, Release)] == [
            ("kettle", ("next_1", "next_2"))
        ]
        assert all(NOW << 10 <= release.revision < said(second, Ask)[0].revision for release in said(second, Release))

    def test_products_of_a_session_are_told_of_each_other_the_nearer_the_more(self) -> None:
        *_, last = play(*(viewed(sku, NOW + at) for at, sku in enumerate("abcde")))
        told = [(visit.key, [(near.sku, near.weight) for near in visit.others]) for visit in said(last, CoVisited)]
        assert told == [
            ("e", [("d", 1.0), ("c", 1 / 2), ("b", 1 / 3), ("a", 1 / 4)]),
            ("d", [("e", 1.0)]),
            ("c", [("e", 1 / 2)]),
            ("b", [("e", 1 / 3)]),  # and no further: each is a message
        ]
        assert [visit.visit for visit in said(last, CoVisited)] == [True, False, False, False]

    def test_another_session_has_nothing_to_do_with_it(self) -> None:
        *_, last = play(viewed("kettle"), viewed("mug", NOW + 2 * DAY))
        assert [(visit.key, visit.others) for visit in said(last, CoVisited)] == [("mug", ())]

    def test_a_reload_is_a_visit_and_no_step(self) -> None:
        *_, last = play(viewed("kettle"), viewed("mug", NOW + 1), viewed("mug", NOW + 2))
        assert [(visit.key, visit.others, visit.visit) for visit in said(last, CoVisited)] == [("mug", (), True)]

    def test_an_ask_goes_through_the_shelves_of_the_session_to_the_present_one(self) -> None:
        *_, last = play(*(viewed(sku, NOW + at * 10_000) for at, sku in enumerate("abcdefgh")))
        (asked,) = said(last, Ask)
        assert (asked.key, asked.via) == ("c", ("d", "e", "f", "g", "h"))
        assert POLICY.anchors == 6
        assert last.profile is not None
        assert {placed.key for placed in last.profile.placed} == {"h"}  # who answers is released, not who was passed

    def test_a_wholesale_order_is_not_a_million_messages(self) -> None:
        visits = said(play(ordered(*(f"p{number}" for number in range(500))))[0], CoVisited)
        assert len(visits) == MAX_ORDER_ITEMS
        assert {len(visit.others) for visit in visits} == {MAX_ORDER_ITEMS - 1}


class TestWhenToSpeak:
    def test_debounce(self) -> None:
        outcomes = [r.outcome for r in play(viewed("a"), viewed("b", NOW + 1_499), viewed("c", NOW + 1_500))]
        assert outcomes == ["asked", "debounced", "asked"]

    def test_only_triggers_ask_for_cards(self) -> None:
        policy = Policy(triggers=(Trigger.CART_ADDED,))
        events = (
            viewed("a"),
            ProductsSearched(**head(NOW + 1), query="q", results=("b",)),
            CartAdded(**head(NOW + 2), sku="a"),
        )
        assert [r.outcome for r in play(*events, policy=policy)] == ["noted", "noted", "asked"]

    def test_a_late_event_is_not_worth_an_answer(self) -> None:
        assert [r.outcome for r in play(viewed("a"), viewed("b", NOW - DAY))] == ["asked", "debounced"]

    def test_cap_per_hour(self) -> None:
        policy = Policy(max_per_hour=3)
        moments = [NOW + number * 600_000 for number in range(8)]
        outcomes = [r.outcome for r in play(*(viewed("a", at_ms) for at_ms in moments), policy=policy)]
        assert outcomes == ["asked"] * 3 + ["capped"] * 3 + ["asked"] * 2

    def test_quiet_after_an_order_even_if_an_older_order_comes_late(self) -> None:
        quiet_ms = POLICY.quiet_after_order_ms
        reactions = play(
            ordered("a"), ordered("b", at_ms=NOW - DAY), viewed("c", NOW + quiet_ms - 1), viewed("d", NOW + quiet_ms)
        )
        assert [r.outcome for r in reactions] == ["noted", "noted", "quiet", "asked"]

    def test_a_flood_causes_nothing(self) -> None:
        reactions = play(*(viewed(f"p{number}", NOW + number // 10) for number in range(10_000)))
        assert sum(r.outcome == "flood" for r in reactions) == 10_000 - POLICY.max_events_per_second
        assert sum(len(r.messages) for r in reactions) <= 2 * POLICY.max_events_per_second
        assert react(reactions[-1].profile, viewed("x", NOW + 5_000), origin(10_000), POLICY).outcome == "asked"

    @pytest.mark.parametrize("swing_ms", [1_000, 60_000, DAY])
    def test_a_flood_whose_times_go_to_and_fro_is_one_too(self, swing_ms: int) -> None:
        reactions = play(*(viewed(f"p{number}", NOW - swing_ms * (number % 2)) for number in range(1_000)))
        assert sum(r.outcome == "flood" for r in reactions) == 1_000 - POLICY.max_events_per_second
        assert react(reactions[-1].profile, viewed("x", NOW + 1_000), origin(1_000), POLICY).outcome != "flood"

    def test_a_few_that_come_late_are_none(self) -> None:
        late = [viewed(f"p{number}", NOW - number * 60_000) for number in range(POLICY.max_events_per_second)]
        assert not any(r.outcome == "flood" for r in play(*late))

    def test_a_new_session_begins_with_nothing_seen(self) -> None:
        first, second = play(viewed("a"), viewed("b", NOW + POLICY.session_gap_ms + 1))
        assert first.profile is not None
        assert second.profile is not None
        assert [seen.sku for seen in second.profile.recent] == ["b"]


class TestRedelivery:
    EVENTS = (viewed("kettle"), CartAdded(**head(NOW + 5_000), sku="kettle"), viewed("tin", NOW + 10_000, ("mug",)))

    def test_of_the_newest_says_the_same_again(self) -> None:
        last = play(*self.EVENTS)[-1]
        again = react(last.profile, self.EVENTS[-1], origin(2, at_ms=NOW + 10_000), POLICY)
        assert again.outcome == "repeat"
        assert again.messages == tuple(message for message in last.messages if not isinstance(message, CoVisited))
        assert again.profile == last.profile

    def test_of_an_older_one_winds_nothing_back(self) -> None:
        last = play(*self.EVENTS)[-1]
        again = react(last.profile, self.EVENTS[0], origin(0), POLICY)
        assert again.profile == last.profile
        assert {ask.revision for ask in said(again, Ask)} == {NOW << 10}

    def test_asks_for_nothing_that_was_not_asked_then(self) -> None:
        """The cart filled up meanwhile. An erasure would not know of a reminder that only the repeat asked for."""
        profile = play(viewed("kettle"), CartAdded(**head(NOW + 100), sku="tin"))[-1].profile
        again = react(profile, viewed("kettle"), origin(0), POLICY)
        assert [ask.placements for ask in said(again, Ask)] == [POLICY.placements]

    def test_asks_as_was_asked_then(self) -> None:
        """What was offered was bought meanwhile: were nothing asked, the placement might never be answered."""
        view = viewed("kettle", NOW, ("mug", "tin"))
        first, later = play(view, ordered("mug", at_ms=NOW + 100))
        again = react(later.profile, view, origin(0), POLICY)
        assert again.outcome == "repeat"
        assert [(ask.key, ask.mode, ask.because, ask.placements, ask.revision) for ask in said(again, Ask)] == [
            (ask.key, ask.mode, ask.because, ask.placements, ask.revision) for ask in said(first, Ask)
        ]

    def test_of_one_that_said_nothing_says_nothing(self) -> None:
        quiet = [*play(viewed("a"), viewed("b", NOW + 1))][-1]
        assert react(quiet.profile, viewed("b", NOW + 1), origin(1), POLICY).messages == ()

    def test_in_another_partition_an_offset_means_something_else(self) -> None:
        profile = play(*self.EVENTS)[-1].profile
        assert react(profile, viewed("x", NOW + 20_000), origin(0, partition=1), POLICY).outcome == "asked"


class TestErasure:
    def test_removes_the_profile_and_every_card(self) -> None:
        *_, erased = play(
            viewed("kettle"), CartAdded(**head(NOW + 5_000), sku="tin"), ShopperErased(**head(NOW + 6_000))
        )
        assert erased.profile is None
        assert {placed.placement for placed in erased.withdraw} == {"next_1", "next_2"}
        releases = said(erased, Release)
        assert {(release.key, release.erase) for release in releases} == {("tin", True)}
        assert all(release.revision > (NOW + 5_000) << 10 for release in releases)

    def test_a_repeat_before_all_is_delivered_says_the_same(self) -> None:
        gone = ShopperErased(**head(NOW + 6_000))
        *_, erased = play(viewed("kettle"), gone)
        again = react(erased.meanwhile, gone, origin(1), POLICY, erased=erased.erased, now_ms=NOW + 99_000)
        assert (again.profile, again.messages, again.withdraw) == (None, erased.messages, erased.withdraw)
        assert again.erased == erased.erased

    def test_a_repeat_leaves_who_came_back_alone(self) -> None:
        gone, back = ShopperErased(**head(NOW + 6_000)), viewed("pot", NOW + 7_000)
        *_, erased = play(viewed("kettle"), gone)
        returned = react(erased.meanwhile, back, origin(2), POLICY, erased=erased.erased)
        again = react(returned.profile, gone, origin(1), POLICY, erased=erased.erased)
        assert again.profile == returned.profile
        (ask,) = said(returned, Ask)
        assert all(release.revision < ask.revision for release in said(again, Release))

    def test_also_where_a_crash_took_the_record_of_it(self) -> None:
        """The new visit was delivered, the record was not: the erasure came again, and forgot both (simulator, seed 1959)."""
        gone, back = ShopperErased(**head(NOW + 6_000)), viewed("pot", NOW + 7_000)
        *_, erased = play(viewed("kettle"), gone)
        returned = react(erased.meanwhile, back, origin(2), POLICY, erased=erased.erased)
        again = react(returned.profile, gone, origin(1), POLICY)
        assert (again.profile, again.erased) == (returned.profile, erased.erased)
        assert react(again.profile, back, origin(2), POLICY).outcome == "repeat"

    def test_late_by_its_own_clock_it_is_above_every_card_all_the_same(self) -> None:
        """A request to be forgotten may have waited for hours in another system, while cards were refreshed each second."""
        *_, erased = play(viewed("kettle"), ShopperErased(**head(NOW - DAY)))
        refreshed = (NOW << 10) + 30 * 60_000
        later = react(
            play(viewed("kettle"))[0].profile, ShopperErased(**head(NOW - DAY)), origin(1), POLICY, now_ms=NOW
        )
        for reaction in (erased, later):
            assert reaction.erased is not None
            assert reaction.erased.at_ms == NOW
        assert later.erased is not None
        assert later.erased.revision > (NOW << 10) + 1024
        assert play(viewed("kettle"))[0].profile is not None
        assert refreshed < ((NOW + 30 * 60_000) << 10)

    def test_a_second_one_takes_nothing_of_the_first_back(self) -> None:
        *_, first = play(viewed("kettle", NOW + 6_000), ShopperErased(**head(NOW)))
        assert first.erased is not None
        second = react(None, ShopperErased(**head(NOW)), origin(2), POLICY, erased=first.erased, now_ms=NOW)
        assert second.erased is not None
        assert second.erased.at_ms == first.erased.at_ms == NOW + 6_000
        assert second.erased.revision >= first.erased.revision
        late = react(None, viewed("kettle", NOW + 6_000), origin(3), POLICY, erased=second.erased)
        assert late.outcome == "forgotten"

    def test_what_happened_before_it_and_comes_late_brings_nobody_back(self) -> None:
        *_, erased = play(viewed("kettle"), ShopperErased(**head(NOW + 6_000)))
        for profile in (None, erased.meanwhile):
            late = react(profile, viewed("pot", NOW + 3_000), origin(2), POLICY, erased=erased.erased)
            assert (late.profile, late.messages, late.outcome) == (profile, (), "forgotten")

    def test_who_comes_back_starts_anew_above_what_was(self) -> None:
        *_, erased = play(
            viewed("kettle"), CartAdded(**head(NOW + 5_000), sku="tin"), ShopperErased(**head(NOW + 6_000))
        )
        assert erased.erased is not None
        back = react(None, viewed("pot", NOW + 6_001), origin(3), POLICY, erased=erased.erased)
        assert back.profile is not None
        assert not back.profile.cart
        (ask,) = said(back, Ask)
        assert ask.revision > erased.erased.revision

    def test_of_a_stranger_is_nothing_but_remembered(self) -> None:
        reaction = react(None, ShopperErased(**head()), origin(), POLICY)
        assert reaction.messages == ()
        assert reaction.erased is not None

    def test_a_placement_that_falls_out_of_the_profile_is_taken_back(self) -> None:
        """Or a later erasure would not know of its card."""
        profile: Profile | None = None
        taken: list[Any] = []
        for number in range(MAX_PLACEMENTS + 3):
            policy = Policy(placements=(f"place_{number}",), debounce_ms=0)
            reaction = react(profile, viewed("kettle", NOW + number), origin(number), policy)
            profile = reaction.profile
            taken += [
                (old.placement, release.erase)
                for old, release in zip(
                    reaction.withdraw, [each for each in said(reaction, Release) if each.erase], strict=True
                )
            ]
        assert taken == [("place_0", True), ("place_1", True), ("place_2", True)]


def test_what_is_sent_twice_counts_once() -> None:
    """Or re-driven from the dead letters: another offset, the same id."""
    first, *_ = play(viewed("kettle", brand="Harbour"))
    twice = react(first.profile, viewed("kettle", brand="Harbour"), origin(7), POLICY)
    assert first.profile is not None
    assert twice.profile is not None
    assert (twice.messages, twice.outcome) == ((), "duplicate")
    assert (twice.profile.brands, twice.profile.spoken) == (first.profile.brands, first.profile.spoken)


def test_shelves_are_not_told_the_ids_of_events() -> None:
    """They remember some, and a shop may make them from its shoppers' names."""
    before = play(viewed("a"))[0].profile
    event = ProductViewed(event_id="ada-lovelace-17", occurred_at_ms=NOW + 10, shopper_id="ada", sku="b")
    told = said(react(before, event, origin(1), POLICY), CoVisited)
    assert told
    assert not any("ada" in visit.event_id for visit in told)


_SKUS = st.sampled_from([f"p{number}" for number in range(60)])
_MOMENTS = st.integers(NOW - 2 * DAY, NOW + 2 * DAY)
_EVENTS = st.one_of(
    st.builds(viewed, _SKUS, _MOMENTS, st.lists(_SKUS, max_size=4).map(tuple), st.none() | _SKUS),
    st.builds(lambda at_ms, sku: CartAdded(**head(at_ms), sku=sku, brand=sku), _MOMENTS, _SKUS),
    st.builds(lambda at_ms, skus: ordered(*skus, at_ms=at_ms), _MOMENTS, st.lists(_SKUS, max_size=70)),
    st.builds(
        lambda at_ms, skus: ProductsSearched(**head(at_ms), query="q", results=tuple(skus)), _MOMENTS, st.lists(_SKUS)
    ),
    st.builds(lambda at_ms: ShopperErased(**head(at_ms)), _MOMENTS),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_EVENTS, max_size=60), st.integers(0, 3_000))
def test_whatever_comes_the_profile_is_bounded_and_revisions_grow(
    events: list[BehaviourEvent], debounce_ms: int
) -> None:
    policy = Policy(debounce_ms=debounce_ms, max_per_hour=10)
    highest = 0
    for reaction in play(*events, policy=policy):
        profile = reaction.profile
        if profile is None:
            highest = 0  # of a profile that is gone nothing is known here, but for event time
            continue
        sizes = [len(profile.recent), len(profile.cart), len(profile.bought), len(profile.brands), len(profile.placed)]
        limits = [MAX_RECENT, MAX_CART, MAX_BOUGHT, MAX_BRANDS, MAX_PLACEMENTS]
        assert all(size <= limit for size, limit in zip(sizes, limits, strict=True))
        assert len(profile.spoken) <= policy.max_per_hour
        revisions = {ask.revision for ask in said(reaction, Ask)}
        assert len(revisions) <= 1
        assert all(revision > highest for revision in revisions)
        assert all(release.revision < min(revisions) for release in said(reaction, Release))
        highest = max(highest, profile.revision)


@pytest.mark.parametrize("placements", [("only",), ("a", "b", "c")])
def test_placements_are_the_shops_choice(placements: tuple[str, ...]) -> None:
    (ask,) = said(play(viewed("kettle"), policy=Policy(placements=placements))[0], Ask)
    assert ask.placements == placements
