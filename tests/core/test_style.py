"""House style is for models: what a judge called a tic is refused, and another draft taken."""

import pytest

from shelftalk.core.guard import Outcome
from shelftalk.core.review import review
from shelftalk.core.style import tics
from tests.core.test_guard import make


@pytest.mark.parametrize(
    ("text", "locale", "fine"),
    [
        ("Being looked at a lot: {name}, {price}.", "en-GB", False),
        ("Much looked at just now: {name}.", "en-GB", False),
        ("Like the road shoes: {name}, {price}.", "en-GB", False),
        ("Good to know: {name} folds flat.", "en-GB", False),
        ("Your search found {name}.", "en-GB", False),
        ("{name}, folds flat, {stock_left} left.", "en-GB", False),
        ("We have {stock_left} left.", "en-GB", True),
        ("Popular just now: {name}, {price}.", "en-GB", True),
        ("You looked at {name} a while ago.", "en-GB", True),
        ("对得上你的搜索：{name}。", "zh-CN", False),
        ("合用才是好鞋：{name}。", "zh-CN", False),
        ("东西实在：{name}，{price}。", "zh-CN", False),
        ("{name}，{price}，合用就带走。", "zh-CN", False),
        ("你搜的{name}，{price}。", "zh-CN", True),
    ],
)
def test_tics(text: str, locale: str, fine: bool) -> None:
    assert (not tics(make(locale=locale), text)) is fine


def test_the_review_refuses_them() -> None:
    verdict = review(make(), "Being looked at a lot: {name}, {price}.")
    assert verdict.outcome is Outcome.REJECT
