"""What goes with what: co-visit counts that each shelf keeps of itself, and the boards that keep the heat of a category."""

from collections.abc import Iterator

import msgspec

from shelftalk.core.effects import Step
from shelftalk.core.messages import Followed, Heat
from shelftalk.core.react import CART_WEIGHT
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

#: Ids of counted co-visits that a shelf remembers: more than are in flight between two commits on one partition and SKU.
_REMEMBERED = 16

#: Newcomers are spread over this many of a board's products, so that the first is not shown to everybody.
_SPREAD = 6


def note_visit(shelf: Shelf, message: Followed) -> Shelf:
    """The shelf with one more co-visit counted; unchanged if it was counted before."""
    if message.event_id in shelf.counted:
        return shelf
    at_ms = message.at_ms
    held = {neighbour.sku: neighbour for neighbour in shelf.neighbours}
    old = held.get(message.next_sku)
    weight = message.weight + (decay(old.weight, at_ms - old.at_ms, NEIGHBOUR_HALF_LIFE_MS) if old else 0.0)
    bought = message.weight if message.weight >= CART_WEIGHT else 0.0
    bought += decay(old.bought, at_ms - old.at_ms, NEIGHBOUR_HALF_LIFE_MS) if old else 0.0
    held[message.next_sku] = Neighbour(message.next_sku, weight, bought, max(at_ms, old.at_ms if old else at_ms))
    return msgspec.structs.replace(
        shelf,
        neighbours=tuple(sorted(held.values(), key=lambda entry: _rank(entry, at_ms))[:MAX_NEIGHBOURS]),
        heat=decay(shelf.heat, at_ms - shelf.heat_at_ms, HEAT_HALF_LIFE_MS) + 1.0,
        heat_at_ms=max(at_ms, shelf.heat_at_ms),
        counted=(*shelf.counted, message.event_id)[-_REMEMBERED:],
    )


def _rank(neighbour: Neighbour, now_ms: int) -> tuple[float, str]:
    return -decay(neighbour.weight, now_ms - neighbour.at_ms, NEIGHBOUR_HALF_LIFE_MS), neighbour.sku


def ranked(neighbours: tuple[Neighbour, ...], now_ms: int, exclude: frozenset[str]) -> Iterator[Neighbour]:
    """Neighbours, best first, without the excluded."""
    return iter(sorted((n for n in neighbours if n.sku not in exclude), key=lambda entry: _rank(entry, now_ms)))


def on_heat(board: Board, message: Heat) -> Step:
    """Take a product's heat onto the board of its category."""
    others = [entry for entry in board.entries if entry.sku != message.sku]
    if message.heat > 0:
        others.append(Hot(message.sku, message.heat, message.at_ms))
    now_ms = max((entry.at_ms for entry in others), default=0)
    others.sort(key=lambda entry: (-decay(entry.heat, now_ms - entry.at_ms, HEAT_HALF_LIFE_MS), entry.sku))
    return Step(board=Board(tuple(others[:MAX_BOARD])))


def choose(board: Board, exclude: frozenset[str], count: int, turn: int) -> list[Hot]:
    """Up to `count` of the products that are looked at most, spread over the first few by `turn`."""
    hot = [entry for entry in board.entries if entry.sku not in exclude][:_SPREAD]
    return [hot[(turn + index) % len(hot)] for index in range(min(count, len(hot)))]


def is_popular(entry: Hot, now_ms: int) -> bool:
    """Only what really is looked at is called popular."""
    return decay(entry.heat, now_ms - entry.at_ms, HEAT_HALF_LIFE_MS) >= POPULAR_HEAT
