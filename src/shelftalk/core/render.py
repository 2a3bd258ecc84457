"""Slots filled from the newest facts: the last step before a card goes out, microseconds long."""

import re

from shelftalk.core.brief import point_slots
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import percent_off, prior_price_minor
from shelftalk.core.money import format_money, format_percent_off, format_weekday

SLOT = re.compile(r"\{([a-z_]+\d?)\}")


def slot_values(facts: Facts, points: tuple[str, ...], locale: str) -> dict[str, str]:
    """What each slot reads as, from the facts as they are now. Slots without a value are absent.

    Args:
        facts: complete facts of the product.
        points: the points of the brief, which number ``{p1}`` and so on.
        locale: how amounts and days are written.
    """
    values = {"name": facts.name or "", "price": format_money(facts.price_minor, facts.currency, locale)}
    if facts.brand:
        values["brand"] = facts.brand
    prior, off = prior_price_minor(facts), percent_off(facts)
    if prior is not None and off is not None:
        values["was_price"] = format_money(prior, facts.currency, locale)
        values["percent_off"] = format_percent_off(off, locale)
    if facts.sale_ends_at_ms is not None:
        values["ends_on"] = format_weekday(facts.sale_ends_at_ms, locale)
    if facts.stock is not None:
        values["stock_left"] = str(facts.stock)
    return values | point_slots(points)


def slots_in(text: str) -> frozenset[str]:
    """The slots that a text uses."""
    return frozenset(SLOT.findall(text))


def fill(text: str, values: dict[str, str]) -> str:
    """The text with its slots filled.

    A point that begins a sentence, such as "runs cold", gets a capital; names and brands are written as their makers do ("iPhone").
    A name with a stop of its own ("Guess Who?", "Acme Inc.") takes no second one.

    Raises:
        KeyError: the text has a slot without a value; the guard and the promotion keep that from happening.
    """

    def value(match: re.Match[str]) -> str:
        said = values[match["slot"]]
        if match["point"] and match["begins"] is not None:
            said = said[:1].upper() + said[1:]
        stop = "" if said.endswith(STOPS) else match["stop"]
        return f"{match['before']}{said}{stop}"

    return _PLACED.sub(value, text)


#: What ends a sentence, in a name as well.
STOPS = (".", "!", "?", "\u2026", "。", "！", "？")  # noqa: RUF001

#: A slot, whether it begins a sentence, whether it is a point's, and the full stop behind it.
_PLACED = re.compile(r"(?P<before>(?P<begins>^|(?<=[.?!]) )?)\{(?P<slot>(?P<point>p\d)|[a-z_]+\d?)\}(?P<stop>[.。]?)")
