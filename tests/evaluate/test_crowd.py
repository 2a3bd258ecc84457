"""The crowd in simulated time: texts are shared, so the share of events that cost one falls."""

from shelftalk.core.rules import ShelfRules
from shelftalk.evaluate.crowd import play


def test_the_longer_it_plays_the_fewer_texts_an_event_costs() -> None:
    windows = play(seconds=30, window_s=10, rate_per_s=100, texts_per_s=1_000)
    assert [window.until_s for window in windows] == [10, 20, 30]
    assert windows[0].share > 2 * windows[-1].share > 0
    assert all(window.cards > 0 for window in windows)


def test_a_slow_model_begins_no_more_than_it_can() -> None:
    windows = play(seconds=20, window_s=10, rate_per_s=50, texts_per_s=5)
    assert all(window.generations <= 52 for window in windows)


def test_when_the_allowance_is_used_up_less_than_one_event_in_a_hundred_costs_a_text() -> None:
    """By design: however many reasons the crowd gives, and however fast the model is."""
    rules = ShelfRules(model="m", texts_at_once=40, texts_per_s=0.2, texts_per_event=0.005)
    windows = play(seconds=20, window_s=10, rate_per_s=150, texts_per_s=1_000, rules=rules)
    assert windows[-1].refused > 0
    assert windows[-1].phrased > 0
    assert 0 < windows[-1].share < 0.01
