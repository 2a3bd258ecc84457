import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.engine.fact_lock import BANNED
from shelftalk.engine.sampler import Choice, choose, draws, faults

IDS = np.array([[10, 11, 12, 13]], np.int64)
VALUES = np.array([[3.0, 2.0, 1.0, 0.0]], np.float32)


def chosen(values: np.ndarray = VALUES, **choice: object) -> int:
    return choose(values.astype(np.float32), IDS, [Choice(**choice)])[0][0]  # type: ignore[arg-type]


def test_greedy_takes_the_likeliest() -> None:
    assert chosen() == 10


@pytest.mark.parametrize(("draw", "token"), [(0.0, 10), (0.64, 10), (0.65, 11), (0.89, 12), (0.999999, 13)])
def test_a_draw_inverts_the_distribution(draw: float, token: int) -> None:
    # softmax(3, 2, 1, 0) = 0.644, 0.237, 0.087, 0.032
    assert chosen(temperature=1.0, top_p=1.0, draw=draw) == token


def test_top_k_and_top_p_keep_the_likeliest_only() -> None:
    assert chosen(temperature=1.0, top_p=1.0, top_k=2, draw=0.999999) == 11
    assert chosen(temperature=1.0, top_p=0.7, draw=0.999999) == 11
    assert chosen(temperature=1.0, top_p=0.01, draw=0.999999) == 10


def test_a_tiny_temperature_is_greedy() -> None:
    assert chosen(temperature=1e-300, top_p=1.0, draw=0.999999) == 10


def test_a_banned_token_is_never_drawn() -> None:
    values = VALUES + np.array([[0, 0, BANNED, BANNED]], np.float32)
    assert chosen(values, temperature=100.0, top_p=1.0, draw=0.999999) == 11


def test_the_penalty_lowers_what_was_said_already() -> None:
    assert chosen(penalty=2.0, seen={10}) == 11
    assert chosen(VALUES - 2.5, penalty=8.0, seen={10}) == 10
    # Below zero a score is multiplied, or the penalty would raise it.
    assert chosen(VALUES - 4, penalty=4.0, seen={10}) == 11


@given(st.integers(0, 2**63), st.integers(1, 40), st.integers(0, 20))
def test_a_draw_depends_on_the_seed_and_the_step_alone(seed: int, count: int, more: int) -> None:
    assert draws(seed, count) == draws(seed, count + more)[:count]
    assert draws(seed, count) == np.random.Generator(np.random.Philox(seed)).random(count).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3])
def test_a_fault_is_found_in_its_row_alone(bad: float, place: int) -> None:
    values = np.repeat(VALUES, 3, axis=0)
    values[1, place] = bad
    assert set(faults(values)) == {1}


def test_a_row_without_an_allowed_token_is_a_fault() -> None:
    values = np.concatenate([VALUES, VALUES + BANNED])
    assert faults(values) == {1: "the fact lock allows no token"}


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=4, max_size=4), st.floats(0.1, 3), st.floats(0, 1, exclude_max=True)
)
def test_a_row_chooses_the_same_in_any_batch(logits: list[float], temperature: float, draw: float) -> None:
    row = -np.sort(-np.array([logits], np.float32))
    choice = Choice(temperature=temperature, draw=draw, penalty=1.3, seen={12})
    batch = np.concatenate([VALUES, row, VALUES])
    ids = np.repeat(IDS, 3, axis=0)
    assert choose(batch, ids, [Choice(), choice, Choice()])[0][1] == choose(row, IDS, [choice])[0][0]
