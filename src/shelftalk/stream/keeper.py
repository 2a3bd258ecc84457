"""The keeper: applies the pure shelf to real inputs, and keeps account of what each input still owes.

It knows no Kafka, no Faust, no ONNX and no wall clock; those come in through four small ports. So the worker, the simulator and the
tests run the same keeper. Everything runs on one thread; only between calls can anything interleave.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from shelftalk.core import neighbours
from shelftalk.core.brief import Brief
from shelftalk.core.card import Audience, Rung
from shelftalk.core.effects import Drop, Effect, Erase, Hold, Publish, Send, Step, Write
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Followed, Heat, Message, Origin, Release, is_board
from shelftalk.core.shelf import (
    PHRASEBOOK,
    ShelfRules,
    Words,
    no_words,
    on_ask,
    on_deadline,
    on_followed,
    on_inventory,
    on_release,
    on_words,
    refresh,
    wake_at_ms,
)
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf, ShelfState, Stage
from shelftalk.events.types import InventoryEvent


class Entry(Protocol):
    """One input's account: it is settled when every hold is done."""

    @property
    def forgotten(self) -> bool:
        """Whether its partition was taken away: another worker has the input now."""

    def hold(self) -> None:
        """Something more is owed."""

    def done(self) -> None:
        """One hold less."""

    def fail(self, error: Exception) -> None:
        """One hold that cannot be done."""


class Store(Protocol):
    """The shelves' records. Writes are owed by the entries given until they are safe."""

    def shelf(self, sku: str, partition: int) -> Shelf | None:
        """The shelf of a product."""

    def copybook(self, sku: str, partition: int) -> Copybook | None:
        """Its texts."""

    def board(self, key: str, partition: int) -> Board | None:
        """A category's board."""

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:
        """Every live card of a partition with its SKU, after recovery."""

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a shelf."""

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a copybook."""

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a board."""

    def put_live(
        self, sku: str, audience_key: str, card: LiveCard | None, partition: int, owed_by: Sequence[Entry]
    ) -> None:
        """Keep a live card, or drop it."""


class Outlet(Protocol):
    """Where effects go. Each is owed by the entries given until it is delivered."""

    def publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        """A card."""

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to another shelf."""

    def hold(self, effect: Hold, owed_by: Sequence[Entry]) -> None:
        """A text for a person to look at."""

    def erase(self, effect: Erase, owed_by: Sequence[Entry]) -> None:
        """A tombstone."""


class Desk(Protocol):
    """Where words are written. It answers through `Keeper.words` or `Keeper.failed`, later and on the keeper's thread."""

    def write(self, effect: Write) -> None:
        """Start writing, or hurry what is being written already."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of what one worker keeps.

    Attributes:
        deadline_ms: how long a shopper's card waits for the model before the phrasebook answers.
        live_per_sku: live cards of one product; beyond it the oldest is let go.
        refreshes_per_turn: cards refreshed before other work has a turn.
        sweep_per_turn: live cards looked at for expiry in one turn.
    """

    deadline_ms: int = 900
    live_per_sku: int = 100_000
    refreshes_per_turn: int = 200
    sweep_per_turn: int = 200


class _Behind(msgspec.Struct):
    """A product with live cards to refresh: which are left, and whose account it goes on."""

    left: list[str]
    owed_by: list[Entry]
    again: bool = False


