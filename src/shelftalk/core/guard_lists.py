"""The guard's word lists, read and compiled.

They live in ``guard.<language>.json`` beside this module; every entry is a regular expression over the lower-case text, in which
slots stand as their upper-case names (``down to(?= PRICE)``):

``banned``: what no text may say, by the code that a verdict gives as the reason.
``hold``: what a person should look at.
``properties``: words that are a claim about the product, each with further words of the facts that bear it out.
``attributes``: the same, but a claim only where they are said of the product ("in black", "made of glass", "the green kettle").
``counted``: nouns that must not be counted in words ("two batteries") unless the facts count them.
``sale``, ``stock``, ``stocked``, ``back``, ``new``: what may be said only while it is so.
``tells_sale``, ``tells_back``, ``tells_brand``: one of these, or a slot, must be said when it is so.
``function_words``: words without which nobody writes a long sentence in this language; none where that can't be told.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from shelftalk.core.brief import Promotion
from shelftalk.core.phrases import Phrases, alternation
from shelftalk.core.stems import stems

#: Languages written without spaces: their phrases have no word borders, and a character counts as two.
UNSPACED = frozenset({"zh"})

#: The language whose lists judge texts of a language that has none.
_FALLBACK_LANGUAGE = "en"

#: Which promotions allow which list of promotional words; everywhere else they are untrue.
_TOLD_BY: dict[str, frozenset[Promotion]] = {
    "sale": frozenset({Promotion.SALE, Promotion.ENDING_SOON}),
    "stock": frozenset({Promotion.LOW_STOCK}),
    "stocked": frozenset({Promotion.LOW_STOCK, Promotion.BACK_IN_STOCK}),
    "back": frozenset({Promotion.BACK_IN_STOCK}),
    "new": frozenset({Promotion.NEW}),
}

NUMBERS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
    "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50",
    "hundred": "100", "thousand": "1000", "dozen": "12",
}  # fmt: skip


class _Lists(msgspec.Struct, frozen=True):
    """``guard.<language>.json`` as written."""

    banned: dict[str, list[str]]
    hold: list[str]
    properties: dict[str, str]
    attributes: dict[str, str]
    counted: list[str]
    sale: list[str]
    stock: list[str]
    stocked: list[str]
    back: list[str]
    new: list[str]
    tells_sale: list[str]
    tells_back: list[str]
    tells_brand: list[str]
    function_words: frozenset[str]


class Claim(msgspec.Struct, frozen=True):
    """A property's own pattern, to tell which of many matched, and the stems of words that also bear it out."""

    pattern: re.Pattern[str]
    supporters: frozenset[str]


class Rules(msgspec.Struct, frozen=True):
    """A language's lists, compiled."""

    banned: Phrases
    codes: tuple[tuple[str, re.Pattern[str]], ...]
    hold: re.Pattern[str]
    properties: Phrases
    property_claims: tuple[Claim, ...]
    attributes: re.Pattern[str]
    attribute_claims: tuple[Claim, ...]
    counted: re.Pattern[str]
    untrue: dict[Promotion, re.Pattern[str]]
    tells_sale: re.Pattern[str]
    tells_back: re.Pattern[str]
    tells_brand: re.Pattern[str]
    function_words: frozenset[str]


@cache
def rules_of(language: str) -> Rules:
    """The compiled lists of a language, or of the one that stands in for it."""
    folder = resources.files("shelftalk.core")
    path = folder / f"guard.{language}.json"
    if not path.is_file():
        return rules_of(_FALLBACK_LANGUAGE)
    lists = msgspec.json.decode(path.read_bytes(), type=_Lists)
    spaced = language not in UNSPACED

    def compiled(phrases: Iterable[str]) -> re.Pattern[str]:
        return alternation(phrases, spaced=spaced)

    def claims(words: dict[str, str]) -> tuple[Claim, ...]:
        return tuple(
            Claim(compiled([word]), stems(bearers.lower()) if spaced else frozenset(bearers.split()))
            for word, bearers in words.items()
        )

    number = "|".join(sorted(NUMBERS, key=len, reverse=True))
    attribute = "|".join(sorted(lists.attributes, key=len, reverse=True))
    # Said of the product: "in black.", "made of glass and", "NAME is black", or straight before a noun that `_claims` looks at.
    attributed = (
        r"\b(?:in|made of|made from|(?:NAME|it|they) (?:is|are)|it's|they're) "
        r"(?:(?!(?:the|an?|your|our|my|this|that|every|any|no) )[a-z]+ )?"
        rf"(?P<said>{attribute})(?=[.,;:?!]|$| and\b| or\b| with\b)"
        rf"|\b(?P<before>{attribute}) (?P<noun>[A-Z]+|[a-z]+)\b"
        if spaced
        else f"(?P<said>{attribute})(?P<noun>[款色版制质])(?P<before>)"
    )
    return Rules(
        banned=Phrases((phrase for phrases in lists.banned.values() for phrase in phrases), spaced=spaced),
        codes=tuple((code, compiled(phrases)) for code, phrases in lists.banned.items()),
        hold=compiled(lists.hold),
        properties=Phrases(lists.properties, spaced=spaced),
        property_claims=claims(lists.properties),
        attributes=re.compile(attributed),
        attribute_claims=claims(lists.attributes),
        counted=re.compile(
            rf"\b(?P<number>{number})[ -](?:of )?(?:[a-z]+[ -])?(?P<noun>{'|'.join(lists.counted)})\b"
            if spaced
            else f"(?P<number>[两二三四五六七八九十百千]+)(?P<noun>{'|'.join(lists.counted)})"
        ),
        untrue={
            promotion: compiled(
                phrase
                for name, told_by in _TOLD_BY.items()
                if promotion not in told_by
                for phrase in getattr(lists, name)
            )
            for promotion in Promotion
        },
        tells_sale=compiled(lists.tells_sale),
        tells_back=compiled(lists.tells_back),
        tells_brand=compiled(lists.tells_brand),
        function_words=lists.function_words,
    )
