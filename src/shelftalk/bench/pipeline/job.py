"""The job as a user of another framework would write it around the same rules: a record in, state changed, records out.

What is compared are shells, so the rules are shelftalk's own pure functions: the same events are asked about, the same neighbours
found, the same lines rendered, and in the end the same cards stand in the cards topic (the benchmark looks). Left out is what
only shelftalk promises: shoppers who ask to be forgotten, redeliveries that say again what may have been lost, pages where no two
cards begin alike, the clock (sales that end, cards that expire), limits on what is kept, metrics.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from shelftalk.core.board import on_board_ask
from shelftalk.core.effects import Effect, Publish, Send, Step
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, CoVisited, Heat, Origin, Release, decode_message, encode_message, is_board
from shelftalk.core.neighbours import on_heat
from shelftalk.core.offer import Offer
from shelftalk.core.passing import gather_ahead
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.core.react import react
from shelftalk.core.refresh import refresh
from shelftalk.core.shelf import ShelfRules, on_ask, on_co_visited, on_inventory, on_release
from shelftalk.core.state import Board, LiveCard, Shelf, ShelfState
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.stream.fence import Shown


class Out(msgspec.Struct, frozen=True):
    """A record to be produced.

    Attributes:
        topic: ``asks``, ``offers``, ``cards``, ``copy`` or ``dead_letters``.
    """

    topic: str
    key: str
    value: bytes


class In(msgspec.Struct, frozen=True):
    """A record that was consumed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class State(Protocol):
    """Where the state of the record's key lives; the framework decides how."""

    def get(self, table: str, key: str) -> Any:
        """A value, or ``None``."""

    def put(self, table: str, key: str, value: msgspec.Struct | None) -> None:
        """Keep it, or delete it."""

    def live(self, sku: str) -> dict[str, LiveCard]:
        """The live cards of a product, in memory."""

    def at_hand(self, sku: str) -> Shelf | None:
        """Another product's shelf, to look at, where the framework lets one."""


#: How long all producers wait for company, in ms: as long as the worker's.
LINGER_MS = 1

#: The type of each table's values, for who must decode them.
TABLES: dict[str, type[msgspec.Struct]] = {
    "profiles": Profile,
    "shelves": Shelf,
    "boards": Board,
    "live": LiveCard,
    "shown": Shown,
}

_decode_offer = msgspec.json.Decoder(Offer).decode


class Job:
    """The rules, in the order that records meet them. Without a model: every card has its line from the phrasebook."""

    def __init__(self) -> None:
        self._policy = Policy()
        self._rules = ShelfRules()

    def handle(self, topic: str, record: In, state: State, now_ms: int) -> Iterator[Out]:
        """One record; what cannot be read goes to the dead letters."""
        try:
            yield from getattr(self, topic)(record, state, now_ms)
        except (BadInputError, msgspec.DecodeError):
            yield Out("dead_letters", (record.key or b"").decode(errors="replace"), record.value or b"")

    def behaviour(self, record: In, state: State, now_ms: int) -> Iterator[Out]:
        """React: fold the profile, ask the shelves."""
        event = decode_behaviour(record.value, now_ms)
        _require_key(record, event.shopper_id)
        origin = _origin(record, event.event_id, event.occurred_at_ms)
        profile = state.get("profiles", event.shopper_id)
        reaction = react(profile, event, origin, self._policy)
        state.put("profiles", event.shopper_id, reaction.profile)
        for message in reaction.messages:
            onward = gather_ahead(message, state.at_hand, now_ms)
            yield Out("asks", onward.key, encode_message(onward))

    def inventory(self, record: In, state: State, now_ms: int) -> Iterator[Out]:
        """Shelf: fold the facts, refresh every live card."""
        event = decode_inventory(record.value, now_ms)
        _require_key(record, event.sku)
        sku, live = event.sku, state.live(event.sku)
        shelf = state.get("shelves", sku) or Shelf(facts=Facts(sku=sku))
        origin = _origin(record, event.event_id, event.occurred_at_ms)
        step = on_inventory(ShelfState(shelf, live=live), event, origin, self._rules)
        yield from self._apply(sku, step, state, live)
        shelf = step.shelf or shelf
        for card in list(live.values()):
            step = refresh(ShelfState(shelf, live=live), card, now_ms, self._rules)
            yield from self._apply(sku, step, state, live)

    def asks(self, record: In, state: State, now_ms: int) -> Iterator[Out]:
        """Shelf, or board: show a product or pass the ask on, count what goes with what."""
        message = decode_message(record.value or b"")
        key, live = message.key, state.live(message.key)
        if is_board(key):
            board = state.get("boards", key) or Board()
            match message:
                case Ask():
                    step = on_board_ask(board, live, message, now_ms, self._rules)
                case Heat():
                    step = on_heat(board, message)
                case Release():
                    step = on_release(ShelfState(Shelf(facts=Facts(sku=key)), live=live), message)
                case _:
                    return
        else:
            shelf = ShelfState(state.get("shelves", key) or Shelf(facts=Facts(sku=key)), live=live)
            match message:
                case Ask():
                    step = on_ask(shelf, message, now_ms, self._rules)
                case CoVisited():
                    step = on_co_visited(shelf, message)
                case Release():
                    step = on_release(shelf, message)
                case _:
                    return
        yield from self._apply(key, step, state, live)

    def offers(self, record: In, state: State, now_ms: int) -> Iterator[Out]:  # noqa: ARG002  as the others
        """Fence: only newer cards pass."""
        raw = record.value or b""
        offer = _decode_offer(raw)
        key, revision = f"{offer.shopper_id}|{offer.placement}", offer.revision or 0
        newest = state.get("shown", key)
        if newest is not None and revision < newest.revision:
            return
        live = offer.status == "live"
        if newest is None or revision > newest.revision:
            state.put("shown", key, Shown(revision, live))
            if not live and (newest is None or not newest.live):
                return
        yield Out("cards", key, raw)

    def _apply(self, sku: str, step: Step, state: State, live: dict[str, LiveCard]) -> Iterator[Out]:
        if step.shelf is not None:
            state.put("shelves", sku, step.shelf)
        if step.board is not None:
            state.put("boards", sku, step.board)
        for audience, card in step.live.items():
            live.pop(audience, None)
            if card is not None:
                live[audience] = card
            state.put("live", f"{sku}/{audience}", card)
        for effect in step.effects:
            yield from _said(effect)


def _said(effect: Effect) -> Iterator[Out]:
    match effect:
        case Send(message=message):
            yield Out("asks", message.key, encode_message(message))
        case Publish(audience=audience):
            if audience.shopper_id:
                yield Out("offers", audience.shopper_id, effect.encoded())
            else:
                yield Out("copy", f"{effect.sku}|{audience.placement}", effect.encoded())
        case _:
            pass


def _origin(record: In, event_id: str, occurred_at_ms: int) -> Origin:
    return Origin(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_id=event_id,
        occurred_at_ms=occurred_at_ms,
    )


def _require_key(record: In, key: str) -> None:
    if record.key is None or record.key.decode(errors="replace") != key:
        raise BadInputError("key_mismatch", "the record's key is not its event's")
