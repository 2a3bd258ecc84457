"""Typed slots: word slots that are called after their grammar, so that a small model sees what may stand where.

Told "{w1} plural, {w2} thing", a model that has written "with a" must look up which slot is a thing. The small one never learned
to: it took any of those offered, whatever it was trained on. So the slot itself is called ``{w_thing1}``, and what follows "with
a" is no more than a habit of words. Between prompt and answer only; everybody else knows the slots of `word_slots`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from shelftalk.core.brief import Brief
from shelftalk.core.grammar import classes
from shelftalk.core.render import SLOT

_POINT_CLASSES = (
    "thing", "short", "other", "does", "plural", "measure", "material", "like", "colour", "pack", "with", "without", "made",
)  # fmt: skip
_NUMBERS = ("one", "many", "mass", "other")

#: Points of one class that have a name each; further ones keep that of `word_slots`.
_MOST = {"w": 4, "p": 2}

_POINT = re.compile(r"[pw]\d")

#: Names of all typed slots; a brief has some of them.
TYPED_SLOTS = (
    *(
        f"{letter}_{of}{number}"
        for letter, most in _MOST.items()
        for of in _POINT_CLASSES
        for number in range(1, most + 1)
    ),
    *(f"{slot}_{number}" for slot in ("name", "kind", "noun", "anchor") for number in _NUMBERS),
)


@lru_cache(maxsize=4096)
def typed(brief: Brief) -> Mapping[str, str]:
    """The typed name of each slot of a brief that has one: ``{"w2": "w_thing1", "kind": "kind_many"}``."""
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for slot, of in classes(brief).items():
        if not _POINT.fullmatch(slot):
            if of in _NUMBERS:  # Chinese has domains there
                names[slot] = f"{slot}_{of}"
            continue
        kind = f"{slot[0]}_{of}"
        seen[kind] += 1
        if seen[kind] <= _MOST[slot[0]]:
            names[slot] = f"{kind}{seen[kind]}"
    return MappingProxyType(names)


def with_types(brief: Brief, text: str) -> str:
    """A text with word slots as a model writes it."""
    return _renamed(typed(brief), text)


def without_types(brief: Brief, text: str) -> str:
    """The opposite; slots that the brief does not have stay."""
    return _renamed({name: slot for slot, name in typed(brief).items()}, text)


def _renamed(names: Mapping[str, str], text: str) -> str:
    return SLOT.sub(lambda match: f"{{{names.get(match[1], match[1])}}}", text)
