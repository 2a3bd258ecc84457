"""Skeletons: what is left of a line when its product's words have become slots, and the pairs that they make with other products.

A few thousand lines and a few hundred products are little for a model that starts from nothing. But a line that says nothing
beside its slots fits every product whose words have the same grammar: "{noun} with a {w1}" wants a singular thing that has a
singular thing. So each skeleton is written out with many products, and a small model learns which frame fits which brief.
"""

import functools
import itertools
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grammar import kind_class, point_class, remarks_misplaced
from shelftalk.core.grounding import ungrounded, words_of
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import ANY_TONE, Book
from shelftalk.core.remarks import REMARK, REMARK_SLOTS
from shelftalk.core.render import SLOT, slots_in
from shelftalk.core.stems import stem
from shelftalk.core.style import tics
from shelftalk.core.word_slots import offered_slots, put_words, take_words, word_values
from shelftalk.train.dataset import Pair
from shelftalk.train.lexicon import generic_stems
from shelftalk.train.lines import Product, brief_for

#: How the small model is asked: by slots called after the grammar of the brief's words, which it never writes, and by the voice.
VARIANT = "slots-v5"

#: Said of so many kinds of products, an English word is in everybody's mouth.
_COMMON_KINDS = 30

#: Common, and yet said of a thing that is not there any more.
_OF_SOMETHING = (
    "smaller bigger larger longer shorter living room stand set running ride green pack sea walk home book box morning page"
    " hand side round half left-hand rest quiet company guest deserve whole life"
)

#: Points of one brief; `wording.MAX_POINTS` of the shelf.
_MOST_POINTS = 4

_POINT = re.compile(r"[pw]\d")
#: More points than this are a list.
_LISTED = 2
_NEEDED = re.compile(rf"[pw]\d|{'|'.join(REMARK_SLOTS)}")


def _is_dull(text: str) -> bool:
    """Whether what is left of a line is a label: the name, which its card shows anyway, or a list of points."""
    return "{name}" in text or len(_POINT.findall(text)) > _LISTED


class Skeleton(NamedTuple):
    """A line without its product.

    Attributes:
        text: with slots for all that is the product's.
        needs: grammar of the point behind each point slot of the text.
        kind: of the product, `kind_class`.
        anchor: of the anchor, None where the brief has none.
        source: where it was written.
    """

    text: str
    language: str
    channel: Channel
    angle: Angle
    promotion: Promotion
    tone: Tone
    needs: Mapping[str, str]
    kind: str
    anchor: str | None
    source: str


@functools.cache
def _generic() -> frozenset[str]:
    return frozenset(generic_stems())


def from_pair(pair: Pair, source: str, known: Callable[[str], bool]) -> Skeleton | None:
    """The skeleton of a line, or None if something of its product is left.

    Args:
        pair: brief and line; facts may be words or slots.
        source: for people.
        known: whether a text without its slots is made of words that fit any product.
    """
    brief = pair.brief
    text = take_words(brief, pair.text)
    if brief.language == "zh":
        # The head of a kind names it: "坐垫" of a "记忆棉坐垫". The longest first, so that no half of a word is taken.
        for length in range(len(brief.kind) - 1, 1, -1):
            text = text.replace(brief.kind[-length:], "{kind}")
    if not known(SLOT.sub(" ", text)) or not slots_in(text) or len(text) < 2 * len("{name}") or _is_dull(text):
        return None
    values = {**point_slots(brief.points), **word_values(brief)}
    needs = {slot: point_class(values[slot]) for slot in slots_in(text) if _POINT.fullmatch(slot) and slot in values}
    if REMARK.search(text):
        return None  # its words are a remark's by chance
    # Chinese words do not change with the number of what they speak of.
    agrees = brief.language != "zh"
    skeleton = Skeleton(
        text,
        brief.language,
        brief.channel,
        brief.angle,
        brief.promotion,
        brief.tone,
        needs,
        kind_class(brief.kind) if agrees else "*",
        None if brief.anchor is None else kind_class(brief.anchor) if agrees else "*",
        source,
    )
    if brief.language == "zh" and _MEASURED.search(text):
        return None
    return skeleton if sound(brief, text) else None


#: A measure word that fits one kind of thing.
_MEASURED = re.compile(
    r"[这那一每几]([^件款种样些个下里回次是就都天])(?:\{|[^，。]{0,2}\{kind)|\{stock_left\}[^件，。]"
)


def sound(brief: Brief, text: str) -> bool:
    """Whether a text with word slots is one that may be printed."""
    said = put_words(brief, text)
    return judge(brief, said).outcome is Outcome.PASS and not ungrounded(brief, said) and not tics(brief, said)


