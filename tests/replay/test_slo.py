"""Objectives: read, judged, refused in words."""

import pytest

from shelftalk.errors import ConfigError
from shelftalk.replay.slo import judge, parse


@pytest.mark.parametrize(
    ("text", "figures", "kept"),
    [
        ("p99<300ms", {"p99": 299.9}, [True]),
        ("p99<300ms", {"p99": 300.0}, [False]),
        ("p99<0.3s", {"p99": 299.9}, [True]),
        ("p99 <= 300", {"p99": 300.0}, [True]),
        ("p99.9<1s,lost=0", {"p99.9": 1_200.0, "lost": 0}, [False, True]),
        ("lost==0", {"lost": None}, [None]),
        ("cached>50%", {"cached": 51}, [True]),
        (
            "memory<2GB,rate>=100,refresh.p50<50ms",
            {"memory": 2_100, "rate": 99, "refresh.p50": 3},
            [False, False, True],
        ),
        (" , ", {}, []),
    ],
)
def test_an_objective_means_what_it_says(text: str, figures: dict[str, float | None], kept: list[bool | None]) -> None:
    assert [verdict.kept for verdict in judge(parse(text), figures)] == kept


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast", "'fast' is no objective; write p99<300ms"),
        ("p98<300ms", "'p98' is not measured; there are p50, "),
        ("p99<300MB", "p99 is in ms"),
        ("lost<3ms", "lost is in plain numbers"),
        ("p99<-3ms", "no objective"),
    ],
)
def test_a_slip_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(text)