class Keeper:
    """Keeps the shelves of the partitions that this worker has."""

    def __init__(self, rules: ShelfRules, limits: Limits, store: Store, outlet: Outlet, desk: Desk) -> None:
        self.rules = rules
        self.limits = limits
        self.counts: Counter[str] = Counter()
        self._store = store
        self._outlet = outlet
        self._desk = desk
        self._partition: dict[str, int] = {}
        self._live: dict[str, dict[str, LiveCard]] = {}
        self._waiting: dict[tuple[str, str], list[Entry]] = {}
        self._wanting: dict[str, set[str]] = {}
        self._writing: dict[str, str] = {}
        self._deadlines: list[tuple[int, str, str, int]] = []
        self._wakes: list[tuple[int, str]] = []
        self._wake_at: dict[str, int] = {}
        self._behind: dict[str, _Behind] = {}
        self._sweep: deque[str] = deque()

    # --- inputs ------------------------------------------------------------------------------------------------------

    def inventory(self, event: InventoryEvent, origin: Origin, entry: Entry, now_ms: int) -> None:
        """Take in an inventory event; its account is settled when every card it makes stale is refreshed."""
        sku = event.sku
        self._partition[sku] = origin.partition
        state = self._state(sku)
        cause = state.shelf.facts.cause
        again = cause is not None and cause.topic == origin.topic and origin.offset <= cause.offset
        step = on_inventory(state, event, origin, self.rules)
        self._apply(sku, step, [entry], now_ms)
        if again or (step.shelf is not None and step.shelf.facts.version > state.shelf.facts.version):
            self._mark_behind(sku, [entry], again=again)
        else:
            self.counts["inventory_unchanged"] += 1
        self._wake_later(sku, now_ms)

    def message(self, message: Message, partition: int, entry: Entry, now_ms: int) -> None:
        """Take in a message of the asks topic."""
        key = message.key
        self._partition[key] = partition
        if is_board(key):
            self._board(message, partition, [entry])
            return
        state = self._state(key)
        match message:
            case Ask():
                self._apply(key, on_ask(state, message, now_ms, self.rules), [entry], now_ms)
            case Followed():
                self._apply(key, on_followed(state, message), [entry], now_ms)
            case Release():
                self._apply(key, on_release(state, message), [entry], now_ms)
            case Heat():
                self.counts["misdirected"] += 1

    def words(self, words: Words, now_ms: int) -> None:
        """The desk has written something."""
        self._answered(words.brief, now_ms, words)

    def failed(self, brief: Brief, now_ms: int) -> None:
        """The desk could not write it."""
        self._answered(brief, now_ms, None)

    def _answered(self, brief: Brief, now_ms: int, words: Words | None) -> None:
        sku = brief.sku
        self._writing.pop(brief.brief_id, None)
        if sku not in self._partition:  # revoked meanwhile: whoever has the partition now will ask again
            return
        live = self._live.get(sku, {})
        keys = [key for key in self._wanting.pop(brief.brief_id, ()) if key in live]
        cards = [live[key] for key in keys]
        state = self._state(sku)
        if words is None:
            step = no_words(state, cards, brief, now_ms, self.rules)
        else:
            step = on_words(state, cards, words, now_ms, self.rules)
        if any(isinstance(effect, Write) for effect in step.effects):
            self._wanting[brief.brief_id] = set(keys)
        self._apply(sku, step, [], now_ms)

    def tick(self, now_ms: int) -> bool:
        """Do what is due; call often.

        Returns:
            Whether more is left to do at once.
        """
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            _, sku, key, revision = heapq.heappop(self._deadlines)
            card = self._live.get(sku, {}).get(key)
            if card is not None and card.stage is Stage.AWAITING and card.asked_revision == revision:
                self.counts["deadline_missed"] += 1
                self._apply(sku, on_deadline(self._state(sku), card, now_ms, self.rules), [], now_ms)
        while self._wakes and self._wakes[0][0] <= now_ms:
            due_ms, sku = heapq.heappop(self._wakes)
            if self._wake_at.get(sku) == due_ms:
                del self._wake_at[sku]
            if sku in self._partition:
                self._mark_behind(sku, [], again=False)
                self._wake_later(sku, now_ms)
        self._refresh_some(now_ms)
        self._sweep_some(now_ms)
        return bool(self._behind)

    def hurry(self, now_ms: int) -> None:
        """The worker is about to stop: whoever waits for the model is answered by the phrasebook now."""
        self._deadlines = [(now_ms, sku, key, revision) for _, sku, key, revision in self._deadlines]
        heapq.heapify(self._deadlines)

    def next_due_ms(self) -> int | None:
        """When `tick` has something to do next, by the clock alone."""
        due = [heap[0][0] for heap in (self._deadlines, self._wakes) if heap]
        return min(due, default=None)

    # --- partitions --------------------------------------------------------------------------------------------------

    def recovered(self, partition: int, now_ms: int) -> None:
        """Take up the live cards of a partition: those that only have a phrase get their words after all."""
        for sku, card in self._store.live_cards(partition):
            self._partition[sku] = partition
            self._live.setdefault(sku, {})[card.audience.key] = card
            self._wake_later(sku, now_ms)
            if card.stage is Stage.SHOWN and card.rung is Rung.PHRASEBOOK and card.slotted:
                self._mark_behind(sku, [], again=False)

    def revoked(self, partition: int) -> None:
        """Let go of a partition."""
        gone = {key for key, owner in self._partition.items() if owner == partition}
        for key in gone:
            del self._partition[key]
            self._live.pop(key, None)
            self._behind.pop(key, None)
        self._waiting = {key: entries for key, entries in self._waiting.items() if key[0] not in gone}
        stale = [brief_id for brief_id, sku in self._writing.items() if sku in gone]
        for brief_id in stale:
            del self._writing[brief_id]
            self._wanting.pop(brief_id, None)

    # --- applying a step ---------------------------------------------------------------------------------------------

    def _state(self, sku: str) -> ShelfState:
        return ShelfState(
            self._store.shelf(sku, self._partition[sku]) or Shelf(facts=Facts(sku=sku)),
            self._store.copybook(sku, self._partition[sku]) or Copybook(),
            self._live.get(sku, {}),
        )

    def _apply(self, sku: str, step: Step, owed_by: Sequence[Entry], now_ms: int) -> None:
        """Keep what changed, and do what is to be done, on the accounts of those who asked for it."""
        partition = self._partition[sku]
        answered: list[Entry] = []
        for key, card in step.live.items():
            if card is None or card.stage is not Stage.AWAITING or card.asked_revision != self._asked(sku, key):
                answered += self._waiting.pop((sku, key), [])
        accounts = [*owed_by, *answered]
        if step.shelf is not None:
            self._store.put_shelf(sku, step.shelf, partition, accounts)
        if step.copybook is not None:
            self._store.put_copybook(sku, step.copybook, partition, accounts)
        for key, card in step.live.items():
            self._put_live(sku, key, card, accounts)
            if card is not None and card.stage is Stage.AWAITING and card.audience.shopper_id:
                self._wait(sku, card, owed_by, now_ms)
        for effect in step.effects:
            if isinstance(effect, Write):
                brief_id = effect.brief.brief_id
                wanting = {key for key, card in step.live.items() if card is not None and card.brief_id == brief_id}
                self._wanting.setdefault(brief_id, set()).update(wanting)
            self._do(effect, accounts)
        for entry in answered:
            entry.done()

    def _asked(self, sku: str, key: str) -> int | None:
        held = self._live.get(sku, {}).get(key)
        return None if held is None else held.asked_revision

    def _wait(self, sku: str, card: LiveCard, owed_by: Sequence[Entry], now_ms: int) -> None:
        """A shopper waits: the ask's account stays open until the card goes out, and the deadline runs from the first wait."""
        key = (sku, card.audience.key)
        if key not in self._waiting:
            heapq.heappush(
                self._deadlines, (now_ms + self.limits.deadline_ms, sku, card.audience.key, card.asked_revision)
            )
        for entry in owed_by:
            entry.hold()
        self._waiting.setdefault(key, []).extend(owed_by)

    def _put_live(self, sku: str, key: str, card: LiveCard | None, owed_by: Sequence[Entry]) -> None:
        live = self._live.setdefault(sku, {})
        live.pop(key, None)  # so that the newest stands last
        if card is not None:
            live[key] = card
            if len(live) > self.limits.live_per_sku:
                self._let_go(sku, next(iter(live)), owed_by)
        self._store.put_live(sku, key, card, self._partition[sku], owed_by)

    def _let_go(self, sku: str, key: str, owed_by: Sequence[Entry]) -> None:
        """Drop the oldest live card of a product that has too many; its reader keeps it until its valid-until."""
        self.counts["live_overflow"] += 1
        del self._live[sku][key]
        self._store.put_live(sku, key, None, self._partition[sku], owed_by)
        for entry in self._waiting.pop((sku, key), []):
            entry.done()

    def _do(self, effect: Effect, owed_by: Sequence[Entry]) -> None:
        match effect:
            case Publish(card=card):
                self.counts[f"card_{card.provenance.trigger}_{card.provenance.rung}_{card.status}"] += 1
                self._outlet.publish(effect, owed_by)
            case Write(brief=brief):
                if brief.brief_id not in self._writing or effect.urgent:
                    self._writing[brief.brief_id] = brief.sku
                    self._desk.write(effect)
            case Send(message=message):
                self._outlet.send(message, owed_by)
            case Hold():
                self.counts["held"] += 1
                self._outlet.hold(effect, owed_by)
            case Erase():
                self._outlet.erase(effect, owed_by)
            case Drop(reason=reason):
                self.counts[f"drop_{reason}"] += 1

    def _board(self, message: Message, partition: int, owed_by: Sequence[Entry]) -> None:
        board = self._store.board(message.key, partition) or Board()
        match message:
            case Heat():
                step = neighbours.on_heat(board, message)
            case Ask():
                step = neighbours.on_board_ask(board, message, message.origin.occurred_at_ms, self.rules.max_hops)
            case _:  # a release that followed a pointer this far: boards keep no cards
                return
        if step.board is not None:
            self._store.put_board(message.key, step.board, partition, owed_by)
        for effect in step.effects:
            self._do(effect, owed_by)

    # --- refreshing --------------------------------------------------------------------------------------------------

    def _mark_behind(self, sku: str, owed_by: Sequence[Entry], *, again: bool) -> None:
        """Every live card of the product is to be looked at again, newest first; a storm of marks is one pass."""
        left = list(self._live.get(sku, {}))
        if not left:
            return
        for entry in owed_by:
            entry.hold()
        before = self._behind.get(sku)
        if before is None:
            self._behind[sku] = _Behind(left, list(owed_by), again)
        else:
            self.counts["refresh_coalesced"] += 1
            before.left, before.again = left, before.again or again
            before.owed_by.extend(owed_by)

    def _refresh_some(self, now_ms: int) -> None:
        budget = self.limits.refreshes_per_turn
        while self._behind and budget > 0:
            sku, behind = next(iter(self._behind.items()))
            while behind.left and budget > 0:
                budget -= 1
                card = self._live.get(sku, {}).get(behind.left.pop())
                if card is not None:
                    step = refresh(self._state(sku), card, now_ms, self.rules, again=behind.again)
                    self._apply(sku, step, behind.owed_by, now_ms)
            if not behind.left:
                del self._behind[sku]
                for entry in behind.owed_by:
                    entry.done()

    def _sweep_some(self, now_ms: int) -> None:
        """Look at a few products for cards that nobody shows any more."""
        if not self._sweep:
            self._sweep.extend(self._live)
        budget = self.limits.sweep_per_turn
        while self._sweep and budget > 0:
            sku = self._sweep.popleft()
            live = self._live.get(sku, {})
            budget -= 1 + len(live)
            expired = [key for key, card in live.items() if card.audience.shopper_id and card.valid_until_ms <= now_ms]
            for key in expired:
                if (sku, key) not in self._waiting:
                    self._put_live(sku, key, None, ())

    def _wake_later(self, sku: str, now_ms: int) -> None:
        shelf = self._store.shelf(sku, self._partition[sku])
        due_ms = wake_at_ms(shelf.facts, now_ms, self.rules) if shelf is not None else None
        if due_ms is not None and self._wake_at.get(sku) != due_ms:
            self._wake_at[sku] = due_ms
            heapq.heappush(self._wakes, (due_ms, sku))

    # --- what can be seen from outside -------------------------------------------------------------------------------

    def gauges(self) -> dict[str, int]:
        """Sizes of everything that is kept, for metrics and for tests of bounds."""
        return {
            "products": len(self._live),
            "live_cards": sum(map(len, self._live.values())),
            "waiting": len(self._waiting),
            "writing": len(self._writing),
            "behind": len(self._behind),
        }


def card_key(audience: Audience, sku: str) -> str:
    """The Kafka key of a card: one placement of one shopper, or one channel of one product, so that compaction keeps the last."""
    return audience.key if audience.shopper_id else f"{sku}|{audience.placement}"


__all__ = ["PHRASEBOOK", "Desk", "Entry", "Keeper", "Limits", "Outlet", "Store", "card_key"]
