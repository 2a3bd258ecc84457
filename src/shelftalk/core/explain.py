"""The angle of a card in words that a person understands: its answer to "why am I seeing this?"."""

from shelftalk.core.brief import Angle

_WORDS = {
    Angle.INTRODUCE: "other shoppers went on to it from what you looked at",
    Angle.GOES_WITH: "it goes with the {anchor} you chose or looked at",
    Angle.LIKE_VIEWED: "it is like the {anchor} you were looking at",
    Angle.SEARCH_MATCH: "it matches your search",
    Angle.IN_CART: "it waits in your cart",
    Angle.PRICE_DROPPED: "its price went down since you put it into your cart",
    Angle.YOUR_BRAND: "you often choose this brand",
    Angle.POPULAR: "many shoppers are looking at it now",
    Angle.REPLENISH: "you bought it before and may be running out",
}


def because(angle: Angle, anchor: str | None, *, for_everybody: bool = False) -> str:
    """Why the card is shown."""
    if for_everybody:
        return "it is the product's own copy, the same for every shopper"
    return _WORDS[angle].format(anchor=anchor or "product")
