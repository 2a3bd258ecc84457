"""Voices: how a text begins, told beforehand, so that the cards of a shop do not all begin with what a model likes best.

A model that draws by likelihood says its favourite turns of phrase oftenest, and two cards on a page begin alike. So each way to
begin belongs to one of a few voices, a model is told in its prompt which one it has, and the brief decides: another product, or
another wording of the same, has another voice, evenly over all that people have written for such a brief. Nothing is
remembered, so the same request still gives the same text, on whatever worker and in whatever order.

``voices.json`` says which voices there are for a reason and a promotion, and what of a product their texts want: a voice that can
only say "{name} folds flat" is none for a kettle. ``python -m shelftalk.train.frames`` writes it.
"""

import hashlib
import re
import zlib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple, Self

import msgspec
import orjson

from shelftalk.core.brief import Brief
from shelftalk.core.frame import tokens
from shelftalk.core.grammar import classes
from shelftalk.core.remarks import REMARK_SLOTS, remarks_for
from shelftalk.core.word_slots import offered_slots

#: One letter each, which is one token or two to a model.
VOICES = "abcdefghijklmnopqrstuvwxyzABCDEF"

#: The voices of texts that begin with a remark, no two of which are the same.
_REMARKING = {"{use}": "R", "{benefit}": "S"}

#: Words (signs, slots; in Chinese characters) that make a way to begin.
_BEGINNING = 2

#: One of so many texts of a product with remarks begins with something else. Judges preferred 2 of 32 such texts to people's.
_OTHERS = 32

#: So many places further is the voice of the next try; the wordings of a brief lie between.
_TRY = 5


def voice_of(slotted: str, language: str) -> str:
    """The voice of a text with word slots: of the remark or of the first two words that it begins with."""
    begins = tokens(slotted, language)[2 : 2 + _BEGINNING]
    if begins[0] in _REMARKING:
        return _REMARKING[begins[0]]
    return VOICES[zlib.crc32(" ".join(begins).encode()) % len(VOICES)]


class Wants(NamedTuple):
    """What a frame wants of a product, as words of `core.grammar`; ``*`` is anything.

    Attributes:
        kind: the class of its kind.
        anchor: likewise; empty where the text names none.
        brand: whether it names the brand.
        points: of each point a letter, ``p`` with a digit and ``w`` without, and the classes that will do: ``("w", "thing|pack")``;
            likewise ``u`` and ``b`` for the remarks.
    """

    kind: str
    anchor: str
    brand: bool
    points: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, written: str) -> Self:
        """From a row of ``voices.json``."""
        kind, anchor, brand, *points = written.split(" ")
        return cls(kind, anchor.strip("-"), brand == "brand", tuple((point[0], point[1:]) for point in points))

    def __str__(self) -> str:
        points = [letter + wanted for letter, wanted in sorted(self.points)]
        return " ".join((self.kind, self.anchor or "-", "brand" if self.brand else "-", *points))

    def met_by(self, brief: Brief) -> bool:
        """Whether a product has all that, of what a generator is offered."""
        return self.met(_offered(brief))

    def met(self, offered: "_Offered") -> bool:
        """The same, of what `_offered` found."""
        return (
            self.kind in {"*", offered.kind}
            and self.anchor in {"", "*", offered.anchor}
            and (offered.brand or not self.brand)
            and _found(self.points, list(offered.points))
        )

    def covers(self, other: Self) -> bool:
        """Whether this is met wherever the other is."""
        return (
            self.kind in {"*", other.kind}
            and self.anchor in {"", "*", other.anchor}
            and (other.brand or not self.brand)
            and _found(self.points, list(other.points))
        )


_POINT = re.compile(r"[pw]\d")


class _Offered(NamedTuple):
    """What a generator is offered of a brief: all that decides which frames it can fill.

    Attributes:
        kind: the class of its kind; empty where it has none that may be said.
        anchor: likewise, ``None``.
        brand: whether the brand may be named.
        points: the letter and class of each point and remark.
    """

    kind: str
    anchor: str | None
    brand: bool
    points: tuple[tuple[str, str], ...]


def _offered(brief: Brief) -> _Offered:
    of, slots = classes(brief), offered_slots(brief)
    points = [(slot[0], found) for slot, found in of.items() if _POINT.fullmatch(slot) and slot in slots]
    remarks = [(slot[0], "*") for slot in REMARK_SLOTS if slot in slots]
    return _Offered(of.get("kind", ""), of.get("anchor"), brief.branded, (*points, *remarks))


@lru_cache(maxsize=4096)
def _among(language: str, about: str, offered: _Offered) -> tuple[str, ...]:
    """The voices of which some frame can be filled. Remembered: products are many, and what they offer is of few kinds."""
    voices = _written(language).get(about, {})
    return tuple(voice for voice, frames in voices.items() if any(frame.met(offered) for frame in frames))


def _found(wanted: Sequence[tuple[str, str]], has: list[tuple[str, str]]) -> bool:
    """Whether each want finds something of its own; the choosiest is served first."""
    for letter, classes_of in sorted(wanted, key=lambda want: (want[1] == "*", want[1].count("|"))):
        fitting = (
            one
            for one in has
            if one[0] == letter and (classes_of == "*" or set(one[1].split("|")) <= set(classes_of.split("|")))
        )
        found = next(fitting, None)
        if found is None:
            return False
        has.remove(found)
    return True


def voice_for(brief: Brief, attempt: int = 0) -> str:
    """The voice that a brief asks for, of those that it can fill: its hash decides, each wording and try has another one.

    Nearly all texts of a product with remarks begin with the one whose turn it is: they are many, and say what no opening does.
    """
    among = _among(brief.language, head(brief), _offered(brief))
    base = msgspec.structs.replace(brief, take=0, variant="", model="")
    digest = hashlib.blake2b(msgspec.msgpack.encode(base), digest_size=4).digest()
    number = int.from_bytes(digest) + brief.take + _TRY * attempt
    remarking = [voice for voice in among if voice in _REMARKING.values()]
    others = [voice for voice in among if voice not in remarking]
    if not remarking or not others:
        voices_left = among or VOICES
        return voices_left[number % len(voices_left)]
    round_, turn = divmod(number, _OTHERS)
    if turn == 0:
        return others[round_ % len(others)]
    told = _REMARKING[f"{{{remarks_for(brief).first}}}"]
    return told if told in remarking else remarking[0]


def head(brief: Brief) -> str:
    """What decides which ways to begin there are."""
    return f"{brief.angle}/{brief.promotion}"


@cache
def _written(language: str) -> dict[str, dict[str, tuple[Wants, ...]]]:
    """By `head`, the voices that people's frames have, and what each needs to be filled."""
    raw = (resources.files("shelftalk.core") / "voices.json").read_bytes()
    stored: dict[str, dict[str, dict[str, list[str]]]] = orjson.loads(raw)
    return {
        name: {voice: tuple(map(Wants.read, rows)) for voice, rows in voices.items()}
        for name, voices in stored.get(language, {}).items()
    }
