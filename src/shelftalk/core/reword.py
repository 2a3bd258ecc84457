"""Rewording: another opening for a card that would begin like the one beside it.

A shelf knows its product, not what else stands on a shopper's page; the fence knows the page, not the product. So a shelf sends
along what the words were made of, and in the few cases that need it the fence has them made anew, from the phrasebook.
"""

from collections.abc import Set as AbstractSet

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Card, Rung, identified
from shelftalk.core.opening import opening
from shelftalk.core.phrasebook import phrases
from shelftalk.core.render import fill, slots_in
from shelftalk.core.rules import PHRASEBOOK


class Ingredients(msgspec.Struct, frozen=True, array_like=True):
    """What a card's words were made of: the brief, and what each slot read as."""

    brief: Brief
    values: dict[str, str]


def reworded(card: Card, made_of: Ingredients, page: AbstractSet[str], before: str | None = None) -> Card | None:
    """The card in words that begin otherwise; ``None`` if the phrasebook has none.

    Args:
        card: as its shelf made it.
        made_of: what its words were made of.
        page: the openings that are taken.
        before: the opening that this very card was given before a crash; it is given the same again.
    """
    for slotted in phrases(made_of.brief):
        if not slots_in(slotted) <= made_of.values.keys():
            continue
        text = fill(slotted, made_of.values)
        begins = opening(text)
        if begins == before if before is not None else begins not in page:
            provenance = msgspec.structs.replace(card.provenance, rung=Rung.PHRASEBOOK, model=PHRASEBOOK, reworded=True)
            return identified(
                msgspec.structs.replace(card, text=text, slotted=slotted, ai_generated=False, provenance=provenance)
            )
    return None
