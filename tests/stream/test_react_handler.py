"""The first stage's shell: in which order an erasure is written, and what is left of it."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.ledger import Entry, Ledger
from shelftalk.core.messages import Ask, Message
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.events.codec import encode
from shelftalk.events.types import BehaviourEvent, ProductViewed, ShopperErased
from shelftalk.stream.account import Together
from shelftalk.stream.react_handler import ReactHandler
from shelftalk.stream.record import Record
from tests.core.making import NOW

Value = TypeVar("Value")


KINDS = ("profiles", "erasures", "message", "order")


class Wire:
    """What is under way, until it is delivered or a crash takes it."""

    def __init__(self) -> None:
        self.under_way: list[tuple[str, Any, Callable[[], object]]] = []

    def owe(self, what: str, entry: Any, arrive: Callable[[], object]) -> None:
        entry.hold()
        self.under_way.append((what, entry, arrive))

    @property
    def kinds(self) -> set[str]:
        return {what for what, _, _ in self.under_way}

    def deliver_one(self, what: str) -> None:
        """The next of a kind arrives, if there is one: a topic keeps its order, and no topic waits for another."""
        found = next((each for each in self.under_way if each[0].startswith(what)), None)
        if found is not None:
            self.under_way.remove(found)
            _, entry, arrive = found
            arrive()
            entry.done()

    def deliver(self, what: str = "") -> None:
        """Everything of a kind arrives, and what is sent because of it."""
        while any(kind.startswith(what) for kind in self.kinds):
            self.deliver_one(what)


class Table(Generic[Value]):
    """A table in memory; its writes go over the wire."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.held: dict[str, Value] = {}
        self.delivered: dict[str, Value] = {}
        self._name, self._wire = name, wire

    def get(self, key: str, _partition: int, /) -> Value | None:
        return copy.copy(self.held.get(key))  # as of a row that was on disk: equal, and not the same

    def put(self, key: str, value: Value, _partition: int, entry: Any, /) -> None:
        self.held[key] = value
        self._wire.owe(self._name, entry, lambda: self.delivered.update({key: value}))

    def delete(self, key: str, _partition: int, entry: Any, /) -> None:
        self.held.pop(key, None)
        self._wire.owe(self._name, entry, lambda: self.delivered.pop(key, None))

    def items(self, _partition: int, /) -> Iterator[tuple[str, Value]]:
        yield from list(self.held.items())


class Outlet:
    """What arrived: the placements that were asked for, and those that were ordered to be empty."""

    def __init__(self, wire: Wire, erasures: Table[Erased]) -> None:
        self.asked: set[str] = set()
        self.emptied: set[str] = set()
        self._erasures = erasures
        self._wire = wire

    def send(self, message: Message, owed_by: Sequence[Any]) -> None:
        placements = message.placements if isinstance(message, Ask) else ()
        self._wire.owe("message", owed_by[0], lambda: self.asked.update(placements))

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Any]) -> None:
        def arrive() -> None:
            remembered = self._erasures.delivered.get(erased_key(shopper_id))
            assert remembered is not None, "the fence forgets a placement, and a crash has it forget why"
            assert remembered.revision >= revision
            self.emptied.add(placement)

        self._wire.owe("order", owed_by[0], arrive)


class Stage:
    def __init__(self) -> None:
        self.wire = Wire()
        self.profiles: Table[Profile] = Table("profiles", self.wire)
        self.erasures: Table[Erased] = Table("erasures", self.wire)
        self.outlet = Outlet(self.wire, self.erasures)
        self._log: list[Record] = []
        self._start()

    def _start(self) -> None:
        self.handler = ReactHandler(Policy(), self.profiles, self.erasures, self.outlet)
        self.ledger: Ledger[int] = Ledger()

    def does(self, event: BehaviourEvent) -> Entry:
        self._log.append(Record("behaviour", 0, len(self._log), b"ada", encode(event), (), event.occurred_at_ms))
        return self._handle(self._log[-1])

    def _handle(self, record: Record) -> Entry:
        entry = self.ledger.open(0, record.offset)
        assert entry is not None
        self.handler.handle(record, entry, NOW + 60_000)
        entry.done()
        return entry

    def crash(self) -> None:
        """What was under way is lost, and what was not committed is read again."""
        begin = self.ledger.committable().get(0, 0)
        self.wire.under_way.clear()
        self.profiles.held, self.erasures.held = dict(self.profiles.delivered), dict(self.erasures.delivered)
        self._start()
        for record in self._log[begin:]:
            self._handle(record)


