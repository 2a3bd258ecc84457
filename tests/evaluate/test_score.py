"""Hits and reciprocal ranks, by hand."""

import pytest

from shelftalk.evaluate.score import Score


def test_a_hit_counts_where_it_stands() -> None:
    score = Score()
    for rank in (1, 4, 10, 11, 20, 21):
        score.add([f"p{number}" for number in range(1, 30)], f"p{rank}")
    assert score.count == 6
    found = score.figures()
    assert found["hr@10"] == pytest.approx(3 / 6, abs=1e-4)
    assert found["hr@20"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["mrr@10"] == pytest.approx((1 + 1 / 4 + 1 / 10) / 6, abs=1e-4)
    assert found["mrr@20"] == pytest.approx((1 + 1 / 4 + 1 / 10 + 1 / 11 + 1 / 20) / 6, abs=1e-4)


def test_what_is_not_there_scores_nothing() -> None:
    score = Score()
    score.add([], "p1")
    assert score.figures() == {"hr@10": 0.0, "mrr@10": 0.0, "hr@20": 0.0, "mrr@20": 0.0}
