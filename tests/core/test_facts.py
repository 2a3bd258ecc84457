"""Facts: any order of arrival ends the same, and what they mean is what the rules say."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.brief import Promotion
from shelftalk.core.facts import Facts, plain_kind
from shelftalk.core.meaning import (
    FactRules,
    next_change_ms,
    percent_off,
    prior_price_minor,
    promotion,
    sale_is_over,
    showable,
)
from shelftalk.core.prices import MAX_PRICE_POINTS
from shelftalk.events.types import InventoryEvent
from shelftalk.sim.oracle import truth
from tests.core.making import DAY, HOUR, NOW, delisted, folded, priced, stocked, upserted

BEGIN = NOW - 60 * DAY


@st.composite
def events_at(draw: st.DrawFn, moments: st.SearchStrategy[int], currencies: str = "GBP") -> InventoryEvent:
    """One event at one of these moments."""
    at_ms = draw(moments)
    currency = draw(st.sampled_from(currencies.split()))
    price_minor = draw(st.sampled_from([700, 900, 1_000, 1_200]))
    match draw(st.sampled_from("uppppsssd")):
        case "u":
            return upserted(
                at_ms,
                name=draw(st.sampled_from(["Kettle", "Pot"])),
                price_minor=price_minor,
                currency=currency,
                stock=draw(st.integers(0, 3)),
            )
        case "p":
            ends_ms = draw(st.none() | st.integers(at_ms, at_ms + DAY))
            return priced(price_minor, at_ms, ends_ms, currency)
        case "s":
            return stocked(draw(st.integers(0, 3)), at_ms)
        case _:
            return delisted(at_ms)


def histories(moments: st.SearchStrategy[int], currencies: str = "GBP") -> st.SearchStrategy[list[InventoryEvent]]:
    """Events at different moments."""
    return st.lists(
        events_at(moments, currencies), min_size=1, max_size=14, unique_by=lambda event: event.occurred_at_ms
    )


def told(facts: Facts) -> tuple[object, ...]:
    """What a card could show, but for when it came back: of restocks before a late sell-out only the last is known."""
    if not facts.prices:
        return (facts.name, None, facts.stock, facts.delisted)
    return (
        facts.name,
        facts.price_minor,
        facts.currency,
        facts.price_since_ms,
        prior_price_minor(facts),
        facts.sale_ends_at_ms,
        facts.stock,
        facts.delisted,
        facts.restocked_at_ms is None or not facts.stock,
    )


class TestAnyOrder:
    @settings(max_examples=250, deadline=None)
    @given(histories(st.integers(BEGIN, BEGIN + DAY), "GBP GBP USD"), st.data())
    def test_ends_in_the_same_facts(self, events: list[InventoryEvent], data: st.DataObject) -> None:
        in_time = sorted(events, key=lambda event: event.occurred_at_ms)
        repeats = data.draw(st.lists(st.sampled_from(events), max_size=4))
        shuffled = data.draw(st.permutations([*events, *repeats]))
        assert told(folded(*shuffled)) == told(folded(*in_time))

    @settings(max_examples=250, deadline=None)
    @given(histories(st.integers(BEGIN, BEGIN + 90 * DAY)), st.data())
    def test_a_day_late_is_early_enough(self, events: list[InventoryEvent], data: st.DataObject) -> None:
        late = {event.event_id: data.draw(st.integers(0, DAY)) for event in events}
        arrived = sorted(events, key=lambda event: event.occurred_at_ms + late[event.event_id])
        facts, known = folded(*arrived), truth(arrived)
        assert (facts.name, facts.stock, facts.delisted) == (known.name, known.stock, known.delisted)
        if facts.prices:
            assert facts.price_minor == known.price_minor
            assert prior_price_minor(facts) == known.was_minor
            assert facts.sale_ends_at_ms == known.ends_ms

    def test_of_one_moment_the_later_arrival_wins_and_a_repeat_of_the_earlier_changes_nothing(self) -> None:
        first, second = priced(700), priced(900)
        facts = folded(upserted(), first, second, stocked(3, NOW + 1), first)
        assert facts.price_minor == 900

    def test_of_one_moment_the_later_stock_counts(self) -> None:
        assert folded(upserted(), stocked(3), stocked(0)).stock == 0
        assert folded(upserted(), stocked(0), stocked(3)).restocked_at_ms == NOW

    def test_a_late_price_falls_between_repeats_of_another(self) -> None:
        late = priced(1_200, NOW - 3)
        repeats = [priced(900, NOW - 4), priced(900, NOW - 2), priced(900, NOW - 1)]
        assert folded(*repeats, late).price_since_ms == NOW - 2

    def test_of_one_moment_in_the_past_the_lower_price_is_the_prior_one(self) -> None:
        for first, second in ((3_000, 3_500), (3_500, 3_000)):
            facts = folded(priced(2_000), priced(first, NOW - DAY), priced(second, NOW - DAY))
            assert prior_price_minor(facts) == 3_000

    def test_a_redelivery_undoes_nothing_however_long_ago_it_was(self) -> None:
        many = [priced(700 + number) for number in range(20)]  # all of one millisecond
        facts = folded(upserted(), *many)
        assert folded(*many, facts=facts, first=1) == facts

    def test_a_topic_that_was_made_anew_is_heard(self) -> None:
        facts = folded(upserted(), priced(900), first=5_000)
        assert folded(priced(700, NOW + 1), facts=facts, first=0).price_minor == 700

    def test_a_late_price_in_another_currency_ends_what_can_be_compared(self) -> None:
        old, foreign, new = priced(2_000, NOW - 3), priced(1_500, NOW - 2, currency="USD"), priced(1_000, NOW - 1)
        assert prior_price_minor(folded(old, foreign, new)) is None
        assert prior_price_minor(folded(old, new, foreign)) is None
        assert prior_price_minor(folded(old, new)) == 2_000


class TestVersion:
    @settings(max_examples=150, deadline=None)
    @given(histories(st.integers(BEGIN, BEGIN + 40 * DAY), "GBP USD"))
    def test_grows_by_one_exactly_when_something_a_card_shows_moved(self, events: list[InventoryEvent]) -> None:
        facts = Facts(sku="kettle-1")
        for offset, event in enumerate(events):
            before, facts = facts, folded(event, facts=facts, first=offset)
            assert facts.version - before.version in {0, 1}
            if told(facts) != told(before):
                assert facts.version == before.version + 1
                assert facts.cause is not None
                assert facts.cause.offset == offset

    def test_stays_when_nothing_moved(self) -> None:
        facts = folded(upserted(), priced(900), stocked(3))
        same = folded(priced(900, NOW + 1), stocked(3, NOW + 1), stocked(8, NOW - 1), facts=facts, first=9)
        assert same.version == facts.version
        assert same.cause == facts.cause


class TestPriorPrice:
    """Directive 98/6/EC, article 6a: the lowest price of the thirty days before the reduction."""

    @pytest.mark.parametrize(
        ("points", "prior"),
        [
            ([(60, 4_000)], None),
            ([(60, 4_000), (1, 3_000)], 4_000),
            ([(60, 4_000), (20, 2_500), (10, 4_000), (1, 3_000)], None),  # it was cheaper within the month
            ([(60, 4_000), (50, 2_500), (40, 4_000), (1, 3_000)], 4_000),  # but not before that
            ([(60, 2_500), (29, 4_000), (1, 3_000)], None),  # still in force when the window opened
            ([(60, 4_000), (5, 3_500), (1, 3_000)], 3_500),  # in two steps: the lowest, not the first
            ([(60, 4_000), (40, 3_000), (10, 3_000)], 4_000),  # a repeat does not begin it anew
            ([(60, 3_000), (1, 4_000)], None),  # dearer
        ],
    )
    def test_examples(self, points: list[tuple[int, int]], prior: int | None) -> None:
        facts = folded(stocked(9, BEGIN), *(priced(minor, NOW - days * DAY) for days, minor in points))
        assert prior_price_minor(facts) == prior

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.integers(500, 5_000), min_size=MAX_PRICE_POINTS + 5, max_size=MAX_PRICE_POINTS + 60))
    def test_a_sale_never_looks_larger_for_what_was_forgotten(self, prices: list[int]) -> None:
        events = [priced(minor, BEGIN + number * 1000) for number, minor in enumerate(prices)]
        facts = folded(*events)
        known = truth(events).was_minor
        assert len(facts.prices) <= MAX_PRICE_POINTS
        assert (prior_price_minor(facts) or 0) <= (known or 0)

    def test_the_lowest_is_remembered_however_many_follow(self) -> None:
        many = [priced(4_000 + number % 2, NOW - 9_000 + number) for number in range(2 * MAX_PRICE_POINTS)]
        assert prior_price_minor(folded(priced(500, NOW - 10_000), *many, priced(900))) is None

    def test_a_feed_that_repeats_the_price_for_years_costs_nothing(self) -> None:
        facts = folded(*(priced(900, NOW - (2_000 - number) * HOUR) for number in range(2_000)))
        assert len(facts.prices) < 30
        assert facts.price_since_ms == NOW - 2_000 * HOUR

    @settings(deadline=None)
    @given(st.integers(1, 10_000), st.integers(1, 10_000))
    def test_percent_off_never_overstates(self, before: int, now: int) -> None:
        facts = folded(priced(before, NOW - DAY), priced(now))
        percent = percent_off(facts)
        if now >= before:
            assert percent is None
        else:
            assert percent is not None
            assert percent * before <= (before - now) * 100 < (percent + 1) * before


class TestSaleEnd:
    def test_the_price_is_unknown_from_then_on(self) -> None:
        facts = folded(upserted(), priced(3_000, NOW, NOW + HOUR))
        assert showable(facts, NOW + HOUR - 1)
        assert sale_is_over(facts, NOW + HOUR)
        assert promotion(facts, NOW + HOUR, FactRules()) is Promotion.SOLD_OUT

    def test_a_repeat_of_the_price_while_it_runs_takes_no_promise_back(self) -> None:
        nightly = upserted(NOW + 1, price_minor=3_000)
        promised = priced(3_000, NOW, NOW + HOUR)
        assert folded(upserted(), promised, nightly).sale_ends_at_ms == NOW + HOUR
        assert folded(upserted(), nightly, promised).sale_ends_at_ms == NOW + HOUR

    @pytest.mark.parametrize("price_minor", [3_000, 4_000])
    def test_until_the_shop_gives_a_price(self, price_minor: int) -> None:
        facts = folded(upserted(), priced(3_000, NOW, NOW + HOUR), priced(price_minor, NOW + HOUR))
        assert showable(facts, NOW + 2 * HOUR)
        assert facts.sale_ends_at_ms is None

    def test_can_be_moved(self) -> None:
        facts = folded(upserted(), priced(3_000, NOW, NOW + HOUR), priced(3_000, NOW + 1, NOW + DAY))
        assert facts.sale_ends_at_ms == NOW + DAY


class TestMeaning:
    @pytest.mark.parametrize(
        ("events", "meaning"),
        [
            ([], Promotion.NONE),
            ([priced(3_900)], Promotion.NONE),  # two per cent are no sale
            ([priced(3_000)], Promotion.SALE),
            ([priced(3_000, NOW, NOW + 5 * DAY)], Promotion.SALE),
            ([priced(3_000, NOW, NOW + DAY)], Promotion.ENDING_SOON),
            ([stocked(3)], Promotion.LOW_STOCK),
            ([stocked(1)], Promotion.NONE),  # the last one may be gone by now
            ([stocked(0)], Promotion.SOLD_OUT),
            ([stocked(0, NOW - DAY), stocked(40, NOW - HOUR)], Promotion.BACK_IN_STOCK),
            ([stocked(0, NOW - 9 * DAY), stocked(40, NOW - 2 * DAY)], Promotion.NONE),
            ([upserted(NOW - 1, released_at_ms=NOW - DAY)], Promotion.NEW),
            ([upserted(NOW - 1, released_at_ms=NOW + DAY)], Promotion.NONE),
            ([delisted()], Promotion.SOLD_OUT),
            ([delisted(), upserted(NOW + 1)], Promotion.NONE),
            ([priced(3_000), stocked(0)], Promotion.SOLD_OUT),
        ],
    )
    def test_examples(self, events: list[InventoryEvent], meaning: Promotion) -> None:
        assert promotion(folded(upserted(), *events), NOW, FactRules()) is meaning

    def test_without_price_or_stock_nothing_is_known(self) -> None:
        assert not folded(stocked(3)).complete
        assert not folded(priced(900)).complete
        assert not showable(folded(priced(900), stocked(3)), NOW)

    @settings(max_examples=150, deadline=None)
    @given(histories(st.integers(NOW - 20 * DAY, NOW)), st.integers(0, 20 * DAY), st.integers(0, 30 * DAY))
    def test_time_alone_moves_it_only_when_foretold(
        self, events: list[InventoryEvent], later: int, longer: int
    ) -> None:
        facts = folded(upserted(NOW - 30 * DAY, released_at_ms=NOW - 10 * DAY), *events)
        rules = FactRules()
        at_ms = NOW + later
        due_ms = next_change_ms(facts, at_ms, rules)
        until_ms = at_ms + longer if due_ms is None else min(at_ms + longer, due_ms - 1)
        assert promotion(facts, until_ms, rules) is promotion(facts, at_ms, rules)

    def test_a_late_sell_out_between_restocks(self) -> None:
        events = [stocked(0, NOW - 9), stocked(5, NOW - 8), stocked(7, NOW - 2), stocked(0, NOW - 5)]
        assert folded(*events).restocked_at_ms == NOW - 2


def test_the_kind_is_derived_from_the_category() -> None:
    assert plain_kind(None, "home.kitchen.Water_Heater") == "water heater"
    assert plain_kind(None, "Home > Tea-pots") == "tea pot"
    assert plain_kind("teapot", "whatever") == "teapot"


def test_facts_survive_the_changelog() -> None:
    facts = folded(upserted(), priced(900, NOW, NOW + 1), stocked(0), stocked(4, NOW + 1))
    raw = msgspec.msgpack.encode(facts)
    assert msgspec.msgpack.decode(raw, type=Facts) == facts
    assert len(raw) < 700
