"""Selling points as parts of a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.clause import a_kind, also, another, joined, modifier, predicate, this_kind


def said_of(*points: str, many: bool = False) -> str:
    clauses = [predicate(point, point, many=many) for point in points]
    return joined([clause for clause in clauses if clause is not None])


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (("folds flat", "hanging loop"), "folds flat and has a hanging loop"),
        (("hanging loop", "folds flat", "deep pockets"), "has a hanging loop and deep pockets, and folds flat"),
        (("enamel lining", "20 cm blade"), "has an enamel lining and a 20 cm blade"),
        (("8 mm heel",), "has an 8 mm heel"),
        (("18 litre tank",), "has an 18 litre tank"),
        (("1800 watt motor",), "has an 1800 watt motor"),
        (("110 volt plug",), "has a 110 volt plug"),
        (("one cable for picture and power",), "has one cable for picture and power"),
        (("six heights", "aluminium"), "has six heights and is made of aluminium"),
        (("mostly wool",), "is mostly wool"),
        (("night vision", "7 ports"), "has night vision and 7 ports"),
        (("61 cm tall", "wall mounted"), "is 61 cm tall and wall mounted"),
        (("10 kg bag", "silent"), "is silent"),
        (("machine washable", "waterproof"), "is machine washable and waterproof"),
        (("sold as a pair",), "is sold as a pair"),
        (("set of 4",), "comes as a set of 4"),
        (("no fillers",), "has no fillers"),
        (("for wet or dry roads",), "is for wet or dry roads"),
    ],
)
def test_what_one_thing_does_is_or_has(points: tuple[str, ...], sentence: str) -> None:
    assert said_of(*points) == sentence


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (("folds flat", "hanging loop"), "fold flat and have a hanging loop"),
        (("dries quickly", "hangs or stands"), "dry quickly and hang or stand"),
        (("squashes to half its size", "lies flat"), "squash to half its size and lie flat"),
        (("cover the forearm",), "cover the forearm"),
        (("waterproof",), "are waterproof"),
    ],
)
def test_several_take_the_verb_of_several(points: tuple[str, ...], sentence: str) -> None:
    assert said_of(*points, many=True) == sentence


@pytest.mark.parametrize(
    "point",
    [
        "4.5 litres",
        "no need to rinse",
        "no batteries needed",
        "lid doubles as a plate",
        "rolls fit any dispenser",
        "wide, sloping sides",
        "bottle of cleaning fluid",
        "front and rear",
        "crumb tray slides out",
        "from hard to very soft",
    ],
)
def test_where_it_can_not_be_told_there_is_no_clause(point: str) -> None:
    assert predicate(point, point, many=False) is None
    assert modifier(point, point, many=False) == ""


def test_several_can_not_do_what_stands_in_a_slot() -> None:
    """The verb is inside "{p1}", and cannot be changed there."""
    assert predicate("holds 2 litres", "{p1}", many=False) is not None
    assert predicate("holds 2 litres", "{p1}", many=True) is None


@pytest.mark.parametrize(
    ("point", "behind"),
    [
        ("hanging loop", "with a hanging loop"),
        ("deep pockets", "with deep pockets"),
        ("folds flat", "that folds flat"),
        ("waxed cotton", "in waxed cotton"),
        ("made of beech", "made of beech"),
        ("dishwasher safe", "that is dishwasher safe"),
        ("mostly wool", ""),
        ("set of 4", ""),
    ],
)
def test_behind_a_noun(point: str, behind: str) -> None:
    assert modifier(point, point, many=False) == behind


def test_what_is_said_second() -> None:
    second = [predicate(point, point, many=False) for point in ("folds flat", "waterproof", "hanging loop")]
    assert [also(clause) for clause in second if clause] == [
        "also folds flat",
        "is also waterproof",
        "also has a hanging loop",
    ]


def test_kinds_have_their_articles() -> None:
    kinds = ["kettle", "enamel mug", "usb hub", "running socks", "peat-free compost"]
    assert [a_kind(kind) for kind in kinds] == [
        "a kettle",
        "an enamel mug",
        "a usb hub",
        "running socks",
        "peat-free compost",
    ]
    assert [this_kind(kind) for kind in kinds[2:4]] == ["this usb hub", "these running socks"]


@given(st.text(max_size=40), st.booleans())
def test_any_point_has_a_clause_or_none(point: str, many: bool) -> None:
    found = predicate(point, "{p1}", many=many)
    assert found is None or joined([found]).count("{p1}") == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [("kettle", "another kettle"), ("running socks", "more running socks"), ("compost", "more compost")],
)
def test_one_more_of_a_kind(kind: str, said: str) -> None:
    assert another(kind) == said


def test_how_it_is_packed_is_no_second_merit() -> None:
    packed = predicate("set of 2", "set of 2", many=True)
    assert packed is not None
    assert also(packed) == "come as a set of 2"
