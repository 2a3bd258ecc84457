"""Figures of a shopper's page: cards beside each other should not sound alike."""

from collections.abc import Sequence
from itertools import pairwise

from shelftalk.core.opening import opening
from shelftalk.evaluate.text.measures import tokens

#: From this share of common word pairs on, two cards are the same to a reader.
_ALIKE = 0.6


def page_figures(pages: Sequence[Sequence[str]]) -> dict[str, float]:
    """Shares of pages on which two cards open alike, as the fence counts it, and on which two are nearly the same.

    Args:
        pages: each the texts of one page, as a shopper reads them.
    """
    same_opening = alike = 0
    for page in pages:
        openings = [begins for text in page if (begins := opening(text))]
        same_opening += len(set(openings)) < len(openings)
        pairs = [set(pairwise(words)) for words in map(tokens, page)]
        alike += any(
            len(one & other) >= _ALIKE * max(1, len(one | other))
            for at, one in enumerate(pairs)
            for other in pairs[at + 1 :]
        )
    count = max(1, len(pages))
    return {"pages_with_same_opening": same_opening / count, "pages_with_near_duplicates": alike / count}
