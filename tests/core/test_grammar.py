"""Where the words of a product may stand."""

import msgspec
import pytest

from shelftalk.core.brief import Angle, Brief
from shelftalk.core.grammar import classes, kind_class, misplaced, point_class
from tests.core.making import brief as made

KETTLE = made(
    kind="gooseneck kettle",
    points=("hanging loop", "folded corners", "folds flat", "dishwasher safe", "900 ml"),
    branded=True,
    variant="slots-v5",
)


def brief(**changes: object) -> Brief:
    return msgspec.structs.replace(KETTLE, **changes)


TYRES = brief(kind="car tyres", points=("for winter roads",))
SOCKS = brief(kind="running socks")
COMPOST = brief(kind="peat-free compost")
WITH_PAN = brief(angle=Angle.LIKE_VIEWED, anchor="rolling pin")

LIGHTS = brief(kind="bike light set")
BOWL = brief(kind="陶瓷碗", points=("可折叠", "檀木"), locale="zh")


def test_points_are_told_apart_by_their_look() -> None:
    points = {
        "28 cm": "measure",
        "set of 4": "pack",
        "no underwire": "without",
        "no bigger than a biscuit": "other",
        "for wet roads": "with",
        "made of beech": "made",
        "padded laptop pocket": "thing",
        "rinses clean under the tap": "does",
        "hangs or stands": "does",
        "annuals and perennials": "plural",
        "borosilicate glass": "material",
        "slate grey": "colour",
        "dishwasher safe": "like",
        "oven safe to 250 degrees": "like",
        "coiled cable": "thing",
        "lids included": "other",
        "side pockets": "plural",
        "depth marks on the blade": "plural",
        "lid that locks": "thing",
        "gooseneck spout": "thing",
        "bluffing and giggling": "other",
        "straps on without tools": "other",
        "straps that lengthen": "plural",
        "slots for boarding pass and pen": "plural",
        "measures marked inside": "other",
        "rolls fit any dispenser": "other",
        "lid doubles as a plate": "other",
        "cover the forearm": "other",
        "ink dry before a left hand arrives": "other",
        "moulds to the rider": "does",
        "可折叠": "does",
        "防水": "does",
        "防雨罩": "short",
        "可视窗": "short",
        "不锈钢内胆": "thing",
        "900毫升": "measure",
        "檀木": "short",
    }
    assert {point: point_class(point) for point in points} == points


def test_kinds_are_one_or_many_or_not_counted() -> None:
    kinds = {
        "kettle": "one",
        "macro lens": "one",
        "running shoes": "many",
        "bath salts": "many",
        "peppermint tea": "mass",
        "bottle of ink": "one",
        "保温杯": "cup",
    }
    assert {kind: kind_class(kind) for kind in kinds} == kinds


def test_parts_are_had_and_packs_are_not() -> None:
    assert {point: point_class(point) for point in ("7 ports", "12 pouches", "500 sheets", "30 hours", "night vision")} == {
        "7 ports": "plural", "12 pouches": "measure", "500 sheets": "measure", "30 hours": "measure", "night vision": "plural",
    }  # fmt: skip


def test_a_brief_tells_the_class_of_each_of_its_slots() -> None:
    assert classes(SOCKS) == {
        "name": "many", "kind": "many", "noun": "many", "w1": "thing", "w2": "plural", "w3": "does", "w4": "like", "p1": "measure",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (KETTLE, "{name}, with a hanging loop and folded corners."),
        (KETTLE, "A gooseneck kettle that folds flat. It is dishwasher safe."),
        (KETTLE, "Gooseneck kettle, {price}. The kettle in your cart is dishwasher safe."),
        (SOCKS, "These running socks are in your cart: folded corners. They are dishwasher safe."),
        (SOCKS, "{name}. It is {price} now."),
        (COMPOST, "This peat-free compost is {price}. More of the compost: hanging loop."),
        (WITH_PAN, "Like the rolling pin you viewed: {name}, hanging loop."),
        (LIGHTS, "{name}, {price}. The bike light set has a hanging loop."),
        (KETTLE, "Gooseneck kettle: {name}. If a hanging loop is what you want, it has one."),
        (KETTLE, "{name} with folded corners and a hanging loop: it keeps its hanging loop."),
        (TYRES, "Car tyres for winter roads: {name}, {price}."),
        (TYRES, "{name} for winter roads, {price}."),
        (BOWL, "可折叠的陶瓷碗，檀木。"),
        (BOWL, "{name}，可折叠的一款陶瓷碗。"),
        (brief(kind="登山背包", points=("防水", "可折叠"), locale="zh"), "登山背包，防水，也可折叠。"),
    ],
)
def test_good_grammar_passes(about: Brief, text: str) -> None:
    assert misplaced(about, text) == []


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (KETTLE, "{name}, with hanging loop."),
        (KETTLE, "{name} with a folds flat."),
        (KETTLE, "It dishwasher safe: {name}."),
        (KETTLE, "{name} comes in folded corners."),
        (KETTLE, "These gooseneck kettle are {price}."),
        (KETTLE, "{name}. They are dishwasher safe."),
        (KETTLE, "Gooseneck kettle go well with tea."),
        (KETTLE, "Gooseneck kettle is in your cart."),
        (KETTLE, "The folded corners stay put: {name}."),
        (SOCKS, "The running socks in your basket is {price}."),
        (SOCKS, "Another running socks, {price}."),
        (SOCKS, "{name} folds flat."),
        (SOCKS, "Ask what {name} is like: folded corners."),
        (SOCKS, "{name}. It has a hanging loop."),
        (COMPOST, "It fits your search: a peat-free compost."),
        (WITH_PAN, "You viewed rolling pin. {name}, hanging loop."),
        (LIGHTS, "{name} is {price} until {ends_on}."),
        (LIGHTS, "{name} have folded corners."),
        (KETTLE, "{name}, priced hanging loop."),
        (KETTLE, "This hanging loop. {name}, {price}."),
        (KETTLE, "If folds flat are what you want: {name}."),
        (KETTLE, "Folded corners is what you get: {name}."),
        (KETTLE, "{name}, a gooseneck kettle, {price}."),
        (KETTLE, "Found: a gooseneck kettle{p1}, {price}."),
        (KETTLE, "This kettle is {name}: {price}."),
        (KETTLE, "{name} is a gooseneck kettle, and it is {price}."),
        (KETTLE, "{name}, with folded corners and folds flat."),
        (KETTLE, "{name}, with folded corners and hanging loop."),
        (KETTLE, "{name}: it folds flat and folded corners."),
        (KETTLE, "{name}: a kettle with a hanging loop and a folds flat."),
        (BOWL, "陶瓷碗，可折叠，{name}。"),
        (BOWL, "{name}，陶瓷碗，可折叠。"),
        (brief(kind="陶瓷碗", points=("冰箱门可放", "檀木"), locale="zh"), "便宜的陶瓷碗，檀木轮着用。"),
        (BOWL, "要说{brand}檀木，新到的是陶瓷碗：{price}。"),
        (BOWL, "{name}檀木，{price}。"),
        (BOWL, "可折叠的陶瓷碗，也檀木。"),
        (brief(kind="登山背包", points=("45升", "可视窗"), locale="zh"), "登山背包，也{p1}。"),
        (brief(kind="登山背包", points=("45升", "可视窗"), locale="zh"), "登山背包，{p1}，也可视窗。"),
    ],
)
def test_bad_grammar_is_named(about: Brief, text: str) -> None:
    assert misplaced(about, text)


def test_a_language_without_rules_passes() -> None:
    assert misplaced(brief(locale="fr"), "{name} with hanging loop.") == []
