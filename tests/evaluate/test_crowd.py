"""The crowd in simulated time: texts are shared, so the share of events that cost one falls."""

from shelftalk.evaluate.crowd import play


def test_the_longer_it_plays_the_fewer_texts_an_event_costs() -> None:
    windows = play(seconds=30, window_s=10, rate_per_s=100, texts_per_s=1_000)
    assert [window.until_s for window in windows] == [10, 20, 30]
    assert windows[0].share > 2 * windows[-1].share > 0
    assert all(window.cards > 0 for window in windows)


def test_a_slow_model_begins_no_more_than_it_can() -> None:
    windows = play(seconds=20, window_s=10, rate_per_s=50, texts_per_s=5)
    assert all(window.generations <= 52 for window in windows)
