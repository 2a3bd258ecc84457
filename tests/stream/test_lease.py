"""The lease runs from before the heartbeat was sent, and out before the group can give our partitions away."""

import asyncio
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.lease import Lease
from shelftalk.stream.transport import ConsumerThread


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20), st.booleans()), max_size=30))
def test_nobody_else_can_have_the_partitions_while_it_is_valid(beats: list[tuple[float, float, bool]]) -> None:
    """A coordinator that hears of us between sending and answer, and gives up a session after it last did."""
    clock = Clock()
    lease = Lease(10, clock)
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
        if answered:
            lease.renew(sent_s)
            assert lease.valid == (clock.now_s - sent_s < 9)


def test_an_answer_that_comes_late_does_not_turn_it_back() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    lease.renew(108.0)
    lease.renew(103.0)
    clock.now_s = 116.0
    assert lease.valid


async def test_who_waits_goes_on_when_it_is_renewed() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    clock.now_s += 30
    waiting = asyncio.ensure_future(lease.held())
    await asyncio.sleep(0)
    assert not waiting.done()
    lease.renew(clock.now_s)
    await asyncio.wait_for(waiting, 5)


class HeartbeatResponseV1(SimpleNamespace):
    pass


class FetchResponseV1(SimpleNamespace):
    pass


async def test_only_heartbeats_that_count_us_in_renew_it() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    answers: list[Any] = []
    renewed: list[float] = []

    async def send(_node: int, _request: object, **_: object) -> Any:
        return answers.pop()

    client = SimpleNamespace(send=send)
    lease.renew = renewed.append  # type: ignore[method-assign, assignment]
    ConsumerThread._renew_by_answers(ConsumerThread.__new__(ConsumerThread), client, lease)
    unknown_member, rebalance_in_progress = 25, 27
    for answer, counts in (
        (HeartbeatResponseV1(error_code=0), True),
        (HeartbeatResponseV1(error_code=rebalance_in_progress), True),
        (HeartbeatResponseV1(error_code=unknown_member), False),
        (FetchResponseV1(error_code=0), False),
    ):
        answers.append(answer)
        before = len(renewed)
        assert await client.send(1, object()) is answer
        assert len(renewed) - before == counts
