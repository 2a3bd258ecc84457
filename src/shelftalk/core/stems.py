"""Stems: words without their endings, and those of everything that a brief states."""

import re
from functools import lru_cache

from shelftalk.core.brief import Brief

_GIVEN_WORD = re.compile(r"[a-z0-9]+")


def stated(brief: Brief) -> frozenset[str]:
    """Stems and numbers of everything that the brief states."""
    return given(" ".join((brief.kind, brief.anchor or "", *brief.points)))


def all_facts(brief: Brief) -> str:
    """What the brief states, a line each, lower case."""
    return "\n".join((brief.kind, brief.anchor or "", *brief.points)).lower()


@lru_cache(maxsize=4096)
def given(facts: str) -> frozenset[str]:
    """The words of some facts, numbers among them, and their stems."""
    words = _GIVEN_WORD.findall(facts.lower())
    return frozenset(words) | frozenset(map(stem, words))


def stems(words: str) -> frozenset[str]:
    """The stems of some words."""
    return frozenset(map(stem, _GIVEN_WORD.findall(words)))


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest endings, so that ``washes``, ``washable`` and ``washing`` meet. Crude, and enough."""
    for ending in (
        "ability",
        "ably",
        "able",
        "ible",
        "proof",
        "ingly",
        "ings",
        "ing",
        "edly",
        "ied",
        "ies",
        "ed",
        "es",
        "en",
        "ly",
        "ers",
        "er",
        "s",
        "y",
    ):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:  # noqa: PLR2004 - "wool" keeps its letters, "red" stays red
            word = stem
            break
    # "dimmed", "zipped": the doubled letter belongs to the ending; "folde" and "fold" are one.
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "els":  # noqa: PLR2004
        word = word[:-1]
    return word.removesuffix("e")
