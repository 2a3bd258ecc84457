"""Ours: the rules of production, fed with a log.

`react`, the shelves and the boards are those that run in the worker, message by message; only Kafka between them is left out. What
they would fill a long page of placements with, in order, is their ranking. So nothing can win here that a shopper would not get.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from shelftalk.core.asks import on_ask
from shelftalk.core.board import on_board_ask
from shelftalk.core.effects import Send, Step
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, CoVisited, Heat, Message, Mode, Origin, is_board
from shelftalk.core.neighbours import on_heat
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.core.react import react
from shelftalk.core.rules import ShelfRules
from shelftalk.core.shelf import on_co_visited, on_inventory
from shelftalk.core.state import Board, Shelf, ShelfState
from shelftalk.evaluate.method import Session
from shelftalk.events.log_events import Facts as Said
from shelftalk.events.log_events import Row
from shelftalk.events.rees46 import Rees46, describe
from shelftalk.events.types import Behaviour, Inventory

#: A page long enough for the longest list that is asked for.
_PLACEMENTS: Final = tuple(f"next_{number}" for number in range(1, 41))

#: Production's rules but for when to speak, which is not the question here; the page grows when a list is asked for.
_POLICY: Final = Policy(placements=_PLACEMENTS[:1], debounce_ms=0, max_per_hour=10_000, quiet_after_order_ms=0)

#: Nothing is written for everybody: that costs time and changes no ranking.
_RULES: Final = ShelfRules(channels={})


def _describe(row: Row) -> Said:
    """A shop knows the names of its products, though its log does not say them."""
    said = describe(row)
    category = row.category_code or f"rees46.{row.category_id or 'unknown'}"
    return said or Said(name=f"Product {row.product_id}", category=category)


class Shelves:
    """Profiles, shelves and boards in memory, and the ask that each session has open.

    Args:
        policy: of react.
    """

    def __init__(self, policy: Policy = _POLICY) -> None:
        self._policy = policy
        self._log = Rees46(_describe)
        self._profiles: dict[str, Profile] = {}
        self._shelves: dict[str, Shelf] = {}
        self._boards: dict[str, Board] = {}
        self._asks: dict[str, Ask] = {}
        self._offset = self._rows = 0

    def learn(self, row: Row, session: Session) -> None:
        """Everything that a worker would do about it, but for the cards."""
        self._rows += 1
        row = msgspec.structs.replace(
            row, number=self._rows
        )  # each file counts its own: two would have events of one id
        for event in self._log.events(row, row.at_ms):
            self._offset += 1
            origin = partial(
                Origin, partition=0, offset=self._offset, event_id=event.event_id, occurred_at_ms=row.at_ms
            )
            if isinstance(event, Inventory):
                state = ShelfState(self._shelf(event.sku))
                self._apply(event.sku, on_inventory(state, event, origin(topic="inventory"), _RULES))  # type: ignore[arg-type]
            elif isinstance(event, Behaviour):
                profile = self._profiles.get(event.shopper_id)
                reaction = react(profile, event, origin(topic="behaviour"), self._policy)  # type: ignore[arg-type]
                if reaction.profile is not None:
                    self._profiles[event.shopper_id] = reaction.profile
                for message in reaction.messages:
                    self._deliver(message, session.key)

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """Where the asks to show a product go when the open ask is answered, by placement."""
        ask = self._asks.get(session.key)
        if ask is None:
            return []
        shown: dict[str, str] = {}
        open_asks = [msgspec.structs.replace(ask, placements=_PLACEMENTS[:count])]
        while open_asks:
            ask = open_asks.pop()
            step = self._answer(ask, at_ms)
            for effect in step.effects:
                if isinstance(effect, Send) and isinstance(effect.message, Ask):
                    onward = effect.message
                    if onward.mode is Mode.SHOW:
                        shown[onward.placements[0]] = onward.key
                    else:
                        open_asks.append(onward)
        return [shown[place] for place in _PLACEMENTS if place in shown]

    def _answer(self, ask: Ask, at_ms: int) -> Step:
        if is_board(ask.key):
            return on_board_ask(self._boards.get(ask.key, Board()), {}, ask, at_ms, _RULES)
        return on_ask(ShelfState(self._shelf(ask.key)), ask, at_ms, _RULES)

    def _shelf(self, sku: str) -> Shelf:
        return self._shelves.get(sku) or Shelf(facts=Facts(sku=sku))

    def _deliver(self, message: Message, session: str) -> None:
        match message:
            case CoVisited():
                self._apply(message.key, on_co_visited(ShelfState(self._shelf(message.key)), message))
            case Heat():
                self._apply(message.key, on_heat(self._boards.get(message.key, Board()), message))
            case Ask(mode=Mode.NEXT):
                self._asks[session] = message

    def _apply(self, key: str, step: Step) -> None:
        if step.shelf is not None:
            self._shelves[key] = step.shelf
        if step.board is not None:
            self._boards[key] = step.board
        for effect in step.effects:
            if isinstance(effect, Send):
                self._deliver(effect.message, "")
