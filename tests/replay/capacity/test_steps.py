"""What becomes of a step: told from what was played, made up here."""

from typing import Any

import pytest

from shelftalk.replay import result as results
from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.capacity.steps import WARM_UP_S, _judged_by, _outcome, growing
from shelftalk.replay.measure import Latencies
from shelftalk.replay.slo import parse
from tests.replay.test_measure import played


def latencies(*seconds: float) -> Latencies:
    """One second after the other, the warm-up like the first."""
    found = Latencies(WARM_UP_S)
    for second, latency_s in enumerate((seconds[0],) * int(WARM_UP_S) + seconds):
        for place in range(50):
            found.add(second + place / 50, latency_s)
    return found


def outcome(slo: str = "p99<1s,lost=0", *, all_sent: bool = True, **happened: Any) -> Outcome:
    what = played(**happened)
    figures = results.figures_of(what, warm_up_s=WARM_UP_S)
    figures |= {"answers": what.answers.spread(), "refreshes": what.refreshes.spread()}
    verdicts = results.judged(parse(slo), _judged_by(figures))
    return _outcome(what, figures, verdicts, growing(what.answers), all_sent=all_sent)[0]


STEADY, ON_TIME = latencies(0.1, 0.12, 0.09, 0.1, 0.11, 0.1), latencies(*[0.001] * 6)
LATE = latencies(*[0.3] * 6)


@pytest.mark.parametrize(
    ("happened", "is_"),
    [
        ({"answers": STEADY, "lateness": ON_TIME}, Outcome.KEPT),
        ({"answers": STEADY, "lateness": LATE}, Outcome.KEPT),  # it looked worse than it was, and was good enough
        ({"answers": latencies(*[1.5] * 6), "lateness": ON_TIME}, Outcome.BROKEN),
        ({"answers": latencies(*[1.5] * 6), "lateness": LATE}, Outcome.LOAD_LATE),
        # All within the objective, but later and later: a longer step would break it.
        ({"answers": latencies(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "lateness": ON_TIME}, Outcome.BROKEN),
        ({"answers": STEADY, "lateness": ON_TIME, "left": 3}, Outcome.BROKEN),
        ({"answers": STEADY, "lateness": ON_TIME, "failures": ["worker 0 ended"]}, Outcome.BROKEN),
        ({"answers": STEADY, "lateness": ON_TIME, "interrupted": True}, Outcome.INTERRUPTED),
        ({"answers": STEADY, "lateness": ON_TIME, "all_sent": False}, Outcome.LOAD_LATE),
    ],
)
def test_outcomes(happened: dict[str, Any], is_: Outcome) -> None:
    assert outcome(**happened) is is_


def test_growth_is_the_excess_of_the_load_over_what_is_done() -> None:
    # 120 events a second into what does 100: each second adds 0.2 s.
    assert growing(latencies(*(0.05 + 0.2 * second for second in range(8)))) == pytest.approx(0.2, rel=0.05)
    assert growing(latencies(0.1, 0.1, 2.0, 0.1, 0.1, 0.1)) == pytest.approx(0, abs=0.01)  # one hiccup is no trend
    assert growing(latencies(0.1, 0.2)) is None
