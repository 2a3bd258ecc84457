"""The board of a category: who is asked when no shelf knows what goes with a product."""

from collections.abc import Mapping

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.effects import Step
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Mode, board_key
from shelftalk.core.neighbours import choose, is_popular
from shelftalk.core.passing import merge, nothing, send_on, superseded
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Board, LiveCard, Shelf, ShelfState, Stage
from shelftalk.core.taste import Taste


def on_board_ask(board: Board, live: Mapping[str, LiveCard], ask: Ask, now_ms: int, rules: ShelfRules) -> Step:
    """Pass an ask on to what is looked at in the category.

    Args:
        board: the products.
        live: the pointers that the board left to shelves it asked before: a release or a redelivery follows them.
        ask: what is asked.
        now_ms: the time.
        rules: how to decide.
    """
    # What the ask started from stands for the product that there isn't.
    state = ShelfState(Shelf(facts=Facts(sku=ask.seed.sku if ask.seed else ask.key)), live=live)
    if ask.hops >= rules.max_hops:
        return nothing(state, ask, "too_many_hops", now_ms, rules)
    step = Step()
    placements = [place for place in ask.placements if not superseded(step, live, ask, place)]
    asked = {place: key for place in placements if (key := _asked_before(live, ask, place))}
    fresh = [place for place in placements if place not in asked]
    exclude = frozenset((*ask.exclude, *asked.values()))
    found = choose(
        board,
        exclude,
        len(fresh),
        ask.origin.offset,
        seed=ask.seed,
        now_ms=now_ms,
        taste=_of_board(ask),
        brands=ask.brands,
        diversity=rules.diversity,
    )
    asked |= {place: entry.sku for place, entry in zip(fresh, found, strict=False)}
    popular = {entry.sku for entry in board.entries if is_popular(entry, now_ms)}
    passed = [
        msgspec.structs.replace(
            ask,
            key=sku,
            placements=(place,),
            mode=Mode.SHOW,
            because=Angle.POPULAR if sku in popular else Angle.INTRODUCE,
            hops=ask.hops + 1,
        )
        for place, sku in asked.items()
    ]
    send_on(step, live, passed, now_ms, rules)
    if left := tuple(place for place in placements if place not in asked):
        merge(step, nothing(state, msgspec.structs.replace(ask, placements=left), "nothing_to_show", now_ms, rules))
    return step


def _of_board(ask: Ask) -> Taste:
    """The shopper's taste, with a price band only if it is this category's."""
    band = ask.taste.band
    own = band is not None and board_key(band.category) == ask.key
    return ask.taste if own or band is None else msgspec.structs.replace(ask.taste, band=None)


def _asked_before(live: Mapping[str, LiveCard], ask: Ask, placement: str) -> str | None:
    held = live.get(f"{ask.shopper_id}|{placement}")
    again = held is not None and held.stage is Stage.PASSED and held.asked_revision == ask.revision
    return held.passed_to if held is not None and again else None
