"""Voices: how a text begins, told beforehand, so that the cards of a shop do not all begin with what a model likes best.

A model that draws by likelihood says its favourite turns of phrase oftenest, and two cards on a page begin alike. So each way to
begin belongs to one of a few voices, a model is told in its prompt which one it has, and the brief decides: another product, or
another wording of the same, has another voice, evenly over all that people have written for such a brief. Nothing is
remembered, so the same request still gives the same text, on whatever worker and in whatever order.

``voices.json`` says which voices there are for a reason and a promotion; ``python -m shelftalk.train.frames`` writes it.
"""

import hashlib
import zlib
from functools import cache
from importlib import resources

import msgspec
import orjson

from shelftalk.core.brief import Brief
from shelftalk.core.frame import tokens

#: One letter each, which is one token or two to a model.
VOICES = "abcdefghijklmnopqrstuvwxyzABCDEF"

#: Words (signs, slots; in Chinese characters) that make a way to begin.
_BEGINNING = 2

#: So many places further is the voice of the next try; the wordings of a brief lie between.
_TRY = 5


def voice_of(slotted: str, language: str) -> str:
    """The voice of a text with word slots: of its first two words, whatever its product."""
    begins = tokens(slotted, language)[2 : 2 + _BEGINNING]
    return VOICES[zlib.crc32(" ".join(begins).encode()) % len(VOICES)]


def voice_for(brief: Brief, attempt: int = 0) -> str:
    """The voice that a brief asks for: its hash decides, each wording and each further try has another one."""
    among = _written(brief.language).get(head(brief), "") or VOICES
    base = msgspec.structs.replace(brief, take=0, variant="", model="")
    digest = hashlib.blake2b(msgspec.msgpack.encode(base), digest_size=4).digest()
    return among[(int.from_bytes(digest) + brief.take + _TRY * attempt) % len(among)]


def head(brief: Brief) -> str:
    """What decides which ways to begin there are."""
    return f"{brief.angle}/{brief.promotion}"


@cache
def _written(language: str) -> dict[str, str]:
    """By `head`, the voices that people's frames have."""
    stored: dict[str, dict[str, str]] = orjson.loads((resources.files("shelftalk.core") / "voices.json").read_bytes())
    return stored.get(language, {})