def viewed(at_ms: int, shopper_id: str = "ada") -> ProductViewed:
    return ProductViewed(event_id=f"v{at_ms}", occurred_at_ms=at_ms, shopper_id=shopper_id, sku="kettle-1")


def gone(at_ms: int) -> ShopperErased:
    return ShopperErased(event_id=f"g{at_ms}", occurred_at_ms=at_ms, shopper_id="ada")


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.does(viewed(NOW))
    stage.wire.deliver()
    return stage


def test_an_erasure_goes_step_by_step_and_where_the_cards_were_is_known_to_the_end(stage: Stage) -> None:
    entry = stage.does(gone(NOW + 1_000))
    for step in ({"profiles"}, {"erasures"}, {"message", "order"}):
        assert stage.wire.kinds == step
        assert stage.profiles.held["ada"].placed
        for kind in step:
            stage.wire.deliver(kind)
    assert stage.profiles.held == {}
    assert not entry.finished  # the profile's tombstone is under way
    stage.wire.deliver()
    assert entry.finished


DELIVERIES = st.lists(st.sampled_from(KINDS), max_size=12)


@given(DELIVERIES, DELIVERIES, DELIVERIES)
def test_whatever_a_crash_takes_every_card_of_an_erased_shopper_goes(
    before: list[str], meanwhile: list[str], again: list[str]
) -> None:
    """What is delivered of each topic differs: an erasure may be known where the profile that it is about was lost."""
    stage = Stage()
    for event, delivered in ((viewed(NOW), before), (gone(NOW + 1_000), meanwhile)):
        stage.does(event)
        for kind in delivered:
            stage.wire.deliver_one(kind)
    for delivered in (again, []):
        stage.crash()
        for kind in delivered:
            stage.wire.deliver_one(kind)
    stage.wire.deliver()
    assert stage.outlet.asked <= stage.outlet.emptied
    assert stage.profiles.delivered == {}
    assert set(stage.erasures.delivered) == {erased_key("ada")}
    assert stage.ledger.unfinished == 0


def test_who_comes_back_carries_the_erasure_until_it_is_delivered(stage: Stage) -> None:
    stage.does(gone(NOW + 1_000))
    stage.does(viewed(NOW + 2_000))
    stage.wire.deliver("message")
    assert stage.profiles.held["ada"].erased is not None
    stage.wire.deliver()
    assert stage.profiles.held["ada"].erased is None
    assert [seen.sku for seen in stage.profiles.held["ada"].recent] == ["kettle-1"]
    assert stage.ledger.unfinished == 0


class TestIdle:
    LONG_MS = Policy().forget_after_ms

    def swept(self, stage: Stage) -> Stage:
        for _ in range(2):  # a turn to list, a turn to look
            stage.handler.sweep([0])
        return stage

    def test_who_was_not_heard_of_for_long_is_forgotten_with_a_tombstone(self, stage: Stage) -> None:
        other = Record("behaviour", 0, 99, b"bea", encode(viewed(NOW + 1, "bea")), (), NOW)
        stage.handler.handle(other, Together(), NOW + 60_000)
        newest = Record("behaviour", 0, 100, b"eve", encode(viewed(NOW + 1 + self.LONG_MS, "eve")), (), NOW)
        stage.handler.handle(newest, Together(), NOW + self.LONG_MS)
        stage.wire.deliver()
        assert set(self.swept(stage).profiles.held) == {"bea", "eve"}
        assert stage.handler.counts["shopper_forgotten"] == 1
        stage.wire.deliver("profiles")  # the tombstone went out

    def test_the_shops_time_counts_and_not_ours(self, stage: Stage) -> None:
        """A replay of last year's log forgets nobody the moment they come."""
        assert set(self.swept(stage).profiles.held) == {"ada"}

    def test_an_erasure_under_way_is_left_alone(self, stage: Stage) -> None:
        stage.does(gone(NOW + 1_000))
        newest = Record("behaviour", 0, 100, b"eve", encode(viewed(NOW + 9_000 + self.LONG_MS, "eve")), (), NOW)
        stage.handler.handle(newest, Together(), NOW + self.LONG_MS + 9_000)
        assert "ada" in self.swept(stage).profiles.held
