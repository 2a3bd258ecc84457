"""Skeletons: what is left of a line when its product's words have become slots, and the pairs that they make with other products.

A few thousand lines and a few hundred products are little for a model that starts from nothing. But a line that says nothing
beside its slots fits every product whose words have the same grammar: "{noun} with a {w1}" wants a singular thing that has a
singular thing. So each skeleton is written out with many products, and a small model learns which frame fits which brief.
"""

import functools
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded, words_of
from shelftalk.core.guard import Outcome, judge, stem
from shelftalk.core.phrasebook import ANY_TONE, Book
from shelftalk.core.render import SLOT, slots_in
from shelftalk.core.word_slots import put_words, take_words, word_values
from shelftalk.train.dataset import Pair
from shelftalk.train.lexicon import generic_stems
from shelftalk.train.lines import Product, brief_for

#: The prompt of the models that write word slots.
VARIANT = "slots-v1"

#: Said of so many kinds of products, an English word is in everybody's mouth.
_COMMON_KINDS = 22

#: Common, and yet said of a thing that is not there any more.
_OF_SOMETHING = (
    "smaller bigger larger longer shorter living room stand set running ride green pack sea walk home book box morning page"
    " hand side round half news left-hand rest quiet company guest deserve whole life"
)

#: Points of one brief; `wording.MAX_POINTS` of the shelf.
_MOST_POINTS = 4

_HAN = re.compile(r"[\u4e00-\u9fff]")
_POINT = re.compile(r"[pw]\d")
_COLOUR = "black|white|red|blue|navy|green|olive|yellow|pink|purple|grey|brown|tan|cream|orange|silver|gold|beige"
_MATERIAL = (
    "steel|glass|bamboo|cotton|wool|linen|silk|leather|wood|oak|walnut|ash|rubber|ceramic|aluminium|cashmere|canvas"
    "|porcelain|stoneware|plastic|silicone|iron|brass|copper|crystal|nylon|polyester|fleece|denim|suede|cork|beech|pine"
)

#: Grammar of an English point, the first that fits.
_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pack", re.compile(r"(?:set|pack|box|roll|pair|bag|tube|tin|bottle|case) of\b")),
    ("measure", re.compile(r"[\d.,]+\s?[\w%/]{1,12}$")),
    ("without", re.compile(r"no \w")),
    ("with", re.compile(r"(?:with|for|in|from|on|under) \w")),
    ("made", re.compile(r"(?:made|suitable|designed|lined|filled|printed|coated|covered|woven|knitted|cut|sold) \w")),
    (
        "does",
        re.compile(
            r"\w+[^s\W]s (?:clean|flat|in|on|up|to|with|for|from|its|the|a|an|at|into|against|over|under|without|around"
            r"|or|and|more|cold|hot|easily|down|out|off|like|as|\w+ly|small|upright|both|most|all|dry|together|by)\b"
        ),
    ),
    ("material", re.compile(rf"(?:[a-z-]+ )?(?:{_MATERIAL})$")),
    (
        "like",
        re.compile(
            rf"(?:[\w-]+ )*(?:{_COLOUR}|safe|ready|[\w-]*(?:proof|free|resistant|scented|sized|sided|able|ible|less|ised)"
            r"|non-\w+|thick|thin|smooth|round|soft|quiet|light|heavy|warm|natural|washable|sensitive|marbled|matt|wide"
            r"|[a-z]+-[a-z]+ed|[a-z]+ed)$"
        ),
    ),
    ("word", re.compile(r"[\w'-]+$")),
    ("plural", re.compile(r"(?:[\w'-]+ )*?[\w'-]+[^s\W]s(?= (?:with|of|for|in|from|on|and|or|to|that)\b|$)")),
)
_CHINESE_CLASSES = (
    ("measure", re.compile(r".*\d")),
    ("does", re.compile(r"(?:可|能|会|不|防|耐|易|免|自动|一键|无|速|有|带|附|适合|支持|按|配)")),
    ("short", re.compile(r"[^一二两三四五六七八九十]{2,4}$")),
)


def point_class(point: str) -> str:
    """The grammar of a point, as far as it decides what may stand around it."""
    if _HAN.search(point):
        return next((name for name, rule in _CHINESE_CLASSES if rule.match(point)), "thing")
    return next((name for name, rule in _CLASSES if rule.match(point.lower())), "thing")


def kind_class(kind: str) -> str:
    """Whether a product is one or many: "kettle", "socks"."""
    if _HAN.search(kind) or not kind:
        return ""
    return "many" if re.search(r"[^s\W]s$|[^s]ses$|scissors$|jeans$", kind) else "one"


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
    if not known(SLOT.sub(" ", text)) or not slots_in(text) or len(text) < 2 * len("{name}"):
        return None
    values = {**point_slots(brief.points), **word_values(brief)}
    needs = {slot: point_class(values[slot]) for slot in slots_in(text) if _POINT.fullmatch(slot) and slot in values}
    anchor = kind_class(brief.anchor) if brief.anchor is not None else None
    skeleton = Skeleton(
        text,
        brief.language,
        brief.channel,
        brief.angle,
        brief.promotion,
        brief.tone,
        needs,
        kind_class(brief.kind),
        anchor,
        source,
    )
    if any(
        match[1] in needs and needs[match[1]] not in fitting
        for rule, fitting in _PLACES_OF[brief.language]
        for match in rule.finditer(text)
    ):
        return None  # this place is right for that one product only
    if brief.language == "zh" and _MEASURED.search(text):
        return None
    return skeleton if sound(brief, text) else None