def english_words(products: Sequence[Product]) -> Callable[[str], bool]:
    """`from_pair`'s test for English: generic words of the trade, and said of many kinds of products (wit is not)."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for product in products:
        known = {stem(word) for word in words_of(" ".join((product.kind, *product.points)))}
        for line in product.lines:
            for word in {stem(word) for word in words_of(line.text)} - known:
                kinds[word].add(product.kind)
    common = {word for word, of in kinds.items() if len(of) >= _COMMON_KINDS}
    common.update(stem(word) for skeleton in from_phrasebook("en") for word in words_of(skeleton.text))
    common = (common & _generic()) - {stem(word) for word in _OF_SOMETHING.split()}
    return lambda text: all(stem(word) in common for word in words_of(text))


def from_lines(products: Iterable[Product], known: Callable[[str], bool]) -> list[Skeleton]:
    """The skeletons of hand-written lines, repeated texts once a brief."""
    found: dict[tuple[object, ...], Skeleton] = {}
    for product in products:
        for line in product.lines:
            if line.tone is Tone.PLAYFUL:  # wit without its product is nonsense
                continue
            brief = brief_for(product, line, branded="{brand}" in line.text, variant=VARIANT)
            skeleton = from_pair(Pair(brief, line.text), product.source, known)
            if skeleton is not None:
                found.setdefault((skeleton.text, line.channel, line.angle, line.promo), skeleton)
    return list(found.values())


_ANYTHING = {"[kind]": "{kind}", "[anchor]": "{anchor}", "[use]": "{use}", "[benefit]": "{benefit}"}

#: Where the phrasebook has points, any points fit: all as words, or one of them with a digit.
_PLACES = (
    _ANYTHING | {"[point]": "{w1}", "[more]": "{w2}", "[third]": "{w3}"},
    _ANYTHING | {"[point]": "{p1}", "[more]": "{w1}", "[third]": "{w2}"},
    _ANYTHING | {"[point]": "{w1}", "[more]": "{p1}", "[third]": "{w2}"},
)
_PLACE = re.compile(r"\[[a-z]+\]")


def from_phrasebook(language: str) -> list[Skeleton]:
    """The phrasebook's lines; they are written to fit any product and any point."""
    path = resources.files("shelftalk.core") / f"phrasebook.{language}.json"
    book = msgspec.json.decode(path.read_bytes(), type=Book)
    skeletons = []
    for channel, angles in book.items():
        for angle, promotions in angles.items():
            for promotion, tones in promotions.items():
                head = Channel(channel), Angle(angle), Promotion(promotion)
                for tone, lines in tones.items():
                    domain = tone not in {ANY_TONE, *Tone}
                    spoken = tuple(Tone) if domain or tone == ANY_TONE else (Tone(tone),)
                    kind = tone if domain else "*"
                    skeletons += [made for line in lines for made in _phrases(line, language, head, spoken, kind)]
    return skeletons


def _slot_of(places: Mapping[str, str], place: re.Match[str]) -> str:
    return places[place[0]]


def _phrases(
    line: str, language: str, head: tuple[Channel, Angle, Promotion], tones: Sequence[Tone], kind: str
) -> Iterator[Skeleton]:
    channel, angle, promotion = head
    if not set(_PLACE.findall(line)) <= _PLACES[0].keys():
        return  # a second remark, or a point as part of a sentence: ``forms.json`` has such, with the grammar that each place wants
    anchor = "*" if "[anchor]" in line or angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED} else None
    texts = dict.fromkeys(_PLACE.sub(functools.partial(_slot_of, places), line) for places in _PLACES)
    for text in texts:
        if remarks_misplaced(text, language):
            continue
        needs = dict.fromkeys(sorted(slot for slot in slots_in(text) if _NEEDED.fullmatch(slot)), "*")
        for tone in tones:
            yield Skeleton(
                text, language, channel, angle, promotion, tone, needs, kind, anchor, f"phrasebook.{language}"
            )


class _Forms(msgspec.Struct, forbid_unknown_fields=True):
    """``forms.json`` of a language: whole texts, and parts to join. A slot may say which grammar it wants: ``{w1:plural|pack}``.

    Attributes:
        whole: by channel, then by angle and promotion ("introduce/none").
        offers: by promotion; each stands as a sentence beside a remark, whatever the reason, or behind a brand.
        openings: by angle; each ends so that any body can follow.
        bodies: the product and its points.
        closings: by promotion.
    """

    whole: dict[Channel, dict[str, list[str]]]
    offers: dict[Promotion, list[str]]
    openings: dict[Angle, list[str]]
    bodies: list[str]
    closings: dict[Promotion, list[str]]


#: Joined texts of a head: a few of the thousands that there are.
_JOINED = 120

_TYPED = re.compile(r"\{(\w+):([a-z|]+)\}")
_SENTENCE = re.compile(r"(?:^|[.?!] )[a-z]")


