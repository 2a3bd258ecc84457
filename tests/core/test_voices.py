"""Voices: products and wordings begin differently, and the same request has the same voice for ever."""

from collections import Counter

import msgspec
import pytest

from shelftalk.core.brief import Angle, Channel, Promotion
from shelftalk.core.prompt import prompt_for
from shelftalk.core.remarks import REMARK_SLOTS
from shelftalk.core.voices import VOICES, Wants, head, voice_for, voice_of
from tests.core.making import brief

pytestmark = pytest.mark.usefixtures("few_remarks")


def test_the_first_two_words_make_a_voice_whatever_the_product() -> None:
    assert voice_of("{name}: {w1}, {price}.", "en") == voice_of("{name}: {w2}.", "en")
    assert voice_of("{w1}, {w2}: {name}.", "en") == voice_of("{p1}, {w1}: {name}.", "en")
    assert voice_of("先看{w1}。", "zh") == voice_of("先看{name}。", "zh")
    begins = ["Have a", "Look at", "{name}, by", "The {kind}", "You know", "For the", "New here", "Beside the"]
    assert len({voice_of(text, "en") for text in begins}) > 4


def test_products_are_spread_evenly_over_the_voices_that_people_used() -> None:
    points = ("holds its heat", "hanging loop", "deep pockets")
    voices = Counter(voice_for(brief(sku=f"sku-{number}", points=points)) for number in range(12_000))
    others = Counter({voice: times for voice, times in voices.items() if voice in VOICES})
    assert voices.keys() - others.keys() == {voice_of("{use}.", "en")}, "a kettle has remarks, these points have none"
    assert 0.025 < others.total() / voices.total() < 0.04, "of thirty-two texts all but one begin with a remark"
    untold = Counter(voice_for(brief(sku=f"sku-{number}", kind="lantern", points=points)) for number in range(4_000))
    assert untold.keys() >= others.keys(), "of lanterns nobody wrote a remark"
    assert len(untold) > 12
    assert max(untold.values()) < 2 * min(untold.values())


def test_every_wording_and_every_try_has_a_voice_of_its_own() -> None:
    for sku in map(str, range(50)):
        about = {"kind": "thing", "points": ("holds its heat", "hanging loop")}  # nobody wrote a remark on them
        voices = {voice_for(brief(sku=sku, take=take, **about), n) for take in range(3) for n in range(3)}
        assert len(voices) == 9, "a second try must not begin like the first one, nor like another wording"


def test_only_what_the_text_is_about_decides() -> None:
    one = brief(kind="lantern", variant="slots-v5")  # of which nobody wrote a remark
    assert prompt_for(one) == prompt_for(msgspec.structs.replace(one, model="another"))
    assert prompt_for(one, 1) != prompt_for(one)
    assert " k{name_one}" in prompt_for(one, voice="k")


def test_each_reason_and_promotion_has_voices() -> None:
    rare = [
        brief(locale=locale, angle=angle, promotion=promotion, channel=Channel.AD, anchor="mug")
        for locale in ("en", "zh")
        for angle in Angle
        for promotion in Promotion
    ]
    remarks = {voice_of(f"{{{slot}}}.", "en") for slot in REMARK_SLOTS}
    assert all(voice_for(one) in {*VOICES, *remarks} for one in rare)
    assert head(rare[0]) == "introduce/none"


def test_a_language_without_frames_has_all_voices() -> None:
    assert len({voice_for(brief(sku=str(number), locale="fr")) for number in range(2_000)}) == len(VOICES)


def test_a_frame_finds_what_it_wants_or_its_voice_is_not_asked() -> None:
    folds = Wants.read("one - - wdoes")
    assert str(folds) == "one - - wdoes"
    assert folds.met_by(brief(kind="table", points=("oak legs", "folds flat")))
    assert not folds.met_by(brief(kind="tables", points=("folds flat",)))
    assert not folds.met_by(brief(kind="table", points=("oak legs",)))
    two = Wants.read("* - - w* wthing|pack")
    assert two.met_by(brief(points=("hanging loop", "oak legs")))
    assert not two.met_by(brief(points=("hanging loop",))), "one point cannot be said twice"
    assert not Wants.read("* - brand").met_by(brief())
    assert Wants.read("* * -").met_by(brief(anchor="mug"))


def test_wants_that_ask_for_more_are_covered() -> None:
    little, much = Wants.read("* - - w*"), Wants.read("one * brand w* wdoes")
    assert little.covers(much)
    assert not much.covers(little)
    assert Wants.read("* - - wthing|pack").covers(Wants.read("* - - wpack"))
    assert not Wants.read("* - - wpack").covers(Wants.read("* - - wthing|pack"))


def test_a_product_without_points_is_asked_for_texts_that_need_none() -> None:
    bare = [voice_for(brief(sku=str(number), kind="lantern")) for number in range(300)]
    told = [
        voice_for(brief(sku=str(number), kind="lantern", points=("holds its heat", "oak legs")))
        for number in range(300)
    ]
    assert set(bare) < set(told)
