"""What the soak calls flat."""

import random

import pytest

from tests.chaos.soak import SERIES, flatness

RSS, LAG = SERIES[0], SERIES[-1]
AT_S = [float(second) for second in range(300)]


def noise(second: float) -> float:
    return random.Random(second).uniform(-3, 3)


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([300 + noise(at) for at in AT_S], True),
        ([300 + noise(at) + (40 if at % 60 < 5 else 0) for at in AT_S], True),  # spikes
        ([300 + at % 20 for at in AT_S], True),  # a saw, as of a collector
        ([min(200 + 2 * at, 300) + noise(at) for at in AT_S], True),  # it grows while it warms up
        ([300 + noise(at) + at / 12 for at in AT_S], False),  # five MiB a minute
        ([300 - at / 2 for at in AT_S], True),
    ],
)
def test_memory(values: list[float], flat: bool) -> None:
    assert flatness(RSS, AT_S, values).flat is flat


def test_a_lag_that_grows_is_seen_and_one_that_comes_and_goes_is_not() -> None:
    assert not flatness(LAG, AT_S, list(AT_S)).flat
    assert flatness(LAG, AT_S, [random.Random(at).choice((0, 0, 5, 80)) for at in AT_S]).flat
