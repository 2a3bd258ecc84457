"""The brief: the few things that decide the words, and nothing else.

One brief, one generation: a thousand shoppers with the same reason share one text.
Volatile facts (price, stock, dates) are not in it; the text carries *slots* for them.
"""

import enum
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from types import MappingProxyType

import msgspec

#: What shelftalk has words of its own in: lines, remarks, phrases, guard lists.
LANGUAGES = ("en", "zh")


class Channel(enum.StrEnum):
    """Where the text goes, which decides its length."""

    CARD = "card"
    COPY = "copy"
    AD = "ad"
    SOCIAL = "social"


class Angle(enum.StrEnum):
    """Why this product, for this shopper."""

    INTRODUCE = "introduce"
    GOES_WITH = "goes_with"
    LIKE_VIEWED = "like_viewed"
    SEARCH_MATCH = "search_match"
    IN_CART = "in_cart"
    PRICE_DROPPED = "price_dropped"
    YOUR_BRAND = "your_brand"
    POPULAR = "popular"
    REPLENISH = "replenish"
    BACK_IN_STOCK = "back_in_stock"
    RECENTLY_VIEWED = "recently_viewed"

    @property
    def worded(self) -> "Angle":
        """The angle that the words take.

        What is back or was seen before is introduced like any other: that it is back, the promotion says, and it is no card's
        business to tell shoppers what they looked at.
        """
        return Angle.INTRODUCE if self in {Angle.BACK_IN_STOCK, Angle.RECENTLY_VIEWED} else self


class Promotion(enum.StrEnum):
    """What the facts mean for a shopper; a change of it asks for new words."""

    NONE = "none"
    NEW = "new"
    SALE = "sale"
    ENDING_SOON = "ending_soon"
    LOW_STOCK = "low_stock"
    BACK_IN_STOCK = "back_in_stock"
    SOLD_OUT = "sold_out"


class Tone(enum.StrEnum):
    """How it sounds."""

    PLAIN = "plain"
    WARM = "warm"
    PLAYFUL = "playful"


class Brief(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the generator is told.

    Attributes:
        kind: the plain noun of the product, such as ``"trail running shoes"``.
        points: up to five short selling points, the only claims allowed.
        anchor: the kind of product that the angle refers to (``goes_with``, ``like_viewed``).
        branded: whether ``{brand}`` may be used: a brand is known, and the name does not say it already.
        locale: a BCP 47 tag; its first subtag is the language of the text. Shelves give the language alone, so that shoppers of
            several countries share a text.
        variant: the prompt's name and version, so that experiments never share texts.
        model: identifies the generator (hash of its manifest), ``"phrasebook"`` where there is none.
        take: which of several texts for the same reason, so that two shoppers need not read the same one.
        place: which of the products of its kind it is about (`core.places`), so that two beside each other need not say the same;
            where nobody counts, its hash stands for it.
    """

    sku: str
    kind: str
    points: tuple[str, ...]
    channel: Channel
    angle: Angle
    anchor: str | None
    promotion: Promotion
    tone: Tone
    branded: bool
    locale: str
    variant: str
    model: str
    take: int = 0
    place: int | None = None

    @property
    def brief_id(self) -> str:
        """The cache key: 16 hex digits of BLAKE2b over every field."""
        return _brief_id(self)

    @property
    def general(self) -> "Brief":
        """The same without what ties it to another product: the product for itself."""
        return msgspec.structs.replace(self, angle=Angle.INTRODUCE, anchor=None)

    @property
    def first(self) -> "Brief":
        """The same in its first wording, which is written before any other."""
        return msgspec.structs.replace(self, take=0) if self.take else self

    def wordings(self, takes: int) -> Iterator["Brief"]:
        """The same in each of its wordings, this one first."""
        yield self
        for take in range(max(1, takes)):
            if take != self.take:
                yield msgspec.structs.replace(self, take=take)

    @property
    def particular(self) -> bool:
        """Whether it tells a reason that presenting the product for itself could stand in for."""
        return self.angle in _PARTICULAR

    @property
    def language(self) -> str:
        """The language subtag of the locale, lower case."""
        return _language(self.locale)


#: What lies in the cart or may be running out is not among them: such a card is about that.
_PARTICULAR = frozenset({Angle.GOES_WITH, Angle.LIKE_VIEWED, Angle.SEARCH_MATCH, Angle.YOUR_BRAND, Angle.POPULAR})


@lru_cache(maxsize=256)
def _language(locale: str) -> str:
    return locale.split("-", 1)[0].lower()


@lru_cache(maxsize=16_384)
def _brief_id(brief: Brief) -> str:
    """Remembered, since a card asks for it several times and many shoppers share a brief."""
    return hashlib.blake2b(msgspec.msgpack.encode(brief), digest_size=8).hexdigest()


_DIGIT = re.compile(r"\d")

_PROMOTION_SLOTS: dict[Promotion, tuple[str, ...]] = {
    Promotion.SALE: ("was_price", "percent_off"),
    Promotion.ENDING_SOON: ("was_price", "percent_off", "ends_on"),
    Promotion.LOW_STOCK: ("stock_left",),
}


@lru_cache(maxsize=16_384)
def point_slots(points: tuple[str, ...]) -> MappingProxyType[str, str]:
    """Number the points that contain a digit: ``{"p1": "900 ml"}``. Remembered: a text asks for it ten times.

    The generator cannot write digits, so such a point reaches the text only through its slot.
    """
    numeric = (point for point in points if _DIGIT.search(point))
    return MappingProxyType({f"p{number}": point for number, point in enumerate(numeric, start=1)})


def slots_for(brief: Brief) -> tuple[str, ...]:
    """The slots that a text for this brief may use."""
    brand = ("brand",) if brief.branded else ()
    return ("name", *brand, "price", *_PROMOTION_SLOTS.get(brief.promotion, ()), *point_slots(brief.points))
