"""When what is sent: order, pace, copies."""

import json
from collections import defaultdict
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.errors import ConfigError
from shelftalk.replay.marking import HEADER, marked, seq_of
from shelftalk.replay.recording import Recorded
from shelftalk.replay.schedule import Pace, Schedule, Send, ramped
from tests.replay.making import START_MS, STREAMS, record, repriced, upserted, viewed


def schedule(rows: list[Recorded], **pace: Any) -> Schedule:
    return Schedule(rows, STREAMS, Pace(**pace))


def due(plan: Schedule, most: int = 1_000) -> list[float]:
    return [round(send.due_s, 6) for send in islice(plan.sends(), most)]


@st.composite
def recordings(draw: st.DrawFn) -> list[Recorded]:
    """Three shoppers and a product in two partitions, whose timestamps may run backwards."""
    rows = []
    for offset, (shopper, at_ms) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60_000)), min_size=1, max_size=30))
    ):
        row = viewed(shopper, at_ms) if shopper != "c" else repriced("P", at_ms, 100 + at_ms)
        rows.append(Recorded(row.topic, ord(shopper) % 2, offset, row.timestamp_ms, row.key, row.value))
    return rows


paces = st.builds(
    Pace,
    speed=st.floats(0.1, 100),
    rate_per_s=st.none() | st.floats(1, 50),
    ramp_s=st.sampled_from([0.0, 5.0]),
    users=st.none() | st.integers(1, 4),
    products=st.integers(1, 2),
)


@given(recordings(), paces)
def test_each_key_keeps_its_order_and_everything_is_sent_once(rows: list[Recorded], pace: Pace) -> None:
    plan = Schedule(rows, STREAMS, pace)
    by_key: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    before_s = 0.0
    for send in plan.sends():
        assert send.due_s >= before_s
        before_s = send.due_s
        by_key[send.record.topic, send.record.partition, send.user, send.product].append(send.record.offset)
    sent: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for (topic, partition, user, _), offsets in by_key.items():
        if topic == "behaviour":
            sent[topic, partition, user] += offsets
        else:
            assert offsets == sorted(offsets)
    assert sum(map(len, by_key.values())) == plan.records
    for offsets in sent.values():
        # A clock that is ahead begins in the middle: sorted but for one step back.
        assert sum(after < before for before, after in pairwise(offsets)) <= (1 if pace.rate_per_s else 0)
        assert len(set(offsets)) == len(offsets)


@given(recordings(), st.integers(1, 3), st.booleans())
def test_a_loop_repeats_the_first_round(rows: list[Recorded], users: int, paced: bool) -> None:
    pace = {"users": users, "loop": True, "rate_per_s": 10.0 if paced else None}
    plan = schedule(rows, **pace)
    sends = list(islice(plan.sends(), 2 * plan.records))
    counts: dict[tuple[int, int, str], int] = defaultdict(int)
    for send in sends:
        counts[send.record.offset, send.user, send.stream] += 1
    if paced:
        assert set(counts.values()) <= {1, 2, 3}
        assert sum(counts.values()) == 2 * plan.records
    assert all(after.due_s >= before.due_s for before, after in pairwise(sends))


def test_records_keep_their_distance_and_speed_shortens_it() -> None:
    rows = [viewed("a", 0), viewed("b", 4_000), viewed("a", 6_000)]
    assert due(schedule(rows)) == [0, 4, 6]
    assert due(schedule(rows, speed=10)) == [0, 0.4, 0.6]
    assert due(schedule(rows, seconds=5)) == [0, 4]


def test_a_round_follows_the_last_at_one_mean_distance() -> None:
    plan = schedule([viewed("a", 0), viewed("b", 2_000)], loop=True)
    assert due(plan, 5) == [0, 2, 3, 5, 6]


def test_a_rate_is_even_and_shoppers_are_multiplied_until_their_speed_is_true() -> None:
    rows = [viewed(f"s{n}", n * 1_000) for n in range(100)]  # one event a second
    plan = schedule(rows, rate_per_s=20, seconds=3)
    sends = list(plan.sends())
    assert due(plan) == [round(n / 20, 6) for n in range(60)]
    assert plan.users == 20
    assert schedule(rows, rate_per_s=20, speed=10).users == 2
    # Copies are spread over the whole recording: what comes within a second is of all its parts.
    assert len({send.record.key for send in sends[:20]}) == 20
    with pytest.raises(ConfigError, match="copies of each shopper"):
        schedule(rows, rate_per_s=10_000_000)


def test_copies_of_a_shopper_keep_a_peak_a_peak() -> None:
    rows = [viewed("a", 0), viewed("a", 600_000), viewed("b", 600_100)]
    times = due(schedule(rows, users=60))
    assert sum(time < 60 for time in times) == 60
    assert sum(600 <= time < 660.1 for time in times) == 120


