"""Skeletons: lines without their products, and the pairs that they make with others."""

import random

import pytest

from shelftalk.core.brief import Angle, Brief, Promotion
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.render import slots_in
from shelftalk.core.word_slots import offered_slots, put_words
from shelftalk.train.dataset import Pair
from shelftalk.train.lines import brief_for
from shelftalk.train.skeletons import Goods, from_forms, from_pair, from_phrasebook, write_out
from tests.core.making import brief
from tests.train.made import line, product


def skeleton_of(text: str, **changes: object) -> object:
    made = product(line(text, **changes))
    brief = brief_for(made, made.lines[0], branded=False, variant="slots-v5")
    return from_pair(Pair(brief, text), "test", lambda _: True)


def test_a_line_loses_its_product() -> None:
    made = skeleton_of("The pour-over kettle: gooseneck spout, 900 ml, {price}.")
    assert made is not None
    assert made.text == "The {kind}: {w1}, {p1}, {price}."  # type: ignore[attr-defined]
    assert made.needs == {"w1": "thing", "p1": "measure"}  # type: ignore[attr-defined]


def test_a_place_that_only_its_own_point_fits_makes_no_skeleton() -> None:
    assert skeleton_of("Here is a pour-over kettle with gooseneck spout.") is None


def test_a_skeleton_is_written_out_only_with_fitting_grammar() -> None:
    made = skeleton_of("A pour-over kettle with a gooseneck spout.")
    rng = random.Random(1)
    fits = write_out(made, Goods("desk lamp", ("brass arm", "folding base", "dimmable")), (), rng)  # type: ignore[arg-type]
    assert fits is not None
    assert put_words(fits.brief, fits.text) in {"A desk lamp with a folding base.", "A desk lamp with a brass arm."}
    assert write_out(made, Goods("socks", ("brass arm",)), (), rng) is None  # type: ignore[arg-type]
    assert write_out(made, Goods("lamp", ("runs cool in summer",)), (), rng) is None  # type: ignore[arg-type]


def test_what_is_written_out_passes_the_guard_and_uses_offered_slots() -> None:
    rng = random.Random(2)
    goods = {
        "en": Goods("desk lamp", ("brass arm", "folding base", "40 lumens", "dimmable")),
        "zh": Goods("台灯", ("可折叠", "暖光", "40流明")),
    }
    anchors = {"en": ["armchair", "rugs"], "zh": ["书桌"]}
    count = 0
    for skeleton in [*from_forms(), *from_phrasebook("en"), *from_phrasebook("zh")]:
        pair = write_out(skeleton, goods[skeleton.language], anchors[skeleton.language], rng)
        if pair is not None:
            count += 1
            assert slots_in(pair.text) <= set(offered_slots(pair.brief))
            assert judge(pair.brief, put_words(pair.brief, pair.text)).outcome is Outcome.PASS
    assert count > 800


#: Between them they have a point of every class, in every number; of each number some have remarks, and points beside.
MANY_GOODS = {
    "en": [
        Goods("desk lamp", ("brass arm", "folding base", "40 lumens", "tilts easily", "swings wide")),
        Goods("desk lamp", ("waxed canvas", "side pockets", "brass arm", "folds away")),
        Goods("desk lamp", ("dimmable", "waterproof", "side pockets", "brass screws", "made of larch")),
        Goods("desk lamp", ("no batteries needed", "for wet roads", "brass arm", "side pockets", "dimmable")),
        Goods("desk lamp", ("dimmable", "folds away", "tilts easily", "swings wide")),
        Goods("socks", ("reinforced heels", "side pockets")),
        Goods("socks", ("deep pockets", "side pockets", "waterproof", "waxed cotton", "brass arm", "40 lumens")),
        Goods("curtains", ("machine washable", "side pockets", "brass screws")),
        Goods("curtains", ("machine washable", "waterproof", "waxed canvas")),
        Goods("compost", ("no peat", "40 litres", "waterproof", "brass arm")),
        Goods("bedding", ("machine washable", "no peat", "40 litres", "brass arm")),
    ],
    "zh": [
        Goods("台灯", ("可折叠", "暖光", "40流明", "木底座")),  # people wrote what it is good for that it folds
        Goods("台灯", ("可折叠", "暖光")),
        Goods("台灯", ("不占桌面", "能夹能放", "木底座", "40流明")),
    ],
}


@pytest.mark.usefixtures("few_remarks")
def test_every_form_can_be_written_out() -> None:
    rng = random.Random(3)
    forms = {form.text: form for form in from_forms()}
    lost = [
        form.text
        for form in forms.values()
        if all(
            write_out(form, goods, {"en": ["armchair", "rugs"], "zh": ["书桌"]}[form.language], rng) is None
            for goods in MANY_GOODS[form.language]
            for _ in range(8)
        )
    ]
    assert len(lost) < len(forms) // 100  # a few are too long
    assert not [text for text in lost if forms[text].source.startswith("whole")]


def test_a_brand_skeleton_is_for_a_branded_brief() -> None:
    made = skeleton_of("From {brand}: gooseneck spout, steel.", angle=Angle.YOUR_BRAND, promo=Promotion.NONE)
    assert made is None or "{brand}" in made.text  # type: ignore[attr-defined]


def test_what_a_form_says_of_an_offer_is_untrue_without_it() -> None:
    """A small model mixes what it has learned: a phrase that the guard does not know would be printed where it is false."""
    told: dict[str, Brief] = {}
    for one in from_forms():
        if one.promotion in {Promotion.NEW, Promotion.BACK_IN_STOCK} and "{name}" not in one.text:
            words = {"en": ("kettle", "tea", "lid"), "zh": ("水壶", "茶", "盖")}[one.language]
            text = one.text
            for slot in slots_in(text):
                word = {"kind": words[0], "noun": words[0], "anchor": words[1]}.get(slot, words[2])
                text = text.replace(f"{{{slot}}}", word if slot not in {"price", "brand"} else f"{{{slot}}}")
            told[text] = brief(
                kind=words[0],
                points=words[2:],
                channel=one.channel,
                angle=one.angle,
                anchor=words[1],
                branded=True,
                locale=one.language,
            )
    untold = [
        text for text, made in told.items() if judge(made, text).outcome is Outcome.PASS and not ungrounded(made, text)
    ]
    assert untold == []
