"""The choice among drafts: the one that says most of the product, and says it best.

A model that is asked several times with the same prompt goes several ways, and the likeliest is the one that it has gone most
often. So several drafts are asked for, and of those that may be kept the best is taken: one with a remark (`core.remarks`) before
one with points, many points before few, then as `worth` has it. Nothing looks at what else is on the shelf: what a brief gets
depends on the brief and its drafts alone, in whatever order texts come, so that the same recording gives the same cards.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from shelftalk.core.brief import Brief, Promotion
from shelftalk.core.fluency import novelty
from shelftalk.core.guard import Outcome, Verdict
from shelftalk.core.remarks import REMARK
from shelftalk.core.review import review
from shelftalk.core.word_slots import take_words

_POINT_SLOT = re.compile(r"\{[pw]\d\}")

#: More than all points that are worth listing says a remark.
_REMARK_TELLS = 3
_MOST_POINTS = 2

#: What is better than what where none may be kept: one that a person should look at, one that may not be shown.
_RANK = {Outcome.HOLD: 1, Outcome.REJECT: 0}


class Choice(NamedTuple):
    """A draft and what the review says of it."""

    text: str
    verdict: Verdict


def choose(brief: Brief, drafts: Iterable[str]) -> Choice:
    """The best of several drafts, the first of equals.

    A review costs more than all else about a text, and most drafts pass: so the one that is worth most is reviewed first, and
    those behind one that may be kept are not reviewed at all.

    Args:
        brief: what they were written for.
        drafts: slotted texts, at least one.
    """
    reviewed = []
    for draft in sorted(dict.fromkeys(drafts), key=lambda text: worth(brief, text), reverse=True):
        reviewed.append(Choice(draft, review(brief, draft)))
        if reviewed[-1].verdict.outcome is Outcome.PASS:
            return reviewed[-1]
    return max(reviewed, key=lambda one: _RANK[one.verdict.outcome])


def worth(brief: Brief, text: str) -> tuple[int, float]:
    """How much a text tells of the product, a remark more than points do; then how good its frame is.

    Around a remark the fewest words are best; where an offer is to be told they are all alike, for the rarest words would be the
    same on every card. Around points it is those whose pairs are rarest (`fluency.novelty`).
    """
    slotted = take_words(brief, text)
    if REMARK.search(slotted):
        plain = brief.promotion is Promotion.NONE
        return _REMARK_TELLS, -len(REMARK.sub("", slotted)) if plain else 0.0
    return min(_MOST_POINTS, len(set(_POINT_SLOT.findall(slotted)))), novelty(brief, text)