def from_forms() -> list[Skeleton]:
    """Texts written for the small models, in places where what they want can stand."""
    raw = (resources.files("shelftalk.train") / "forms.json").read_bytes()
    found = []
    for language, forms in msgspec.json.decode(raw, type=dict[str, _Forms]).items():
        for channel, heads in forms.whole.items():
            for head, texts in heads.items():
                angle, promotion = head.split("/")
                head_of = (channel, Angle(angle), Promotion(promotion))
                beside = _beside_remarks(forms.offers.get(Promotion(promotion), ()), Angle(angle), language)
                found += [_form(text, language, "whole", head_of) for text in (*texts, *beside)]
        rng = random.Random(language)
        for angle, openings in forms.openings.items():
            for promotion, closings in forms.closings.items():
                if angle is Angle.PRICE_DROPPED and promotion not in {Promotion.SALE, Promotion.ENDING_SOON}:
                    continue
                texts = [a + b + c for a in openings for b in forms.bodies for c in closings]
                head_of = (Channel.CARD, angle, promotion)
                found += [
                    _form(text, language, "joined", head_of) for text in rng.sample(texts, min(_JOINED, len(texts)))
                ]
    return [one._replace(tone=tone) for one in found for tone in Tone]


#: How an offer stands beside a remark, and where the brand is the reason.
_OFFERED = {
    "en": (("{remark}. {offer}.", "{offer}. {remark}."), "{remark}. From {{brand}}, {offer}."),
    "zh": (("{remark}。{offer}。", "{offer}。{remark}。"), "{remark}。{{brand}}的，{offer}。"),
}


def _beside_remarks(offers: Sequence[str], angle: Angle, language: str) -> Iterator[str]:
    plain, branded = _OFFERED[language]
    for how in (*plain, branded) if angle is Angle.YOUR_BRAND else plain:
        for offer, slot in itertools.product(offers, REMARK_SLOTS):
            yield how.format(remark=f"{{{slot}}}", offer=offer)


def _form(written: str, language: str, how: str, head: tuple[Channel, Angle, Promotion]) -> Skeleton:
    wants: dict[str, str] = dict(_TYPED.findall(written))
    text = _SENTENCE.sub(lambda match: match[0].upper(), _TYPED.sub(r"{\1}", written))
    needs = {slot: wants.get(slot, "*") for slot in sorted(slots_in(text)) if _NEEDED.fullmatch(slot)}
    # A head may have an anchor that its text does not name.
    anchored = head[1] in {Angle.GOES_WITH, Angle.LIKE_VIEWED}
    kind = wants.get("kind", wants.get("name", "*"))
    anchor = wants.get("anchor", "*") if anchored else None
    return Skeleton(text, language, *head, Tone.PLAIN, needs, kind, anchor, f"{how}.{language}")


class Goods(NamedTuple):
    """Products to write skeletons out with: kind and points."""

    kind: str
    points: tuple[str, ...]


def write_out(skeleton: Skeleton, goods: Goods, anchors: Sequence[str], rng: random.Random) -> Pair | None:
    """The pair that a skeleton makes with a product, or None if the grammar doesn't allow it.

    The text keeps its word slots: it is what the model has to write.
    """
    if skeleton.kind not in {"*", kind_class(goods.kind)} or not goods.kind:
        return None
    points = list(dict.fromkeys(goods.points))
    rng.shuffle(points)
    chosen: dict[str, str] = {}
    for slot, wanted in skeleton.needs.items():
        if slot in REMARK_SLOTS:
            continue
        fitting = (
            point
            for point in points
            if point not in chosen.values()
            and (slot[0] == "p") == bool(re.search(r"\d", point))
            and (wanted == "*" or point_class(point) in wanted.split("|"))
        )
        point = next(fitting, None)
        if point is None:
            return None
        chosen[slot] = point
    others = [point for point in points if point not in chosen.values()]
    points = [*chosen.values(), *others[: rng.randint(0, max(0, _MOST_POINTS - len(chosen)))]]
    rng.shuffle(points)
    anchor = None
    if skeleton.anchor is not None:
        fitting_anchors = [
            kind for kind in anchors if skeleton.anchor in {"*", kind_class(kind)} and kind != goods.kind
        ]
        if not fitting_anchors:
            return None
        anchor = rng.choice(fitting_anchors)
    brief = Brief(
        sku="",
        kind=goods.kind,
        points=tuple(points),
        channel=skeleton.channel,
        angle=skeleton.angle,
        anchor=anchor,
        promotion=skeleton.promotion,
        tone=skeleton.tone,
        branded="{brand}" in skeleton.text or (skeleton.angle is not Angle.YOUR_BRAND and rng.random() < 0.5),  # noqa: PLR2004
        locale=skeleton.language,
        variant=VARIANT,
        model="",
    )
    offered = offered_slots(brief)
    if any(slot not in offered for slot in skeleton.needs if slot in REMARK_SLOTS):
        return None
    values = {**point_slots(brief.points), **word_values(brief)}
    slots = {values[slot]: slot for slot in offered if _POINT.fullmatch(slot)}
    renamed = {slot: slots.get(point, "") for slot, point in chosen.items()}
    if "" in renamed.values():
        return None
    text = SLOT.sub(lambda match: f"{{{renamed.get(match[1], match[1])}}}", skeleton.text)
    return Pair(brief, text) if sound(brief, text) else None
