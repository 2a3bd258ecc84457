"""What sort of thing a kind of product is, in Chinese: where it is used, and the measure word that counts it.

``kinds.zh.json`` is a table to edit: domain, then measure word, then the ends of kinds. The longest end that fits decides, so
that a "面包" is no bag. A kind that no end fits belongs to no domain; it is counted in 件 and pointed at as 这款.
"""

import re
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

import orjson


class Sort(NamedTuple):
    """What is known of a kind.

    Attributes:
        domain: where it is used, one English word ("shoes", "cook"); empty where unknown.
        measure: the measure word, 双 of shoes; empty where unknown.
    """

    domain: str = ""
    measure: str = ""

    @property
    def counted(self) -> str:
        """What counts it: 还有3双, 还有3件."""
        return self.measure or "件"

    @property
    def pointed(self) -> str:
        """What points at it: 这双, 这款."""
        return self.measure or "款"


@cache
def _table() -> dict[str, Sort]:
    raw = orjson.loads((resources.files("shelftalk.core") / "kinds.zh.json").read_bytes())
    return {
        end: Sort(domain, measure)
        for domain, measures in raw.items()
        for measure, ends in measures.items()
        for end in ends.split(" ")
    }


@lru_cache(maxsize=16_384)
def sort_of(kind: str) -> Sort:
    """What sort of thing a kind is; nothing is known of one that is not Chinese."""
    return _table().get(end_of(kind), Sort())


def end_of(name: str) -> str:
    """The longest end of a name or kind that the table knows; empty where it knows none."""
    return next((name[at:] for at in range(len(name)) if name[at:] in _table()), "")


def domains() -> frozenset[str]:
    """Every domain that has a name."""
    return frozenset(sort.domain for sort in _table().values() if sort.domain)


def measures() -> frozenset[str]:
    """Every measure word."""
    return frozenset(sort.measure for sort in _table().values())


def with_measure(text: str, kind: str) -> str:
    """Chinese with the measure word of its product where it counts it or points at it: 还有{stock_left}双, 这双.

    Args:
        text: which says 件 and 款 there, as fits anything; slots or places stand for the product's words.
        kind: what the product is.
    """
    sort = sort_of(kind)
    return _POINTED.sub(sort.pointed, _COUNTED.sub(sort.counted, text))


def without_measure(text: str, kind: str) -> str:
    """The opposite of `with_measure`, of a text in which slots stand for the product's words."""
    text = _counted().sub("件", text)
    measure = sort_of(kind).measure
    return (
        re.sub(rf"(?<=这){measure}{_BEHIND_THIS}|(?<=(?<![这另])一){measure}(?=\{{)", "款", text) if measure else text
    )


_COUNTED = re.compile(r"(?<=\{stock_left\})件")
#: "这个陶土" would be a clay, "这款陶土" is of clay: where a point follows, 款 stays.
_BEHIND_THIS = r"(?=\{kind|\[kind|[，。：；？]|$)"  # noqa: RUF001 - typographic signs are meant
_POINTED = re.compile(rf"(?<=这)款{_BEHIND_THIS}|(?<=(?<![这另])一)款")


@cache
def _counted() -> re.Pattern[str]:
    return re.compile(rf"(?<=\{{stock_left\}})(?:{'|'.join(sorted(measures()))})")
