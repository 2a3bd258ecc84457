"""The first stage's shell: in which order an erasure is written, and what is left of it."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import pytest

from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.ledger import Entry, Ledger
from shelftalk.core.messages import Message
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.events.codec import encode
from shelftalk.events.types import BehaviourEvent, ProductViewed, ShopperErased
from shelftalk.stream.account import Together
from shelftalk.stream.react_handler import ReactHandler
from shelftalk.stream.record import Record
from tests.core.making import NOW

Value = TypeVar("Value")


class Wire:
    """What is under way, until it is delivered or a crash takes it."""

    def __init__(self) -> None:
        self.under_way: list[tuple[str, Any]] = []

    def owe(self, what: str, entry: Any) -> None:
        entry.hold()
        self.under_way.append((what, entry))

    def deliver(self, what: str = "") -> None:
        """Everything of a kind arrives, and what is sent because of it."""
        while found := [each for each in self.under_way if each[0].startswith(what)]:
            for each in found:
                self.under_way.remove(each)
                each[1].done()


class Table(Generic[Value]):
    """A table in memory; its writes go over the wire."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.held: dict[str, Value] = {}
        self._name, self._wire = name, wire

    def get(self, key: str, _partition: int, /) -> Value | None:
        return copy.copy(self.held.get(key))  # as of a row that was on disk: equal, and not the same

    def put(self, key: str, value: Value, _partition: int, entry: Any, /) -> None:
        self.held[key] = value
        self._wire.owe(self._name, entry)

    def delete(self, key: str, _partition: int, entry: Any, /) -> None:
        self.held.pop(key, None)
        self._wire.owe(self._name, entry)

    def items(self, _partition: int, /) -> Iterator[tuple[str, Value]]:
        yield from list(self.held.items())


class Outlet:
    def __init__(self, wire: Wire) -> None:
        self.erased: list[str] = []
        self._wire = wire

    def send(self, message: Message, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self._wire.owe("message", owed_by[0])

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Any]) -> None:  # noqa: ARG002
        self.erased.append(placement)
        self._wire.owe("order", owed_by[0])


class Stage:
    def __init__(self) -> None:
        self.wire = Wire()
        self.profiles: Table[Profile] = Table("profiles", self.wire)
        self.erasures: Table[Erased] = Table("erasures", self.wire)
        self.outlet = Outlet(self.wire)
        self.handler = ReactHandler(Policy(), self.profiles, self.erasures, self.outlet)
        self.ledger: Ledger[int] = Ledger()
        self._offset = 0

    def does(self, event: BehaviourEvent) -> Entry:
        offset, self._offset = self._offset, self._offset + 1
        entry = self.ledger.open(0, offset)
        assert entry is not None
        record = Record("behaviour", 0, offset, b"ada", encode(event), (), event.occurred_at_ms)
        self.handler.handle(record, entry, NOW + 60_000)
        entry.done()
        return entry


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


@pytest.mark.parametrize("last", ["erasures", "profiles", "message", "order"])
def test_where_the_cards_were_is_known_until_all_is_delivered(stage: Stage, last: str) -> None:
    entry = stage.does(gone(NOW + 1_000))
    for kind in {"erasures", "profiles", "message", "order"} - {last}:
        stage.wire.deliver(kind)
    assert stage.profiles.held["ada"].placed
    assert stage.profiles.held["ada"].erased == stage.erasures.held[erased_key("ada")]
    stage.wire.deliver()
    assert stage.profiles.held == {}
    assert entry.finished


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
