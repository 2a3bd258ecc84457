"""A worker in memory: react, keeper and fence as in production, with no Kafka between them and nothing that waits.

What one sends is handed to the other at once, in order. Time is the caller's. It counts and measures what the rules do and cost;
what delays, crashes and duplicates do is the question of `shelftalk.sim`.
"""

from collections import Counter, deque
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Generic, TypeVar

from shelftalk.core.brief import Brief
from shelftalk.core.effects import Erase, Hold, Publish, Write
from shelftalk.core.erasure import Erased
from shelftalk.core.facts import Facts
from shelftalk.core.guard import Outcome
from shelftalk.core.messages import Message
from shelftalk.core.offer import encode_erasure
from shelftalk.core.phrasebook import phrases
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.core.review import review
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf
from shelftalk.core.words import Words
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_inventory
from shelftalk.stream.account import Entry, Together
from shelftalk.stream.fence import Fence, Shown
from shelftalk.stream.keeper import Keeper, Limits
from shelftalk.stream.ports import Desk
from shelftalk.stream.react_handler import ReactHandler
from shelftalk.stream.record import Record, origin_of

Value = TypeVar("Value")


class Table(Generic[Value]):
    """One dict; there is one partition."""

    def __init__(self) -> None:
        self.rows: dict[str, Value] = {}

    def get(self, key: str, _partition: int, /) -> Value | None:
        """The value, or nothing."""
        return self.rows.get(key)

    def put(self, key: str, value: Value, _partition: int, _entry: Entry, /) -> None:
        """Keep."""
        self.rows[key] = value

    def delete(self, key: str, _partition: int, _entry: Entry, /) -> None:
        """Forget."""
        self.rows.pop(key, None)

    def items(self, _partition: int, /) -> Iterator[tuple[str, Value]]:
        """All, as of now."""
        yield from list(self.rows.items())


class MemoryStore:
    """The keeper's `Store`. Live cards are the keeper's own; a copy that survives it is not needed here."""

    def __init__(self) -> None:
        self.shelves: MutableMapping[str, Shelf] = {}
        self.copybooks: MutableMapping[str, Copybook] = {}
        self.boards: dict[str, Board] = {}

    def shelf(self, sku: str, partition: int) -> Shelf | None:
        """The shelf of a product."""
        del partition
        return self.shelves.get(sku)

    def copybook(self, sku: str, partition: int) -> Copybook | None:
        """Its texts."""
        del partition
        return self.copybooks.get(sku)

    def board(self, key: str, partition: int) -> Board | None:
        """A category's board."""
        del partition
        return self.boards.get(key)

    def facts(self, partition: int) -> Iterator[Facts]:
        """None: nothing is recovered."""
        del partition
        return iter(())

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:
        """None: nothing is recovered."""
        del partition
        return iter(())

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a shelf."""
        del partition, owed_by
        self.shelves[sku] = shelf

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a copybook."""
        del partition, owed_by
        self.copybooks[sku] = copybook

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a board."""
        del partition, owed_by
        self.boards[key] = board

    def put_live(
        self, sku: str, audience_key: str, card: LiveCard | None, partition: int, owed_by: Sequence[Entry]
    ) -> None:
        """The keeper has it."""


class Tray:
    """What goes out, counted; messages and offers wait here for whoever is next.

    Attributes:
        messages: to shelves and boards.
        offers: to the fence.
        counts: by kind.
    """

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.offers: deque[tuple[str, bytes]] = deque()
        self.counts: Counter[str] = Counter()

    def publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        """A card, encoded as it would go out."""
        del owed_by
        if effect.audience.shopper_id:
            self.offers.append((effect.audience.shopper_id, effect.offered()))
        else:
            effect.encoded()
            self.counts["copies"] += 1

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to a shelf."""
        del owed_by
        self.messages.append(message)

    def hold(self, effect: Hold, owed_by: Sequence[Entry]) -> None:
        """A text for a person."""
        del effect, owed_by
        self.counts["held"] += 1

    def erase(self, effect: Erase, owed_by: Sequence[Entry]) -> None:
        """The order to leave a tombstone."""
        self.erase_card(effect.audience.shopper_id, effect.audience.placement, effect.revision, owed_by)

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Entry]) -> None:
        """Likewise."""
        del owed_by
        self.offers.append((shopper_id, encode_erasure(shopper_id, placement, revision)))

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        """A card that passed the fence."""
        del key, owed_by
        self.counts["cards" if value is not None else "tombstones"] += 1


