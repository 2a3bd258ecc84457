"""The mixture: every voice as often as another, and cards' words in ads too."""

from collections import Counter

from shelftalk.core.brief import Angle, Channel, Promotion, Tone
from shelftalk.core.voices import voice_of
from shelftalk.train.mixture import Material, draw
from shelftalk.train.skeletons import Goods, Skeleton

GOODS = {
    "en": [Goods("desk lamp", ("brass arm", "folding base")), Goods("kettle", ("gooseneck spout", "lid lock"))],
    "zh": [Goods("台灯", ("可折叠", "暖光"))],
}
MANY = [f"{word} here: {{name}}, with a {{w1}}." for word in ("Just", "Now", "Right", "Also", "Still", "Only")]
ONE = "For your page: a {kind} with a {w1}, {price}."


def skeleton(text: str, channel: Channel = Channel.CARD) -> Skeleton:
    head = (channel, Angle.INTRODUCE, Promotion.NONE, Tone.PLAIN)
    return Skeleton(text, "en", *head, {"w1": "thing"}, "*", None, "whole.en")


def test_a_voice_with_one_skeleton_is_learned_as_often_as_one_with_many() -> None:
    # The same first two words over and over are one voice, whatever follows.
    crowd = [skeleton(f"A {{kind}} with a {{w1}}, {ending}.") for ending in ("{price}", "{name}", "{price} today")]
    material = Material((*crowd, skeleton(ONE)), GOODS, ())
    drawn = Counter(voice_of(pair.text, "en") for pair in draw(material, 300, "seed"))
    assert len(drawn) == 2
    assert min(drawn.values()) > 100


def test_what_was_written_for_cards_stands_in_ads_too_but_not_the_other_way_round() -> None:
    material = Material((skeleton(ONE), skeleton(MANY[0], Channel.AD)), GOODS, ())
    texts = {channel: set() for channel in (Channel.CARD, Channel.AD)}  # type: dict[Channel, set[str]]
    for pair in draw(material, 200, "seed"):
        texts[pair.brief.channel].add(pair.text.partition(":")[0])
    assert texts == {Channel.CARD: {"For your page"}, Channel.AD: {"For your page", "Just here"}}


def test_the_same_seed_draws_the_same_pairs() -> None:
    material = Material(tuple(map(skeleton, [ONE, *MANY])), GOODS, ())
    assert draw(material, 40, "a") == draw(material, 40, "a") != draw(material, 40, "b")
