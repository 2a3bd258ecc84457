"""What a model may say of a product, and what it may not."""

import msgspec
import pytest

from shelftalk.core.brief import Angle, Brief, Promotion
from shelftalk.core.grounding import ungrounded
from tests.core.making import brief as made

BRIEF = made(
    kind="oil-filled radiator",
    points=("thermostat", "castors", "timer", "1500 W"),
    branded=True,
    locale="en-GB",
    variant="line-v2",
)


def brief(**changes: object) -> Brief:
    return msgspec.structs.replace(BRIEF, **changes)


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (brief(), "Thermostat, timer, {p1}: {name} at {price}."),
        (brief(), "An oil-filled radiator with a thermostat and castors."),
        (brief(angle=Angle.IN_CART), "In your basket: the oil-filled radiator with a timer."),
        (brief(angle=Angle.POPULAR), "Many people are looking at {name} now. Thermostat and timer."),
        (
            brief(angle=Angle.LIKE_VIEWED, anchor="fan heater"),
            "Like the fan heater you viewed, a radiator with a thermostat.",
        ),
        (brief(points=(), angle=Angle.IN_CART), "The radiator in your cart is {price}."),
        (
            brief(angle=Angle.GOES_WITH, anchor="steam iron", kind="ironing board", points=("folds flat",)),
            "For use with the steam iron: an ironing board that folds flat. {name}.",
        ),
        (brief(points=(), promotion=Promotion.NEW), "{brand} has a new radiator: {name}, {price}."),
        (brief(points=(), kind="mattress"), "A mattress that makes it {price}: {name}."),
    ],
)
def test_what_the_brief_holds_may_be_said(about: Brief, text: str) -> None:
    assert ungrounded(about, text) == []


@pytest.mark.parametrize("promotion", [promotion for promotion in Promotion if promotion is not Promotion.NEW])
def test_new_is_said_of_what_is_new(promotion: Promotion) -> None:
    assert "untrue for this promotion: new" in ungrounded(brief(promotion=promotion), "A new radiator: {name}.")


@pytest.mark.parametrize(
    ("about", "text", "why"),
    [
        (brief(), "A castor for the cat, and the heat stays under the table.", "invented"),
        (brief(), "A radiator is a radiator. {name} has a timer.", "repeated"),
        (brief(), "{name} has an oil-filled radiator.", "tautology"),
        (brief(), "{name} has an oil filled radiator.", "tautology"),
        (brief(), "The radiator in your cart has a timer.", "untrue for this shopper"),
        (brief(), "You searched for a radiator: {name}.", "untrue for this shopper"),
        (brief(), "Many people want this radiator.", "untrue for this shopper"),
        (brief(), "{price}, was {price}.", "slot twice"),
        (brief(), "It is a {name}.", "broken"),
        (brief(), "{name} with a timer is {price}. It is.", "broken"),
        (brief(), "{name}: timer, {price}. Many.", "broken"),
        (brief(points=()), "Up close, {name}: {price}.", "empty"),
        (brief(), "{name}: timer. enough for a second look.", "broken"),
        (brief(), "Your radiator is in the basket, and a timer, is {price}.", "broken"),
        (brief(promotion=Promotion.SALE), "A radiator with a timer and {percent_off} off.", "broken"),
        (brief(points=()), "Worth knowing about {name}: {price}.", "empty"),
        (brief(), "Two things about {name}: {price}.", "empty"),
        (
            brief(angle=Angle.LIKE_VIEWED, anchor="pancake pan", kind="waffle maker"),
            "A pancake pan is a pan.",
            "repeated",
        ),
    ],
)
def test_what_it_does_not_hold_may_not(about: Brief, text: str, why: str) -> None:
    assert why in {problem.split(":")[0] for problem in ungrounded(about, text)}


def test_other_languages_are_not_judged_by_english_words() -> None:
    assert ungrounded(brief(locale="de"), "Ein Heizkörper mit Uhr: {name}.") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("保温杯：真空双层，{price}。", None),
        ("看{name}的不少人，真空双层。", "untrue for this shopper: 不少人"),
        ("购物车里的{name}，真空双层。", "untrue for this shopper: 购物车"),
        ("{name}，真空双层，真空双层。", "repeated: 真空双层"),
        ("Same的{name}，真空双层。", "invented: Same"),
        ("{name}，真空双层，{price}，还是{price}。", "slot twice: price"),
    ],
)
def test_chinese_is_held_against_what_can_be_told(text: str, reason: str | None) -> None:
    brief = msgspec.structs.replace(brief_zh(), angle=Angle.INTRODUCE)
    assert ungrounded(brief, text) == ([reason] if reason else [])


def brief_zh() -> Brief:
    return made(sku="", kind="保温杯", points=("真空双层", "USB加热底座"), locale="zh", model="")


CHINESE = brief(kind="电暖器", points=("定时关机", "脚轮", "1500瓦"), locale="zh")


@pytest.mark.parametrize(
    "text",
    [
        "{name}：定时关机，脚轮。",
        "就图它脚轮，{p1}。{name}。",
        "这款电暖器，定时关机，{price}。",
        "电暖器，脚轮，慢慢看。",
    ],
)
def test_chinese_may_say_what_the_brief_holds(text: str) -> None:
    assert ungrounded(CHINESE, text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{name}，陪猫咪过冬，脚轮。", "invented: 陪猫咪过冬"),
        ("真皮扶手的电暖器：{name}，脚轮。", "invented: 真皮扶手的电暖器"),
        ("脚轮，脚轮，{name}。", "repeated"),
        ("你搜的就是{name}，脚轮。", "untrue for this shopper"),
        ("脚轮，定时关机，{price}。", "empty"),
    ],
)
def test_chinese_without_a_source_is_refused(text: str, why: str) -> None:
    assert any(problem.startswith(why) for problem in ungrounded(CHINESE, text)), ungrounded(CHINESE, text)
