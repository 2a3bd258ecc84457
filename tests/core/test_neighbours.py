"""What goes with what: co-visits on each shelf, and the boards of the categories."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.board import on_board_ask
from shelftalk.core.brief import Angle
from shelftalk.core.card import Status
from shelftalk.core.effects import Send, Step
from shelftalk.core.facts import Facts
from shelftalk.core.interest import Band
from shelftalk.core.messages import CoVisited, Heat, Mode, Near, Release, Seed, board_key
from shelftalk.core.neighbours import MAX_FOUND, choose, gathered, note_visit, on_heat, varied
from shelftalk.core.passing import on_release
from shelftalk.core.shelf import on_co_visited, on_inventory
from shelftalk.core.state import (
    HEAT_HALF_LIFE_MS,
    MAX_BOARD,
    MAX_NEIGHBOURS,
    NEIGHBOUR_HALF_LIFE_MS,
    UNSEEN_HEAT,
    Board,
    Hot,
    LiveCard,
    Neighbour,
    Shelf,
)
from shelftalk.core.taste import Taste
from tests.core.making import (
    NO_MODEL,
    NOW,
    after,
    ask,
    asks,
    cards,
    delisted,
    origin,
    reasons,
    shelf,
    stocked,
    upserted,
)


def visit(sku: str, at_ms: int = NOW, weight: float = 1.0, event_id: str = "", *, together: bool = False) -> CoVisited:
    return CoVisited(
        key="kettle-1",
        others=(Near(sku, weight),),
        at_ms=at_ms,
        event_id=event_id or f"{sku}-{at_ms}",
        together=together,
        visit=True,
    )


EMPTY = Shelf(facts=Facts(sku="kettle-1"))


def heats(step: Step) -> list[Heat]:
    return [effect.message for effect in step.effects if isinstance(effect, Send) and isinstance(effect.message, Heat)]


class TestVisits:
    def test_weights_add_up_and_halve_with_time(self) -> None:
        kept = note_visit(note_visit(EMPTY, visit("a")), visit("a", NOW + NEIGHBOUR_HALF_LIFE_MS))
        assert kept.neighbours == (Neighbour("a", 1.5, 0.0, NOW + NEIGHBOUR_HALF_LIFE_MS),)

    def test_only_carts_and_orders_say_that_two_go_together(self) -> None:
        kept = note_visit(note_visit(EMPTY, visit("a")), visit("b", weight=5.0, together=True))
        assert {one.sku: one.bought for one in kept.neighbours} == {"a": 0.0, "b": 5.0}

    def test_a_redelivery_is_not_counted_twice(self) -> None:
        once = note_visit(EMPTY, visit("a"))
        assert note_visit(once, visit("a")) == once

    def test_being_told_of_is_no_visit(self) -> None:
        told = CoVisited(key="kettle-1", others=(Near("a", 0.5),), at_ms=NOW, event_id="e")
        kept = note_visit(EMPTY, told)
        assert (kept.heat, kept.neighbours) == (0.0, (Neighbour("a", 0.5, 0.0, NOW),))

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 10**9)), max_size=120))
    def test_bounded_and_never_negative_whatever_the_order(self, visits: list[tuple[int, int]]) -> None:
        kept = EMPTY
        for number, (sku, at_ms) in enumerate(visits):
            kept = note_visit(kept, visit(f"p{sku}", at_ms, event_id=str(number)))
            assert len(kept.neighbours) <= MAX_NEIGHBOURS
            assert len(kept.counted) <= 16
            assert kept.heat >= 1.0
            assert all(one.weight > 0 for one in kept.neighbours)


class TestGathered:
    def known(self, *weights: tuple[str, float]) -> tuple[Neighbour, ...]:
        return tuple(Neighbour(sku, weight, 0.0, NOW) for sku, weight in weights)

    def test_what_several_products_of_the_session_met_comes_first(self) -> None:
        first = gathered((), [(self.known(("a", 3.0), ("b", 2.0)), 1)], NOW)
        assert [near.sku for near in first] == ["a", "b"]
        both = gathered(first, [(self.known(("b", 1.0), ("c", 1.0)), 0)], NOW)
        assert [near.sku for near in both] == ["b", "c", "a"]

    def test_the_longer_ago_the_less_it_weighs(self) -> None:
        weights = [gathered((), [(self.known(("a", 1.0)), age)], NOW)[0].weight for age in range(4)]
        assert weights == sorted(weights, reverse=True)
        assert weights[3] < weights[0] / 7

    def test_old_evidence_fades(self) -> None:
        (old,) = gathered((), [((Neighbour("a", 1.0, 0.0, NOW - NEIGHBOUR_HALF_LIFE_MS),), 0)], NOW)
        (new,) = gathered((), [(self.known(("a", 1.0)), 0)], NOW)
        assert old.weight < new.weight

    def test_a_product_that_everybody_meets_does_not_drown_the_others(self) -> None:
        crowd = self.known(*((f"p{number:02}", 10.0) for number in range(60)))
        found = gathered(gathered((), [(crowd, 1)], NOW), [(self.known(("rare", 1.0)), 0)], NOW)
        assert found[0].sku == "rare"

    def test_it_is_bounded(self) -> None:
        found: tuple[Near, ...] = ()
        for shelf_number in range(5):
            found = gathered(found, [(self.known(*((f"{shelf_number}-{n}", 1.0 + n) for n in range(60))), 0)], NOW)
            assert len(found) <= MAX_FOUND


class TestLikeness:
    SEED = Seed(sku="k", kind="kettle", category="kitchen", brand="Harbour", price_minor=4_000)

    def picked(self, *entries: Hot, seed: Seed | None = SEED, **taste: Any) -> list[str]:
        return [hot.sku for hot in choose(Board(entries), frozenset(), 9, 0, seed=seed, now_ms=NOW, **taste)]

    def test_of_the_warm_the_same_brand_first(self) -> None:
        entries = (Hot("other", 9.0, NOW, "Tern", 4_000), Hot("same", 8.0, NOW, "Harbour", 4_000))
        assert self.picked(*entries) == ["same", "other"]
        assert self.picked(*entries, seed=None) == ["other", "same"]

    def test_and_the_nearer_in_price(self) -> None:
        entries = (Hot("dear", 9.0, NOW, None, 40_000), Hot("near", 8.0, NOW, None, 4_400), Hot("unpriced", 8.5, NOW))
        assert self.picked(*entries) == ["unpriced", "near", "dear"]

    def test_and_what_the_shopper_chooses_elsewhere(self) -> None:
        entries = (Hot("other", 9.0, NOW, "Tern", 4_000), Hot("own", 8.0, NOW, "Gale", 4_000))
        assert self.picked(*entries) == ["other", "own"]
        assert self.picked(*entries, brands=("Gale",)) == ["own", "other"]

    def test_and_the_prices_that_they_look_at(self) -> None:
        entries = (Hot("dear", 9.0, NOW, None, 8_000), Hot("cheap", 8.0, NOW, None, 2_000))
        assert self.picked(*entries) == ["dear", "cheap"]
        band = Band("kitchen", "GBP", 1_500, 3_000)
        assert self.picked(*entries, taste=Taste(band=band)) == ["cheap", "dear"]


class TestVaried:
    FOUND = (Near("a", 1.0, 7), Near("b", 0.95, 7), Near("c", 0.94, 8), Near("d", 0.9, 7), Near("e", 0.2))

    def test_what_is_seen_at_once_is_not_all_of_one_family(self) -> None:
        assert varied(self.FOUND, 2, 0.9) == ["a", "c"]
        assert varied(self.FOUND, 5, 0.9) == ["a", "c", "b", "d", "e"]

    def test_unless_there_is_nothing_near_as_good_or_a_shop_does_not_mind(self) -> None:
        assert varied((Near("a", 1.0, 7), Near("b", 0.9, 7), Near("c", 0.1, 8)), 2, 0.9) == ["a", "b"]
        assert varied(self.FOUND, 3, 1.0) == ["a", "b", "c"]

    def test_of_unknown_families_nothing_is_known(self) -> None:
        assert varied((Near("a", 1.0), Near("b", 0.99), Near("c", 0.98)), 3, 0.1) == ["a", "b", "c"]


class TestHeat:
    def test_is_told_to_the_board_when_it_moved_by_half(self) -> None:
        state, told = shelf(), []
        for number in range(20):
            step = on_co_visited(state, visit("a", event_id=str(number)))
            told += [round(heat.heat) for heat in heats(step)]
            state = after(state, step)
        assert told == [1, 2, 3, 5, 8, 12, 18]

    def test_a_new_product_gets_a_place_and_one_that_is_gone_loses_it(self) -> None:
        state = shelf(Facts(sku="kettle-1"))
        born = on_inventory(state, upserted(), origin(0, "inventory"), NO_MODEL)
        assert [(heat.key, heat.heat) for heat in heats(born)] == [(board_key("kitchen.kettles"), UNSEEN_HEAT)]
        gone = on_inventory(after(state, born), delisted(), origin(1, "inventory"), NO_MODEL)
        assert [heat.heat for heat in heats(gone)] == [0.0]

    def test_another_category_is_another_board(self) -> None:
        moved = on_inventory(shelf(), upserted(NOW, category="garden"), origin(1, "inventory"), NO_MODEL)
        assert [(heat.key, heat.heat > 0) for heat in heats(moved)] == [
            (board_key("kitchen.kettles"), False),
            (board_key("garden"), True),
        ]

    def test_a_redelivered_event_tells_it_again(self) -> None:
        first = on_inventory(shelf(), stocked(0), origin(1, "inventory"), NO_MODEL)
        again = on_inventory(after(shelf(), first), stocked(0), origin(1, "inventory"), NO_MODEL)
        assert [heat.heat for heat in heats(again)] == [0.0]

    def test_a_board_is_bounded_and_the_coldest_go(self) -> None:
        board = Board()
        for number in range(MAX_BOARD + 5):
            step = on_heat(board, Heat(key="category:x", sku=f"p{number}", heat=number + 1.0, at_ms=NOW))
            assert step.board is not None
            board = step.board
        assert [entry.sku for entry in board.entries][:2] == ["p44", "p43"]
        assert len(board.entries) == MAX_BOARD
        step = on_heat(board, Heat(key="category:x", sku="p44", heat=0.0, at_ms=NOW))
        assert step.board is not None
        assert "p44" not in {entry.sku for entry in step.board.entries}


class TestBoard:
    HOT = Board((Hot("a", 9.0, NOW), Hot("b", 1.0, NOW), Hot("c", 0.01, NOW)))
    ASK = ask(key="category:kitchen.kettles", mode=Mode.NEXT, placements=("next_1", "next_2"), hops=1)

    def test_each_placement_gets_another_product(self) -> None:
        sent = asks(on_board_ask(self.HOT, {}, self.ASK, NOW, NO_MODEL))
        assert [(one.key, one.placements, one.because) for one in sent] == [
            ("a", ("next_1",), Angle.POPULAR),
            ("b", ("next_2",), Angle.INTRODUCE),  # one visit is not popularity
        ]
        assert "b" in sent[0].exclude

    def test_the_excluded_are_not_shown(self) -> None:
        step = on_board_ask(self.HOT, {}, ask(hops=1, exclude=("a", "c")), NOW, NO_MODEL)
        assert [one.key for one in asks(step)] == ["b"]

    def test_popularity_fades(self) -> None:
        sent = asks(on_board_ask(self.HOT, {}, self.ASK, NOW + HEAT_HALF_LIFE_MS, NO_MODEL))
        assert {one.because for one in sent} == {Angle.INTRODUCE}

    def test_newcomers_are_spread_while_nothing_is_popular(self) -> None:
        def firsts(board: Board) -> set[str]:
            return {
                asks(on_board_ask(board, {}, ask(hops=1, origin=origin(offset)), NOW, NO_MODEL))[0].key
                for offset in range(6)
            }

        assert firsts(self.HOT) == {"a"}
        assert firsts(Board((Hot("a", 2.0, NOW), *self.HOT.entries[1:]))) == {"a", "b", "c"}

    def test_a_placement_for_which_nothing_is_left_is_emptied(self) -> None:
        step = on_board_ask(Board(self.HOT.entries[:1]), {}, self.ASK, NOW, NO_MODEL)
        assert len(asks(step)) == 1
        assert reasons(step) == ["nothing_to_show"]
        assert [(one.card.placement, one.card.status) for one in cards(step)] == [("next_2", Status.WITHDRAWN)]

    def test_an_ask_ends_after_a_few_hops(self) -> None:
        step = on_board_ask(self.HOT, {}, ask(hops=NO_MODEL.max_hops), NOW, NO_MODEL)
        assert (reasons(step), len(cards(step))) == (["too_many_hops"], 1)

    def pointers(self) -> dict[str, LiveCard]:
        step = on_board_ask(self.HOT, {}, self.ASK, NOW, NO_MODEL)
        return {key: card for key, card in step.live.items() if card is not None}

    def test_a_redelivery_goes_the_same_way_though_the_board_changed(self) -> None:
        other = Board((Hot("z", 99.0, NOW),))
        sent = asks(on_board_ask(other, self.pointers(), self.ASK, NOW, NO_MODEL))
        assert [one.key for one in sent] == ["a", "b"]

    def test_a_release_finds_its_way_through_it(self) -> None:
        state = shelf(Facts(sku="kettle-1"), live=self.pointers())
        release = Release(
            key="category:kitchen.kettles", shopper_id="ada", placements=("next_2",), revision=(NOW << 10) + 9
        )
        (sent,) = on_release(state, release).effects
        assert isinstance(sent, Send)
        assert sent.message.key == "b"
