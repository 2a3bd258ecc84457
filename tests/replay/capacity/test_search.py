"""The search for the highest rate: on made-up systems whose capacity is known."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.replay.capacity.search import MOST_STEPS, SLOWEST, Outcome, Search, Try


def searched(search: Search, system: Callable[[Try], Outcome]) -> list[Try]:
    tried = []
    while (each := search.next()) is not None:
        tried.append(each)
        assert len(tried) <= MOST_STEPS
        search.note(each, system(each))
    return tried


def holding(capacity_per_s: float) -> Callable[[Try], Outcome]:
    return lambda tried: Outcome.KEPT if tried.rate_per_s <= capacity_per_s else Outcome.BROKEN


@given(st.floats(1, 100_000), st.floats(1, 1_000), st.sampled_from([0.03, 0.1, 0.3]))
def test_it_finds_what_is_held_and_no_more(capacity_per_s: float, first_per_s: float, within: float) -> None:
    search = Search(first_per_s, within)
    tried = searched(search, holding(capacity_per_s))
    assert search.confirmed is not None
    assert search.confirmed <= capacity_per_s <= search.confirmed * (1 + within)
    assert tried[-1] == Try(search.confirmed, longer=True)


def test_what_holds_nothing_has_no_capacity() -> None:
    search = Search(50)
    tried = searched(search, lambda _: Outcome.BROKEN)
    assert (search.confirmed, search.kept) == (None, None)
    assert tried[-1].rate_per_s >= SLOWEST > tried[-1].rate_per_s / 2


@given(st.floats(10, 10_000), st.floats(10, 10_000))
def test_a_load_generator_that_is_late_ends_the_search_and_the_result_is_a_lower_bound(
    capacity_per_s: float, generator_per_s: float
) -> None:
    def system(tried: Try) -> Outcome:
        return Outcome.LOAD_LATE if tried.rate_per_s > generator_per_s else holding(capacity_per_s)(tried)

    search = Search(5)
    searched(search, system)
    assert search.confirmed is not None
    assert search.confirmed <= min(capacity_per_s, generator_per_s)
    if search.at_limit:
        assert search.broken is None or search.broken > generator_per_s / 2


def test_a_late_generator_at_once_leaves_nothing() -> None:
    search = Search(50)
    assert len(searched(search, lambda _: Outcome.LOAD_LATE)) == 1
    assert search.at_limit
    assert search.confirmed is None


@given(st.floats(20, 5_000), st.randoms(use_true_random=False))
def test_a_noisy_system_ends_all_the_same_and_what_is_found_was_held_for_longer(
    capacity_per_s: float, dice: object
) -> None:
    held_longer = set()

    def system(tried: Try) -> Outcome:
        kept = tried.rate_per_s <= capacity_per_s * (0.8 + 0.4 * dice.random())  # type: ignore[attr-defined]
        if kept and tried.longer:
            held_longer.add(tried.rate_per_s)
        return Outcome.KEPT if kept else Outcome.BROKEN

    search = Search(20)
    searched(search, system)
    if search.confirmed is not None:
        assert search.confirmed in held_longer


def test_a_rate_that_is_not_held_for_longer_is_not_the_result() -> None:
    search = Search(100)
    searched(search, lambda tried: Outcome.BROKEN if tried.longer and tried.rate_per_s > 300 else holding(400)(tried))
    assert search.confirmed is not None
    assert search.confirmed <= 300
    assert search.broken is not None
    assert search.broken <= 400


def test_an_interrupted_step_says_nothing() -> None:
    search = Search(100)
    with pytest.raises(ValueError, match="nothing"):
        search.note(Try(100), Outcome.INTERRUPTED)
