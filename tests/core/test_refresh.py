"""Refreshing: the words stay while the meaning stays; what is gone is taken back and passed on."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.card import Rung, Status, Trigger
from shelftalk.core.effects import Step
from shelftalk.core.refresh import let_go
from shelftalk.core.rules import ShelfRules
from shelftalk.core.shelf import on_ask, on_inventory, refresh, renewed
from shelftalk.core.state import Copybook, LiveCard, Neighbour, ShelfState, Stage, Text
from shelftalk.core.words import Words, on_words
from shelftalk.events.types import InventoryEvent
from tests.core.making import (
    DAY,
    HOUR,
    NO_MODEL,
    NOW,
    RULES,
    after,
    ask,
    asks,
    cards,
    folded,
    origin,
    priced,
    reasons,
    shelf,
    stocked,
    upserted,
    with_facts,
    writes,
)

KEY = "ada|next_1"
ONE = (Neighbour("teapot-1", 5.0, 0.0, NOW),)


def shown(state: ShelfState | None = None, rules: ShelfRules = NO_MODEL) -> ShelfState:
    """A shelf with one card shown."""
    state = state or shelf(neighbours=ONE)
    return after(state, on_ask(state, ask(), NOW, rules))


def shown_of(passed: Step, now_ms: int) -> ShelfState:
    """Another shelf with the card that was passed on."""
    (onward,), state = asks(passed), shelf(neighbours=ONE)
    return after(state, on_ask(state, msgspec.structs.replace(onward, exclude=()), now_ms, NO_MODEL))


def held(state: ShelfState) -> LiveCard:
    return state.live[KEY]


def refreshed(
    state: ShelfState, *events: InventoryEvent, now_ms: int = NOW + 1_000, rules: ShelfRules = NO_MODEL
) -> tuple[ShelfState, Step]:
    state = with_facts(state, *events)
    step = refresh(state, held(state), now_ms, rules)
    return after(state, step), step


class TestPriceMove:
    def test_the_same_words_with_the_new_price(self) -> None:
        state = shown(rules=RULES)
        (write,) = writes(on_ask(shelf(), ask(), NOW, RULES))
        brief, text = write.brief, "{name}: holds its heat, yours for {price}."
        state = after(state, on_words(state, [held(state)], Words(brief, (text,)), NOW, RULES))
        assert held(state).slotted == text
        state, step = refreshed(state, priced(4_100), rules=RULES)
        (publish,) = cards(step)
        assert publish.card.slotted == text
        assert "£41.00" in publish.card.text
        assert publish.card.provenance.trigger is Trigger.FACTS
        assert not writes(step)

    def test_nothing_moved_nothing_said(self) -> None:
        state, step = refreshed(shown(), stocked(39, NOW + 1))
        assert len(cards(step)) == 1
        assert refresh(state, held(state), NOW + 2_000, NO_MODEL).effects == []

    def test_a_change_of_meaning_asks_for_words_and_has_a_phrase_meanwhile(self) -> None:
        _, step = refreshed(shown(), priced(3_000), rules=RULES)
        (publish,), (write,) = cards(step), writes(step)
        assert publish.card.provenance.rung is Rung.PHRASEBOOK
        assert publish.card.facts.percent_off == 25
        assert not write.urgent
        assert write.brief.promotion == "sale"

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(500, 5_000), st.integers(0, 6)), max_size=12))
    def test_revisions_only_grow_and_every_card_is_from_the_newest_facts(
        self, moves: list[tuple[int, int, int]]
    ) -> None:
        state, now_ms, highest = shown(shelf()), NOW, NOW << 10
        for number, (wait, price_minor, stock) in enumerate(moves, start=1):
            now_ms += wait
            at_ms = NOW + number
            state, step = refreshed(state, priced(price_minor, at_ms), stocked(stock, at_ms), now_ms=now_ms)
            for publish in cards(step):
                assert publish.card.revision > highest
                assert publish.card.facts.version == state.shelf.facts.version
                assert publish.card.facts.price_minor == price_minor
                assert (publish.card.status is Status.LIVE) == (stock > 0)
                highest = publish.card.revision
            assert highest < (NOW + 100_000) << 10  # and below those of any later ask


class TestSoldOut:
    def test_withdrawn_and_passed_on(self) -> None:
        state, step = refreshed(shown(), stocked(0))
        (publish,), (onward,) = cards(step), asks(step)
        assert (publish.card.status, publish.card.text) == (Status.WITHDRAWN, "")
        assert onward.key == "teapot-1"
        assert publish.card.revision < onward.revision
        assert onward.origin == origin()  # still the shopper's own doing
        assert (held(state).stage, held(state).passed_to) == (Stage.PASSED, "teapot-1")

    def test_once(self) -> None:
        state, _ = refreshed(shown(), stocked(0))
        _, step = refreshed(state, priced(3_000, NOW + 5))
        assert step.effects == []

    def test_after_a_crash_both_again_and_the_same(self) -> None:
        state, step = refreshed(shown(), stocked(0))
        again = refresh(state, held(state), NOW + 9_000, NO_MODEL, again=True)
        assert cards(again)[0].card.card_id == cards(step)[0].card.card_id
        assert asks(again) == asks(step)

    def test_with_nothing_else_to_show_the_card_comes_back_with_the_product(self) -> None:
        _, step = refreshed(shown(shelf()), stocked(0))
        assert [one.key for one in asks(step)] == ["category:kitchen.kettles"]
        tired = ask(hops=NO_MODEL.max_hops)
        dead_end = after(shelf(), on_ask(shelf(), tired, NOW, NO_MODEL))
        dead_end, step = refreshed(dead_end, stocked(0))
        assert reasons(step) == ["too_many_hops"]
        assert [publish.card.status for publish in cards(step)] == [Status.WITHDRAWN]
        dead_end, step = refreshed(dead_end, stocked(7, NOW + 5))
        assert [publish.card.status for publish in cards(step)] == [Status.LIVE]
        assert held(dead_end).stage is Stage.SHOWN

    def test_while_its_first_words_are_written_it_is_passed_on_under_its_own_revision(self) -> None:
        state = shown(rules=RULES)
        state, step = refreshed(state, stocked(0), rules=RULES)
        assert (cards(step), [one.revision for one in asks(step)]) == ([], [NOW << 10])
        # so that the ask, should it be redelivered, finds the way
        assert [one.key for one in asks(on_ask(state, ask(), NOW, RULES))] == ["teapot-1"]


class TestSaleEnd:
    def test_withdrawn_until_the_shop_gives_a_price(self) -> None:
        facts = folded(upserted(), priced(3_000, NOW - HOUR, NOW + HOUR))
        state = after(shelf(facts), on_inventory(shelf(facts), stocked(40, NOW + 1), origin(9, "inventory"), NO_MODEL))
        key = "|ad/en-GB"
        state = after(state, refresh(state, state.live[key], NOW, NO_MODEL))
        assert state.live[key].slotted
        over = refresh(state, state.live[key], NOW + HOUR, NO_MODEL)
        assert [publish.card.status for publish in cards(over)] == [Status.WITHDRAWN]
        state = with_facts(after(state, over), priced(4_000, NOW + HOUR))
        back = refresh(state, state.live[key], NOW + HOUR + 1, NO_MODEL)
        assert [publish.card.status for publish in cards(back)] == [Status.LIVE]


class TestLife:
    def test_a_shoppers_card_ends_by_itself(self) -> None:
        _, step = refreshed(shown(), priced(3_000), now_ms=NOW + NO_MODEL.card_ttl_ms)
        assert (step.live, step.effects) == ({KEY: None}, [])

    def test_copy_for_everybody_is_sent_anew_at_half_its_time(self) -> None:
        state = shelf()
        state = after(state, on_inventory(state, stocked(30), origin(9, "inventory"), NO_MODEL))
        key = "|copy/en-GB"
        state = after(state, refresh(state, state.live[key], NOW, NO_MODEL))
        assert refresh(state, state.live[key], NOW + 3 * DAY, NO_MODEL).effects == []
        (publish,) = cards(refresh(state, state.live[key], NOW + 4 * DAY, NO_MODEL))
        assert publish.card.valid_until_ms == NOW + 11 * DAY

    def test_again_repeats_the_very_same(self) -> None:
        first = on_ask(shelf(), ask(), NOW, NO_MODEL)
        state = after(shelf(), first)
        (publish,) = cards(refresh(state, held(state), NOW + 9_000, NO_MODEL, again=True))
        assert publish.card.card_id == cards(first)[0].card.card_id

    def test_again_waits_for_facts_that_the_shelf_lost_in_a_crash(self) -> None:
        state, _ = refreshed(shown(), priced(3_000))
        forgetful = ShelfState(shelf().shelf, live=state.live)
        assert refresh(forgetful, held(state), NOW + 9_000, NO_MODEL, again=True).effects == []

    def test_a_phrase_gets_its_words_after_all(self) -> None:
        (write,) = writes(on_ask(shelf(), ask(), NOW, RULES))
        brief, state = write.brief, shown()
        phrased = msgspec.structs.replace(held(state), brief_id=brief.brief_id)
        waiting = after(state, Step(live={KEY: phrased}))
        (write,) = writes(refresh(waiting, held(waiting), NOW, RULES))
        assert write.brief == brief
        written = ShelfState(waiting.shelf, Copybook({brief.brief_id: Text("{name}, at last.", "m-1")}), waiting.live)
        (publish,) = cards(refresh(written, held(written), NOW + 1, RULES))
        assert (publish.card.text, publish.card.provenance.trigger) == ("Harbour Kettle, at last.", Trigger.REWRITE)

    def test_let_go_for_want_of_room(self) -> None:
        step = let_go(shown(), held(shown()), "overflow", NOW + 5, NO_MODEL)
        assert ([publish.card.status for publish in cards(step)], step.live) == ([Status.WITHDRAWN], {KEY: None})
        waiting = shown(rules=RULES)
        step = let_go(waiting, held(waiting), "overflow", NOW + 500, RULES)
        (publish,) = cards(step)
        assert (reasons(step), publish.card.status, step.live) == (["overflow"], Status.WITHDRAWN, {KEY: None})
        # A crash may have taken the record that it was shown with words and once more since.
        assert publish.card.revision > held(waiting).raised(NOW + 400)


class TestAfterACrash:
    """A card may be out there, refreshed, while only the record of that is lost: what comes in its place goes above it."""

    def test_an_ask_is_renewed_above_what_it_may_have_become(self) -> None:
        (again,) = renewed({}, ask(), NOW + 5_000)
        assert ask().revision < again.revision <= ask().revision + 5_000

    def test_also_where_the_record_of_an_older_ask_is_left(self) -> None:
        """Seed 51046: the pointer of the ask before it had survived."""
        older = shown()
        lost = ask(revision=(NOW + 1_000) << 10, origin=origin(8))
        (again,) = renewed(older.live, lost, NOW + 5_000)
        assert lost.revision < again.revision

    def test_what_is_passed_on_once_more_goes_above_what_it_became_elsewhere(self) -> None:
        """Seed 1200: a shelf withdraws again when what it had passed on had been passed on, and refreshed, elsewhere."""
        first = with_facts(shown(), stocked(0))
        passed = refresh(first, held(first), NOW + 200_000, NO_MODEL)
        second = with_facts(shown_of(passed, NOW + 200_000), stocked(0))
        third = shown_of(refresh(second, held(second), NOW + 400_000, NO_MODEL), NOW + 400_000)
        _, step = refreshed(third, priced(3_000), now_ms=NOW + 500_000)
        (out_there,) = cards(step)
        moved = after(with_facts(shown(), stocked(0), priced(5_000)), passed)
        for step in (
            refresh(first, held(first), NOW + 501_000, NO_MODEL),  # a crash took the record of the first time
            refresh(moved, held(moved), NOW + 501_000, NO_MODEL, again=True),  # or it may have taken what that sent
        ):
            (withdrawal,), (onward,) = cards(step), asks(step)
            assert out_there.card.revision < withdrawal.card.revision < onward.revision

    def test_a_passed_on_ask_is_renewed_by_the_time_of_the_first(self) -> None:
        first = with_facts(shown(), stocked(0))
        (onward,) = asks(refresh(first, held(first), NOW + 200_000, NO_MODEL))
        (again,) = renewed({}, onward, NOW + 300_000)
        (renewed_first,) = renewed({}, ask(), NOW + 300_000)
        assert onward.revision < again.revision <= renewed_first.revision
        (once_more,) = renewed({}, again, NOW + 400_000)
        assert once_more.revision == renewed({}, ask(), NOW + 400_000)[0].revision

    def test_one_that_waits_for_its_words_goes_above_too(self) -> None:
        state = shown(rules=RULES)
        waiting = held(state)
        assert waiting.stage is Stage.AWAITING
        again = held(after(state, refresh(state, waiting, NOW + 5_000, RULES, again=True)))
        assert (again.stage, again.asked_revision) == (Stage.AWAITING, waiting.asked_revision)
        assert again.revision > waiting.revision
