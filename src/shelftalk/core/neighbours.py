"""What goes with what: co-visits that each shelf keeps of itself, and the boards that keep the heat of a category.

A list for a shopper is made of three things, in this order of trust:

1. What was met with the products of their session, on the shelves of those products: co-visits in both directions, the nearer in
   the session the heavier, halved every two weeks, the strongest `MAX_NEIGHBOURS` a shelf. The ask goes through the shelves of the
   last few products, each adds its own with a weight that falls with its age (`gather`), and the last one ranks the sum.
2. What is looked at in the category now, on its board: the warmer, the nearer in price and of the same brand, the better.
3. Nothing: the placement stays empty.

``shelftalk evaluate next-item`` holds these numbers against session-kNN and others (`shelftalk.evaluate`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from shelftalk.core.effects import Step
from shelftalk.core.messages import CoVisited, Heat, Near, Seed
from shelftalk.core.state import (
    HEAT_HALF_LIFE_MS,
    MAX_BOARD,
    MAX_NEIGHBOURS,
    NEIGHBOUR_HALF_LIFE_MS,
    POPULAR_HEAT,
    Board,
    Hot,
    Neighbour,
    Shelf,
    decay,
)
from shelftalk.core.taste import NO_TASTE, Taste, family

#: Ids of counted co-visits that a shelf remembers: more than are in flight between two commits on one partition and SKU.
_REMEMBERED = 16

#: On a board where nothing is popular yet, newcomers are spread over this many products, so that the first is not shown to all.
_SPREAD = 6

#: Products that an ask collects on its way.
MAX_FOUND = 60

#: How fast the products of a session lose weight with age: 1, 0.35, 0.19, 0.13 ...
_AGE_POWER = 1.5

#: How much more likely the next product of the same brand is; and how fast that falls with the distance in price, whose
#: logarithm counts: at twice or half the price it is half as likely.
_SAME_BRAND = 3.0

#: Likewise for a brand that the shopper keeps choosing, and for the distance from the prices that they look at.
_OWN_BRAND, _OFF_BAND = 1.5, 0.5

#: Cards of one row of a page; further down nobody minds that two are alike.
_SEEN_AT_ONCE = 3


def note_visit(shelf: Shelf, message: CoVisited) -> Shelf:
    """The shelf with these co-visits counted; unchanged if they were counted before."""
    if message.event_id in shelf.counted:
        return shelf
    at_ms = message.at_ms
    held = {neighbour.sku: neighbour for neighbour in shelf.neighbours}
    for near in message.others:
        old = held.get(near.sku)
        weight, bought, since_ms = near.weight, near.weight if message.together else 0.0, at_ms
        if old is not None:
            weight += decay(old.weight, at_ms - old.at_ms, NEIGHBOUR_HALF_LIFE_MS)
            bought += decay(old.bought, at_ms - old.at_ms, NEIGHBOUR_HALF_LIFE_MS)
            since_ms = max(at_ms, old.at_ms)
        kin = near.family or (old.family if old is not None else 0)
        held[near.sku] = Neighbour(near.sku, weight, bought, since_ms, kin)
    if len(held) > MAX_NEIGHBOURS:
        # Written out, since each visit does it: the weakest go, of equals the one whose name sorts last.
        ranked = sorted(
            [
                (-one.weight * 0.5 ** (max(at_ms - one.at_ms, 0) / NEIGHBOUR_HALF_LIFE_MS), one.sku)
                for one in held.values()
            ]
        )
        for _, sku in ranked[MAX_NEIGHBOURS:]:
            del held[sku]
    changes: dict[str, object] = {}
    if message.visit:
        heat = decay(shelf.heat, at_ms - shelf.heat_at_ms, HEAT_HALF_LIFE_MS) + 1.0
        changes = {"heat": heat, "heat_at_ms": max(at_ms, shelf.heat_at_ms)}
    counted = (*shelf.counted, message.event_id)[-_REMEMBERED:]
    return msgspec.structs.replace(shelf, neighbours=tuple(held.values()), counted=counted, **changes)


def gathered(
    found: Iterable[Near], stops: Iterable[tuple[Sequence[Neighbour], int]], now_ms: int, *, together: float = 0.0
) -> tuple[Near, ...]:
    """What an ask has found, with what shelves on its way add; best first, at most `MAX_FOUND`.

    Args:
        found: so far.
        stops: of each shelf, its neighbours, and how many products ago the shopper was there; 0 is now.
        now_ms: the time.
        together: how much more co-visits from carts and orders weigh.
    """
    weights, kin = {}, {}
    for near in found:
        weights[near.sku], kin[near.sku] = near.weight, near.family
    known = weights.get
    for neighbours, age in stops:
        # `decay`, written out: four shelves an event do this for up to sixty neighbours each, a third of all that the rules cost.
        own = [
            (one.weight + together * one.bought)
            * (0.5 ** ((now_ms - one.at_ms) / NEIGHBOUR_HALF_LIFE_MS) if one.at_ms < now_ms else 1.0)
            for one in neighbours
        ]
        # By the root of the sum: a product that everybody meets must not drown what others of the session say, but it knows more.
        share = (age + 1.0) ** -_AGE_POWER / math.sqrt(1.0 + sum(own))
        for one, weight in zip(neighbours, own, strict=True):
            sku = one.sku
            weights[sku] = known(sku, 0.0) + weight * share
            if one.family:
                kin[sku] = one.family
    best = sorted([(-weight, sku) for sku, weight in weights.items()])[:MAX_FOUND]
    return tuple([Near(sku, -weight, kin.get(sku, 0)) for weight, sku in best])


def varied(found: Sequence[Near], count: int, diversity: float) -> list[str]:
    """The first `count` products of a list, of which those that are seen at once do not go on about one thing.

    Greedy, as maximal marginal relevance is (J. Carbonell, J. Goldstein, SIGIR 1998): each product loses by its likeness to those
    before it, which is whether it is of the same category and brand.

    Args:
        found: best first.
        count: how many are wanted.
        diversity: what remains of a product's weight for each one of its family before it; 1 is the list as it is.
    """
    left, met = list(found), Counter[int]()
    picked: list[str] = []
    while left and len(picked) < min(count, _SEEN_AT_ONCE):
        best = max(left, key=lambda near: near.weight * diversity ** met[near.family])
        left.remove(best)
        picked.append(best.sku)
        if best.family:
            met[best.family] += 1
    return [*picked, *(near.sku for near in left)][:count]


def on_heat(board: Board, message: Heat) -> Step:
    """Take a product's heat onto the board of its category."""
    others = [entry for entry in board.entries if entry.sku != message.sku]
    if message.heat > 0:
        others.append(Hot(message.sku, message.heat, message.at_ms, message.brand, message.price_minor))
    now_ms = max((entry.at_ms for entry in others), default=0)
    others.sort(key=lambda entry: (-_heat(entry, now_ms), entry.sku))
    return Step(board=Board(tuple(others[:MAX_BOARD])))


