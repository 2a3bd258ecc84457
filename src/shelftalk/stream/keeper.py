"""The keeper: applies the pure shelf to real inputs, and keeps account of what each input still owes.

It knows no Kafka, no Faust, no ONNX and no wall clock; those come in through four small ports. So the worker, the simulator and the
tests run the same keeper. Everything runs on one thread; only between calls can anything interleave.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nlargest

import msgspec

from shelftalk.core import neighbours
from shelftalk.core.board import on_board_ask
from shelftalk.core.brief import Brief
from shelftalk.core.card import Audience
from shelftalk.core.effects import Drop, Effect, Erase, Hold, Publish, Send, Step, Write
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Bought, CoVisited, Heat, Message, Origin, Release, is_board
from shelftalk.core.passing import gather_ahead
from shelftalk.core.places import Places
from shelftalk.core.refresh import bought_cards, is_due, let_go
from shelftalk.core.shelf import (
    PHRASEBOOK,
    ShelfRules,
    Words,
    is_repeat,
    no_words,
    on_ask,
    on_co_visited,
    on_deadline,
    on_inventory,
    on_release,
    on_words,
    refresh_all,
    renewed,
    wake_at_ms,
    warm_up,
)
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf, ShelfState, Stage
from shelftalk.events.types import InventoryEvent
from shelftalk.stream.account import Entry, Then, Together
from shelftalk.stream.alarms import Alarms
from shelftalk.stream.backlog import Backlog
from shelftalk.stream.orders import Answer, Orders
from shelftalk.stream.ports import Desk, Outlet, Store


class Limits(msgspec.Struct, frozen=True):
    """Bounds of what one worker keeps.

    Attributes:
        deadline_ms: how long a shopper's card waits for the model before the phrasebook answers.
        live_per_sku: live cards of one product; beyond it the oldest is let go.
        refreshes_per_turn: cards refreshed before other work has a turn.
        refreshes_per_product: how many of them may be of one product while others wait.
        sweep_per_turn: live cards looked at for expiry in one turn.
        warm_up: products of a partition that is taken over, those with the most live cards, that are looked at for words they lack.
        give_up_ms: after this a text that never came is asked for anew when it is next wanted.
        unsure_ms: what went out this long before a crash, or less, may not have been delivered.
    """

    deadline_ms: int = 900
    live_per_sku: int = 100_000
    refreshes_per_turn: int = 200
    refreshes_per_product: int = 50
    sweep_per_turn: int = 20
    warm_up: int = 1_000
    give_up_ms: int = 60_000
    unsure_ms: int = 60_000


class Keeper:
    """Keeps the shelves of the partitions that this worker has.

    Args:
        rules: how shelves decide.
        limits: bounds.
        store: the shelves' records.
        outlet: where effects go.
        desk: where words are written.
        partitions: of the whole deployment, which shares one budget for words; 0 where this keeper is all there is.
    """

    def __init__(
        self, rules: ShelfRules, limits: Limits, store: Store, outlet: Outlet, desk: Desk, *, partitions: int = 0
    ) -> None:
        self.rules = rules
        self.limits = limits
        self.counts: Counter[str] = Counter()
        self._store = store
        self._outlet = outlet
        self._desk = desk
        self._partition: dict[str, int] = {}
        self._live: dict[str, dict[str, LiveCard]] = {}
        self._waiting: dict[str, dict[str, list[Entry]]] = {}  # by product and audience key
        self._orders = Orders(rules, limits.give_up_ms)
        self._partitions = partitions
        self._places: dict[int, Places] = {}  # by partition
        self._unaffordable: list[Brief] = []
        self._alarms = Alarms()
        self._backlog = Backlog()
        self._taken_ms: dict[int, int] = {}  # by partition: asks from before may have been answered by another worker
        self._catching_up: set[int] = set()
        self._repeated: set[str] = set()  # products of these whose newest event came again
        self._unsure: dict[str, set[str]] = {}
        self._sweep: Iterator[tuple[str, str]] = iter(())
        self._share_budget()

    # --- inputs ------------------------------------------------------------------------------------------------------

    def inventory(self, event: InventoryEvent, origin: Origin, entry: Entry, now_ms: int) -> None:
        """Take in an inventory event; its account is settled when every card it makes stale is refreshed."""
        sku = event.sku
        self._orders.budget.event(now_ms)
        self._partition[sku] = origin.partition
        state = self._state(sku)
        again = is_repeat(state.shelf.facts, origin)
        step = on_inventory(state, event, origin, self.rules, self._places_of(origin.partition))
        self._apply(sku, step, [entry], now_ms)
        if again or (step.shelf is not None and step.shelf.facts.version > state.shelf.facts.version):
            self._mark_behind(sku, [entry], again=again)
        else:
            self.counts["inventory_unchanged"] += 1
        self._wake_later(sku, now_ms)

    def _places_of(self, partition: int) -> Places:
        """The numbers that products of a partition have among those of their kinds."""
        places = self._places.get(partition)
        if places is None:
            places = self._places[partition] = Places(self._store.facts(partition), partition, self._partitions)
        return places

    def message(self, message: Message, partition: int, entry: Entry, now_ms: int) -> None:
        """Take in a message of the asks topic."""
        key = message.key
        self._partition[key] = partition
        if isinstance(message, Ask) and message.origin.occurred_at_ms < self._taken_ms.get(partition, 0):
            for part in renewed(self._live.get(key, {}), message, now_ms):
                self._message(key, part, partition, entry, now_ms)
        else:
            self._message(key, message, partition, entry, now_ms)
        self._forget_stranger(key)

    def _forget_stranger(self, key: str) -> None:
        """A key that nothing is kept of: there are as many as anybody makes up."""
        if key in self._live:
            return
        partition, kept = self._partition[key], self._store.board if is_board(key) else self._store.shelf
        if kept(key, partition) is None:
            del self._partition[key]

    def _message(self, key: str, message: Message, partition: int, entry: Entry, now_ms: int) -> None:
        state = self._state(key)
        board = (self._store.board(key, partition) or Board()) if is_board(key) else None
        match message:
            case Release():
                step = on_release(state, message)
            case Ask() if board is not None:
                step = on_board_ask(board, state.live, message, now_ms, self.rules)
            case Ask():
                step = on_ask(state, message, now_ms, self.rules)
            case Heat() if board is not None:
                step = neighbours.on_heat(board, message)
            case Bought() if board is None:
                for card in bought_cards(state.live, message):
                    self._let_go(key, card, "bought", [entry], now_ms)
                return
            case CoVisited() if board is None:
                step = on_co_visited(state, message)
                if step.shelf is None:
                    self.counts["visit_unknown_sku"] += 1
                elif message.visit:  # one for each event of a shopper, but for searches and orders
                    self._orders.budget.event(now_ms)
            case _:
                self.counts["misdirected"] += 1
                return
        self._apply(key, step, [entry], now_ms)

    def at_hand(self, sku: str) -> Shelf | None:
        """A shelf of ours, to look at."""
        partition = self._partition.get(sku)
        if partition is None or partition in self._catching_up:
            return None
        return self._store.shelf(sku, partition)

    def words(self, words: Words, now_ms: int) -> None:
        """The desk has written something."""
        self._answered(words.brief, now_ms, words)

    def failed(self, brief: Brief, now_ms: int) -> None:
        """The desk could not write it."""
        self._answered(brief, now_ms, None)

    def later(self, brief: Brief, now_ms: int) -> None:
        """The desk is too busy for a shopper to wait: the phrasebook answers now, and the words improve the card when they come."""
        live = self._live.get(brief.sku, {})
        cards = [live[key] for key in self._orders.wanted_by(brief) if key in live]
        if brief.sku in self._partition:
            self.counts["too_busy"] += len(cards)
            self._apply(brief.sku, no_words(self._state(brief.sku), cards, brief, now_ms, self.rules), [], now_ms)

    def _answered(self, brief: Brief, now_ms: int, words: Words | None) -> None:
        sku = brief.sku
        wanted_by = self._orders.done(brief)
        if sku not in self._partition:  # revoked meanwhile: whoever has the partition now will ask again
            return
        live = self._live.get(sku, {})
        keys = [key for key in wanted_by if key in live]
        cards = [live[key] for key in keys]
        state = self._state(sku)
        if words is None:
            step = no_words(state, cards, brief, now_ms, self.rules)
        else:
            step = on_words(state, cards, words, now_ms, self.rules)
        if any(isinstance(effect, Write) for effect in step.effects):
            self._orders.want(brief, keys)
        self._apply(sku, step, [], now_ms)

    def tick(self, now_ms: int) -> bool:
        """Do what is due; call often.

        Returns:
            Whether more is left to do at once.
        """
        for sku, key, revision in self._alarms.overdue(now_ms):
            card = self._live.get(sku, {}).get(key)
            if card is not None and card.stage is Stage.AWAITING and card.asked_revision == revision:
                self.counts["deadline_missed"] += 1
                self._apply(sku, on_deadline(self._state(sku), card, now_ms, self.rules), [], now_ms)
        for sku in self._alarms.awake(now_ms):
            if sku in self._partition:
                self._mark_behind(sku, [], again=False)
                self._wake_later(sku, now_ms)
        self.counts["words_given_up"] += self._orders.give_up(now_ms)
        self._refresh_some(now_ms)
        self._sweep_some(now_ms)
        return bool(self._backlog)

    def hurry(self, now_ms: int) -> None:
        """The worker is about to stop: whoever waits for the model is answered by the phrasebook now."""
        self._alarms.hurry(now_ms)

    # --- partitions --------------------------------------------------------------------------------------------------

    def recovered(self, partition: int, now_ms: int, *, catching_up: bool = False) -> None:
        """Take up the live cards of a partition.

        All are looked at once: time went on (a sale may be over), those that only have a phrase get their words after all, and
        what went out last may never have arrived.

        Args:
            partition: which.
            now_ms: the time.
            catching_up: whether inventory that was there before is still to come. A crash may have taken the last facts from
                the shelves when cards that were made of them had gone out already; so nothing is published, and the shell
                must bring no asks, until it calls `caught_up`.
        """
        self._taken_ms[partition] = now_ms
        self._share_budget()
        self._places_of(partition)  # which looks at every product: better now than at the first event
        if catching_up:
            self._catching_up.add(partition)
        found = list(self._store.live_cards(partition))
        unsure_ms = max((card.published_at_ms for _, card in found), default=0) - self.limits.unsure_ms
        for sku, card in found:
            self._partition[sku] = partition
            self._live.setdefault(sku, {})[card.audience.key] = card
            if card.stage is Stage.AWAITING or card.published_at_ms > max(unsure_ms, 0):
                self._unsure.setdefault(sku, set()).add(card.audience.key)
        if not catching_up:
            self._look_at_all(partition, now_ms)

    def caught_up(self, partition: int, now_ms: int) -> None:
        """Everything that was in the inventory when the partition was taken is folded in: from here on it publishes."""
        self._catching_up.discard(partition)
        self._look_at_all(partition, now_ms)

    def _look_at_all(self, partition: int, now_ms: int) -> None:
        ours = [sku for sku in self._live if self._partition[sku] == partition]
        for sku in nlargest(self.limits.warm_up, ours, key=lambda sku: len(self._live[sku])):
            self._apply(sku, warm_up(self._state(sku), now_ms, self.rules), [], now_ms)
        for sku in ours:
            self._keep_in_bounds(sku, (), now_ms)
            self._wake_later(sku, now_ms)
            self._mark_behind(sku, [], again=sku in self._repeated)
            self._repeated.discard(sku)

    def _share_budget(self) -> None:
        self._orders.budget.share(len(self._taken_ms) / self._partitions if self._partitions else 1.0)

    def is_catching_up(self, partition: int) -> bool:
        """Whether its asks must wait."""
        return partition in self._catching_up

    def revoked(self, partition: int) -> None:
        """Let go of a partition."""
        self._catching_up.discard(partition)
        self._taken_ms.pop(partition, None)
        self._places.pop(partition, None)
        self._share_budget()
        gone = {key for key, owner in self._partition.items() if owner == partition}
        for key in gone:
            del self._partition[key]
            self._live.pop(key, None)
            self._backlog.forget(key)
            self._repeated.discard(key)
            self._unsure.pop(key, None)
            self._waiting.pop(key, None)
        self._alarms.forget(gone)
        self._orders.forget(gone)

    # --- applying a step ---------------------------------------------------------------------------------------------

    def _state(self, sku: str) -> ShelfState:
        return ShelfState(
            self._store.shelf(sku, self._partition[sku]) or Shelf(facts=Facts(sku=sku)),
            self._store.copybook(sku, self._partition[sku]) or Copybook(),
            self._live.get(sku, {}),
        )

    def _apply(self, sku: str, step: Step, owed_by: Sequence[Entry], now_ms: int) -> None:
        """Keep what changed, and do what is to be done, on the accounts of those who asked for it."""
        answered = self._answered_by(sku, step)
        # One text may answer a thousand shoppers: each of a thousand cards must not be owed to each of them.
        together = Together([*owed_by, *answered]) if answered else None
        accounts = owed_by if together is None else [together]
        self._keep(sku, step, accounts)
        for card in step.live.values():
            if card is not None and card.stage is Stage.AWAITING and card.audience.shopper_id:
                self._wait(sku, card, owed_by, now_ms)
        for effect in step.effects:
            if isinstance(effect, Write):
                brief = effect.brief
                self._orders.want(
                    brief, [key for key, card in step.live.items() if card and card.brief_id == brief.brief_id]
                )
            self._do(effect, accounts, now_ms)
        if self._partition[sku] not in self._catching_up:
            self._keep_in_bounds(sku, accounts, now_ms)
        if together is not None:
            together.done()
        for entry in answered:
            entry.done()
        self._do_without(now_ms)

    def _do_without(self, now_ms: int) -> None:
        """Texts that the budget does not pay for: who waits gets the phrase, and nobody waits any more."""
        while self._unaffordable:
            brief = self._unaffordable.pop()
            self.later(brief, now_ms)
            self._orders.done(brief)

    def _keep(self, sku: str, step: Step, owed_by: Sequence[Entry]) -> None:
        partition = self._partition[sku]
        if step.shelf is not None:
            self._store.put_shelf(sku, step.shelf, partition, owed_by)
        if step.copybook is not None:
            self._store.put_copybook(sku, step.copybook, partition, owed_by)
        if step.board is not None:
            self._store.put_board(sku, step.board, partition, owed_by)
        if not step.live:
            return
        live = self._live.setdefault(sku, {})
        for key, card in step.live.items():
            live.pop(key, None)  # so that the newest stands last
            if card is not None:
                live[key] = card
            self._store.put_live(sku, key, card, partition, owed_by)
        if not live:
            del self._live[sku]

    def _asked(self, sku: str, key: str) -> int | None:
        held = self._live.get(sku, {}).get(key)
        return None if held is None else held.asked_revision

    def _wait(self, sku: str, card: LiveCard, owed_by: Sequence[Entry], now_ms: int) -> None:
        """A shopper waits: the ask's account stays open until the card goes out, and the deadline runs from the first wait."""
        key, waiting = card.audience.key, self._waiting.setdefault(sku, {})
        if key not in waiting:
            self._alarms.answer_by(now_ms + self.limits.deadline_ms, sku, key, card.asked_revision)
        for entry in owed_by:
            entry.hold()
        waiting.setdefault(key, []).extend(owed_by)

    def _answered_by(self, sku: str, step: Step) -> list[Entry]:
        """The accounts of everybody whose wait is over."""
        answered: list[Entry] = []
        if sku in self._waiting:
            for key, card in step.live.items():
                if card is None or card.stage is not Stage.AWAITING or card.asked_revision != self._asked(sku, key):
                    answered += self._waits_no_more(sku, key)
        return answered

    def _waits_no_more(self, sku: str, key: str) -> list[Entry]:
        """The accounts of who waited for this card."""
        waiting = self._waiting.get(sku, {})
        answered = waiting.pop(key, [])
        if not waiting:
            self._waiting.pop(sku, None)
        return answered

    def _keep_in_bounds(self, sku: str, owed_by: Sequence[Entry], now_ms: int) -> None:
        while len(self._live.get(sku, ())) > self.limits.live_per_sku:
            # The oldest. Copy for everybody stays: there are only a few of them.
            card = next((card for card in self._live[sku].values() if card.audience.shopper_id), None)
            if card is None:
                return
            self._let_go(sku, card, "overflow", owed_by, now_ms)
            self.counts["live_overflow"] += 1

    def _let_go(self, sku: str, card: LiveCard, reason: str, owed_by: Sequence[Entry], now_ms: int) -> None:
        """Give up a live card."""
        step, key = let_go(self._state(sku), card, reason, now_ms, self.rules), card.audience.key
        answered = self._waits_no_more(sku, key)
        del self._live[sku][key]
        if not self._live[sku]:
            del self._live[sku]

        def forget() -> None:
            if sku in self._partition and key not in self._live.get(sku, ()):
                self._store.put_live(sku, key, None, self._partition[sku], [*owed_by, *answered])

        # The record goes last: until the withdrawal is delivered, it is what a crash would need to repeat it.
        after = Then([*owed_by, *answered], forget)
        for effect in step.effects:
            self._do(effect, [after], now_ms)
        after.done()
        for entry in answered:
            entry.done()

    def _do(self, effect: Effect, owed_by: Sequence[Entry], now_ms: int) -> None:
        match effect:
            case Publish():
                self._publish(effect, owed_by)
            case Write():
                self._order(effect, now_ms)
            case Send(message=message):
                self._outlet.send(gather_ahead(message, self.at_hand, now_ms), owed_by)
            case Hold():
                self.counts["held"] += 1
                self._outlet.hold(effect, owed_by)
            case Erase():
                self._outlet.erase(effect, owed_by)
            case Drop(reason=reason):
                self.counts[f"drop_{reason}"] += 1

    def _publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        self.counts[effect.plate.outcome] += 1
        if self._unsure:
            self._unsure.get(effect.sku, set()).discard(effect.audience.key)
        self._outlet.publish(effect, owed_by)

    def _order(self, effect: Write, now_ms: int) -> None:
        match self._orders.place(effect, now_ms):
            case Answer.WRITE:
                self.counts["texts_begun"] += 1
                self._desk.write(effect)
            case Answer.HURRY:
                self._desk.write(effect)
            case Answer.NOT_EARNED:
                self.counts["not_yet_earned"] += 1
            case Answer.UNAFFORDABLE:
                self.counts["not_ahead" if effect.ahead else "over_budget"] += 1
                self._unaffordable.append(effect.brief)

    # --- refreshing --------------------------------------------------------------------------------------------------

    def _mark_behind(self, sku: str, owed_by: Sequence[Entry], *, again: bool) -> None:
        """Every live card of the product is to be looked at again, newest first; a storm of marks is two passes at most."""
        if not self._live.get(sku):
            return
        if self._partition[sku] in self._catching_up:
            # All cards are looked at in the end, and nobody's account waits for it: a backlog of more events than may be open
            # would never end. The facts are kept, and should this worker die, the next looks at all cards again.
            if again:
                self._repeated.add(sku)
            return
        self.counts["refresh_coalesced"] += self._backlog.mark(sku, owed_by, again=again)

    def _refresh_some(self, now_ms: int) -> None:
        budget = self.limits.refreshes_per_turn
        while self._backlog and budget > 0:
            sku, behind = self._backlog.turn(lambda sku: self._live.get(sku, ()))
            live, some = self._live.get(sku, {}), min(budget, self.limits.refreshes_per_product)
            cards = [live[key] for key in behind.some(some) if key in live]
            again = live if behind.again else self._unsure.get(sku, ())
            step = refresh_all(self._state(sku), cards, now_ms, self.rules, again=again)
            self._apply(sku, step, [behind.account], now_ms)
            budget -= some
            if not behind.left:
                budget -= 1  # so that products without cards come to an end, too
                self._backlog.passed(sku, behind)

    def _sweep_some(self, now_ms: int) -> None:
        """Look at a few cards: whether nobody shows them any more, or, copy for everybody, they are to be sent anew."""
        for _ in range(self.limits.sweep_per_turn):
            place = next(self._sweep, None)
            if place is None:
                self._sweep = ((sku, key) for sku in list(self._live) for key in list(self._live.get(sku, ())))
                return
            sku, key = place
            card = self._live.get(sku, {}).get(key)
            if card is None:
                continue
            if not card.audience.shopper_id:
                if card.slotted and is_due(card, now_ms, self.rules):
                    self._mark_behind(sku, [], again=False)
            elif card.valid_until_ms <= now_ms and key not in self._waiting.get(sku, ()):
                self._keep(sku, Step(live={key: None}), ())
                self._forget_stranger(sku)

    def _wake_later(self, sku: str, now_ms: int) -> None:
        shelf = self._store.shelf(sku, self._partition[sku])
        due_ms = wake_at_ms(shelf.facts, now_ms, self.rules) if shelf is not None else None
        if due_ms is not None:
            self._alarms.wake(due_ms, sku)

    # --- what can be seen from outside -------------------------------------------------------------------------------

    def gauges(self) -> dict[str, int]:
        """Sizes of everything that is kept, for metrics and for tests of bounds."""
        return {
            "keys": len(self._partition),
            "products": len(self._live),
            "live_cards": sum(map(len, self._live.values())),
            "waiting": sum(map(len, self._waiting.values())),
            "writing": len(self._orders),
            "behind": len(self._backlog),
        }


def card_key(audience: Audience, sku: str) -> str:
    """The Kafka key of a card: one placement of one shopper, or one channel of one product, so that compaction keeps the last."""
    return audience.key if audience.shopper_id else f"{sku}|{audience.placement}"


__all__ = ["PHRASEBOOK", "Desk", "Entry", "Keeper", "Limits", "Outlet", "Store", "card_key"]