def test_the_catalogue_is_there_before_the_first_shopper() -> None:
    plan = schedule([viewed("a", 0), upserted("A", 10), upserted("A", 20, name="Other"), upserted("B", 30)], products=2)
    opening = list(plan.before())
    assert [(send.record.key, send.product) for send in opening] == [(b"A", 0), (b"B", 0), (b"A", 1), (b"B", 1)]
    assert [send.stream for send in plan.sends()] == ["behaviour", "inventory", "inventory"]
    assert [send.seq for send in (*opening, *plan.sends())] == list(range(7))
    assert plan.keys == {"shoppers": 1, "products": 4}


def test_times_that_run_backwards_are_counted_and_change_no_order() -> None:
    plan = schedule([viewed("a", 5_000), viewed("a", 1_000), viewed("a", 6_000)])
    assert plan.backwards == 1
    assert due(plan) == [0, 0, 1]
    assert [send.record.timestamp_ms - START_MS for send in plan.sends()] == [5_000, 1_000, 6_000]


def test_what_came_out_is_not_sent_in() -> None:
    rows = [viewed("a", 0), record("cards", "a|next_1", {}, 10)]
    plan = Schedule(rows, STREAMS | {"cards": "cards"}, Pace())
    assert (plan.passed_over, len(list(plan.sends()))) == (1, 1)
    with pytest.raises(ConfigError, match="nothing to play"):
        schedule([upserted("A")])


microseconds = st.integers(0, 100_000_000).map(lambda us: us / 1e6)


@given(microseconds, microseconds, st.floats(0.1, 20))
def test_a_ramp_delays_and_keeps_order(one_s: float, other_s: float, ramp_s: float) -> None:
    assert ramped(one_s, ramp_s) >= one_s * (1 - 1e-12)
    assert (ramped(one_s, ramp_s) <= ramped(other_s, ramp_s)) or one_s > other_s
    assert ramped(one_s, 0) == one_s


def test_the_ramp_reaches_the_full_pace() -> None:
    times = due(schedule([viewed(f"s{n}", n) for n in range(3_000)], rate_per_s=100, ramp_s=10, users=1))
    in_second = [sum(second <= time < second + 1 for time in times) for second in range(12)]
    assert in_second[0] < 10 < in_second[4] < 60 < in_second[9] <= in_second[11] == 100


# --- the mark --------------------------------------------------------------------------------------------------------


def sent(row: Recorded, **more: Any) -> Send:
    return Send(7, 1.5, row.topic, row, **more)


def test_an_event_happens_now_and_bears_the_mark() -> None:
    row = viewed("ann", 2_000, occurred_at_ms=START_MS + 1_900)
    key, value, headers = marked(sent(row), "run1", 1_800_000_000_000)
    assert key == b"ann"
    assert json.loads(value or b"")["occurred_at_ms"] == 1_800_000_000_000 - 100
    assert json.loads(value or b"")["event_id"] == "run1-7"
    assert headers == [(HEADER, b"run1-7")]
    assert seq_of("run1-7", "run1") == seq_of(b"run1-7", "run1") == 7
    for other in ("run11-7", "run1-x", "run2-7", "run1", "", None, "run1-٣"):
        assert seq_of(other, "run1") is None


def test_other_times_keep_their_distance() -> None:
    event = {"type": "price_changed", "occurred_at_ms": START_MS, "sale_ends_at_ms": START_MS + 5_000, "price_minor": 1}
    _, value, _ = marked(sent(record("inventory", "A", event, 0)), "r", START_MS + 60_000)
    assert json.loads(value or b"")["sale_ends_at_ms"] == START_MS + 65_000


def test_a_copy_is_somebody_else_looking_at_his_copy_of_the_catalogue() -> None:
    row = viewed("ann", 0, sku="A1", session_id="s", candidates=["B2"], items=[{"sku": "C3"}], results=["D4"])
    key, value, _ = marked(sent(row, user=3, product=1), "r", START_MS)
    event = json.loads(value or b"")
    assert key == b"ann~3"
    assert (event["shopper_id"], event["session_id"], event["sku"]) == ("ann~3", "s~3", "A1~1")
    assert (event["candidates"], event["items"], event["results"]) == (["B2~1"], [{"sku": "C3~1"}], ["D4~1"])
    key, value, _ = marked(sent(upserted("A1"), product=1), "r", START_MS)
    assert (key, json.loads(value or b"")["sku"]) == (b"A1~1", "A1~1")


def test_ids_stay_as_short_as_the_contract_wants_them() -> None:
    key, _, _ = marked(sent(viewed("a" * 128, 0), user=12), "r", START_MS)
    assert len(key or b"") == 128
    assert (key or b"").endswith(b"~12")


@pytest.mark.parametrize("value", [b"not json", b"[1]", b"", None, b'{"shopper_id": 5}', b'{"occurred_at_ms": true}'])
def test_what_is_no_event_is_sent_as_it_was(value: bytes | None) -> None:
    row = Recorded("behaviour", 0, 0, START_MS, b"ann", value)
    _, again, headers = marked(sent(row), "r", START_MS + 1)
    assert again == value or json.loads(again or b"") == json.loads(value or b"")
    assert headers == [(HEADER, b"r-7")]
