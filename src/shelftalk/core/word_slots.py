"""Word slots: the words of the brief as single tokens, for generators that are too small to spell them.

Points with a digit have slots already (``{p1}``), since their text must not be written at all. A small model also gets
slots for the rest: it writes ``{kind}`` or ``{w1}``, and the words are put in before anybody else sees the text. So it
can't misspell a product, and needs no training on nouns that it will meet only in the shop.
The field calls this delexicalisation (Wen et al. 2015).

``{kind}``    the product's kind, ``{noun}`` its last word (languages with spaces only)
``{anchor}``  the kind of the product that the angle refers to
``{w1}``...   the points without a digit, in order
``{use}``, ``{benefit}``  what people say of the kind, and of one of the points (`remarks`)
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from shelftalk.core.brief import Brief, point_slots, slots_for
from shelftalk.core.kinds import with_measure, without_measure
from shelftalk.core.remarks import AFTER_A_QUESTION, PLAIN, REMARK_SLOTS, remarks_for
from shelftalk.core.render import SLOT

#: Names of all word slots; a brief has some of them.
WORD_SLOTS = ("kind", "noun", "anchor", "w1", "w2", "w3", "w4", "w5", *REMARK_SLOTS)

_SENTENCE_START = re.compile(r"(?:^|[.?!]\s+)$")
_ARTICLE = re.compile(r"\b([Aa])n?( )$")
_AN_SLOT = re.compile(r"\b([Aa])n \{")
#: "an hour", "a unique", "a one-hand": the sound decides, not the letter; an abbreviation is spelled out, most of them.
_VOWEL_SOUND = re.compile(
    r"(?i:(?!one\b|eu)[aeio]|u(?!ni|s[aeb]|ti|ku|k\b)|hour|heir|honest)|(?!HEPA|MIDI|NATO|RAM\b|SIM\b)[FHLMNRSX](?:[A-Z0-9]|\b)"
)


@lru_cache(maxsize=4096)
def word_values(brief: Brief) -> Mapping[str, str]:
    """What each word slot of a brief reads as. Words that are not plain have none. Remembered: each rule of the review asks."""
    numeric = point_slots(brief.points).values()
    words = (point for point in brief.points if point not in numeric)
    values = {"kind": brief.kind, "anchor": brief.anchor or ""}
    if " " in brief.kind:
        values["noun"] = brief.kind.rpartition(" ")[2]
    values |= {f"w{number}": point for number, point in enumerate(words, start=1)}
    said = remarks_for(brief)
    remarks = {slot: value for slot, value in (("use", said.use), ("benefit", said.benefit)) if value}
    # Only plain words may be put into a text: a shop's data may hold anything.
    plain = {slot: value for slot, value in values.items() if slot in WORD_SLOTS and PLAIN.fullmatch(value)}
    return MappingProxyType(plain | remarks)


def article(words: str) -> str:
    """The indefinite article before these words: "an hour", "a unique", "an 8 mm drop"."""
    return "an" if _VOWEL_SOUND.match(words) or _EIGHT.match(words) else "a"


#: "Eight", "eleven", "eighteen", "eighty", "eighteen hundred", with what follows them.
_EIGHT = re.compile(r"8|1[18](?:\d\d)?(?!\d|[.,]\d{3})")


def offered_slots(brief: Brief) -> tuple[str, ...]:
    """Every slot that a generator with word slots may write for a brief: a point that its benefit tells is not told twice."""
    values = word_values(brief)
    told = remarks_for(brief).point
    of_points = {**point_slots(brief.points), **values}
    return tuple(slot for slot in (*slots_for(brief), *values) if not told or of_points.get(slot) != told)


def put_words(brief: Brief, text: str, but: Collection[str] = ()) -> str:
    """The text with its word slots filled, ``but`` some, and the articles before them made to fit; other slots stay.

    Slots that the brief does not have stay too: the guard then refuses the text.
    """
    if brief.language == "zh":
        text = with_measure(text, brief.kind)
    values = word_values(brief)
    out = ""
    end = 0
    for match in SLOT.finditer(text):
        out += text[end : match.start()]
        end = match.end()
        value = values.get(match[1])
        if value is None or match[1] in but:
            out += match[0]
            continue
        if brief.language == "en":
            out = _ARTICLE.sub(rf"\g<1>{article(value)[1:]}\g<2>", out)
            if _SENTENCE_START.search(out):
                value = value[0].upper() + value[1:]
        out += value
    return AFTER_A_QUESTION.sub(r"\1", out + text[end:])


#: What a form has where the remark that was put in asks.
_STOPS = {"?": ".", "？": "。"}  # noqa: RUF001


def _lower(text: str) -> str:
    """In lower case, with every letter in its place: a Turkish İ would be two."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(one.lower()[:1] for one in text)


def take_remarks(brief: Brief, text: str) -> str:
    """The text with its remarks taken out again: their slots stand in their places."""
    values = word_values(brief)
    for slot in REMARK_SLOTS:
        remark = values.get(slot, "")
        # Found by letters, not by a pattern: there are thousands of remarks, and each would be compiled anew.
        at = _lower(text).find(_lower(remark)) if remark else -1
        if at >= 0:
            text = f"{text[:at]}{{{slot}}}{_STOPS.get(remark[-1], '')}{text[at + len(remark) :]}"
    return text


@lru_cache(maxsize=1024)
def take_words(brief: Brief, text: str) -> str:
    """The opposite of `put_words`, for training: words of the brief in a text become their slots, the longest first."""
    values = sorted(word_values(brief).items(), key=lambda item: -len(item[1]))
    numeric = sorted(point_slots(brief.points).items(), key=lambda item: -len(item[1]))
    words = [(slot, value) for slot, value in values if slot not in REMARK_SLOTS]
    text = _taken(take_remarks(brief, text), [*numeric, *words], brief.language)
    if brief.language == "zh":
        return without_measure(text, brief.kind)
    return _AN_SLOT.sub(r"\1 {", text)


def _taken(text: str, values: Iterable[tuple[str, str]], language: str) -> str:
    """The text with a slot for each value in it; in English whole words only."""
    for slot, value in values:
        # Most values are not in the text, and to look costs less than to compile their patterns, of which there are thousands.
        if text.isascii() and value.isascii() and value.lower() not in text.lower():
            continue
        text = _whole(value, language).sub(f"{{{slot}}}", text)
    return text


@lru_cache(maxsize=4096)
def _whole(value: str, language: str) -> re.Pattern[str]:
    """A value in a text; in English whole words only."""
    borders = (r"(?<![\w{-])", r"(?![\w}-])") if language == "en" else ("", "")
    return re.compile(re.escape(value).join(borders), re.IGNORECASE)