def _heat(entry: Hot, now_ms: int) -> float:
    return decay(entry.heat, now_ms - entry.at_ms, HEAT_HALF_LIFE_MS)


def choose(
    board: Board,
    exclude: frozenset[str],
    count: int,
    turn: int,
    *,
    seed: Seed | None,
    now_ms: int,
    taste: Taste = NO_TASTE,
    brands: Sequence[str] = (),
    diversity: float = 1.0,
) -> list[Hot]:
    """Up to `count` of the board's products: warm, and like the one that the ask started from.

    Args:
        board: of the category.
        exclude: products that must not be shown.
        count: how many are wanted.
        turn: which of the first few comes first where nothing is popular yet.
        seed: where the ask started.
        now_ms: the time.
        taste: of the shopper.
        brands: that they keep choosing.
        diversity: as of `varied`; on a board the families are its brands.
    """
    scored = [
        (-_heat(entry, now_ms) * _likeness(entry, seed) * _liking(entry, taste, brands), entry.sku, entry)
        for entry in board.entries
        if entry.sku not in exclude
    ]
    by_sku = {sku: entry for _, sku, entry in scored}
    ranked = [Near(sku, -score, family(entry.brand, None)) for score, sku, entry in sorted(scored)]
    able = [by_sku[sku] for sku in varied(ranked, max(count, _SPREAD), diversity)]
    first = able[:_SPREAD]
    if first and not any(is_popular(entry, now_ms) for entry in first):
        able[:_SPREAD] = [first[(turn + index) % len(first)] for index in range(len(first))]
    return able[:count]


def _likeness(entry: Hot, seed: Seed | None) -> float:
    if seed is None:
        return 1.0
    same = _SAME_BRAND if entry.brand is not None and entry.brand == seed.brand else 1.0
    if entry.price_minor <= 0 or seed.price_minor <= 0:
        return same
    return same * math.exp(-abs(math.log(entry.price_minor / seed.price_minor)))


def _liking(entry: Hot, taste: Taste, brands: Sequence[str]) -> float:
    """How much more likely it is for what the shopper chooses elsewhere: their brands, and their prices in this category."""
    own = _OWN_BRAND if entry.brand is not None and entry.brand in brands else 1.0
    band = taste.band
    if band is None or entry.price_minor <= 0 or band.low_minor <= entry.price_minor <= band.high_minor:
        return own
    edge = band.low_minor if entry.price_minor < band.low_minor else band.high_minor
    return own * math.exp(-_OFF_BAND * abs(math.log(entry.price_minor / edge)))


def is_popular(entry: Hot, now_ms: int) -> bool:
    """Only what really is looked at is called popular."""
    return _heat(entry, now_ms) >= POPULAR_HEAT
