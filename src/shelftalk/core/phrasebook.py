"""The phrasebook: hand-written lines that answer when nothing else is ready. It never fails and never invents.

Lines live in ``phrasebook.<language>.json`` beside this module: channel, angle, promotion, then tone (``any`` fits each), each a
list of lines. Besides the volatile slots a line may use ``[kind]``, ``[anchor]``, up to three selling points, ``[point]``,
``[more]`` and ``[third]``, and remarks (`core.remarks`), ``[use]`` and ``[benefit]``, or two of each: ``[otheruse]``,
``[otherbenefit]``. They are filled from the brief here; 件 behind ``{stock_left}`` and 款 become the measure word of the product
(`core.kinds`), and lines for one domain of Chinese kinds stand under its name beside the tones. In English points may be parts of
a sentence:

======================= ==========================================================================================
``[akind]``             "a kettle", "running socks"
``[thiskind]``          "this kettle", "these running socks"
``[it]``                "it", "they"
``[another]``           "another kettle", "more running socks": only where the anchor is of the same kind
``[does]``, ``[also]``  the first and the second point that has a verb: "folds flat", "also has a hanging loop"
``[both]``, ``[all]``   two or three of them: "folds flat and has a hanging loop"
``[with]``              the first behind a noun: "with a hanging loop", "that folds flat"
======================= ==========================================================================================

A shop's data may hold anything, so only plain words are let through; lines that would need the others are passed over.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple, Self, TypeAlias

import msgspec

from shelftalk.core import clause
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots, slots_for
from shelftalk.core.kinds import sort_of, with_measure
from shelftalk.core.remarks import AFTER_A_QUESTION, PLAIN, remarks_for, turned
from shelftalk.core.render import slots_in

FALLBACK_LANGUAGE = "en"

#: Lines for every tone stand under this name.
ANY_TONE = "any"

#: As written: channel, angle, promotion, tone.
Book: TypeAlias = dict[str, dict[str, dict[str, dict[str, list[str]]]]]


class _Line(msgspec.Struct, frozen=True):
    """A line, with what it needs, and what the draw wants to know of it.

    Attributes:
        slots, places: what it needs.
        domain: whether it was written for a domain of kinds.
        weight: how often it stands in the draw: one that says it in a sentence, or was written for the tone, oftener. How much it
            says does not count: else the few lines with three points would open every other post of a feed.
        tells: whether it says something about the product, beside name and price.
        remarks: how many it has.
        benefits: how many of these tell a point.
    """

    text: str
    slots: frozenset[str]
    places: frozenset[str]
    domain: bool
    weight: int
    tells: bool
    remarks: int
    benefits: int

    @classmethod
    def read(cls, text: str, tone: str) -> Self:
        """A line as it stands under a tone or domain."""
        places = frozenset(_PLACE.findall(text)) | ({_BEFORE_A_NOUN} if _BEFORE_A_NOUN in text else set())
        toned, domain = tone in frozenset(Tone), tone not in {ANY_TONE, *Tone}
        remarks = len(places.intersection(_REMARKS))
        said = 3 if places & _SPOKEN else 2
        return cls(
            text,
            slots_in(text),
            places,
            domain,
            weight=said + toned + _OF_A_DOMAIN * domain + _REMARKING * bool(remarks),
            tells=bool(places & _TELLING),
            remarks=remarks,
            benefits=2 if "[otherbenefit]" in places else int("[benefit]" in places),
        )


#: So much oftener is a line drawn that was written for the domain of the kind: there are few of them, and they say more.
_OF_A_DOMAIN = 2

#: Likewise one with a remark, which people wrote of this kind or point.
_REMARKING = 4

#: So many remarks a channel says where there are as many; a card or an ad may do without.
_REMARKS_WANTED = {Channel.COPY: 2, Channel.SOCIAL: 1}

_Lines: TypeAlias = dict[tuple[str, str, str], dict[str, tuple[_Line, ...]]]

#: The places for selling points, in the order in which they are given out.
_POINTS = ("[point]", "[more]", "[third]")
_SPOKEN = frozenset({"[does]", "[also]", "[both]", "[all]", "[with]"})
_REMARKS = ("[use]", "[benefit]", "[otheruse]", "[otherbenefit]")
_TELLING = _SPOKEN | {*_REMARKS, *_POINTS, "[anchor]", "[another]"}
_PLACE = re.compile(r"\[[a-z]+\]")

#: In Chinese a point may stand before its noun, "可拆洗的枕套", if it is short: not "搭配水洗棉旧色的温柔的枕套".
_BEFORE_A_NOUN = "[point]的"
_SHORT = re.compile(r"[^的]{1,7}")

#: Points that only say how much, how many or of what: true, and dull; in Chinese, those of a few characters. They come last.
_DULL = re.compile(
    r"(?:\d|(?:set|pack|box|pair|bag|tube|tin|bottle|roll|sold|ten|two|three|four|five|six|seven|eight|twelve)\b)|[a-z-]+$"
    r"|.{1,3}$|.*(?:装|克|升|米|毫安时)$"
)

_HAN = re.compile(r"[\u4e00-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{4,}")

_LONG_WORD = re.compile(r"[a-z]{4,}")

#: A point with a digit goes in through its slot and may have any sign; only its length matters.
_LONGEST_POINT = 60


def read_book(language: str) -> Book | None:
    """The book as written; ``None`` where there is none of this language."""
    path = resources.files("shelftalk.core") / f"phrasebook.{language}.json"
    if not (language.isalpha() and path.is_file()):
        return None
    return msgspec.json.decode(path.read_bytes(), type=Book)


@cache
def _book(language: str) -> _Lines:
    written = read_book(language)
    if written is None:
        return _book(FALLBACK_LANGUAGE)
    return {
        (channel, angle, promotion): {
            tone: tuple(_Line.read(line, tone) for line in lines) for tone, lines in tones.items()
        }
        for channel, angles in written.items()
        for angle, promotions in angles.items()
        for promotion, tones in promotions.items()
    }


@lru_cache(maxsize=16_384)
def phrase(brief: Brief) -> str:
    """A line for the brief, its volatile slots unfilled. Deterministic: the same brief gives the same line."""
    return next(phrases(brief))


def phrases(brief: Brief) -> Iterator[str]:
    """Every line that the book has for the brief, each once, in an order that product, tone and angle decide; at least one.

    What the promotion is matters more than why the shopper sees it: where the book has no line for both, the plain introduction
    under that promotion is next. ``introduce`` without promotion has lines that need nothing but a name, so there is always one.
    """
    remarks = remarks_for(brief)
    alone = _words(brief)
    words = _Words(
        alone,
        _words(brief, frozenset({remarks.point})) if remarks.benefit else alone,
        _words(brief, frozenset({remarks.point, remarks.other_point}))
        if remarks.other_benefit and brief.channel in _REMARKS_WANTED
        else alone,
    )
    book = _book(brief.language)
    domain = sort_of(brief.kind).domain
    seen: set[str] = set()
    for promotion in dict.fromkeys((brief.promotion, Promotion.NONE)):
        if seen and promotion is not brief.promotion:
            return  # a line that tells the promotion may be had
        for angle in dict.fromkeys((brief.angle, Angle.INTRODUCE)):
            tones = book.get((brief.channel, angle, promotion), {})
            written = (line for name in (ANY_TONE, brief.tone, domain) for line in tones.get(name, ()))
            lines = _drawn(list(written), brief, words)
            for line in lines:
                if line.text not in seen:
                    seen.add(line.text)
                    yield _filled(line.text, words.of(line), brief)
    if not seen:
        yield "{name}。" if brief.language == "zh" else "{name}."


class _Words(NamedTuple):
    """What the bracketed places of lines read as, those that a brief can fill.

    Attributes:
        alone: in most lines.
        beside: in those with a benefit, whose point is not told once more.
        beside_both: in those with two.
    """

    alone: dict[str, str]
    beside: dict[str, str]
    beside_both: dict[str, str]

    def of(self, line: _Line) -> dict[str, str]:
        """What they read as in this line."""
        return self[line.benefits]


def _drawn(lines: list[_Line], brief: Brief, words: _Words) -> Iterator[_Line]:
    """The lines that this brief can fill, in the order of the draw. A brand's own lines go before all others."""
    allowed = frozenset(slots_for(brief))
    fillable = [frozenset(those) for those in words]
    usable = [line for line in lines if line.slots <= allowed and line.places <= fillable[line.benefits]]
    if brief.angle is Angle.YOUR_BRAND and brief.branded:
        usable = [line for line in usable if "brand" in line.slots] or usable
    # What says nothing but name and price is for products of which there is nothing else to say, and a channel that has the room
    # tells as many remarks as there are.
    wanted = _REMARKS_WANTED.get(brief.channel, 0)
    draws: dict[tuple[int, bool], list[_Line]] = defaultdict(list)
    for line in usable:
        telling = line.tells or (line.domain and "[point]" not in words.alone)
        draws[min(wanted, line.remarks), telling] += [line] * (line.weight if telling else 1)
    number = _number(brief, "line")
    return (line for rank in sorted(draws, reverse=True) for line in turned(draws[rank], number))


