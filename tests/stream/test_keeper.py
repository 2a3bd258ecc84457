"""The keeper: storms coalesce, deadlines hold, nothing grows without bound, and what is revoked is let go."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from shelftalk.core.brief import Angle
from shelftalk.core.card import Card, Rung, Status
from shelftalk.core.effects import Erase, Hold, Publish, Write
from shelftalk.core.facts import Facts
from shelftalk.core.ledger import Entry as LedgerEntry
from shelftalk.core.ledger import Ledger
from shelftalk.core.messages import Ask, Bought, CoVisited, Message, Mode, Near, Release, Seed
from shelftalk.core.remarks import remarks_for
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf, grown
from shelftalk.core.words import Words
from shelftalk.events.types import InventoryEvent
from shelftalk.stream.account import Entry, Then, Together, in_turn
from shelftalk.stream.keeper import Keeper, Limits
from shelftalk.stream.ports import Desk, Outlet, Store
from tests.core.making import NO_MODEL, NOW, RULES, ask, origin, priced, stocked, upserted

NO_COPY = msgspec.structs.replace(NO_MODEL, channels={})
GOOD = "{name}: holds its heat, yours for {price}."


class MemoryStore(Store):
    """Records in memory, safe at once. Read back as a new worker would."""

    def __init__(self) -> None:
        self.shelves: dict[str, Shelf] = {}
        self.copybooks: dict[str, Copybook] = {}
        self.boards: dict[str, Board] = {}
        self.live: dict[tuple[str, str], LiveCard] = {}

    def shelf(self, sku: str, partition: int) -> Shelf | None:  # noqa: ARG002
        return self.shelves.get(sku)

    def copybook(self, sku: str, partition: int) -> Copybook | None:  # noqa: ARG002
        return self.copybooks.get(sku)

    def board(self, key: str, partition: int) -> Board | None:  # noqa: ARG002
        return self.boards.get(key)

    def facts(self, partition: int) -> Iterator[Facts]:  # noqa: ARG002
        return (shelf.facts for shelf in self.shelves.values())

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:  # noqa: ARG002
        for (sku, _), card in self.live.items():
            yield sku, card

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self.shelves[sku] = shelf

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self.copybooks[sku] = copybook

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self.boards[key] = board

    def put_live(
        self,
        sku: str,
        audience_key: str,
        card: LiveCard | None,
        partition: int,  # noqa: ARG002
        owed_by: Sequence[Any],  # noqa: ARG002
    ) -> None:
        self.live.pop((sku, audience_key), None)
        if card is not None:
            self.live[sku, audience_key] = card


class Tray(Outlet, Desk):
    """Holds what goes out until the test lets it be delivered, and what is to be written until the test writes it."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.sent: list[Message] = []
        self.wanted: list[Write] = []
        self.undelivered: deque[Any] = deque()

    def _owe(self, owed_by: Sequence[Any]) -> None:
        for entry in owed_by:
            entry.hold()
            self.undelivered.append(entry)

    def deliver(self) -> None:
        """Everything under way arrives."""
        while self.undelivered:
            self.undelivered.popleft().done()

    def publish(self, effect: Publish, owed_by: Sequence[Any]) -> None:
        self.cards.append(effect.card)
        self._owe(owed_by)

    def send(self, message: Message, owed_by: Sequence[Any]) -> None:
        self.sent.append(message)
        self._owe(owed_by)

    def hold(self, effect: Hold, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self._owe(owed_by)

    def erase(self, effect: Erase, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self._owe(owed_by)

    def write(self, effect: Write) -> None:
        self.wanted.append(effect)


class Bench:
    """A keeper with a ledger, at a moment of the test's choosing."""

    def __init__(
        self, rules: ShelfRules = NO_MODEL, limits: Limits | None = None, store: MemoryStore | None = None
    ) -> None:
        self.store = store or MemoryStore()
        self.tray = Tray()
        self.keeper = Keeper(rules, limits or Limits(), self.store, self.tray, self.tray)
        self.ledger: Ledger[str] = Ledger()
        self.now_ms = NOW
        self._offsets = {"inventory": 0, "asks": 0}

    def _open(self, topic: str) -> LedgerEntry:
        entry = self.ledger.open(topic, self._offsets[topic])
        assert entry is not None
        self._offsets[topic] += 1
        return entry

    def inventory(self, *events: InventoryEvent) -> None:
        """Inventory arrives."""
        for event in events:
            entry = self._open("inventory")
            at = origin(entry.offset, "inventory", event.occurred_at_ms)
            self.keeper.inventory(event, at, entry, self.now_ms)
            entry.done()

    def message(self, *messages: Message) -> None:
        """Messages arrive."""
        for message in messages:
            entry = self._open("asks")
            self.keeper.message(message, 0, entry, self.now_ms)
            entry.done()

    def turn(self, later_ms: int = 0) -> None:
        """Let time pass, and the keeper do all it has to."""
        self.now_ms += later_ms
        while self.keeper.tick(self.now_ms):
            pass

    def asks(self, count: int, **changes: Any) -> list[Ask]:
        return [ask(shopper_id=f"s{n}", origin=origin(n), **changes) for n in range(count)]

    def unfinished(self) -> int:
        return self.ledger.unfinished


def live_texts(bench: Bench) -> set[str]:
    """What consumers show in the end."""
    shown: dict[tuple[str | None, str], Card] = {}
    for card in bench.tray.cards:
        key = (card.shopper_id, card.placement)
        if key not in shown or card.revision >= shown[key].revision:
            shown[key] = card
    return {card.text for card in shown.values() if card.shopper_id and card.status is Status.LIVE}


class TestStorm:
    def test_a_thousand_price_changes_with_a_hundred_live_cards(self) -> None:
        bench = Bench(limits=Limits(refreshes_per_turn=20))
        bench.inventory(upserted())
        bench.message(*bench.asks(100))
        bench.turn()
        bench.tray.cards.clear()
        for number in range(1_000):
            bench.inventory(priced(3_990 + number % 10, NOW + number))
            if number % 50 == 0:  # the loop comes round now and then
                bench.keeper.tick(bench.now_ms)
        bench.inventory(priced(3_950, NOW + 1_000))
        bench.turn(1)
        assert len(bench.tray.cards) < 1_000  # of 100,000
        final = [card for card in bench.tray.cards if card.shopper_id][-100:]
        assert {card.shopper_id for card in final} == {f"s{n}" for n in range(100)}
        assert {card.facts.price_minor for card in final} == {3_950}
        assert bench.keeper.counts["refresh_coalesced"] > 900

    def test_what_the_storm_owes_is_settled_when_the_last_card_is_delivered(self) -> None:
        bench = Bench(limits=Limits(refreshes_per_turn=3))
        bench.inventory(upserted())
        bench.message(*bench.asks(10))
        bench.turn()
        bench.tray.deliver()
        bench.inventory(priced(3_990))
        bench.keeper.tick(bench.now_ms)
        bench.inventory(priced(3_980, NOW + 1), priced(3_970, NOW + 2))
        bench.tray.deliver()
        assert bench.unfinished() == 3
        bench.turn()
        assert bench.unfinished() > 0  # published, but not delivered
        bench.tray.deliver()
        assert bench.unfinished() == 0
        assert bench.ledger.committable()["inventory"] == 4

    def test_newest_cards_go_first(self) -> None:
        bench = Bench(NO_COPY, Limits(refreshes_per_turn=5))
        bench.inventory(upserted())
        bench.message(*bench.asks(10))
        bench.turn()
        bench.tray.cards.clear()
        bench.inventory(priced(3_990))
        bench.keeper.tick(bench.now_ms)
        assert [card.shopper_id for card in bench.tray.cards if card.shopper_id] == [f"s{n}" for n in (9, 8, 7, 6, 5)]

    def test_one_storm_does_not_keep_other_products_waiting(self) -> None:
        bench = Bench(limits=Limits(refreshes_per_turn=20, refreshes_per_product=10))
        bench.inventory(upserted(), upserted(sku="tin-1", name="Tin"))
        bench.message(*bench.asks(500), ask(key="tin-1", shopper_id="bea"))
        bench.turn()
        bench.tray.cards.clear()
        bench.inventory(priced(3_990), upserted(NOW, sku="tin-1", name="Tin", price_minor=3_000))
        bench.keeper.tick(bench.now_ms)
        assert "tin-1" in {card.sku for card in bench.tray.cards}

    def test_an_endless_storm_does_not_starve_the_oldest_card(self) -> None:
        bench = Bench(limits=Limits(refreshes_per_turn=2))
        bench.inventory(upserted())
        bench.message(*bench.asks(10))
        bench.turn()
        bench.tray.cards.clear()
        for number in range(12):
            bench.inventory(priced(3_990 - number, NOW + number))
            bench.keeper.tick(bench.now_ms)
        assert "s0" in {card.shopper_id for card in bench.tray.cards}

    def test_copy_that_comes_while_a_refresh_waits_goes_out_too(self) -> None:
        bench = Bench()
        bench.inventory(upserted())
        bench.turn()
        store = bench.store
        del store.live["kettle-1", "|social/en-GB"]  # a crash lost it
        anew = Bench(store=store)
        anew.keeper.recovered(0, NOW)
        anew.inventory(upserted())
        anew.turn()
        assert "social/en-GB" in {card.placement for card in anew.tray.cards}


class TestWaiting:
    def test_the_deadline_is_kept_and_late_words_improve_the_card(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        bench.message(ask())
        bench.turn(899)
        assert not [card for card in bench.tray.cards if card.shopper_id]
        bench.turn(1)
        (phrase,) = [card for card in bench.tray.cards if card.shopper_id]
        assert phrase.provenance.rung is Rung.PHRASEBOOK
        urgent = [write for write in bench.tray.wanted if write.urgent][-1]
        bench.keeper.words(Words(urgent.brief, (GOOD,)), bench.now_ms + 500)
        better = bench.tray.cards[-1]
        assert (better.shopper_id, better.provenance.rung) == ("ada", Rung.GENERATED)
        assert better.revision > phrase.revision

    def test_the_ask_is_owed_until_its_card_is_delivered(self) -> None:
        bench = Bench(RULES)
        bench.message(ask())  # unknown: answered at once
        bench.tray.deliver()
        assert bench.unfinished() == 0
        bench.inventory(upserted())
        bench.turn()
        bench.tray.deliver()
        bench.message(ask(shopper_id="bea"))
        bench.tray.deliver()
        assert bench.unfinished() == 1
        bench.turn(900)
        assert bench.unfinished() == 1
        bench.tray.deliver()
        assert bench.unfinished() == 0

    def test_a_thousand_shoppers_wait_for_one_text(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        bench.message(*bench.asks(1_000))
        briefs = {write.brief.brief_id for write in bench.tray.wanted if write.urgent}
        assert len(briefs) == 1
        (brief,) = {write.brief for write in bench.tray.wanted if write.urgent}
        bench.keeper.words(Words(brief, (GOOD,)), bench.now_ms)
        assert len([card for card in bench.tray.cards if card.shopper_id]) == 1_000
        bench.tray.deliver()
        bench.turn()
        bench.tray.deliver()
        assert bench.unfinished() == 0

    def test_a_newer_ask_settles_the_one_it_supersedes(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        bench.turn()
        bench.tray.deliver()
        bench.message(ask(), ask(revision=(NOW << 10) + 4_096, origin=origin(1)))
        assert bench.unfinished() == 1
        assert bench.keeper.counts["drop_superseded"] == 1
        bench.turn(900)
        assert [card.revision for card in bench.tray.cards if card.shopper_id] == [(NOW << 10) + 4_096]

    def test_a_worker_that_stops_answers_who_waits(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        bench.message(ask())
        bench.keeper.hurry(bench.now_ms)
        bench.turn()
        assert [card.provenance.rung for card in bench.tray.cards if card.shopper_id] == [Rung.PHRASEBOOK]

    def test_a_model_that_never_answers_is_asked_again_after_a_while(self) -> None:
        bench = Bench(RULES, Limits(give_up_ms=5_000))
        bench.inventory(upserted())
        bench.turn()
        bench.tray.wanted.clear()
        bench.turn(4_999)
        assert bench.keeper.gauges()["writing"] > 0
        bench.turn(1)
        assert bench.keeper.gauges()["writing"] == 0
        bench.message(ask())
        assert len(bench.tray.wanted) == 1


class TestBounds:
    def test_live_cards_of_a_product(self) -> None:
        bench = Bench(limits=Limits(live_per_sku=10))
        bench.inventory(upserted())
        bench.turn()
        bench.message(*bench.asks(50))
        assert bench.keeper.gauges()["live_cards"] == 10
        bench.tray.deliver()
        assert len(bench.store.live) == 10
        assert len(live_texts(bench)) == 1
        withdrawn = {card.shopper_id for card in bench.tray.cards if card.status is Status.WITHDRAWN}
        assert withdrawn == {f"s{n}" for n in range(43)}  # three places are the copy's, which is never let go
        bench.inventory(priced(3_000))
        bench.turn()
        shown = {c.shopper_id for c in bench.tray.cards if c.facts.price_minor == 3_000 and c.status is Status.LIVE}
        assert shown == {f"s{n}" for n in range(43, 50)} | {None}

    def test_the_record_of_a_card_let_go_stays_until_its_withdrawal_is_delivered(self) -> None:
        bench = Bench(limits=Limits(live_per_sku=4))
        bench.inventory(upserted())
        bench.turn()
        bench.message(*bench.asks(2))
        assert ("kettle-1", "s0|next_1") in bench.store.live
        bench.tray.deliver()
        assert ("kettle-1", "s0|next_1") not in bench.store.live

    def test_what_a_shopper_bought_is_taken_off_their_page(self) -> None:
        bench = Bench()
        bench.inventory(upserted())
        bench.message(*bench.asks(2))
        bench.message(Bought(key="kettle-1", shopper_id="s0", placements=("next_1", "next_2"), revision=NOW << 10))
        bench.turn()
        last = {card.shopper_id: card for card in bench.tray.cards}
        assert (last["s0"].status, last["s1"].status) == (Status.WITHDRAWN, Status.LIVE)
        bench.inventory(priced(3_000))
        bench.turn()
        assert {card.shopper_id for card in bench.tray.cards if card.facts.price_minor == 3_000} == {"s1", None}
        bench.tray.deliver()
        assert ("kettle-1", "s0|next_1") not in bench.store.live
        assert bench.unfinished() == 0

    def test_cards_that_nobody_shows_any_more_are_swept(self) -> None:
        bench = Bench(limits=Limits(sweep_per_turn=7))
        bench.inventory(upserted())
        bench.message(*bench.asks(20))
        bench.turn()
        lefts = []
        for _ in range(10):
            bench.turn(NO_MODEL.card_ttl_ms)
            lefts.append(bench.keeper.gauges()["live_cards"])
        assert lefts[-1] == 3
        # However many cards one product has, a turn looks at a few.
        assert all(before - after <= 7 for before, after in pairwise(lefts))

    def test_of_skus_that_the_shop_never_spoke_of_nothing_is_kept(self) -> None:
        """Whoever makes them up: neither by views nor, once their time is over, by asks."""
        bench = Bench(NO_COPY, limits=Limits(sweep_per_turn=1_000))
        bench.inventory(upserted())
        for number in range(300):
            sku = f"made-up-{number}"
            bench.message(
                CoVisited(key=sku, others=(Near("kettle-1", 1.0),), at_ms=NOW, event_id=f"e{number}", visit=True),
                ask(key=sku, mode=Mode.NEXT, origin=origin(number), shopper_id=f"s{number}"),
                Bought(key=sku, shopper_id="s0", placements=("next_1",), revision=1),
            )
        assert bench.keeper.counts["visit_unknown_sku"] == 300
        assert set(bench.store.shelves) == {"kettle-1"}
        for _ in range(3):
            bench.turn(NO_COPY.card_ttl_ms)
        assert bench.keeper.gauges()["keys"] == 1
        assert bench.keeper.gauges()["live_cards"] == len(bench.store.live) == 0

    def test_a_released_product_leaves_nothing(self) -> None:
        bench = Bench()
        bench.message(ask(mode=Mode.NEXT, seed=None), Release(key="x-1", shopper_id="a", placements=("p",), revision=1))
        assert bench.keeper.gauges()["products"] == 0


class TestBudget:
    RULES = msgspec.structs.replace(RULES, channels={}, texts_at_once=1, texts_per_s=0.0, texts_per_event=0.0)

    def test_a_brief_is_paid_for_once_and_where_nothing_is_left_the_phrasebook_answers_at_once(self) -> None:
        bench = Bench(self.RULES)
        bench.inventory(upserted(consumable=True))
        assert bench.tray.wanted == []  # nobody waits: what is left is kept for who does
        before = bench.keeper.counts["over_budget"]
        bench.message(*bench.asks(20, because=Angle.IN_CART))
        assert len({effect.brief for effect in bench.tray.wanted}) == 1
        assert bench.keeper.counts["over_budget"] == before
        bench.message(ask(shopper_id="eve", because=Angle.REPLENISH, origin=origin(99)))
        assert bench.keeper.counts["over_budget"] == before + 1
        (phrased,) = (card for card in bench.tray.cards if card.shopper_id == "eve")
        assert phrased.provenance.rung is Rung.PHRASEBOOK

    def test_a_worker_that_takes_over_writes_what_is_shown_most_and_has_no_words(self) -> None:
        bench = Bench(NO_MODEL)
        for sku in "abc":
            bench.inventory(upserted(sku=sku))
        bench.message(*(ask(key="b", shopper_id=f"s{number}", origin=origin(number)) for number in range(9)))
        bench.turn()
        anew = Bench(RULES, Limits(warm_up=1), bench.store)
        anew.keeper.recovered(0, NOW)
        assert {effect.brief.sku for effect in anew.tray.wanted} == {"b"}
        assert any(effect.ahead for effect in anew.tray.wanted)

    def test_a_worker_has_its_part_of_the_deployments_budget(self) -> None:
        """By the partitions that it has; without any it has nothing to write about, either."""
        rules = msgspec.structs.replace(self.RULES, texts_at_once=8)
        bench = Bench(rules)
        bench.keeper = Keeper(rules, Limits(), bench.store, bench.tray, bench.tray, partitions=4)
        bench.keeper.recovered(0, NOW)
        for number, sku in enumerate("abcd"):
            bench.inventory(upserted(sku=sku, consumable=True))
            bench.message(ask(key=sku, because=Angle.IN_CART, origin=origin(number)))
        urgent = [effect for effect in bench.tray.wanted if effect.urgent]
        assert len(bench.tray.wanted) == 2  # a quarter of eight
        bench.keeper.recovered(1, NOW)
        bench.message(ask(key="d", shopper_id="bea", because=Angle.IN_CART, origin=origin(9)))
        assert len([effect for effect in bench.tray.wanted if effect.urgent]) == len(urgent) + 1


class TestPlaces:
    def test_products_of_a_kind_are_numbered_and_another_worker_goes_on_counting(self) -> None:
        bench = Bench()
        bench.inventory(*(upserted(sku=sku) for sku in "ab"), upserted(sku="c", kind="umbrella"))
        anew = Bench(store=bench.store)
        anew.keeper.recovered(0, NOW)
        anew.inventory(upserted(NOW + 1, sku="a", price_minor=99), upserted(sku="d"))
        assert [bench.store.shelves[sku].facts.place for sku in "abcd"] == [0, 1, 0, 2]

    def test_what_is_written_for_neighbours_differs(self) -> None:
        bench = Bench(msgspec.structs.replace(RULES, channels={}, ahead=()))
        bench.inventory(*(upserted(sku=sku, kind="umbrella", points=()) for sku in "abcdefgh"))
        briefs = [effect.brief for effect in bench.tray.wanted]
        assert len(briefs) == len({remarks_for(brief).use for brief in briefs}) == 8


class TestTime:
    def test_a_sale_that_ends_takes_its_cards_back(self) -> None:
        bench = Bench()
        bench.inventory(upserted(), priced(3_000, NOW, NOW + 60_000))
        bench.message(ask())
        bench.turn(59_999)
        assert bench.tray.cards[-1].status is Status.LIVE
        bench.turn(1)
        assert {card.status for card in bench.tray.cards[-4:]} == {Status.WITHDRAWN}

    def test_also_if_it_ends_while_no_worker_is_there(self) -> None:
        bench = Bench()
        bench.inventory(upserted(), priced(3_000, NOW, NOW + 60_000))
        bench.message(ask())
        bench.turn()
        anew = Bench(store=bench.store)
        anew.now_ms = NOW + 120_000
        anew.keeper.recovered(0, anew.now_ms)
        anew.turn()
        assert {card.status for card in anew.tray.cards} == {Status.WITHDRAWN}
        assert len(anew.tray.cards) == 4


class TestPartitions:
    def test_what_is_revoked_is_let_go_of(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted(), priced(3_000, NOW, NOW + 60_000))
        bench.message(*bench.asks(5))
        bench.ledger.forget(["inventory", "asks"])
        bench.keeper.revoked(0)
        assert set(bench.keeper.gauges().values()) == {0}
        before = len(bench.tray.cards)
        bench.turn(120_000)
        bench.keeper.words(Words(bench.tray.wanted[-1].brief, (GOOD,)), bench.now_ms)
        assert len(bench.tray.cards) == before

    def test_what_comes_back_wakes_in_time(self) -> None:
        bench = Bench()
        bench.inventory(upserted(), priced(3_000, NOW, NOW + 60_000))
        bench.turn()
        bench.keeper.revoked(0)
        bench.keeper.recovered(0, bench.now_ms)
        bench.turn()
        bench.turn(60_000)
        assert {card.status for card in bench.tray.cards[-3:]} == {Status.WITHDRAWN}

    def test_what_went_out_just_before_a_crash_goes_out_again_the_same(self) -> None:
        bench = Bench()
        bench.inventory(upserted())
        bench.message(ask())
        bench.turn()
        anew = Bench(store=bench.store)
        anew.keeper.recovered(0, NOW + 5_000)
        anew.turn(5_000)
        assert {card.card_id for card in anew.tray.cards} == {card.card_id for card in bench.tray.cards}

    def test_what_went_out_long_before_does_not(self) -> None:
        bench = Bench()
        bench.inventory(upserted())
        bench.message(ask())
        bench.turn()
        bench.now_ms += 120_000
        bench.message(ask(shopper_id="bea"))
        anew = Bench(store=bench.store)
        anew.keeper.recovered(0, bench.now_ms)
        anew.now_ms = bench.now_ms
        anew.turn()
        assert [card.shopper_id for card in anew.tray.cards] == ["bea"]

    def test_what_waited_for_its_words_when_a_crash_came_may_have_been_shown(self) -> None:
        """The record of it was lost and the card stands: whatever takes its place must be above it (simulator, seed 1976)."""
        bench = Bench(RULES)
        bench.inventory(upserted())
        bench.message(ask())
        waiting = dict(bench.store.live)
        bench.keeper.words(Words(bench.tray.wanted[-1].brief, (GOOD,)), NOW + 500)
        (shown,) = [card for card in bench.tray.cards if card.shopper_id]
        bench.store.live = waiting
        anew = Bench(RULES, store=bench.store)
        anew.keeper.recovered(0, NOW + 1_000, catching_up=True)
        anew.inventory(upserted(), stocked(0, NOW + 600))
        anew.keeper.caught_up(0, NOW + 1_000)
        anew.turn(1_000)
        (passed,) = [message for message in anew.tray.sent if isinstance(message, Ask)]
        assert passed.revision > shown.revision
        anew.message(ask())  # and its ask, which comes again, goes the same way
        (again,) = [message for message in anew.tray.sent if isinstance(message, Ask)][1:]
        assert (again.key, again.revision) == (passed.key, passed.revision)

    def test_a_redelivered_event_is_refreshed_again(self) -> None:
        bench = Bench()
        bench.inventory(upserted(), stocked(30))
        bench.turn()
        anew = Bench(store=bench.store)
        anew.inventory(upserted())
        assert anew.keeper.counts["inventory_unchanged"] == 0


class TestCatchingUp:
    """A crash took the newest price from the shelf; its cards had gone out, and its event comes again."""

    def bench(self) -> Bench:
        bench = Bench()
        bench.inventory(upserted())
        bench.message(*bench.asks(3))
        bench.turn()
        anew = Bench(store=bench.store)
        anew.keeper.recovered(0, NOW, catching_up=True)
        return anew

    def test_nothing_is_published_before_the_backlog_is_read(self) -> None:
        bench = self.bench()
        bench.turn()
        bench.inventory(priced(3_000, NOW + 1), priced(2_000, NOW + 2))
        bench.turn()
        assert bench.tray.cards == []
        assert bench.keeper.is_catching_up(0)
        bench.keeper.caught_up(0, bench.now_ms)
        bench.turn()
        assert {card.facts.price_minor for card in bench.tray.cards} == {2_000}
        assert not bench.keeper.is_catching_up(0)

    def test_a_backlog_owes_nothing_so_that_it_comes_to_an_end(self) -> None:
        bench = self.bench()
        bench.inventory(*(priced(3_000 + number, NOW + number) for number in range(50)))
        assert bench.unfinished() == len(bench.tray.undelivered) <= 1  # a heat told again; no refresh

    def test_an_ask_whose_record_is_lost_takes_the_place_of_what_is_out_there(self) -> None:
        bench = self.bench()
        bench.keeper.caught_up(0, bench.now_ms)
        bench.store.live.clear()
        anew = Bench(store=bench.store)
        anew.now_ms = NOW + 5_000
        anew.keeper.recovered(0, anew.now_ms)
        (lost,) = anew.asks(1)
        anew.message(lost)
        assert [card.revision for card in anew.tray.cards] == [grown(lost.revision, anew.now_ms)]
        assert anew.tray.cards[0].revision > lost.revision
        anew.message(lost)  # once more: it is recognised
        assert {card.card_id for card in anew.tray.cards} == {anew.tray.cards[0].card_id}


class TestEarned:
    """Words that name another product are written once they are wanted often; meanwhile the product is presented for itself."""

    def wish(self, bench: Bench, number: int) -> None:
        goes_with = ask(shopper_id=f"s{number}", origin=origin(number), because=Angle.GOES_WITH)
        bench.message(msgspec.structs.replace(goes_with, seed=Seed(sku="jug-1", kind="jug", category="kitchen")))

    def test_a_rare_wish_is_answered_with_general_words(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        self.wish(bench, 0)
        assert {write.brief.anchor for write in bench.tray.wanted} == {None}
        assert bench.keeper.counts["not_yet_earned"] == 1
        urgent = next(write for write in bench.tray.wanted if write.urgent)
        bench.keeper.words(Words(urgent.brief, (GOOD,)), bench.now_ms)
        (card,) = (card for card in bench.tray.cards if card.shopper_id)
        assert (card.provenance.angle, card.provenance.brief_id) == (Angle.GOES_WITH, urgent.brief.brief_id)

    def test_a_common_one_gets_its_own(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        for number in range(RULES.earned_at):
            self.wish(bench, number)
        assert [write.brief.anchor for write in bench.tray.wanted if write.earn] == ["jug"]

    def test_a_refresh_is_no_wish(self) -> None:
        bench = Bench(RULES)
        bench.inventory(upserted())
        self.wish(bench, 0)
        urgent = next(write for write in bench.tray.wanted if write.urgent)
        bench.keeper.words(Words(urgent.brief, (GOOD,)), bench.now_ms)
        for number in range(20):
            bench.inventory(priced(4_100 + number, NOW + number))
            bench.turn()
        assert not any(write.earn for write in bench.tray.wanted)


class TestAccounts:
    def test_together_lets_each_go_once_when_all_is_done(self) -> None:
        ledger: Ledger[str] = Ledger()
        entries = [entry for entry in (ledger.open("t", offset) for offset in range(3)) if entry is not None]
        account = Together(entries[:2])
        account.add(entries[2:])
        for entry in entries:
            entry.done()
        account.hold()
        account.done()
        assert [entry.holds for entry in entries] == [1, 1, 1]
        account.done()
        assert ledger.committable() == {"t": 3}

    def test_together_fails_each_once(self) -> None:
        failed: list[int] = []
        ledger: Ledger[str] = Ledger(on_failed=lambda entry, _: failed.append(entry.offset))
        entries = [entry for entry in (ledger.open("t", offset) for offset in range(2)) if entry is not None]
        account = Together(entries)
        account.hold()
        account.fail(RuntimeError("lost"))
        account.fail(RuntimeError("lost, too"))
        assert failed == [0, 1]
        assert [entry.holds for entry in entries] == [2, 2]  # the handler's own, and what `on_failed` took over

    @pytest.mark.parametrize("fails", [False, True])
    def test_then_acts_when_all_else_is_done_and_only_if_it_was(self, fails: bool) -> None:
        ledger: Ledger[str] = Ledger(on_failed=lambda entry, _: entry.done())
        entry = ledger.open("t", 0)
        assert entry is not None
        acted: list[int] = []
        account = Then((entry,), lambda: acted.append(entry.holds))
        account.hold()
        entry.done()
        account.done()
        assert acted == []
        if fails:
            account.fail(RuntimeError("lost"))
        else:
            account.done()
        assert acted == ([] if fails else [1])
        assert ledger.committable() == {"t": 1}

    def test_a_turn_comes_when_what_the_one_before_caused_is_delivered_and_the_entry_waits_for_the_last(self) -> None:
        ledger: Ledger[str] = Ledger()
        entry = ledger.open("t", 0)
        assert entry is not None
        under_way: list[Entry] = []

        def step(account: Entry) -> None:
            account.hold()
            under_way.append(account)

        in_turn(entry, step, step, step)
        entry.done()
        for number in range(3):
            assert len(under_way) == number + 1
            assert not entry.finished
            under_way[-1].done()
        assert entry.finished

    @pytest.mark.parametrize("raising", range(3))
    def test_a_step_that_cannot_be_taken_fails_the_input_and_holds_it_no_longer(self, raising: int) -> None:
        """Whoever delivered what the step before caused has nothing to do with it."""
        failed: list[Exception] = []

        def given_up(one: Entry, error: Exception) -> None:
            failed.append(error)
            one.done()

        ledger: Ledger[str] = Ledger(on_failed=given_up)
        entry = ledger.open("t", 0)
        assert entry is not None
        under_way: list[Entry] = []

        def step(account: Entry) -> None:
            if len(under_way) == raising:
                raise ValueError(raising)
            account.hold()
            under_way.append(account)

        in_turn(entry, step, step, step)
        entry.done()
        for number in range(raising):
            under_way[number].done()
        assert [str(error) for error in failed] == [str(raising)]
        assert entry.finished
        assert len(under_way) == raising

    def test_what_is_forgotten_is_not_acted_on(self) -> None:
        ledger: Ledger[str] = Ledger()
        entry = ledger.open("t", 0)
        assert entry is not None
        acted: list[int] = []
        account = Then((entry,), lambda: acted.append(1))
        ledger.forget(["t"])
        account.done()
        assert acted == []
