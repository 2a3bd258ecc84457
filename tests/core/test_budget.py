"""The budget: texts in proportion to events, never more."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shelftalk.core.budget import Budget
from tests.core.making import NOW


def whole(per_event: float, per_s: float, at_once: int) -> Budget:
    budget = Budget(per_event, per_s, at_once)
    budget.share(1.0)
    return budget


def test_what_was_saved_is_spent_and_events_earn_more() -> None:
    budget = whole(0.5, 0.0, 3)
    assert [budget.spend(NOW, urgent=True) for _ in range(4)] == [True, True, True, False]
    budget.event(NOW)
    assert not budget.spend(NOW, urgent=True)
    budget.event(NOW)
    assert budget.spend(NOW, urgent=True)


def test_a_quiet_shop_has_its_words_too() -> None:
    budget = whole(0.0, 2.0, 1)
    assert budget.spend(NOW, urgent=True)
    assert not budget.spend(NOW + 499, urgent=True)
    assert budget.spend(NOW + 1_000, urgent=True)


@pytest.mark.parametrize(("events_per_s", "texts_per_s"), [(0, 2.0), (100, 2.0), (400, 2.0), (500, 2.5), (1_000, 5.0)])
def test_a_second_pays_what_its_events_do_or_the_least(events_per_s: int, texts_per_s: float) -> None:
    budget, spent = whole(0.005, 2.0, 1), 0
    spent += budget.spend(NOW, urgent=True)
    for ms in range(1, 20_001):
        for _ in range(events_per_s * ms // 1000 - events_per_s * (ms - 1) // 1000):
            budget.event(NOW + ms)
        if ms % 20 == 0:
            spent += budget.spend(NOW + ms, urgent=True)
    assert spent == pytest.approx(20 * texts_per_s, abs=3)


def test_after_a_rush_a_quiet_shop_has_its_words_again_within_a_second() -> None:
    budget = whole(0.005, 2.0, 1)
    for ms in range(10_000):
        budget.event(NOW + ms)
    while budget.spend(NOW + 10_000, urgent=True):
        pass
    assert sum(budget.spend(NOW + 10_000 + 100 * tenth, urgent=True) for tenth in range(1, 31)) >= 4


def test_a_quarter_is_kept_for_shoppers_who_wait() -> None:
    budget = whole(0.0, 0.0, 100)
    assert sum(budget.spend(NOW, urgent=False) for _ in range(200)) == 75
    assert sum(budget.spend(NOW, urgent=True) for _ in range(200)) == 25


def test_half_is_kept_for_what_is_needed_now() -> None:
    budget = whole(0.0, 0.0, 100)
    assert sum(budget.spend(NOW, urgent=False, ahead=True) for _ in range(200)) == 50
    assert sum(budget.spend(NOW, urgent=False) for _ in range(200)) == 25


def test_a_second_try_is_paid_for_afterwards() -> None:
    budget = whole(1.0, 0.0, 1)
    budget.charge()
    budget.charge()
    budget.event(NOW)
    assert not budget.spend(NOW, urgent=True)


@settings(max_examples=80, deadline=None)
@example([(False, -501, False), *[(False, 0, False)] * 7, (False, 1_746, False), *[(False, 0, True)] * 3])
@example([(False, 5_000, True), (False, -5_000, True)] * 40)  # a clock that goes to and fro
@given(st.lists(st.tuples(st.booleans(), st.integers(-5_000, 5_000), st.booleans()), max_size=300))
def test_never_more_than_the_allowance_and_what_came_in(steps: list[tuple[bool, int, bool]]) -> None:
    budget, now_ms, events, spent = whole(0.1, 1.0, 10), NOW, 0, 0
    asked_ms: list[int] = []
    for is_event, later_ms, urgent in steps:
        now_ms += later_ms
        asked_ms.append(now_ms)
        if is_event:
            budget.event(now_ms)
            events += 1
        else:
            spent += budget.spend(now_ms, urgent=urgent)
        # Time counts from when it was first told, which here may be before NOW, to the latest that was.
        passed_ms = max(asked_ms) - asked_ms[0]
        assert spent <= 10 + 0.1 * events + passed_ms / 1000 + 1e-6


def spendable(budget: Budget, at_ms: int = NOW) -> int:
    return sum(budget.spend(at_ms, urgent=True) for _ in range(1_000))


def test_a_worker_has_the_part_of_savings_and_seconds_that_it_has_of_the_partitions() -> None:
    budget = Budget(0.0, 8.0, 100)
    assert spendable(budget) == 0
    budget.share(0.25)
    assert spendable(budget) == 25
    assert spendable(budget, NOW + 1_000) == 2
    budget.share(0.5)
    assert spendable(budget, NOW + 1_000) == 25
    assert spendable(budget, NOW + 2_000) == 4


def test_what_is_given_up_takes_its_savings_along() -> None:
    budget = whole(0.0, 0.0, 100)
    budget.share(0.25)
    assert spendable(budget) == 25


def test_a_debt_stays_with_who_made_it() -> None:
    budget = whole(1.0, 0.0, 1)
    for _ in range(3):
        budget.charge()
    budget.share(0.5)
    budget.event(NOW)
    budget.event(NOW)
    assert spendable(budget) == 0


def test_a_share_is_worth_a_text_at_least_in_the_end() -> None:
    budget = Budget(0.1, 0.0, 1)
    budget.share(0.125)
    for _ in range(9):
        budget.event(NOW)
    assert spendable(budget) == 1


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=20), st.integers(0, 40))
def test_partitions_that_go_to_and_fro_earn_nothing(shares: list[float], each: int) -> None:
    budget, spent = Budget(0.0, 0.0, 100), 0
    for share in shares:
        budget.share(share)
        spent += sum(budget.spend(NOW, urgent=True) for _ in range(each))
    assert spent <= 100 * max(shares, default=0.0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(1, 30))
def test_a_deployment_spends_what_its_workers_ever_had_at_most(moves: list[int], each: int) -> None:
    """Three workers, four partitions, of which one goes to a worker at a time."""
    workers, owner, spent = [Budget(0.0, 0.0, 100) for _ in range(3)], [0, 0, 0, 0], 0
    most = [0.0, 0.0, 0.0]
    for turn, to in enumerate([0, *moves]):
        owner[turn % 4] = to
        for number, budget in enumerate(workers):
            share = owner.count(number) / 4
            budget.share(share)
            most[number] = max(most[number], share)
            spent += sum(budget.spend(NOW, urgent=True) for _ in range(each))
        assert spent <= 100 * sum(most)
