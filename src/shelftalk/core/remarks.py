"""Remarks: what a good shopkeeper says of a thing, between its bare facts and a text.

Selling calls it feature and benefit: a "silent wheel" is a fact, "move it at midnight, nobody downstairs hears it" is what it
means. A small model can't know that, and a shop's feed does not say it. So people wrote it down (``talk/*.json``, how in
``talk/GUIDE.md``), of kinds of things (a use) and of points (a benefit), and to a generator a remark is one more word slot:

``{use}``      a remark that is true of every thing of the brief's kind
``{benefit}``  a remark that tells one of the brief's points

Which of them a brief is offered its product's number among those of its kind and its reason decide, so that products, reasons
and wordings differ, and the same brief is always told the same.
"""

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple, TypeVar

import msgspec

from shelftalk.core.brief import LANGUAGES, Angle, Brief, Channel, Promotion, point_slots

_T = TypeVar("_T")

#: The slots that stand for a remark, and one of them in a text.
REMARK_SLOTS = ("use", "benefit")
REMARK = re.compile(rf"\{{(?:{'|'.join(REMARK_SLOTS)})\}}")

#: Remarks on points that are true of any product stand in this part.
_ANY = "any"

#: Where an English kind ends that goes on: "picture book | about the sea".
_GOES_ON = re.compile(r" (?:about|for|from|in|of|to|with|without) ")

#: A remark may ask; the stop that its text has behind it is too much then.
AFTER_A_QUESTION = re.compile(r"([?？])[.,:。，：]")  # noqa: RUF001 - typographic signs are meant

_NUMBER = r"\d[\d.,/x\u00d7]*"
_PLACE = "{point}"

#: A noun or point that may stand inside a sentence: words and light punctuation, no digits (the guard's rule), no markup.
PLAIN = re.compile(r"[^\W\d_](?:[^\W\d_]|[ ,;:'’&/()\-–、]){0,59}")  # noqa: RUF001 - typographic signs are meant


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """A file as written: by the end of a kind and by a point, spellings between bars, the remarks."""

    kinds: dict[str, list[str]]
    points: dict[str, list[str]]


class _Points(NamedTuple):
    """Remarks on the points of a part of the shop, by whole points and by patterns, the longest first."""

    exact: dict[str, tuple[str, ...]]
    wild: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]

    def of(self, point: str) -> tuple[str, ...]:
        """The remarks on a point, as `_plainly` writes it."""
        return self.exact.get(point) or next((said for rule, said in self.wild if rule.fullmatch(point)), ())


class _Book(NamedTuple):
    """All remarks of a language.

    Attributes:
        uses: by the end of a kind.
        keys: what spellings of one key have in common, the first of them; likewise.
        parts: of the shop that know this end.
        points: by part.
    """

    uses: dict[str, tuple[str, ...]]
    keys: dict[str, str]
    parts: dict[str, tuple[str, ...]]
    points: dict[str, _Points]


class Remarks(NamedTuple):
    """What a brief is offered.

    Attributes:
        use: empty where nobody wrote one.
        benefit: with the point's slot in it, where the point has a digit; likewise.
        point: the point that the benefit tells, empty without one.
        other_use, other_benefit, other_point: another one each, for texts that say much.
        first: the slot of the one whose turn it is, empty where there is none.
    """

    use: str = ""
    benefit: str = ""
    point: str = ""
    other_use: str = ""
    other_benefit: str = ""
    other_point: str = ""
    first: str = ""