class Writer:
    """A `Desk` that writes one text after the other, each in the same time; the newest wish of a waiting shopper first.

    Args:
        texts_per_s: how fast.

    Attributes:
        generations: texts that were begun.
    """

    def __init__(self, texts_per_s: float) -> None:
        self.generations = 0
        self._each_ms = 1000 / texts_per_s
        self._urgent: dict[tuple[Brief, int], None] = {}
        self._leisure: dict[tuple[Brief, int], None] = {}
        self._ahead: dict[tuple[Brief, int], None] = {}
        self._free_ms = 0.0

    def write(self, effect: Write) -> None:
        """Take it down; what is taken down already is not written twice."""
        wish = (effect.brief, effect.attempt)
        if effect.urgent:
            self._leisure.pop(wish, None)
            self._ahead.pop(wish, None)
            self._urgent[wish] = None
        elif effect.ahead:
            self._ahead[wish] = None
        elif wish not in self._urgent:
            self._leisure[wish] = None

    def written(self, now_ms: int) -> Iterator[Words]:
        """What is ready by now."""
        self._free_ms = self._free_ms or now_ms  # it begins with its first turn
        while (self._urgent or self._leisure or self._ahead) and self._free_ms + self._each_ms <= now_ms:
            self._free_ms += self._each_ms
            brief, attempt = (self._urgent or self._leisure or self._ahead).popitem()[0]
            self.generations += 1
            yield Words(brief, (_text(brief),), attempt)
        if not (self._urgent or self._leisure or self._ahead):
            self._free_ms = now_ms


def _text(brief: Brief) -> str:
    """What passes the guard, as nearly all texts of the real model do: the first hand-written line for the brief that does."""
    lines = list(phrases(brief))
    return next((line for line in lines if review(brief, line).outcome is Outcome.PASS), lines[0])


class SmallWorld:
    """One worker.

    Args:
        rules: of the shelves; name a model there, or nothing is ever written.
        policy: of react.
        limits: of the keeper.
        texts_per_s: how fast the model writes.
        desk: who writes instead.
    """

    def __init__(
        self,
        rules: ShelfRules,
        policy: Policy,
        limits: Limits | None = None,
        *,
        texts_per_s: float = 20.0,
        desk: Desk | None = None,
    ) -> None:
        self.store, self.tray, self.writer = MemoryStore(), Tray(), Writer(texts_per_s)
        self.profiles: Table[Profile] = Table()
        erased: Table[Erased] = Table()
        shown: Table[Shown] = Table()
        self.keeper = Keeper(rules, limits or Limits(), self.store, self.tray, desk or self.writer)
        self.react = ReactHandler(policy, self.profiles, erased, self.tray, self.keeper.at_hand)
        self.fence = Fence(shown, erased, self.tray, policy.page)
        self._offset = 0
        self._nobody = Together()

    def take(self, topic: str, key: str, value: bytes, now_ms: int) -> None:
        """One record of an input topic, with everything that it leads to at once."""
        self._offset += 1
        record = Record(topic, 0, self._offset, key.encode(), value, (), now_ms)
        try:
            if topic == "behaviour":
                self.react.handle(record, self._nobody, now_ms)
            else:
                event = decode_inventory(value, now_ms)
                origin = origin_of(record, event.event_id, event.occurred_at_ms)
                self.keeper.inventory(event, origin, self._nobody, now_ms)
        except BadInputError:
            self.tray.counts["dead_letters"] += 1
        self.settle(now_ms)

    def turn(self, now_ms: int) -> None:
        """Time has passed: deadlines, refreshes, and what the model has written."""
        for words in self.writer.written(now_ms):
            self.keeper.words(words, now_ms)
        self.refresh(now_ms)
        self.settle(now_ms)

    def refresh(self, now_ms: int) -> None:
        """Every card that is behind is made anew; what goes out waits for `settle`."""
        while self.keeper.tick(now_ms):
            pass

    def settle(self, now_ms: int) -> None:
        """Hand on what waits."""
        while self.tray.messages or self.tray.offers:
            while self.tray.messages:
                self.keeper.message(self.tray.messages.popleft(), 0, self._nobody, now_ms)
            while self.tray.offers:
                key, value = self.tray.offers.popleft()
                self._offset += 1
                self.fence.handle(Record("offers", 0, self._offset, key.encode(), value, (), now_ms), self._nobody)