#: Places where a point can stand only if it is of these classes. Elsewhere, in lists and after a colon, all can.
_PLACES_OF: dict[str, tuple[tuple[re.Pattern[str], frozenset[str]], ...]] = {
    "en": (
        (re.compile(r"(?:\{(?:name|kind|noun)\}|\b(?:it|that|which|they)) \{([pw]\d)\}", re.IGNORECASE), frozenset({"does"})),
        (
            re.compile(r"\b(?:with|has|have|of|and|for|plus|is|are|by|to|on|its|the|this|that|your|from|at|in|into|about)"
                r" \{([pw]\d)\}", re.IGNORECASE),
            frozenset({"plural", "material", "measure", "pack"}),
        ),
        (re.compile(r"\{([pw]\d)\} \{(?:kind|noun|[pw]\d)\}"), frozenset({"like", "material", "measure"})),
        (
            re.compile(r"\ban? \{([pw]\d)\}", re.IGNORECASE),
            frozenset({"thing", "like", "material", "measure", "pack", "word"}),
        ),
    ),
    "zh": (
        (re.compile(r"\{([pw]\d)\}的?\{(?:kind|[pw]\d)\}"), frozenset({"short", "does"})),
        (re.compile(r"\{([pw]\d)\}的\{name\}"), frozenset({"short", "does"})),
        (re.compile(r"\{(p\d)\}的?\{"), frozenset()),
    ),
}  # fmt: skip

#: A measure word that fits one kind of thing.
_MEASURED = re.compile(
    r"[这那一每几]([^件款种样些个下里回次是就都天])(?:\{|[^，。]{0,2}\{kind)|\{stock_left\}[^件，。]"
)


def sound(brief: Brief, text: str) -> bool:
    """Whether a text with word slots is one that may be printed."""
    said = put_words(brief, text)
    return judge(brief, said).outcome is Outcome.PASS and not ungrounded(brief, said)


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


#: Where the phrasebook has points, any points fit: all as words, or one of them with a digit.
_PLACES = (
    {"[kind]": "{kind}", "[anchor]": "{anchor}", "[point]": "{w1}", "[more]": "{w2}", "[third]": "{w3}"},
    {"[kind]": "{kind}", "[anchor]": "{anchor}", "[point]": "{p1}", "[more]": "{w1}", "[third]": "{w2}"},
    {"[kind]": "{kind}", "[anchor]": "{anchor}", "[point]": "{w1}", "[more]": "{p1}", "[third]": "{w2}"},
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
                    spoken = tuple(Tone) if tone == ANY_TONE else (Tone(tone),)
                    skeletons += [made for line in lines for made in _phrases(line, language, head, spoken)]
    return skeletons


def _slot_of(places: Mapping[str, str], place: re.Match[str]) -> str:
    return places[place[0]]


def _phrases(
    line: str, language: str, head: tuple[Channel, Angle, Promotion], tones: Sequence[Tone]
) -> Iterator[Skeleton]:
    channel, angle, promotion = head
    anchor = "*" if "[anchor]" in line or angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED} else None
    texts = dict.fromkeys(_PLACE.sub(functools.partial(_slot_of, places), line) for places in _PLACES)
    for text in texts:
        needs = dict.fromkeys(sorted(slot for slot in slots_in(text) if _POINT.fullmatch(slot)), "*")
        for tone in tones:
            yield Skeleton(
                text, language, channel, angle, promotion, tone, needs, "*", anchor, f"phrasebook.{language}"
            )


def from_forms() -> list[Skeleton]:
    """Texts that only join points, in places where any point can stand; one for each tone."""
    raw = (resources.files("shelftalk.train") / "forms.json").read_bytes()
    forms = msgspec.json.decode(raw, type=dict[str, dict[str, dict[str, list[str]]]])
    return [
        Skeleton(
            text, language, Channel(channel), Angle(angle), promotion, tone,
            dict.fromkeys(sorted(slot for slot in slots_in(text) if _POINT.fullmatch(slot)), "*"),
            "*", "*" if "{anchor}" in text else None, f"forms.{language}",
        )
        for language, channels in forms.items()
        for channel, heads in channels.items()
        for head, texts in heads.items()
        for angle, promotion in [(head.split("/")[0], Promotion(head.split("/")[1]))]
        for text in texts
        for tone in Tone
    ]  # fmt: skip


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
        fitting = (
            point
            for point in points
            if point not in chosen.values()
            and (slot[0] == "p") == bool(re.search(r"\d", point))
            and wanted in {"*", point_class(point)}
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
    slots = {
        point: slot
        for slot, point in {**point_slots(brief.points), **word_values(brief)}.items()
        if _POINT.fullmatch(slot)
    }
    renamed = {slot: slots.get(point, "") for slot, point in chosen.items()}
    if "" in renamed.values():
        return None
    text = SLOT.sub(lambda match: f"{{{renamed.get(match[1], match[1])}}}", skeleton.text)
    return Pair(brief, text) if sound(brief, text) else None
