from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from shelftalk.engine import measure
from shelftalk.engine.measure import measure_step


@pytest.mark.parametrize("kind", ["w8a8", "genai"])
def test_the_parts_of_a_step_are_within_it(
    model_of: Callable[[str], Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves only when it is looked at: what is measured within what does not depend on the machine."""
    runs_us: list[float] = []
    of_profile = measure._lock_nodes_us

    def noted(profile: Path) -> list[float]:
        runs_us.extend(of_profile(profile))
        return runs_us

    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=count().__next__))
    monkeypatch.setattr(measure, "_lock_nodes_us", noted)
    cost = measure_step(model_of(kind), rows=3, steps=5, threads=1)
    parts = (cost.model_ms, cost.lock_ms, cost.choice_ms, cost.scheduler_ms)
    assert min(parts) > 0
    assert sum(parts) < cost.step_ms
    # Our graphs have nodes for the lock, which ran in each step and in the prefill before them.
    assert (len(runs_us) >= 5 + 1) == (kind == "w8a8")
    assert bool(runs_us) == (kind == "w8a8")
    assert cost.lock_share == (sum(runs_us) / 1000 / 6 + cost.lock_ms) / cost.step_ms
