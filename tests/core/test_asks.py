"""Asks: shown here, passed on, or ended with a reason; and the same again after a crash."""

import pytest

from shelftalk.core.brief import Angle, Promotion
from shelftalk.core.card import Rung, Status
from shelftalk.core.effects import Drop, Erase, Send
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Mode, Near, Release, board_key
from shelftalk.core.passing import gather_ahead, on_release
from shelftalk.core.scene import Scene
from shelftalk.core.shelf import on_ask, refresh
from shelftalk.core.state import Copybook, Neighbour, Shelf, ShelfState, Stage, Text, grown
from tests.core.making import (
    HOUR,
    NO_MODEL,
    NOW,
    RULES,
    after,
    ask,
    asks,
    cards,
    delisted,
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

TWO = (Neighbour("teapot-1", 5.0, 4.0, NOW), Neighbour("tin-1", 3.0, 0.0, NOW))


class TestShown:
    def test_without_a_model_the_phrasebook_answers_at_once(self) -> None:
        step = on_ask(shelf(), ask(), NOW, NO_MODEL)
        (publish,) = cards(step)
        assert publish.card.provenance.rung is Rung.PHRASEBOOK
        assert publish.card.revision == NOW << 10
        assert step.live["ada|next_1"] is not None
        assert step.live["ada|next_1"].stage is Stage.SHOWN

    def test_with_a_model_it_waits_for_words(self) -> None:
        step = on_ask(shelf(), ask(), NOW, RULES)
        (write,) = writes(step)
        assert write.urgent
        assert not cards(step)
        card = step.live["ada|next_1"]
        assert card is not None
        assert (card.stage, card.brief_id) == (Stage.AWAITING, write.brief.brief_id)

    def test_known_words_are_used_at_once(self) -> None:
        brief = writes(on_ask(shelf(), ask(), NOW, RULES))[0].brief
        known = shelf(copybook=Copybook({brief.brief_id: Text("{name} for {price}.", "m-1")}))
        (publish,) = cards(on_ask(known, ask(), NOW, RULES))
        assert publish.card.text == "Harbour Kettle for £40.00."
        assert publish.card.provenance.rung is Rung.CACHED
        assert publish.card.ai_generated

    def test_a_thousand_shoppers_with_one_reason_share_a_brief(self) -> None:
        briefs = {
            writes(on_ask(shelf(), ask(shopper_id=f"s{n}", origin=origin(n)), NOW, RULES))[0].brief.brief_id
            for n in range(1_000)
        }
        assert len(briefs) == 1

    @pytest.mark.parametrize("locale", ["xx-YY", "fr-FR"])
    def test_a_language_the_model_does_not_write_gets_the_phrasebook(self, locale: str) -> None:
        assert cards(on_ask(shelf(), ask(locale=locale), NOW, RULES))[0].card.provenance.rung is Rung.PHRASEBOOK

    def test_a_price_drop_on_what_lies_in_the_cart(self) -> None:
        sale = shelf(folded(upserted(), priced(3_000, NOW - HOUR)))
        carted = {"because": Angle.IN_CART, "placements": ("reminder",)}
        before = on_ask(sale, ask(**carted, carted_at_ms=NOW - 2 * HOUR), NOW, NO_MODEL)
        since = on_ask(sale, ask(**carted, carted_at_ms=NOW - HOUR // 2), NOW, NO_MODEL)
        assert cards(before)[0].card.provenance.angle is Angle.PRICE_DROPPED
        assert cards(since)[0].card.provenance.angle is Angle.IN_CART

    def test_your_brand(self) -> None:
        (publish,) = cards(on_ask(shelf(), ask(brands=("Harbour",)), NOW, NO_MODEL))
        assert publish.card.provenance.angle is Angle.YOUR_BRAND


class TestNotShown:
    def test_a_product_without_facts_is_never_written_about(self) -> None:
        step = on_ask(shelf(Facts(sku="kettle-1")), ask(seed=None), NOW, NO_MODEL)
        assert reasons(step) == ["unknown_sku"]
        (publish,) = cards(step)
        assert (publish.card.status, publish.card.text, publish.card.revision) == (Status.WITHDRAWN, "", NOW << 10)

    @pytest.mark.parametrize(
        "facts",
        [
            folded(upserted(), stocked(0)),
            folded(upserted(), delisted()),
            folded(upserted(), priced(3_000, NOW - HOUR, NOW - 1)),
        ],
        ids=["sold out", "delisted", "sale over"],
    )
    def test_the_next_best_is_asked(self, facts: Facts) -> None:
        step = on_ask(shelf(facts, neighbours=TWO), ask(), NOW, NO_MODEL)
        (onward,) = asks(step)
        assert (onward.key, onward.mode, onward.because, onward.hops) == ("teapot-1", Mode.SHOW, Angle.GOES_WITH, 1)
        assert onward.revision == NOW << 10
        assert "kettle-1" in onward.exclude
        assert not cards(step)

    def test_what_does_not_run_out_is_no_replenishment(self) -> None:
        assert reasons(on_ask(shelf(), ask(because=Angle.REPLENISH), NOW, NO_MODEL)) == ["not_consumable"]
        consumable = shelf(folded(upserted(consumable=True)))
        assert len(cards(on_ask(consumable, ask(because=Angle.REPLENISH), NOW, NO_MODEL))) == 1

    def test_an_ask_ends_after_a_few_hops_and_its_placement_is_emptied(self) -> None:
        step = on_ask(shelf(folded(upserted(), stocked(0)), neighbours=TWO), ask(hops=RULES.max_hops), NOW, RULES)
        assert reasons(step) == ["too_many_hops"]
        assert cards(step)[0].card.status is Status.WITHDRAWN


class TestNext:
    NEXT = ask(mode=Mode.NEXT, placements=("next_1", "next_2"), seed=None)

    def test_each_placement_goes_to_another_neighbour_and_none_to_the_same(self) -> None:
        first, second = asks(on_ask(shelf(neighbours=TWO), self.NEXT, NOW, NO_MODEL))
        assert [(one.key, one.placements, one.because) for one in (first, second)] == [
            ("teapot-1", ("next_1",), Angle.GOES_WITH),
            ("tin-1", ("next_2",), Angle.LIKE_VIEWED),
        ]
        assert "tin-1" in first.exclude
        assert "teapot-1" in second.exclude
        assert first.seed is not None
        assert first.seed.kind == "kettle"

    def test_what_is_left_over_goes_to_the_board(self) -> None:
        first, board = asks(on_ask(shelf(neighbours=TWO[:1]), self.NEXT, NOW, NO_MODEL))
        assert (first.key, board.key, board.placements) == ("teapot-1", board_key("kitchen.kettles"), ("next_2",))

    def test_the_excluded_are_not_shown(self) -> None:
        step = on_ask(shelf(neighbours=TWO), ask(mode=Mode.NEXT, exclude=("teapot-1",)), NOW, NO_MODEL)
        assert [one.key for one in asks(step)] == ["tin-1"]


class TestAgain:
    def test_a_redelivered_ask_shows_the_same_card(self) -> None:
        step = on_ask(shelf(), ask(), NOW, NO_MODEL)
        again = on_ask(after(shelf(), step), ask(), NOW + 500, NO_MODEL)
        assert cards(again)[0].card.card_id == cards(step)[0].card.card_id

    def test_a_card_that_was_refreshed_since_does_not_go_back(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        state = with_facts(state, priced(3_000))
        moved = refresh(state, state.live["ada|next_1"], NOW + 500, NO_MODEL)
        again = on_ask(after(state, moved), ask(), NOW + 900, NO_MODEL)
        assert cards(again)[0].card.card_id == cards(moved)[0].card.card_id

    def test_it_goes_the_same_way_even_if_the_neighbours_changed(self) -> None:
        going = ask(mode=Mode.NEXT, placements=("next_1", "next_2"))
        step = on_ask(shelf(neighbours=TWO), going, NOW, NO_MODEL)
        moved = after(shelf(neighbours=(Neighbour("mug-1", 9.0, 0.0, NOW), TWO[1])), step)
        assert [(one.key, one.placements) for one in asks(on_ask(moved, going, NOW, NO_MODEL))] == [
            ("teapot-1", ("next_1",)),
            ("tin-1", ("next_2",)),
        ]

    def test_it_waits_again_for_words(self) -> None:
        step = on_ask(shelf(), ask(), NOW, RULES)
        assert writes(on_ask(after(shelf(), step), ask(), NOW, RULES)) == writes(step)

    def test_an_older_ask_changes_nothing(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        for older in (ask(revision=1), ask(revision=1, mode=Mode.NEXT)):
            step = on_ask(state, older, NOW, NO_MODEL)
            assert (reasons(step), cards(step), step.live) == (["superseded"], [], {})

    def test_an_ask_whose_card_no_consumer_would_take_is_too_late(self) -> None:
        """The card was refreshed since, so its revision is higher: after a crash two chains of one ask may meet here."""
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        state = with_facts(state, priced(3_000))
        state = after(state, refresh(state, state.live["ada|next_1"], NOW + 500, NO_MODEL))
        revision = state.live["ada|next_1"].revision
        assert revision == grown(NOW << 10, NOW + 500) > NOW << 10
        for mode in (Mode.SHOW, Mode.NEXT):
            assert reasons(on_ask(state, ask(revision=revision - 1, mode=mode), NOW, NO_MODEL)) == ["superseded"]
            assert not reasons(on_ask(state, ask(revision=revision + 1, mode=mode), NOW, NO_MODEL))

    def test_a_newer_ask_takes_the_place_of_one_that_waits(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, RULES))
        step = on_ask(state, ask(revision=(NOW << 10) + 1, origin=origin(1)), NOW, RULES)
        assert [drop for drop in step.effects if isinstance(drop, Drop)] == [Drop("superseded", origin())]


class TestRelease:
    RELEASE = Release(key="kettle-1", shopper_id="ada", placements=("next_1",), revision=(NOW << 10) + 1)

    def test_a_shown_card_is_let_go_without_a_word(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        step = on_release(state, self.RELEASE)
        assert (step.live, step.effects) == ({"ada|next_1": None}, [])

    def test_erasure_leaves_a_tombstone(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(), NOW, NO_MODEL))
        gone = Release(
            key="kettle-1", shopper_id="ada", placements=("next_1",), revision=self.RELEASE.revision, erase=True
        )
        assert [type(effect) for effect in on_release(state, gone).effects] == [Erase]

    def test_it_follows_the_pointer(self) -> None:
        sold_out = shelf(folded(upserted(), stocked(0)), neighbours=TWO)
        step = on_release(after(sold_out, on_ask(sold_out, ask(), NOW, NO_MODEL)), self.RELEASE)
        (sent,) = step.effects
        assert isinstance(sent, Send)
        assert sent.message.key == "teapot-1"

    def test_two_placements_part_where_their_asks_did(self) -> None:
        passing = ask(mode=Mode.NEXT, placements=("next_1", "next_2"))
        state = after(shelf(neighbours=TWO), on_ask(shelf(neighbours=TWO), passing, NOW, NO_MODEL))
        both = Release(
            key="kettle-1", shopper_id="ada", placements=("next_1", "next_2"), revision=self.RELEASE.revision
        )
        step = on_release(state, both)
        sent = [effect.message for effect in step.effects if isinstance(effect, Send)]
        assert step.live == {"ada|next_1": None, "ada|next_2": None}
        assert {(one.key, one.placements) for one in sent if isinstance(one, Release)} == {
            (neighbour.sku, (place,)) for neighbour, place in zip(TWO, ("next_1", "next_2"), strict=True)
        }

    def test_a_newer_card_stays(self) -> None:
        state = after(shelf(), on_ask(shelf(), ask(revision=(NOW << 10) + 2), NOW, NO_MODEL))
        assert on_release(state, self.RELEASE).live == {}

    def test_an_ask_that_goes_another_way_now_releases_the_old_one(self) -> None:
        passing = ask(mode=Mode.NEXT)
        state = after(shelf(neighbours=TWO), on_ask(shelf(neighbours=TWO), passing, NOW, NO_MODEL))
        newer = ask(mode=Mode.NEXT, revision=(NOW << 10) + 4_096, exclude=("teapot-1",))
        step = on_ask(state, newer, NOW, NO_MODEL)
        releases = [e.message for e in step.effects if isinstance(e, Send) and isinstance(e.message, Release)]
        assert [(one.key, one.revision) for one in releases] == [("teapot-1", (NOW << 10) + 4_095)]


def test_the_brief_follows_the_meaning_and_not_the_price() -> None:
    state = shelf()
    card = on_ask(state, ask(), NOW, RULES).live["ada|next_1"]
    assert card is not None

    def brief(*events: object) -> str:
        return Scene(with_facts(state, *events).shelf.facts, NOW, RULES).brief(card).brief_id  # type: ignore[arg-type]

    assert brief(priced(3_950)) == brief()
    assert brief(priced(3_000)) == brief(priced(2_900)) != brief()
    assert brief(stocked(30)) == brief() != brief(stocked(3))
    assert Scene(state.shelf.facts, NOW, RULES).brief(card).promotion is Promotion.NONE


class TestOnTheWay:
    """An ask goes through the shelves of the session's earlier products before the present one answers."""

    def test_each_adds_what_it_met_and_remembers_nothing(self) -> None:
        state = shelf(neighbours=(Neighbour("cup", 2.0, 0.0, NOW),))
        step = on_ask(state, ask(mode=Mode.NEXT, via=("pot-1", "tray-1")), NOW, NO_MODEL)
        assert (step.live, step.shelf) == ({}, None)
        (onward,) = asks(step)
        assert (onward.key, onward.via, onward.hops) == ("pot-1", ("tray-1",), 0)
        assert [near.sku for near in onward.found] == ["cup"]

    def test_the_last_one_ranks_what_was_found_with_its_own(self) -> None:
        state = shelf(neighbours=(Neighbour("cup", 2.0, 0.0, NOW), Neighbour("tin", 1.5, 0.0, NOW)))
        found = (Near("tin", 0.9), Near("sieve", 0.1))
        step = on_ask(state, ask(mode=Mode.NEXT, placements=("next_1", "next_2"), found=found), NOW, NO_MODEL)
        assert [(one.key, one.placements, one.found) for one in asks(step)] == [
            ("tin", ("next_1",), ()),
            ("cup", ("next_2",), ()),
        ]

    def test_what_only_earlier_products_met_is_not_said_to_go_with_this_one(self) -> None:
        state = shelf(neighbours=(Neighbour("cup", 9.0, 9.0, NOW),))
        step = on_ask(
            state, ask(mode=Mode.NEXT, placements=("next_1", "next_2"), found=(Near("sieve", 0.1),)), NOW, NO_MODEL
        )
        assert [(one.key, one.because) for one in asks(step)] == [
            ("cup", Angle.GOES_WITH),
            ("sieve", Angle.LIKE_VIEWED),
        ]

    def test_from_shelves_at_hand_it_collects_without_going_there(self) -> None:
        """As on the way, shelf by shelf; it stops before the first that is not here, and never goes past the last."""
        shelves = {
            sku: Shelf(facts=Facts(sku=sku), neighbours=(Neighbour(f"by-{sku}", 2.0, 0.0, NOW),))
            for sku in ("a", "b", "d")
        }
        start = ask(key="a", mode=Mode.NEXT, via=("b", "c", "d"))
        onward = start
        for _ in range(2):
            (onward,) = asks(on_ask(ShelfState(shelves[onward.key]), onward, NOW, NO_MODEL))
        assert gather_ahead(start, shelves.get, NOW) == onward
        assert (onward.key, onward.via) == ("c", ("d",))
        shelves["c"] = Shelf(facts=Facts(sku="c"))
        there = gather_ahead(onward, shelves.get, NOW)
        assert isinstance(there, Ask)
        assert (there.key, there.via) == ("d", ())
        assert gather_ahead(there, shelves.get, NOW) is there

    def test_a_product_without_facts_passes_it_on_all_the_same(self) -> None:
        step = on_ask(shelf(Facts(sku="kettle-1")), ask(mode=Mode.NEXT, via=("pot-1",)), NOW, NO_MODEL)
        assert [one.key for one in asks(step)] == ["pot-1"]
        assert cards(step) == []
