"""Fluency: whether a small model's text goes on as people's texts do, word by word, and how little it repeats them.

``fluency.json`` counts what followed what, three words at a time (in Chinese, three characters), in the hand-written frames that
the small models learn from. A model that has read little else writes nonsense where it leaves them: "a low at leisure: 20% off".
So the least likely stretch of a text decides. What stands in a slot is not looked at; whether it fits there is grammar's business.
Probabilities are interpolated as Witten and Bell (1991) have it. ``python -m shelftalk.train.frames`` counts anew.
"""

import math
from collections import Counter
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import orjson

from shelftalk.core.brief import Brief
from shelftalk.core.frame import START, tokens
from shelftalk.core.prompt import is_framed
from shelftalk.core.word_slots import take_words

#: Natural logarithm of the mean probability of three tokens in a row, below which a text is refused. A leash, not a judge of
#: people: of their own frames, each left out of the count, four of ten lie lower. What a model recombines from them lies above.
THRESHOLD = {"en": -5.0, "zh": -4.6}

#: Tokens that are weighed together: one odd word is wit, three are nonsense.
_STRETCH = 3

#: Texts that a shopper may see in a week. From some 60 to 250 the same drafts are chosen nearly always.
_OTHERS = 128

Triple = tuple[str, str, str]


def triples(frame: str, language: str) -> Counter[Triple]:
    """Three tokens in a row, and how often."""
    said = tokens(frame, language)
    return Counter(zip(said, said[1:], said[2:], strict=False))


class Counts:
    """What followed what, and how often and how variously each context was followed.

    Texts are padded, so pairs and single tokens are the margins of the triples, and all follows from those.
    """

    def __init__(self, seen: Counter[Triple]) -> None:
        self._triples: Counter[Triple] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._singles: Counter[str] = Counter()
        self._total = 0
        self._kinds: Counter[tuple[str, ...]] = Counter()
        self._times: Counter[tuple[str, ...]] = Counter()
        self.add(seen)

    def add(self, seen: Counter[Triple], sign: int = 1) -> None:
        """Count a text's triples in, or with a sign of -1 out again."""
        for triple, times in seen.items():
            first, second, third = triple
            self._kinds[first, second] += _shift(self._triples, triple, sign * times)
            self._kinds[second,] += _shift(self._pairs, (second, third), sign * times)
            self._singles[third] += sign * times
            self._total += sign * times
            self._times[first, second] += sign * times
            self._times[second,] += sign * times

    def chance(self, first: str, second: str, third: str) -> float:
        """The probability of the third token after the two before it; a token that nobody wrote has one as well."""
        chance = (self._singles[third] + 0.1) / (self._total + 0.1 * (len(self._singles) + 1))
        for context, seen in (
            ((second,), self._pairs[second, third]),
            ((first, second), self._triples[first, second, third]),
        ):
            if times := self._times[context]:
                chance = (seen + self._kinds[context] * chance) / (times + self._kinds[context])
        return chance

    def share(self, first: str, second: str) -> float:
        """How often a text has this pair of tokens."""
        return self._pairs[first, second] / max(1, self._times[START, START])

    def worst(self, frame: str, language: str) -> float:
        """The mean logarithm of the least likely stretch of a text with word slots."""
        said = tokens(frame, language)
        steps = [math.log(self.chance(*said[at - 2 : at + 1])) for at in range(2, len(said))]
        size = min(_STRETCH, len(steps))
        return min(sum(steps[at : at + size]) / size for at in range(len(steps) - size + 1))


def _shift(counter: Counter[Any], key: tuple[str, ...], by: int) -> int:
    """Add to a count; 1 if it is there now and was not, -1 the other way round."""
    before = counter[key] > 0
    counter[key] += by
    return (counter[key] > 0) - before


def novelty(brief: Brief, text: str) -> float:
    """How little a text sounds like others: the mean chance that none of `_OTHERS` texts has a pair of its tokens, 0 to 1.

    It is what distinct-2 of a shelf of so many texts would gain by this one. 0 where nothing is counted for the language.
    """
    counts = _read(brief.language)
    if counts is None:
        return 0.0
    said = tokens(take_words(brief, text), brief.language)[1:]
    chances = [math.exp(-_OTHERS * counts.share(first, second)) for first, second in pairwise(said)]
    return sum(chances) / len(chances)


@cache
def _read(language: str) -> Counts | None:
    stored = orjson.loads((resources.files("shelftalk.core") / "fluency.json").read_bytes())
    if language not in stored:
        return None
    seen: Counter[Triple] = Counter()
    for key, following in stored[language].items():
        first, second = key.split(" ")
        seen.update({(first, second, third): times for third, times in following.items()})
    return Counts(seen)


def stumbles(brief: Brief, text: str) -> list[str]:
    """Why a small model's text, its words put in, does not read like people's; empty if it does, or where nothing is counted."""
    counts = _read(brief.language)
    if counts is None or not is_framed(brief.variant):
        return []
    value = counts.worst(take_words(brief, text), brief.language)
    return [f"clumsy: {value:.1f}"] if value < THRESHOLD[brief.language] else []
