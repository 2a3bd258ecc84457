"""Remarks: the one that fits is found, told once, and none of those that people wrote says what a card may not."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import phrases
from shelftalk.core.remarks import known, read_parts, remarks_for
from shelftalk.core.word_slots import offered_slots, put_words, take_words, word_values
from tests.core.making import brief

LANGUAGES = ("en", "zh")


def _about(kind: str, *points: str, locale: str = "en", take: int = 0) -> Brief:
    return brief(kind=kind, points=points, locale=locale, take=take)


def test_the_longest_end_of_a_kind_decides() -> None:
    kettles, _ = known("gooseneck kettle", (), "en")
    assert kettles
    assert known("kettle", (), "en")[0] == kettles
    assert known("Kettle", (), "en")[0] == kettles
    assert known("kettle for the office", (), "en")[0] == kettles, "a kind that goes on"
    assert known("kettle drum stool", (), "en")[0] != kettles
    assert known("大号摇粒绒盖毯", (), "zh")[0] == known("盖毯", (), "zh")[0] != ()
    assert known("bouilloire", (), "fr") == ((), ())


def test_a_point_with_a_digit_is_told_through_its_slot() -> None:
    said = [
        remark for points in (("1.7 litre",), ("900ml", "1.7 litre")) for _, remark in known("kettle", points, "en")[1]
    ]
    assert said
    assert not any(re.search(r"\d", re.sub(r"\{p\d\}", "", remark)) for remark in said)


def test_the_point_that_a_benefit_tells_is_not_offered_again() -> None:
    one = _about("kettle", "auto shut-off", "1.7 litre", "lid")
    told = remarks_for(one)
    assert told.point in one.points
    assert {"use", "benefit"} <= set(offered_slots(one))
    slots = {**point_slots(one.points), **word_values(one)}
    points = {slot for slot, said in slots.items() if said in one.points}
    assert points - set(offered_slots(one)) == {slot for slot in points if slots[slot] == told.point}


def test_wordings_differ_and_the_same_brief_is_told_the_same() -> None:
    uses = {remarks_for(_about("kettle", take=take)).use for take in range(3)}
    assert len(uses) == 3
    assert remarks_for(_about("kettle")) == remarks_for(_about("kettle"))
    assert len({remarks_for(brief(sku=str(n), kind="kettle")).use for n in range(50)}) > 3


@pytest.mark.parametrize("form", ["{use}. {name}.", "{name}: {use}.", "Just in: {use}. {price}."])
def test_a_remark_comes_out_of_a_text_as_it_went_in(form: str) -> None:
    for take in range(8):
        one = _about("kettle", take=take)
        text = put_words(one, form)
        assert take_words(one, text) == form.replace("{use}:", "{use}.")
        assert "?." not in text
        assert ungrounded(one, text) == []


def test_a_remark_is_no_part_of_a_sentence() -> None:
    one = _about("kettle")
    assert ungrounded(one, put_words(one, "{name}, {price}, because {use}.")) != []


def test_a_phrase_with_a_benefit_tells_no_point_twice() -> None:
    one = _about("kettle", "auto shut-off", "glass body")
    told = remarks_for(one)
    for text in phrases(one):
        if told.benefit.lower() in text.lower():
            assert told.point not in text.lower().replace(told.benefit.lower(), "")


def test_another_benefit_tells_another_point() -> None:
    told = remarks_for(_about("kettle", "auto shut-off", "glass body", "1.7 litre"))
    assert told.other_use not in {"", told.use}
    assert told.other_point not in {"", told.point}
    assert remarks_for(_about("kettle", "auto shut-off")).other_benefit == ""


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
