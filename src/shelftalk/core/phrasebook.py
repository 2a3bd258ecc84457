"""The phrasebook: hand-written lines that answer when nothing else is ready. It never fails and never invents.

Lines live in ``phrasebook.<language>.json`` beside this module: channel, then angle, then promotion, each a list of lines.
Besides the volatile slots a line may use ``[kind]``, ``[anchor]`` and ``[point]``, which are filled from the brief here. A shop's
data may hold anything there, so only plain words are let through; lines that would need the others are passed over.
"""

import hashlib
import re
from functools import cache
from importlib import resources
from typing import TypeAlias

import msgspec

from shelftalk.core.brief import Angle, Brief, Promotion, point_slots, slots_for
from shelftalk.core.render import slots_in

FALLBACK_LANGUAGE = "en"

_Book: TypeAlias = dict[str, dict[str, dict[str, list[str]]]]

#: A noun or point that may stand inside a sentence: words and light punctuation, no digits (the guard's rule), no markup.
_PLAIN = re.compile(r"[^\W\d_](?:[^\W\d_]|[ ,;:'’&/()\-–]){0,59}")  # noqa: RUF001 - typographic signs are meant

#: Points that only say how much or how many: true, and dull. They are named where there is nothing else to name.
_AMOUNT = re.compile(r"\d|(?:set|pack|box|pair|bag|tube|tin|bottle|roll|sold|ten|two|three|four|five|six)\b")

_HAN = re.compile(r"[\u4e00-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-z]{4,}")

#: A point with a digit goes in through its slot and may have any sign; only its length matters.
_LONGEST_POINT = 60


@cache
def _book(language: str) -> _Book:
    folder = resources.files("shelftalk.core")
    path = folder / f"phrasebook.{language}.json"
    if not (language.isalpha() and path.is_file()):
        return _book(FALLBACK_LANGUAGE)
    return msgspec.json.decode(path.read_bytes(), type=_Book)


def phrase(brief: Brief) -> str:
    """A line for the brief, its volatile slots unfilled. Deterministic: the same brief gives the same line.

    What the promotion is matters more than why the shopper sees it: where the book has no line for both, the plain introduction
    under that promotion is next. ``introduce`` without promotion has lines that need nothing but a name, so there is always one.
    """
    angles = _book(brief.language).get(brief.channel, {})
    words = _words(brief)
    for promotion in (brief.promotion, Promotion.NONE):
        for angle in (brief.angle, Angle.INTRODUCE):
            if lines := _usable(angles.get(angle, {}).get(promotion, ()), brief, words):
                return _filled(lines[_number(brief, "line") % len(lines)], words)
    return "{name}。" if brief.language == "zh" else "{name}."


def _words(brief: Brief) -> dict[str, str]:
    """What the bracketed places of a line read as, those that this brief can fill."""
    words = {}
    if kind := _plain(brief.kind, brief.language):
        words["[kind]"] = kind
    if anchor := _plain(brief.anchor or "", brief.language):
        words["[anchor]"] = anchor
    slots = {point: slot for slot, point in point_slots(brief.points).items()}
    points = {
        point: f"{{{slots[point]}}}" if point in slots else _plain(point, brief.language)
        for point in brief.points
        if len(point) <= _LONGEST_POINT and "\n" not in point and not _other_language(point, brief.language)
    }
    sayable = [point for point, said in points.items() if said]
    if sayable := [point for point in sayable if not _AMOUNT.match(point)] or sayable:
        words["[point]"] = points[sayable[_number(brief, "point") % len(sayable)]]
    return words


def _plain(words: str, language: str) -> str:
    """The words without blanks and stops around them; empty where they are no plain words, or not of the language."""
    words = " ".join(words.split()).strip(" .,;:。，")  # noqa: RUF001
    fits = _PLAIN.fullmatch(words) and not _other_language(words, language)
    return words if fits else ""


def _other_language(words: str, language: str) -> bool:
    """Whether words would stand out: Chinese in English, English in Chinese ("900 ml" and "USB" are at home in both)."""
    han = bool(_HAN.search(words))
    return not han and bool(_LATIN_WORD.search(words)) if language == "zh" else han


def _usable(lines: list[str] | tuple[str, ...], brief: Brief, words: dict[str, str]) -> list[str]:
    """The lines that this brief can fill. Those that say more about it count twice; a brand's own lines go before all others."""
    allowed = slots_for(brief)
    usable = [
        line
        for line in lines
        if slots_in(line).issubset(allowed) and all(place in words for place in _PLACE.findall(line))
    ]
    if brief.angle is Angle.YOUR_BRAND and brief.branded:
        usable = [line for line in usable if "{brand}" in line] or usable
    return usable + [line for line in usable if "[point]" in line or "[anchor]" in line]


_PLACE = re.compile(r"\[[a-z]+\]")


def _number(brief: Brief, purpose: str) -> int:
    """A number that product, tone and angle decide, so that cards beside each other differ."""
    digest = hashlib.blake2b(f"{purpose}|{brief.sku}|{brief.tone}|{brief.angle}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)


def _filled(line: str, words: dict[str, str]) -> str:
    """The line with its bracketed places filled, all at once: what a word brings is not looked at again."""
    filled = _PLACE.sub(lambda match: words[match[0]], line)
    return filled[:1].upper() + filled[1:]
