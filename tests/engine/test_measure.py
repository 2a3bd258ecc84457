from collections.abc import Callable
from pathlib import Path

import pytest

from shelftalk.engine.measure import measure_step


@pytest.mark.parametrize("kind", ["w8a8", "genai"])
def test_the_parts_of_a_step_are_within_it(model_of: Callable[[str], Path], kind: str) -> None:
    cost = measure_step(model_of(kind), rows=3, steps=5, threads=1)
    assert 0 < cost.model_ms < cost.step_ms
    assert (cost.lock_nodes_ms > 0) == (kind == "w8a8")
    assert cost.lock_nodes_ms < cost.model_ms
    assert min(cost.lock_ms, cost.choice_ms, cost.scheduler_ms, cost.lock_share) > 0
