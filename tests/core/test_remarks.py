"""Remarks: the one that fits is found, told once, and none of those that people wrote says what a card may not."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from shelftalk.core import remarks
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import phrases
from shelftalk.core.remarks import known, read_parts, remarks_for
from shelftalk.core.word_slots import offered_slots, put_words, take_words, word_values
from tests.conftest import forget_remarks
from tests.core.making import brief

LANGUAGES = ("en", "zh")

#: Two parts of a shop, and what is true of anything.
_MADE = {
    "en": {
        "kitchen": remarks._Part(
            kinds={
                "kettle": [
                    f"the {hour} o'clock cup is nearly made" for hour in ["one", "two", "three", "four", "five", "six"]
                ],
                "egg timer | drum": ["soft or hard, it tells you when"],
            },
            points={
                "auto shut-off | automatic shut-off": ["it turns itself off, walk away", "left the house? it is off"],
                "# litre | # ml": ["{point}, and nobody waits for the next", "fill it once, {point}"],
                "glass *": ["watch it through the glass", "{point}, see it rise"],
            },
        ),
        "garage": remarks._Part(kinds={"drum": ["oil in, lid on"]}, points={"glass body": ["no spanner near it"]}),
        "any": remarks._Part(
            kinds={}, points={"glass body": ["{point}, wiped in a second"], "boxed": ["in its own box"]}
        ),
    },
    "zh": {
        "kitchen": remarks._Part(
            kinds={"水壶": ["水开了，人还没醒透"], "壶": ["茶几上坐得住"]},
            points={"*内胆": ["{point}，看得见"]},
        )
    },
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remarks of the test's own."""
    monkeypatch.setattr(remarks, "read_parts", lambda language: _MADE.get(language, {}))
    forget_remarks()
    yield
    forget_remarks()


def _about(kind: str, *points: str, locale: str = "en", take: int = 0) -> Brief:
    return brief(kind=kind, points=points, locale=locale, take=take)


@pytest.mark.usefixtures("made")
def test_the_longest_end_of_a_kind_decides() -> None:
    kettles = tuple(_MADE["en"]["kitchen"].kinds["kettle"])
    for kind in ("kettle", "Kettle", "gooseneck kettle", "kettle for the office"):
        assert known(kind, (), "en")[0] == kettles
    assert known("kettle stool", (), "en")[0] == ()
    assert known("电热水壶", (), "zh")[0] == ("水开了，人还没醒透",)
    assert known("茶壶", (), "zh")[0] == ("茶几上坐得住",)
    assert known("bouilloire", (), "fr") == ((), ())


@pytest.mark.usefixtures("made")
def test_a_kind_of_two_parts_has_the_remarks_of_both() -> None:
    uses, benefits = known("drum", ("glass body",), "en")
    assert uses == ("soft or hard, it tells you when", "oil in, lid on")
    assert "watch it through the glass" in [said for _, said in benefits], "the first part that knows the point"


@pytest.mark.usefixtures("made")
def test_of_a_point_the_kinds_own_part_is_asked_first_then_what_is_true_of_anything() -> None:
    def said(kind: str, point: str) -> list[str]:
        return [remark for _, remark in known(kind, (point,), "en")[1]]

    assert said("kettle", "glass body") == ["watch it through the glass", "glass body, see it rise"]
    assert said("sofa", "glass body") == ["glass body, wiped in a second"]
    assert said("kettle", "boxed") == ["in its own box"]
    assert said("kettle", "not boxed") == []
    assert said("sofa", "auto shut-off") == []
    assert known("水壶", ("玻璃内胆",), "zh")[1] == (("玻璃内胆", "玻璃内胆，看得见"),)


@pytest.mark.usefixtures("made")
def test_a_point_with_a_digit_is_told_through_its_slot() -> None:
    told = known("kettle", ("900ml", "1.7 Litre"), "en")[1]
    assert [remark for _, remark in told] == [
        "{p1}, and nobody waits for the next", "{p2}, and nobody waits for the next",
        "fill it once, {p1}", "fill it once, {p2}",
    ]  # fmt: skip


@pytest.mark.usefixtures("made")
def test_what_follows_a_question_begins_a_sentence() -> None:
    assert "left the house? It is off" in [said for _, said in known("kettle", ("automatic shut-off",), "en")[1]]


@pytest.mark.usefixtures("made")
def test_the_point_that_a_benefit_tells_is_not_offered_again() -> None:
    one = _about("kettle", "auto shut-off", "1.7 litre", "lid")
    told = remarks_for(one)
    assert told.point in one.points
    assert {"use", "benefit"} <= set(offered_slots(one))
    slots = {**point_slots(one.points), **word_values(one)}
    points = {slot for slot, said in slots.items() if said in one.points}
    assert points - set(offered_slots(one)) == {slot for slot in points if slots[slot] == told.point}


@pytest.mark.usefixtures("made")
def test_another_benefit_tells_another_point() -> None:
    told = remarks_for(_about("kettle", "auto shut-off", "glass body", "1.7 litre"))
    assert told.other_use not in {"", told.use}
    assert told.other_point not in {"", told.point}
    assert remarks_for(_about("kettle", "auto shut-off")).other_benefit == ""


