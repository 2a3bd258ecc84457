"""Word slots: a brief's words go in and out of a text, whatever they are."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Angle, slots_for
from shelftalk.core.prompt import languages_of, prompt_for, slots_of, text_of, variants
from shelftalk.core.remarks import REMARK_SLOTS
from shelftalk.core.render import slots_in
from shelftalk.core.word_slots import _taken, offered_slots, put_words, take_words, word_values
from tests.core.making import brief as made

pytestmark = pytest.mark.usefixtures("few_remarks")

BRIEF = made(
    sku="",
    kind="electric kettle",
    points=("gooseneck spout", "holds 900 ml", "runs quiet"),
    angle=Angle.GOES_WITH,
    anchor="umbrella stand",
    model="",
)


def test_values_leave_points_with_digits_to_their_own_slots() -> None:
    assert {slot: words for slot, words in word_values(BRIEF).items() if slot not in REMARK_SLOTS} == {
        "kind": "electric kettle",
        "noun": "kettle",
        "anchor": "umbrella stand",
        "w1": "gooseneck spout",
        "w2": "runs quiet",
    }
    assert set(offered_slots(BRIEF)) - {*REMARK_SLOTS} == {"name", "price", "p1", "kind", "noun", "anchor", "w1", "w2"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("A {kind} with a {w1}.", "An electric kettle with a gooseneck spout."),
        ("{w2}. {w1}: {name}.", "Runs quiet. Gooseneck spout: {name}."),
        ("Next to an {anchor}, {p1}.", "Next to an umbrella stand, {p1}."),
        ("The {noun}, {price}. {kind}?", "The kettle, {price}. Electric kettle?"),
    ],
)
def test_words_are_put_in_with_their_articles_and_capitals(written: str, text: str) -> None:
    assert put_words(BRIEF, written) == text


@pytest.mark.parametrize(
    ("noun", "article"),
    [
        ("hour glass", "an"),
        ("one-hand whisk", "a"),
        ("unicorn", "a"),
        ("LED lamp", "an"),
        ("USB hub", "a"),
        ("oven", "an"),
    ],
)
def test_the_article_follows_the_sound(noun: str, article: str) -> None:
    assert put_words(msgspec.structs.replace(BRIEF, kind=noun), "This is a {kind}.") == f"This is {article} {noun}."


def test_a_slot_that_the_brief_lacks_stays_for_the_guard() -> None:
    assert put_words(BRIEF, "With {w4}.") == "With {w4}."


def test_chinese_words_go_in_as_they_are() -> None:
    brief = msgspec.structs.replace(BRIEF, kind="保温杯", points=("真空双层",), anchor=None, locale="zh")
    assert put_words(brief, "{w1}的{kind}，{price}。") == "真空双层的保温杯，{price}。"
    assert take_words(brief, "真空双层的保温杯，{price}。") == "{w1}的{kind}，{price}。"


def test_words_that_are_not_plain_have_no_slot() -> None:
    brief = msgspec.structs.replace(BRIEF, kind="kettle {price}", points=("<b>best</b>",), anchor="x\ny")
    assert word_values(brief) == {}
    assert offered_slots(brief) == slots_for(brief)


def test_what_was_taken_out_goes_in_again() -> None:
    text = "An electric kettle with a gooseneck spout that holds 900 ml, beside the umbrella stand."
    taken = take_words(BRIEF, text)
    assert taken == "A {kind} with a {w1} that {p1}, beside the {anchor}."
    assert put_words(BRIEF, taken) == text.replace("holds 900 ml", "{p1}")


@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=5))
def test_nothing_of_a_shop_becomes_a_slot(kind: str, points: list[str]) -> None:
    brief = msgspec.structs.replace(BRIEF, kind=kind, points=tuple(points))
    written = "A {kind}, {noun}: {w1}, {w2} for {price}. {name}"
    text = put_words(brief, written)
    assert slots_in(text) <= slots_in(written)


def test_every_variant_offers_what_its_text_may_keep() -> None:
    for variant in variants():
        brief = msgspec.structs.replace(BRIEF, variant=variant)
        # A form may call a slot by another name; in the text it is what the facts call it.
        kept = {text_of(brief, f"{{{slot}}}") for slot in slots_of(brief)}
        assert {f"{{{slot}}}" for slot in slots_for(brief)} <= kept
        assert prompt_for(brief)
        assert "en" in languages_of(variant)
        assert text_of(brief, "{name}: {price}.") == "{name}: {price}."


@given(
    st.text(st.sampled_from("aBsk\u017f\u212a {}-.1\u00e9\u9676"), max_size=14),
    st.lists(st.text(st.sampled_from("aBsk\u017f\u212a -.\u00e9\u9676"), min_size=1, max_size=3), max_size=3),
    st.sampled_from(("en", "zh")),
)
def test_values_are_found_as_their_patterns_find_them(text: str, values: list[str], language: str) -> None:
    """Beside the plain form, a pattern for each value, whatever letters are equal but for their case."""
    before, behind = (r"(?<![\w{-])", r"(?![\w}-])") if language == "en" else ("", "")
    plain = text
    for value in values:
        plain = re.sub(f"{before}{re.escape(value)}{behind}", "{w1}", plain, flags=re.IGNORECASE)
    assert _taken(text, [("w1", value) for value in values], language) == plain
