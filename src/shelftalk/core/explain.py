"""The angle of a card in words that a person understands: its answer to "why am I seeing this?"."""

from functools import cache
from importlib import resources

import msgspec

from shelftalk.core.brief import Angle


class _Words(msgspec.Struct, frozen=True):
    """One language of ``because.json``.

    Attributes:
        product: what a product is called whose kind is not known.
        in_band: what is added where its price is among those that the shopper looks at.
        everybody: of copy that has no shopper.
        too_little: of such copy that is not there, for want of anything to say.
    """

    angles: dict[Angle, str]
    product: str
    in_band: str
    everybody: str
    too_little: str


@cache
def _words(language: str) -> _Words:
    raw = (resources.files("shelftalk.core") / "because.json").read_bytes()
    known = msgspec.json.decode(raw, type=dict[str, _Words])
    return known.get(language, known["en"])


#: Where the price was decided by something else, or says nothing, it is no reason.
_UNPRICED = frozenset({Angle.IN_CART, Angle.PRICE_DROPPED, Angle.REPLENISH, Angle.BACK_IN_STOCK, Angle.RECENTLY_VIEWED})


def because(angle: Angle, anchor: str | None, locale: str, *, in_band: bool = False) -> str:
    """Why a shopper is shown the card.

    Args:
        angle: the reason.
        anchor: the kind of product that it refers to.
        locale: of the card; English where its language is not known here.
        in_band: whether the product's price is among those that the shopper looks at in its category.
    """
    words = _words(_language(locale))
    said = words.angles[angle].format(anchor=anchor or words.product)
    return said + words.in_band if in_band and angle not in _UNPRICED else said


def because_everybody(locale: str, *, told: bool) -> str:
    """Why copy that has no shopper is there, or that there is too little to say."""
    words = _words(_language(locale))
    return words.everybody if told else words.too_little


def _language(locale: str) -> str:
    return locale.split("-", 1)[0].lower()
