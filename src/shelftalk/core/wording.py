"""Catalogue text made fit for a prompt: short, printable, and unable to pass for anything but a selling point."""

import re
import unicodedata
from functools import lru_cache

MAX_POINTS = 4
MAX_POINT_LENGTH = 48

_SPACE = re.compile(r"\s+")
#: Markup, slots, template and chat-format signs: no selling point needs them.
_FOREIGN = re.compile(r"[{}\[\]<>|\\`~^*#@=_]|https?:|www\.", re.IGNORECASE)


@lru_cache(maxsize=16_384)
def clean_points(points: tuple[str, ...]) -> tuple[str, ...]:
    """The first few usable points. One with foreign signs, or too long to be a point, is left out rather than repaired."""
    cleaned = (_SPACE.sub(" ", unicodedata.normalize("NFKC", point)).strip(" .;,") for point in points)
    return tuple(dict.fromkeys(point for point in cleaned if _usable(point)))[:MAX_POINTS]


def _usable(point: str) -> bool:
    return (
        1 < len(point) <= MAX_POINT_LENGTH
        and not _FOREIGN.search(point)
        and not any(unicodedata.category(char)[0] == "C" for char in point)
    )
