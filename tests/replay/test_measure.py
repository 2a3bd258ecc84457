"""Latency from the intended time, and what it may not be taken for."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.replay.follower import Counts
from shelftalk.replay.measure import Latencies, distribution
from shelftalk.replay.play import Played
from shelftalk.replay.result import Result, doubts_about, figures_of, judged, summary
from shelftalk.replay.slo import parse
from shelftalk.replay.timeline import Sample


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.00001, 500), min_size=1, max_size=200))
def test_percentiles_are_right_to_three_digits(latencies_s: list[float]) -> None:
    found = Latencies(0.0)
    for latency_s in latencies_s:
        found.add(1.0, latency_s)
    spread = found.spread()
    ranked = sorted(latencies_s)
    exact = [1000 * ranked[max(1, int(len(ranked) * share + 0.5)) - 1] for share in (0.5, 0.99)]  # HDR rounds the rank
    assert spread.count == len(latencies_s)
    assert spread.p50 == pytest.approx(exact[0], rel=2e-3, abs=2e-3)
    assert spread.p99 == pytest.approx(exact[1], rel=2e-3, abs=2e-3)
    assert distribution(found.encoded())[-1][1] <= (spread.max or 0)


def test_the_warm_up_is_drawn_and_not_counted() -> None:
    found = Latencies(5.0)
    found.add(4.9, 9.0)
    found.add(5.0, 0.1)
    assert found.spread().count == 1
    assert found.spread().max == pytest.approx(100, rel=1e-3)
    assert list(found.over_time()) == [4, 5]
    assert Latencies(0.0).spread().p99 is None
    assert distribution(Latencies(0.0).encoded()) == []


def played(*, late_ms: float = 1, answer_ms: float = 100, **more: Any) -> Played:
    lateness, answers, refreshes = (Latencies(2.0) for _ in range(3))
    counts = Counts()
    for n in range(1_000):
        lateness.add(n / 100, late_ms / 1000)
        answers.add(n / 100, answer_ms / 1000)
        counts.answers["cached"] += n >= 200
    fields: dict[str, Any] = {
        "sent": 1_000,
        "sent_measured": 800,
        "delivered": 1_000,
        "failed": 0,
        "overdue": 0,
        "reasons": Counter(),
        "played_s": 10.0,
        "lateness": lateness,
        "answers": answers,
        "refreshes": refreshes,
        "counts": counts,
        "samples": [
            Sample(
                at_s=t,
                sent=100 * t,
                cards=50 * t,
                rungs={},
                refreshed=0,
                dead_letters=0,
                lag=t,
                cpu_s=t / 2,
                memory_mb=9,
            )
            for t in range(11)
        ],
        "left": 0,
        "read_back": True,
        "follower_busy": 0.2,
        "failures": [],
        "interrupted": False,
    }
    return Played(**fields | more)


def result(of: Played) -> Result:
    return Result(
        run="r",
        started_at="now",
        version="0",
        recording={"path": "x.parquet", "records": 1, "fingerprint": "f"},
        pace={},
        keys={},
        site="here",
        warm_up_s=2.0,
        **figures_of(of, warm_up_s=2.0),
    )


@pytest.mark.parametrize(
    ("happened", "says"),
    [
        ({"late_ms": 11, "answer_ms": 100}, "late itself: p99 11 ms"),
        ({"late_ms": 300, "answer_ms": 60_000}, "late itself: p99 300 ms"),
        ({"overdue": 1}, "did not send all"),
        ({"follower_busy": 0.95}, "reader of the cards was busy 95%"),
        ({"read_back": False}, "could be read back"),
    ],
)
def test_latency_is_refused_where_it_may_be_the_generators(happened: dict[str, Any], says: str) -> None:
    assert says in " ".join(doubts_about(played(**happened)))
    found = result(played(**happened))
    assert found.answers is found.refreshes is None
    assert found.over_time == {}
    assert "answers" not in found.histograms
    assert "from event to card" not in "\n".join(summary(found))
    assert [verdict.kept for verdict in judged(parse("p99<1s,lost=0"), found)] == [None, True]


def test_a_generator_in_time_is_believed() -> None:
    assert doubts_about(played(late_ms=4, answer_ms=1)) == []  # nobody can be more punctual than the operating system
    assert doubts_about(played(late_ms=9, answer_ms=100)) == []
    found = result(played())
    assert found.answers is not None
    assert found.answers.count == 800
    assert found.rate_per_s == 100
    assert found.cpu_s_per_event == 0.005
    assert (found.lag_max, found.lost, found.memory_max_mb) == (10, 0, 9)
    assert [each.kept for each in judged(parse("p99<110ms,p99>90ms,cached=100%,rate=100"), found)] == [True] * 4


def test_what_was_never_answered_is_infinitely_late() -> None:
    found = result(played(left=50))
    assert found.lost == 50
    assert [each.kept for each in judged(parse("p50<1s,p90<1s,p95<1s,p99<1s,lost=0"), found)] == [
        *(True, True, False, False, False)
    ]
    assert [each.kept for each in judged(parse("lost=0,p99<1s"), result(played(left=None)))] == [None, True]
