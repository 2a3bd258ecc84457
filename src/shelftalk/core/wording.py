"""Catalogue text made fit for a prompt: short, printable, and unable to pass for anything but a selling point."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources

import orjson

from shelftalk.core.casing import inside_a_sentence
from shelftalk.core.guard import breach
from shelftalk.core.labels import is_one_script, is_unseen

MAX_POINTS = 4
MAX_POINT_LENGTH = 48

_SPACE = re.compile(r"\s+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
#: Markup, slots, template and chat-format signs, and what announces a price: no selling point needs them.
_FOREIGN = re.compile(
    r"[{}\[\]<>|\\`~^*#@=_$£€¥₹₽₩₺₴₫฿₿!?]|https?:|www\.|:/|//|&#?\w+;|\b[a-z]+:\S|%[0-9a-f]{2}[a-z%]|\b\d{3,4}[ -]\d{3}[ -]?\d{3}",
    re.IGNORECASE,
)

#: A saving is the card's to tell, from the facts.
_SAVING = re.compile(
    r"-\s?\d+\s?%|\d\s?%\s?(?:off|less|rabatt|discount)|\d\s?折|\d+\s?for\s?\d|\d\s?(?:gbp|usd|eur|cny|rmb|元|块钱)|减\d",
    re.IGNORECASE,
)

#: The letters that measures borrow from another script: mu, omega, pi, diameter, times.
_BORROWED = str.maketrans("", "", "\u03bc\u03a9\u03c0\u00f8\u00d7")


@lru_cache(maxsize=16_384)
def clean_points(points: tuple[str, ...]) -> tuple[str, ...]:
    """The first few usable points. One with foreign signs, or too long to be a point, is left out rather than repaired."""
    cleaned = (_SPACE.sub(" ", unicodedata.normalize("NFKC", point)).strip(" .;,") for point in points)
    usable = inside_a_sentence([point for point in cleaned if _usable(point)])
    return tuple(dict.fromkeys(usable))[:MAX_POINTS]


@lru_cache(maxsize=16_384)
def beside_name(points: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The points that the name does not say already: "sandalwood" of a "Sandalwood Comb". All of them where it says each.

    One with a digit stays, since points with digits are numbered.
    """
    said = name.casefold()
    new = tuple(point for point in points if any(map(str.isdigit, point)) or not _holds(said, point.casefold()))
    return new or points


def _holds(name: str, point: str) -> bool:
    """Whether a name has these words; Chinese ones stand together without a border."""
    return point in name if _HAN.search(point) else bool(re.search(rf"\b{re.escape(point)}\b", name))


@lru_cache(maxsize=16_384)
def clean_kind(kind: str) -> str:
    """A kind that may stand in a prompt and a sentence; empty where it says more than what the thing is."""
    return kind if _is_readable(kind) and not _says_too_much(kind) else ""


def _usable(point: str) -> bool:
    return (
        1 < len(point) <= MAX_POINT_LENGTH
        and not _FOREIGN.search(point)
        and not _SAVING.search(point)
        and not any(is_unseen(char) for char in point)
        and is_one_script(point.translate(_BORROWED))
        and _is_readable(point)
        and not _says_too_much(point)
    )


def _is_readable(point: str) -> bool:
    """Whether its letters are of a script that cards are written in."""
    letters = [char for char in point.translate(_BORROWED) if char.isalpha()]
    return all(unicodedata.name(char, "").startswith(("LATIN", "CJK")) for char in letters)


def _says_too_much(text: str) -> bool:
    """In any of the languages that a feed may be in: nobody may have noticed that it is not the shop's."""
    language = "zh" if _HAN.search(text) else "en"
    return breach(text, language) is not None or bool(_elsewhere().search(text.lower()))


@cache
def _elsewhere() -> re.Pattern[str]:
    """What the guard's lists do not have: words to a machine, and claims in other languages."""
    lists: dict[str, Iterable[str]] = orjson.loads((resources.files("shelftalk.core") / "wording.json").read_bytes())
    return re.compile("|".join(rf"\b(?:{phrase})" for phrases in lists.values() for phrase in phrases))