@pytest.mark.usefixtures("made")
def test_wordings_differ_and_the_same_brief_is_told_the_same() -> None:
    uses = {remarks_for(_about("kettle", take=take)).use for take in range(6)}
    assert len(uses) == 6, "one after the other"
    assert remarks_for(_about("kettle")) == remarks_for(_about("kettle"))
    assert len({remarks_for(brief(sku=str(n), kind="kettle")).use for n in range(50)}) == 6, "products begin elsewhere"


@pytest.mark.usefixtures("made")
def test_each_remark_of_a_product_has_its_turn_and_benefits_a_fifth_of_them() -> None:
    product = ("kettle", "auto shut-off", "1.7 litre", "glass body")
    uses, benefits = known(product[0], product[1:], "en")
    told = Counter(getattr(one, one.first) for take in range(24) if (one := remarks_for(_about(*product, take=take))))
    assert told == {**dict.fromkeys(uses, 3), **{said: 1 for _, said in benefits}}, "six and two of six a round"
    assert remarks_for(_about("kettle")).first == "use"
    assert remarks_for(_about("bouilloire")).first == ""


@pytest.mark.usefixtures("made")
def test_a_letter_that_is_two_in_lower_case_shifts_nothing() -> None:
    one = _about("kettle")
    assert take_words(one, put_words(one, "İstanbul. {use}. {name}.")) == "İstanbul. {use}. {name}."


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("form", ["{use}. {name}.", "{name}. {use}.", "Just in. {use}. {price}."])
def test_a_remark_comes_out_of_a_text_as_it_went_in(form: str) -> None:
    for take in range(8):
        one = _about("kettle", take=take)
        text = put_words(one, form)
        assert take_words(one, text) == form
        assert "?." not in text
        assert ungrounded(one, text) == []


@pytest.mark.usefixtures("made")
def test_a_remark_is_no_part_of_a_sentence() -> None:
    one = _about("kettle")
    assert ungrounded(one, put_words(one, "{name}, {price}, because {use}.")) != []
    assert ungrounded(one, put_words(one, "Something for {name}: {use}.")) != []


@pytest.mark.usefixtures("made")
def test_one_remark_is_enough() -> None:
    one = _about("kettle", "auto shut-off")
    assert ungrounded(one, put_words(one, "{benefit}. {price}.")) == []
    assert "grammar: two remarks" in ungrounded(one, put_words(one, "{benefit}. {use}."))


@pytest.mark.usefixtures("made")
def test_a_phrase_with_a_benefit_tells_no_point_twice() -> None:
    one = _about("kettle", "auto shut-off", "glass body")
    told = remarks_for(one)
    for text in phrases(one):
        if told.benefit.lower() in text.lower():
            assert told.point not in text.lower().replace(told.benefit.lower(), "")


def _written() -> Iterator[tuple[str, str, str, str, str]]:
    """Language, part, section, key and remark of all that people wrote."""
    for language in LANGUAGES:
        for part, written in read_parts(language).items():
            for section, keys in (("kinds", written.kinds), ("points", written.points)):
                for key, said in keys.items():
                    yield from ((language, part, section, key, remark) for remark in said)


def test_every_remark_may_be_printed() -> None:
    refused = [
        f"{language}-{part}: {key}: {remark}: {why}"
        for language, part, section, key, remark in _written()
        if (why := _wrong(language, section, key, remark))
    ]
    assert refused == []


_LENGTH = {"en": (14, 72), "zh": (4, 26)}
_MARKS = re.compile(r"[.!;:\u2013\u2014\"“”()\[\]。！：；…]|^[\s,，]|[,，\s]$")


def _wrong(language: str, section: str, key: str, remark: str) -> str:
    """Why a remark may not be printed, empty if it may: of the barest product that each spelling of its key fits."""
    if _MARKS.search(remark) or ("{point}" in remark and section == "kinds"):
        return "form"
    return next((why for spelled in key.split("|") if (why := _refused(language, section, spelled, remark))), "")


def _refused(language: str, section: str, spelled: str, remark: str) -> str:
    bare = spelled.replace("*", "").strip()
    point = " ".join(bare.replace("#", "3").split()) or "x"
    thing = "东西" if language == "zh" else "thing"
    kind, points = (bare, ()) if section == "kinds" else (thing, (point,))
    least, most = _LENGTH[language]
    if not least <= len(remark.replace("{point}", point)) <= most:
        return "length"
    said = remark.replace("{point}", "{p1}" if re.search(r"\d", point) else point)
    text = f"{{name}}。{said}。" if language == "zh" else f"{{name}}, {{price}}. {said[0].upper()}{said[1:]}."
    one = Brief(
        "", kind, points, Channel.CARD, Angle.INTRODUCE, None, Promotion.NONE, Tone.PLAIN, True, language, "", ""
    )
    verdict = judge(one, text)
    return "" if verdict.outcome is Outcome.PASS else f"{spelled.strip()}: {', '.join(verdict.reasons)}"


def test_no_remark_is_written_twice_for_a_key() -> None:
    written = Counter((language, key, remark) for language, _, _, key, remark in _written())
    assert [one for one, times in written.items() if times > 1] == []