@lru_cache(maxsize=16_384)
def remarks_for(brief: Brief) -> Remarks:
    """The remarks that a brief is offered, of all that fit it.

    Uses and benefits lie in one ring. A product's number says where to begin (`core.places`; where nobody counts, its hash): by
    golden steps, so that the first few of a kind begin far from each other, and of consecutive ones none where another did before
    every place has been begun at. What else the text is about says how far to go from there, so the texts of a product say
    different things. Benefits have about a fifth of the ring, or all of it where there is no use: of blind pairs with people's
    lines, English texts with a use were preferred in 53 of 100, with a benefit in 39 (Chinese 49 and 46).
    """
    uses, benefits = known(brief.kind, brief.points, brief.language)
    if not uses and not benefits:
        return Remarks()
    product = f"{brief.sku}|{brief.kind}|{'|'.join(brief.points)}"
    digest = int.from_bytes(hashlib.blake2b(product.encode(), digest_size=4, person=b"remarks").digest())
    shared = min(len(benefits), -(-len(uses) // 4) or len(benefits))  # turns of benefits in a round
    ring = len(uses) + shared
    start = _golden(ring) * (digest if brief.place is None else brief.place) + brief.take
    round_, at = divmod(start + _turn(brief, ring), ring)
    before, upto = at * shared // ring, (at + 1) * shared // ring  # benefits lie evenly between uses
    first = REMARK_SLOTS[upto > before]
    benefits = (*turned(benefits, digest + round_ * shared + before), ("", ""))
    uses = (*turned(uses, at - before), "", "")
    point, benefit = benefits[0]
    other_point, other_benefit = next((one for one in benefits if one[0] != point), ("", ""))
    return Remarks(uses[0], benefit, point, uses[1], other_benefit, other_point, first)


@cache
def _golden(ring: int) -> int:
    """The step nearest to the golden section of a ring that visits all its places."""
    return min(
        (step for step in range(1, ring + 1) if math.gcd(step, ring) == 1), key=lambda step: abs(step - ring * _PHI)
    )


def _turn(brief: Brief, ring: int) -> int:
    """How far a text is from the first of its product.

    A card without an offer, which is what most are, has a place of its reason's own; all others share what is left of the ring.
    (Another wording is one further: a shopper has all texts of a product in the same.)
    Tone and anchor move nothing: of two places that seldom meet, one would meet a third.
    """
    angle = _ANGLES[brief.angle.worded]
    own = min(len(_ANGLES), ring * 2 // 3)
    if own and brief.channel is Channel.CARD and brief.promotion is Promotion.NONE:
        return angle % own
    return own + (angle + len(_ANGLES) * _PROMOTIONS[brief.promotion] + 7 * _CHANNELS[brief.channel]) % (ring - own)


def turned(items: Sequence[_T], number: int) -> list[_T]:
    """The same in the same order, begun elsewhere."""
    start = number % len(items) if items else 0
    return [*items[start:], *items[:start]]


_PHI = (math.sqrt(5) - 1) / 2
_ANGLES = {angle: number for number, angle in enumerate(angle for angle in Angle if angle.worded is angle)}
_PROMOTIONS = {promotion: number for number, promotion in enumerate(Promotion)}
_CHANNELS = {channel: number for number, channel in enumerate(Channel)}


@lru_cache(maxsize=16_384)
def family(kind: str) -> str:
    """What kinds that are told the same remarks have in common, in whichever language; the kind itself where none are."""
    keys = (_book(language).keys.get(end) for language in LANGUAGES for end in _ends(kind, language))
    return next((key for key in keys if key), kind.lower())


@lru_cache(maxsize=16_384)
def known(kind: str, points: tuple[str, ...], language: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The remarks on a kind, and those on its points, each beside its point; the longest end of the kind decides.

    Args:
        kind: as shops write it.
        points: likewise; of those with a digit, which no text may spell, a remark has the slot.
        language: subtag, lower case.
    """
    book = _book(language)
    end = next((end for end in _ends(kind, language) if end in book.parts), "")
    slots = {point: f"{{{slot}}}" for slot, point in point_slots(points).items()}
    benefits: list[list[tuple[str, str]]] = []
    for point in points:
        plain = _plainly(point, language)
        said = next((found for part in (*book.parts.get(end, ()), _ANY) if (found := _on(book, part, plain))), ())
        name = slots.get(point, point if PLAIN.fullmatch(point) else "")
        benefits.append([(point, _put(one, name)) for one in said if name or _PLACE not in one])
    # One of each point, then the next of each: neighbours tell different points.
    in_turn = [one for row in itertools.zip_longest(*benefits) for one in row if one is not None]
    return book.uses.get(end, ()), tuple(in_turn)


def _put(remark: str, point: str) -> str:
    """A remark with its point in it; what follows a question of its own begins a sentence."""
    return _NEXT_SENTENCE.sub(lambda match: match[0].upper(), remark.replace(_PLACE, point))


_NEXT_SENTENCE = re.compile(r"\? [a-z]")


def _on(book: _Book, part: str, point: str) -> tuple[str, ...]:
    return book.points[part].of(point) if part in book.points else ()


def _ends(kind: str, language: str) -> Iterator[str]:
    """The ends of a kind, the longest first; of an English one that goes on, those of its noun come last."""
    plain = _plainly(kind, language)
    if language == "zh":
        yield from (plain[at:] for at in range(len(plain)))
        return
    for said in dict.fromkeys((plain, _GOES_ON.split(plain, maxsplit=1)[0])):
        words = said.split(" ")
        yield from (" ".join(words[at:]) for at in range(len(words)))


def _plainly(words: str, language: str) -> str:
    """As keys are written: lower case, single blanks, no hyphens; in Chinese no blanks at all."""
    lower = words.lower()
    return "".join(lower.split()) if language == "zh" else " ".join(lower.replace("-", " ").split())


@cache
def _book(language: str) -> _Book:
    uses: dict[str, tuple[str, ...]] = {}
    keys: dict[str, str] = {}
    parts: dict[str, tuple[str, ...]] = {}
    points: dict[str, _Points] = {}
    for part, written in read_parts(language).items():
        for key, said in written.kinds.items():
            spellings = _spellings(key, language)
            for end in spellings:
                keys.setdefault(end, spellings[0])
                uses[end] = (*uses.get(end, ()), *(_put(one, "") for one in said))
                parts[end] = (*parts.get(end, ()), part)
        exact: dict[str, tuple[str, ...]] = {}
        wild: dict[str, tuple[str, ...]] = {}
        for key, said in written.points.items():
            for point in _spellings(key, language):
                kept = wild if "*" in point or "#" in point else exact
                kept[point] = (*kept.get(point, ()), *said)
        longest = sorted(wild, key=lambda key: (-len(key.strip("*# ")), key))
        points[part] = _Points(exact, tuple((_pattern(key, language), wild[key]) for key in longest))
    return _Book(uses, keys, parts, points)


def read_parts(language: str) -> Mapping[str, _Part]:
    """The files of a language as written, by the part of the shop."""
    folder = resources.files("shelftalk.core") / "talk"
    found = sorted(file.name for file in folder.iterdir() if file.name.startswith(f"{language}-"))
    return {
        name.removeprefix(f"{language}-").removesuffix(".json"): msgspec.json.decode(
            (folder / name).read_bytes(), type=_Part
        )
        for name in found
    }


def _spellings(key: str, language: str) -> list[str]:
    return [plain for spelled in key.split("|") if (plain := _plainly(spelled, language))]


def _pattern(key: str, language: str) -> re.Pattern[str]:
    """A key with ``*`` (any words) or ``#`` (a number) as a pattern of whole points."""
    rule = re.escape(key).replace(r"\#", _NUMBER)
    if language == "zh":
        return re.compile(rule.replace(r"\*", ".*"))
    # "# ml" is "30ml" as well; a star takes the blank beside it along, so that it may be nothing.
    rule = rule.replace(rf"{_NUMBER}\ ", rf"{_NUMBER}\ ?")
    rule = re.sub(r"^\\\*\\ ", "(?:.* )?", rule)
    rule = re.sub(r"\\ \\\*", "(?: .*)?", rule)
    return re.compile(rule.replace(r"\*", ".*"))
