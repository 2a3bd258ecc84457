"""The phrasebook: hand-written lines that answer when nothing else is ready. It never fails and never invents.

Lines live in ``phrasebook.<language>.json`` beside this module: channel, then angle, then promotion, each a list of lines.
Besides the volatile slots a line may use ``[kind]``, ``[anchor]`` and ``[point]``, which are filled from the brief here.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import Any

import orjson

from shelftalk.core.brief import Angle, Brief, Promotion, point_slots, slots_for
from shelftalk.core.render import slots_in

FALLBACK_LANGUAGE = "en"


@cache
def _book(language: str) -> dict[str, dict[str, dict[str, list[str]]]]:
    folder = resources.files("shelftalk.core")
    path = folder / f"phrasebook.{language}.json"
    if not path.is_file():
        path = folder / f"phrasebook.{FALLBACK_LANGUAGE}.json"
    book: Any = orjson.loads(path.read_bytes())
    return {channel: angles for channel, angles in book.items() if isinstance(angles, dict)}


def phrase(brief: Brief) -> str:
    """A line for the brief, its volatile slots unfilled. Deterministic: the same brief gives the same line.

    An angle or promotion that the book has no usable line for falls back to plainer ones; ``introduce`` without promotion has
    lines that need nothing but a name, so there is always one.
    """
    angles = _book(brief.language)[brief.channel]
    allowed = frozenset(slots_for(brief))
    for angle in (brief.angle, Angle.INTRODUCE):
        for promotion in (brief.promotion, Promotion.NONE):
            lines = [line for line in angles.get(angle, {}).get(promotion, ()) if _usable(line, brief, allowed)]
            if lines:
                return _fill_stable(lines[_choice(brief, len(lines))], brief)
    return "{name}."


def _usable(line: str, brief: Brief, allowed: frozenset[str]) -> bool:
    return (
        slots_in(line) <= allowed
        and ("[anchor]" not in line or brief.anchor is not None)
        and ("[point]" not in line or bool(brief.points))
        and ("[kind]" not in line or bool(brief.kind))
    )


def _choice(brief: Brief, count: int) -> int:
    """Which of the lines: by product and tone, so that cards beside each other differ."""
    digest = hashlib.blake2b(f"{brief.sku}|{brief.tone}|{brief.angle}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) % count


def _fill_stable(line: str, brief: Brief) -> str:
    slots = {point: slot for slot, point in point_slots(brief.points).items()}
    point = brief.points[0] if brief.points else ""
    words = f"{{{slots[point]}}}" if point in slots else point
    filled = line.replace("[kind]", brief.kind).replace("[anchor]", brief.anchor or "").replace("[point]", words)
    return filled[:1].upper() + filled[1:]
