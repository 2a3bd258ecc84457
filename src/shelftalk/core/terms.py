"""The words of a search as numbers: enough to know whether it named a product's kind, too little to read on a topic.

They are no secret from who guesses words (there are few); what a shopper typed is simply not carried around.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import lru_cache

#: Terms of one search that are kept: nobody names a product with more words.
MAX_TERMS = 8

_RUN = re.compile(r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff]+)|(?P<word>[^\W\d_\u3400-\u4dbf\u4e00-\u9fff]+)")

#: What follows one of these is not the thing itself: "a kettle for camping".
_THEREAFTER = frozenset({"for", "with", "without", "under", "below", "from", "by", "in", "to", "of"})

_PLURALS = (("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("sses", "ss"), ("xes", "x"))

#: "gas", "bus": no plurals.
_SHORTEST_PLURAL = 4


@lru_cache(maxsize=16_384)
def terms(text: str) -> tuple[int, ...]:
    """Numbers for the words of a text, plurals folded, the noun that it ends in last; of Chinese, for each pair of characters."""
    found: list[str] = []
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        if (han := run["han"]) is not None:
            found += [han[at : at + 2] for at in range(len(han) - 1)] or [han]
        elif run["word"] in _THEREAFTER and found:
            break
        else:
            found.append(_singular(run["word"]))
    return tuple(zlib.crc32(word.encode()) for word in found[-MAX_TERMS:])


def _singular(word: str) -> str:
    for plural, singular in _PLURALS:
        if word.endswith(plural):
            return word[: -len(plural)] + singular
    return word[:-1] if len(word) >= _SHORTEST_PLURAL and word.endswith("s") and not word.endswith("ss") else word


def names(searched: Sequence[int], kind: str) -> bool:
    """Whether a search named this kind of product.

    It ends in the same noun ("steel kettle": kettle), or holds every word of a kind of several. "Tea towel" names no tea.
    """
    of_kind = terms(kind)
    if not of_kind or not searched:
        return False
    return searched[-1] == of_kind[-1] or (len(of_kind) > 1 and set(of_kind) <= set(searched))
