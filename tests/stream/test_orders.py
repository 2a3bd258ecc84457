"""Which texts are written, and that nothing is noted of those that nobody wants any more."""

import pytest

from shelftalk.core.brief import Brief
from shelftalk.core.effects import Write
from shelftalk.core.rules import ShelfRules
from shelftalk.stream import orders as module
from shelftalk.stream.orders import Answer, Orders
from tests.core.making import brief

RULES = ShelfRules(earned_at=2, texts_per_event=0.0, texts_per_s=0.0, texts_at_once=4)
NOW = 1_000_000


def begun(rules: ShelfRules = RULES) -> Orders:
    orders = Orders(rules, give_up_ms=1_000)
    orders.budget.share(1.0)
    return orders


def of(sku: str, locale: str = "en") -> Brief:
    return brief(sku=sku, locale=locale)


def write(wanted: Brief, *, urgent: bool = True, attempt: int = 0, earn: bool = False) -> Write:
    return Write(wanted, urgent=urgent, attempt=attempt, earn=earn)


def test_a_text_is_written_once_for_all_that_want_it_and_hurried_for_who_waits() -> None:
    orders, tea = begun(), of("tea")
    orders.want(tea, ["a"])
    assert orders.place(write(tea, urgent=False), NOW) is Answer.WRITE
    orders.want(tea, ["b", "a"])
    assert orders.place(write(tea, urgent=False), NOW) is Answer.UNDER_WAY
    assert orders.place(write(tea), NOW) is Answer.HURRY
    assert len(orders) == 1
    assert orders.done(tea) == ("a", "b")
    assert (orders.wanted_by(tea), len(orders)) == ((), 0)


def test_what_has_to_be_earned_is_written_for_all_who_ever_wished_for_it() -> None:
    orders, tea = begun(), of("tea")
    for card, answer in (("a", Answer.NOT_EARNED), ("b", Answer.WRITE)):
        orders.want(tea, [card])
        assert orders.place(write(tea, earn=True), NOW) is answer
    assert orders.done(tea) == ("a", "b")


def test_where_nothing_is_left_nothing_is_written_but_a_second_try() -> None:
    orders = begun()
    answers = [orders.place(write(of(f"p{number}")), NOW) for number in range(6)]
    assert answers == [Answer.WRITE] * 4 + [Answer.UNAFFORDABLE] * 2
    assert orders.place(write(of("p9"), attempt=1), NOW) is Answer.WRITE


def test_what_never_comes_is_forgotten_and_may_be_ordered_anew() -> None:
    orders, tea, jug = begun(), of("tea"), of("jug")
    for wanted, at_ms in ((tea, NOW), (jug, NOW + 500)):
        orders.want(wanted, ["a"])
        orders.place(write(wanted), at_ms)
    assert orders.give_up(NOW + 999) == 0
    assert orders.give_up(NOW + 1_000) == 1
    assert (orders.wanted_by(tea), orders.wanted_by(jug)) == ((), ("a",))
    assert orders.place(write(tea), NOW + 1_000) is Answer.WRITE


def test_who_wished_for_what_is_never_earned_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were noted for ever: a dictionary more for each brief that a shop ever had a reason for."""
    monkeypatch.setattr(module, "MOST_WISHES", 3)
    orders = begun()
    briefs = [of(f"p{number}") for number in range(10)]
    for wanted in briefs:
        orders.want(wanted, ["a"])
        orders.place(write(wanted, earn=True), NOW)
    assert [wanted.sku for wanted in briefs if orders.wanted_by(wanted)] == ["p7", "p8", "p9"]


def test_another_workers_products_are_forgotten_earned_or_not() -> None:
    orders, written, wished, ours = begun(), of("tea"), of("tea", "zh-CN"), of("jug")
    for wanted, earn in ((written, False), (wished, True), (ours, False)):
        orders.want(wanted, ["a"])
        orders.place(write(wanted, earn=earn), NOW)
    orders.forget({"tea"})
    assert [bool(orders.wanted_by(wanted)) for wanted in (written, wished, ours)] == [False, False, True]
    assert len(orders) == 1
