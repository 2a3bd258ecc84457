"""Fluency: whether a small model's text goes on as people's texts do, word by word.

``fluency.json`` counts what followed what, three words at a time (in Chinese, three characters), in the hand-written frames that
the small models learn from. A model that has read little else writes nonsense where it leaves them: "a low at leisure: 20% off".
So the least likely stretch of a text decides. What stands in a slot is not looked at; whether it fits there is grammar's business.
Probabilities are interpolated as Witten and Bell (1991) have it. ``python -m shelftalk.train.frames`` counts anew.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import orjson

from shelftalk.core.brief import Brief
from shelftalk.core.prompt import is_framed
from shelftalk.core.word_slots import take_words

#: Natural logarithm of the mean probability of three tokens in a row, below which a text is refused. A leash, not a judge of
#: people: of their own frames, each left out of the count, four of ten lie lower. What a model recombines from them lies above.
THRESHOLD = {"en": -5.0, "zh": -5.0}

#: Tokens that are weighed together: one odd word is wit, three are nonsense.
_STRETCH = 3

_START, _END = "<", ">"
_POINT = re.compile(r"\{[pw]\d\}")
_ENGLISH = re.compile(r"\{[a-z_]+\}|[a-z']+(?:-[a-z']+)*|[^\sa-z]")
_CHINESE = re.compile(r"\{[a-z_]+\}|\S")

Triple = tuple[str, str, str]


def tokens(skeleton: str, language: str) -> list[str]:
    """The tokens of a text with word slots, between marks of its beginning and end; every point is ``{w}``."""
    pattern = _CHINESE if language == "zh" else _ENGLISH
    return [_START, _START, *pattern.findall(_POINT.sub("{w}", skeleton.lower())), _END]


class _Counts(NamedTuple):
    """What followed what, and how often and how variously each context was followed."""

    triples: Counter[Triple]
    pairs: Counter[tuple[str, str]]
    singles: Counter[str]
    times: Counter[tuple[str, ...]]
    kinds: Counter[tuple[str, ...]]

    def chance(self, first: str, second: str, third: str) -> float:
        """The probability of the third token after the two before it; a token that nobody wrote has one as well."""
        chance = (self.singles[third] + 0.1) / (self.singles.total() + 0.1 * (len(self.singles) + 1))
        for context, seen in (
            ((second,), self.pairs[second, third]),
            ((first, second), self.triples[first, second, third]),
        ):
            if times := self.times[context]:
                chance = (seen + self.kinds[context] * chance) / (times + self.kinds[context])
        return chance


def counted(triples: Counter[Triple]) -> _Counts:
    """All that follows from the triples: texts are padded, so that pairs and single tokens are their margins."""
    pairs: Counter[tuple[str, str]] = Counter()
    singles: Counter[str] = Counter()
    times: Counter[tuple[str, ...]] = Counter()
    for (first, second, third), seen in triples.items():
        pairs[second, third] += seen
        singles[third] += seen
        times[first, second] += seen
        times[second,] += seen
    kinds: Counter[tuple[str, ...]] = Counter((first, second) for first, second, _ in triples)
    kinds.update((second,) for second, _ in pairs)
    return _Counts(triples, pairs, singles, times, kinds)


@cache
def _read(language: str) -> _Counts | None:
    stored = orjson.loads((resources.files("shelftalk.core") / "fluency.json").read_bytes())
    if language not in stored:
        return None
    triples: Counter[Triple] = Counter()
    for key, following in stored[language].items():
        first, second = key.split(" ")
        triples.update({(first, second, third): times for third, times in following.items()})
    return counted(triples)


def worst(said: Sequence[str], counts: _Counts) -> float:
    """The mean logarithm of the least likely stretch of `tokens`."""
    steps = [math.log(counts.chance(*said[at - 2 : at + 1])) for at in range(2, len(said))]
    size = min(_STRETCH, len(steps))
    return min(sum(steps[at : at + size]) / size for at in range(len(steps) - size + 1))


def stumbles(brief: Brief, text: str) -> list[str]:
    """Why a small model's text, its words put in, does not read like people's; empty if it does, or where nothing is counted."""
    counts = _read(brief.language)
    if counts is None or not is_framed(brief.variant):
        return []
    value = worst(tokens(take_words(brief, text), brief.language), counts)
    return [f"clumsy: {value:.1f}"] if value < THRESHOLD[brief.language] else []
