"""The lease runs from before the heartbeat was sent, and out before the group can give our partitions away."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.lease import Lease
from shelftalk.stream.transport import renew_by_answers


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def held(clock: Clock, session_s: float = 10) -> Lease:
    """A lease on the partitions of generation 1."""
    lease = Lease(session_s, clock)
    lease.joined(1, clock.now_s)
    lease.take(1)
    return lease


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20), st.booleans()), max_size=30))
def test_nobody_else_can_have_the_partitions_while_it_is_valid(beats: list[tuple[float, float, bool]]) -> None:
    """A coordinator that hears of us between sending and answer, and gives up a session after it last did."""
    clock = Clock()
    lease = held(clock)
    heard_s = clock.now_s
    for wait_s, travel_s, answered in beats:
        clock.now_s += wait_s
        sent_s = clock.now_s
        clock.now_s += travel_s
        out = clock.now_s - heard_s > 10
        assert not (out and lease.valid)
        if out:
            return
        heard_s = sent_s + travel_s / 2  # it also hears of heartbeats whose answer is lost
        if answered and lease.renew(1, sent_s):
            assert lease.valid == (clock.now_s - sent_s < 9)


@given(st.data())
def test_no_answer_of_a_group_that_is_being_read_gives_a_lost_partition_back(data: st.DataObject) -> None:
    """A coordinator that may restart: while it reads its groups it answers all heartbeats, then the session begins anew.

    It gives the partitions away only by a session that is over, and never tells.
    """
    clock = Clock()
    lease = held(clock)
    session_from_s, ours, reading = clock.now_s, True, False
    for what in data.draw(st.lists(st.sampled_from(("heartbeat", "restart", "read", "sleep")), max_size=40)):
        clock.now_s += data.draw(st.floats(0, 8))
        if ours and not reading and clock.now_s - session_from_s > 10:
            ours = False
        if what == "restart":
            reading = True
        elif what == "read" and reading:
            reading, session_from_s = False, clock.now_s
        elif what == "heartbeat" and (reading or ours):
            session_from_s = clock.now_s
            lease.renew(1, clock.now_s)
        assert ours or not lease.valid


def test_an_answer_that_comes_late_does_not_turn_it_back() -> None:
    clock = Clock()
    lease = held(clock)
    lease.renew(1, 108.0)
    lease.renew(1, 103.0)
    clock.now_s = 116.0
    assert lease.valid


def test_what_is_over_comes_back_by_joining_anew_alone() -> None:
    clock = Clock()
    lease = held(clock)
    clock.now_s += 9
    assert not lease.renew(1, clock.now_s)
    assert not lease.valid
    lease.joined(1, clock.now_s)
    assert lease.valid


def test_a_heartbeat_that_was_sent_in_time_counts_when_its_answer_comes_late() -> None:
    clock = Clock()
    lease = held(clock)
    sent_s = clock.now_s + 8
    clock.now_s += 12
    assert lease.renew(1, sent_s)
    assert lease.valid


def test_it_is_of_the_generation_that_is_in_memory() -> None:
    clock = Clock()
    lease = held(clock)
    lease.joined(2, clock.now_s)
    assert not lease.valid, "what went elsewhere is still here"
    assert not lease.renew(1, clock.now_s)
    lease.take(2)
    assert lease.valid
    lease.give_up()
    lease.renew(2, clock.now_s)
    assert not lease.valid, "the others may have them already"


def test_before_anything_was_taken_there_is_none_and_who_is_expelled_has_none() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    assert not lease.valid
    lease = held(clock)
    lease.end()
    assert not lease.valid
    assert not lease.renew(1, clock.now_s)
    assert not lease.valid


async def test_who_waits_goes_on_when_it_is_joined_anew() -> None:
    clock = Clock()
    lease = held(clock)
    clock.now_s += 30
    waiting = asyncio.ensure_future(lease.held())
    await asyncio.sleep(0)
    assert not waiting.done()
    lease.joined(1, clock.now_s)
    await asyncio.wait_for(waiting, 5)


class HeartbeatResponseV1(SimpleNamespace):
    pass


class SyncGroupResponseV3(SimpleNamespace):
    pass


class FetchResponseV1(SimpleNamespace):
    pass


class Rig:
    """A client whose answers are ours."""

    def __init__(self) -> None:
        self.lease, self.rejoins = held(Clock(), 3600), 0
        self.client = SimpleNamespace(send=self.send)
        renew_by_answers(self.client, self.lease, self.rejoin)

    async def send(self, _node: int, request: Any, **_: object) -> Any:
        return request.answer

    def rejoin(self) -> None:
        self.rejoins += 1

    async def ask(self, answer: object, generation: int = 1) -> None:
        assert await self.client.send(1, SimpleNamespace(_generation_id=generation, answer=answer)) is answer


@pytest.mark.parametrize("code", [22, 25, 82])
async def test_who_is_told_that_it_is_no_member_has_no_lease(code: int) -> None:
    rig = Rig()
    await rig.ask(HeartbeatResponseV1(error_code=code))
    assert not rig.lease.valid
    await rig.ask(HeartbeatResponseV1(error_code=0))
    assert not rig.lease.valid
    await rig.ask(SyncGroupResponseV3(error_code=0), generation=2)
    assert not rig.lease.valid, "not before the partitions are taken"
    rig.lease.take(2)
    assert rig.lease.valid


async def test_a_heartbeat_that_brings_nothing_back_makes_the_worker_join_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, renewed = Rig(), [True, False]
    monkeypatch.setattr(rig.lease, "renew", lambda *_: renewed.pop(0))
    await rig.ask(HeartbeatResponseV1(error_code=0))
    assert rig.rejoins == 0
    await rig.ask(HeartbeatResponseV1(error_code=0))
    assert rig.rejoins == 1


@pytest.mark.parametrize(
    "answer", [HeartbeatResponseV1(error_code=27), HeartbeatResponseV1(error_code=16), FetchResponseV1(error_code=0)]
)
async def test_other_answers_say_nothing(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    rig, renewed = Rig(), []
    monkeypatch.setattr(rig.lease, "renew", lambda *heard: renewed.append(heard))
    await rig.ask(answer)
    assert (renewed, rig.rejoins, rig.lease.valid) == ([], 0, True)