def _words(brief: Brief, told: frozenset[str] = frozenset()) -> dict[str, str]:
    """What the bracketed places of a line read as, those that this brief can fill; of points those that are not told yet."""
    remarks = remarks_for(brief)
    said_of_it = zip(_REMARKS, (remarks.use, remarks.benefit, remarks.other_use, remarks.other_benefit), strict=True)
    words = {place: said for place, said in said_of_it if said}
    if kind := _plain(brief.kind, brief.language):
        words["[kind]"] = kind
    if anchor := _plain(brief.anchor or "", brief.language):
        words["[anchor]"] = anchor
    slots = {point: slot for slot, point in point_slots(brief.points).items()}
    said = {
        point: f"{{{slots[point]}}}" if point in slots else _plain(point, brief.language)
        for point in brief.points
        if len(point) <= _LONGEST_POINT
        and "\n" not in point
        and point.lower() not in brief.kind.lower()  # "a loaf tin: tin" says nothing
        and not _other_language(point, brief.language)
        and point not in told
    }
    sayable = [point for point, words_of_it in said.items() if words_of_it]
    telling = turned([point for point in sayable if not _DULL.match(point)], _number(brief, "point"))
    ordered = telling + [point for point in sayable if point not in telling]
    words |= {place: said[point] for place, point in zip(_POINTS, ordered, strict=False)}
    if brief.language == "zh" and ordered and _SHORT.fullmatch(ordered[0]):
        words[_BEFORE_A_NOUN] = f"{said[ordered[0]]}的"
    if brief.language == "en" and "[kind]" in words:
        kind = words["[kind]"]
        if kind.lower() == words.get("[anchor]", "").lower():
            words["[another]"] = clause.another(kind)
            del words["[anchor]"]  # "compare the kettle with the kettle"
        words |= _clauses(kind, [(point, said[point]) for point in ordered if not _says_again(point, kind)])
    return words


