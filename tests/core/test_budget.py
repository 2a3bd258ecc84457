"""The budget: texts in proportion to events, never more."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.budget import Budget
from tests.core.making import NOW


def test_what_was_saved_is_spent_and_events_earn_more() -> None:
    budget = Budget(0.5, 0.0, 3)
    assert [budget.spend(NOW, urgent=True) for _ in range(4)] == [True, True, True, False]
    budget.event()
    assert not budget.spend(NOW, urgent=True)
    budget.event()
    assert budget.spend(NOW, urgent=True)


def test_a_quiet_shop_has_its_words_too() -> None:
    budget = Budget(0.0, 2.0, 1)
    assert budget.spend(NOW, urgent=True)
    assert not budget.spend(NOW + 499, urgent=True)
    assert budget.spend(NOW + 1_000, urgent=True)


def test_a_quarter_is_kept_for_shoppers_who_wait() -> None:
    budget = Budget(0.0, 0.0, 100)
    assert sum(budget.spend(NOW, urgent=False) for _ in range(200)) == 75
    assert sum(budget.spend(NOW, urgent=True) for _ in range(200)) == 25


def test_a_second_try_is_paid_for_afterwards() -> None:
    budget = Budget(1.0, 0.0, 1)
    budget.charge()
    budget.charge()
    budget.event()
    assert not budget.spend(NOW, urgent=True)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-5_000, 5_000), st.booleans()), max_size=300))
def test_never_more_than_the_allowance_and_what_came_in(steps: list[tuple[bool, int, bool]]) -> None:
    budget, now_ms, events, spent, first_ms, last_ms = Budget(0.1, 1.0, 10), NOW, 0, 0, NOW, NOW
    for is_event, later_ms, urgent in steps:
        now_ms += later_ms
        if is_event:
            budget.event()
            events += 1
        else:
            spent += budget.spend(now_ms, urgent=urgent)
            last_ms = max(last_ms, now_ms)
        assert spent <= 10 + 0.1 * events + (last_ms - first_ms) / 1000 + 1e-6
