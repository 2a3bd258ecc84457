"""The choice on the device, by the CPU's device-neutral tensors. That it runs on a GPU has not been seen yet."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.engine import Device, Engine, sampler
from shelftalk.engine.chooser import DeviceChooser
from shelftalk.engine.runner import TOP_K
from shelftalk.engine.sampler import Choice
from shelftalk.engine.session import Session
from shelftalk.errors import StepFailedError
from tests.engine.asking import ask, done, error_of, one_by_one, some_requests

LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=TOP_K)
CHOICES = st.builds(
    Choice,
    temperature=st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.5]),
    top_k=st.integers(1, TOP_K),
    top_p=st.floats(0.05, 1.0),
    draw=st.floats(0, 0.999),
)


@cache
def chooser() -> DeviceChooser:
    return DeviceChooser(Session(None, Device.CPU, 1, ()), TOP_K)


def falling(logits: Sequence[float]) -> np.ndarray:
    """A row as the graph gives it: falling, banned tokens last."""
    row = np.full(TOP_K, -1e30, np.float32)
    row[: len(logits)] = sorted(logits, reverse=True)
    return row


def on_device(values: np.ndarray, choices: Sequence[Choice]) -> tuple[list[int], dict[int, str]]:
    ids = np.tile(np.arange(100, 100 + TOP_K, dtype=np.int64), (len(values), 1))

    def put(array: np.ndarray) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array[:, None]), "cpu", 0)

    return chooser()(put(values), put(ids), choices)


@given(LOGITS, CHOICES)
def test_it_chooses_as_the_sampler_does(logits: list[float], choice: Choice) -> None:
    """But for draws and shares of probability within rounding of a border."""
    row = falling(logits)
    (token,), found = on_device(row[None], [choice])
    assert not found
    near = {
        sampler.choose_one(row.tolist(), list(range(100, 100 + TOP_K)), replace(choice, draw=draw, top_p=top_p))
        for draw in (choice.draw, max(0.0, choice.draw - 1e-5), choice.draw + 1e-5)
        for top_p in (choice.top_p, choice.top_p - 1e-5, choice.top_p + 1e-5)
    }
    assert token in near


@given(st.lists(st.tuples(LOGITS, CHOICES), min_size=2, max_size=5))
def test_a_row_chooses_the_same_alone_and_in_any_batch(rows: list[tuple[list[float], Choice]]) -> None:
    values, choices = np.stack([falling(logits) for logits, _ in rows]), [choice for _, choice in rows]
    together, _ = on_device(values, choices)
    assert together == [on_device(values[n : n + 1], choices[n : n + 1])[0][0] for n in range(len(rows))]


@pytest.mark.parametrize(("place", "bad"), [(0, np.nan), (9, np.nan), (0, np.inf), (3, -np.inf)])
def test_a_fault_is_found_in_its_row_alone(place: int, bad: float) -> None:
    values = np.stack([falling([3, 2, 1])] * 3)
    values[1, place] = bad
    assert list(on_device(values, [Choice()] * 3)[1]) == [1]


def test_a_row_without_an_allowed_token_is_a_fault() -> None:
    assert "no token" in on_device(falling([])[None], [Choice()])[1][0]


def test_the_penalty_is_the_hosts() -> None:
    values = np.stack([falling([3, 2.9])] * 2)
    tokens, _ = on_device(values, [Choice(penalty=2.0, seen={100}), Choice()])
    assert tokens == [101, 100]


@pytest.mark.parametrize("kind", ["fp32", "w8a8-kv8", "pruned"])
@pytest.mark.parametrize("bucketed", [False, True])
def test_only_ids_come_back_and_texts_are_the_same_alone_and_together(
    model_of: Callable[[str], Path], kind: str, *, bucketed: bool
) -> None:
    requests = some_requests(20, seed=23)
    settings: dict[str, Any] = {"threads": 1, "bucketed": bucketed, "choose_on_device": True}
    with Engine(model_of(kind), rows=1, **settings) as engine:
        assert engine._runner.answers_stay
        alone = one_by_one(engine, requests)
    with Engine(model_of(kind), rows=5, debug=True, **settings) as engine:
        assert [done(future).text for future in [engine.submit(request) for request in requests]] == alone
    greedy = [number for number, request in enumerate(requests) if request.temperature == 0]
    with Engine(model_of(kind), rows=1, threads=1) as engine:
        on_host = one_by_one(engine, requests)
    assert [alone[number] for number in greedy] == [on_host[number] for number in greedy]


def test_a_graph_that_selects_nothing_leaves_the_choice_to_the_host(model_of: Callable[[str], Path]) -> None:
    with Engine(model_of("genai"), rows=1, threads=1, choose_on_device=True) as engine:
        assert not engine._runner.answers_stay
        assert done(engine.submit(ask("k")))


def test_a_nan_is_seen_where_only_ids_come_back(nan_model: Path) -> None:
    with Engine(nan_model, rows=2, threads=1, debug=True, choose_on_device=True) as engine:
        assert done(engine.submit(ask("x", "warm kettle")))
        broken = error_of(engine.submit(ask("y", "warm mug")))
    assert isinstance(broken, StepFailedError)
    assert "NaN" in str(broken)