def _clauses(kind: str, points: list[tuple[str, str]]) -> dict[str, str]:
    """What the places in sentences read as.

    Args:
        kind: what the product is.
        points: each with what stands for it in the text, the most telling first.
    """
    many = clause.is_many(kind)
    words = {"[akind]": clause.a_kind(kind), "[thiskind]": clause.this_kind(kind), "[it]": "they" if many else "it"}
    found = [(point, said, clause.predicate(point, said, many=many)) for point, said in points]
    spoken = [predicate for _, _, predicate in found if predicate]
    if len(spoken) > 1:
        words["[also]"] = clause.also(spoken[1])
    for count, place in ((1, "[does]"), (2, "[both]"), (3, "[all]")):
        if len(spoken) >= count:
            words[place] = clause.joined(spoken[:count])
    first, said = next(((point, said) for point, said, predicate in found if predicate), ("", ""))
    if behind := clause.modifier(first, said, many=many):
        words["[with]"] = behind
    return words


def _says_again(point: str, kind: str) -> bool:
    """Whether a sentence would say a word twice: "peat-free compost with no peat", "coffee beans with whole beans"."""
    return not set(_LONG_WORD.findall(point.lower())).isdisjoint(_LONG_WORD.findall(kind.lower()))


def _plain(words: str, language: str) -> str:
    """The words without blanks and stops around them; empty where they are no plain words, or not of the language."""
    words = " ".join(words.split()).strip(" .,;:。，")  # noqa: RUF001
    fits = PLAIN.fullmatch(words) and not _other_language(words, language)
    return words if fits else ""


def _other_language(words: str, language: str) -> bool:
    """Whether words would stand out: Chinese in English, English in Chinese ("900 ml" and "USB" are at home in both)."""
    han = bool(_HAN.search(words))
    return not han and bool(_LATIN_WORD.search(words)) if language == "zh" else han


def _number(brief: Brief, purpose: str) -> int:
    """A number that product, tone, angle and take decide, so that cards beside each other differ."""
    what = f"{purpose}|{brief.sku}|{brief.tone}|{brief.angle}" + (f"|{brief.take}" if brief.take else "")
    digest = hashlib.blake2b(what.encode(), digest_size=4).digest()
    return int.from_bytes(digest)


def _filled(line: str, words: dict[str, str], brief: Brief) -> str:
    """The line with its bracketed places filled, all at once: what a word brings is not looked at again."""
    if brief.language == "zh":
        line = with_measure(line, brief.kind)
    filled = AFTER_A_QUESTION.sub(r"\1", _PLACE.sub(lambda match: words[match[0]], line))
    return _SENTENCE_START.sub(lambda match: match[0].upper(), filled)


#: A letter that begins the line or a sentence within it.
_SENTENCE_START = re.compile(r"(?:^|[.?!] )[a-z]")
