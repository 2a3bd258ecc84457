"""Catalogue text made fit for a prompt."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.wording import MAX_POINT_LENGTH, MAX_POINTS, beside_name, clean_points


def test_what_is_usable_stays_and_the_rest_is_left_out() -> None:
    points = (
        "  holds  its heat. ",
        "holds its heat",
        "x",
        "see https://evil.example",
        "{price} only",
        "900 ml",
        "a" * 99,
    )
    assert clean_points(points) == ("holds its heat", "900 ml")


def test_signs_that_only_look_harmless() -> None:
    assert clean_points(("full\uff5bwidth\uff5d braces", "bell\u0007", "zero\u200bwidth", "<b>bold</b>")) == ()


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12))
def test_whatever_comes(points: list[str]) -> None:
    cleaned = clean_points(tuple(points))
    assert len(cleaned) <= MAX_POINTS
    assert len(set(cleaned)) == len(cleaned)
    for point in cleaned:
        assert 1 < len(point) <= MAX_POINT_LENGTH
        assert not set(point) & set("{}[]<>|\\`~^*#@=_\n\r\t")
        assert all(unicodedata.category(char)[0] != "C" for char in point)
    assert clean_points(cleaned) == cleaned


def test_points_are_spelled_as_inside_a_sentence() -> None:
    assert clean_points(("Dishwasher safe", "Holds 900 ml")) == ("dishwasher safe", "holds 900 ml")
    assert clean_points(("british wool filling", "usb charging")) == ("British wool filling", "USB charging")
    assert clean_points(("Italian Leather", "Solid Oak Legs")) == ("Italian leather", "solid oak legs")
    # A capital that the others lack is a name's; letters that are spelled out stay so.
    assert clean_points(("Kingfisher print", "folds flat")) == ("Kingfisher print", "folds flat")
    assert clean_points(("HEPA filter", "LED light", "Two speeds")) == ("HEPA filter", "LED light", "two speeds")
    assert clean_points(("Edelstahl, gebürstet", "Deckel")) == ("Edelstahl, gebürstet", "Deckel")
    assert clean_points(("Kingfisher print",)) == ("Kingfisher print",)


@pytest.mark.parametrize(
    ("name", "points", "left"),
    [
        ("Sandalwood Comb", ("sandalwood", "wide teeth"), ("wide teeth",)),
        ("Stormglass Ink", ("glass", "made in Leeds"), ("glass", "made in Leeds")),
        ("檀木宽齿梳", ("檀木", "宽齿", "可刻字"), ("可刻字",)),
        ("Oak", ("oak",), ("oak",)),
        ("Kettle 900 ml", ("900 ml", "steel"), ("900 ml", "steel")),
    ],
)
def test_what_the_name_says_is_not_said_again(name: str, points: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert beside_name(points, name) == left
