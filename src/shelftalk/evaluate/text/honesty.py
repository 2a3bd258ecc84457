"""Figures of texts beside their facts: what is wrong, invented, or forbidden.

They are counted by the same guard that sorts texts in the shop, so "after the guard" they are zero by construction; what tells
families apart is their first drafts. Wrong facts are counted apart from it, from the filled text alone.
"""

import re
from collections.abc import Sequence

from shelftalk.core.brief import Brief, slots_for
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import judge
from shelftalk.core.render import SLOT

#: Reasons of the guard by what they mean.
_BANNED = (
    "superlative",
    "guarantee",
    "opinion",
    "delivery",
    "health",
    "green",
    "link",
    "money",
    "abuse",
    "person",
    "machine",
)
_URGENT = ("urgency", "untrue now")
_INVENTED = ("claim",)

_FACT = re.compile(r"[\d$£€¥%‰元]|[一二两三四五六七八九十半几]折|折扣")


def honesty(briefs: Sequence[Brief], texts: Sequence[str]) -> dict[str, float]:
    """Shares of texts with each kind of fault.

    ``wrong_facts``: a number, amount or percentage in plain words, or a slot that the brief does not offer: only those
    could be wrong when the card is filled. ``invented_claims``: says what no fact bears out (in Chinese, what the guard's
    list of properties knows). ``ungrounded``: has a word that is neither of the facts nor of the trade (English): an upper
    bound of inventions, and most of it is a person's wit.
    ``false_urgency``: hurry, or stock and sale that are not so. ``banned``: what advertising law and decency forbid.
    """
    wrong = invented = loose = urgent = banned = refused = 0
    for brief, text in zip(briefs, texts, strict=True):
        bare = SLOT.sub("", text)
        wrong += bool(_FACT.search(_without_points(brief, bare))) or not set(SLOT.findall(text)) <= set(
            slots_for(brief)
        )
        verdict = judge(brief, text)
        reasons, without_source = verdict.reasons, ungrounded(brief, text)
        loose += any(reason.startswith("invented") for reason in without_source)
        invented += any(reason.startswith(_INVENTED) for reason in reasons)
        urgent += any(reason.startswith(_URGENT) for reason in reasons)
        banned += any(reason.startswith(_BANNED) for reason in reasons)
        refused += bool(reasons or without_source)
    count = max(1, len(texts))
    return {
        "wrong_facts": wrong / count,
        "invented_claims": invented / count,
        "ungrounded": loose / count,
        "false_urgency": urgent / count,
        "banned": banned / count,
        "refused": refused / count,
    }


def _without_points(brief: Brief, text: str) -> str:
    """The text without what the brief itself says: "4K television" is a kind."""
    for fact in (brief.kind, brief.anchor or "", *brief.points):
        if fact:
            text = text.replace(fact, "")
    return text
