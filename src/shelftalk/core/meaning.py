"""Meaning: what the facts of a product say to a shopper at a moment, by rules that a shop may set."""

import msgspec

from shelftalk.core.brief import Promotion
from shelftalk.core.facts import Facts
from shelftalk.core.prices import DAY_MS, HOUR_MS, prior_minor


class FactRules(msgspec.Struct, frozen=True):
    """Thresholds between one meaning and another.

    Attributes:
        min_percent_off: a reduction below this is not called a sale.
        low_stock_at: this many left, or fewer, is low stock. The very last one is never advertised: it may be gone.
        ending_soon_ms: a sale whose end is nearer than this ends soon.
        back_in_stock_ms: for how long after a restock a product counts as back.
        new_ms: for how long after its release a product counts as new.
    """

    min_percent_off: int = 5
    low_stock_at: int = 5
    ending_soon_ms: int = 48 * HOUR_MS
    back_in_stock_ms: int = DAY_MS
    new_ms: int = 14 * DAY_MS


def prior_price_minor(facts: Facts) -> int | None:
    """The genuine "was" price, if there is one; of a product that has a price."""
    return prior_minor(facts.prices)


def percent_off(facts: Facts) -> int | None:
    """Whole percent off the prior price, rounded down so that it never overstates; ``None`` where nothing is off."""
    prior = prior_price_minor(facts)
    return None if prior is None else (prior - facts.price_minor) * 100 // prior


def sale_is_over(facts: Facts, now_ms: int) -> bool:
    """Whether the promised end of the price has passed: the price is then unknown until the shop says it."""
    return facts.sale_ends_at_ms is not None and facts.sale_ends_at_ms <= now_ms


def showable(facts: Facts, now_ms: int) -> bool:
    """Whether a card may be shown: the product is to be had, and its price is known to hold."""
    return facts.sellable and not sale_is_over(facts, now_ms)


def promotion(facts: Facts, now_ms: int, rules: FactRules) -> Promotion:
    """What the facts mean at this moment."""
    if not showable(facts, now_ms):
        return Promotion.SOLD_OUT
    off = percent_off(facts)
    if off is not None and off >= rules.min_percent_off:
        ends = facts.sale_ends_at_ms
        return Promotion.ENDING_SOON if ends is not None and ends - now_ms <= rules.ending_soon_ms else Promotion.SALE
    if facts.stock is not None and 1 < facts.stock <= rules.low_stock_at:
        return Promotion.LOW_STOCK
    if facts.restocked_at_ms is not None and now_ms - facts.restocked_at_ms < rules.back_in_stock_ms:
        return Promotion.BACK_IN_STOCK
    if facts.released_at_ms is not None and 0 <= now_ms - facts.released_at_ms < rules.new_ms:
        return Promotion.NEW
    return Promotion.NONE


def next_change_ms(facts: Facts, now_ms: int, rules: FactRules) -> int | None:
    """When time alone will next change the meaning, if it will."""
    moments: list[int] = []
    if facts.sale_ends_at_ms is not None:
        moments += [facts.sale_ends_at_ms - rules.ending_soon_ms, facts.sale_ends_at_ms]
    if facts.restocked_at_ms is not None:
        moments.append(facts.restocked_at_ms + rules.back_in_stock_ms)
    if facts.released_at_ms is not None:
        moments += [facts.released_at_ms, facts.released_at_ms + rules.new_ms]
    return min((moment for moment in moments if moment > now_ms), default=None)
