"""Angles: of all true reasons to show a product to a shopper, the one that says most to them now."""

from collections.abc import Iterator

from shelftalk.core.brief import Angle, Promotion
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import promotion
from shelftalk.core.messages import Ask, Seed
from shelftalk.core.rules import ShelfRules
from shelftalk.core.taste import Intent
from shelftalk.core.terms import names

#: How much each reason says to a shopper in general; `ShelfRules.angles` may say otherwise. Their own doings say more than other
#: people's, what has changed since says more than what was so already. Only the order matters.
WEIGHTS: dict[Angle, float] = {
    Angle.PRICE_DROPPED: 100.0,
    Angle.BACK_IN_STOCK: 90.0,
    Angle.REPLENISH: 80.0,
    Angle.IN_CART: 70.0,
    Angle.SEARCH_MATCH: 60.0,
    Angle.YOUR_BRAND: 50.0,
    Angle.GOES_WITH: 40.0,
    Angle.LIKE_VIEWED: 35.0,
    Angle.RECENTLY_VIEWED: 30.0,
    Angle.POPULAR: 20.0,
    Angle.INTRODUCE: 10.0,
}

#: What their intent adds: who compares wants alternatives, who has decided wants what goes with it.
ADDED: dict[Intent, dict[Angle, float]] = {
    Intent.COMPARING: {Angle.LIKE_VIEWED: 20.0},
    Intent.DECIDING: {Angle.GOES_WITH: 20.0},
    Intent.BOUGHT: {Angle.GOES_WITH: 20.0},
}


def angle_of(facts: Facts, ask: Ask, now_ms: int, rules: ShelfRules) -> tuple[Angle, str | None]:
    """Why this product, in the end, and the kind of product that it refers to."""
    added = ADDED.get(ask.taste.intent, {})

    def weight(reason: tuple[Angle, str | None]) -> float:
        return rules.angles.get(reason[0], WEIGHTS[reason[0]]) + added.get(reason[0], 0.0)

    return max(_true(facts, ask, now_ms, rules), key=weight)


def is_back(facts: Facts, since_ms: int | None, now_ms: int, rules: ShelfRules) -> bool:
    """Whether it was sold out at or after a moment, and has come back lately."""
    restocked_ms = facts.restocked_at_ms
    if since_ms is None or restocked_ms is None:
        return False
    return since_ms < restocked_ms and now_ms - restocked_ms < rules.facts.back_in_stock_ms


def _true(facts: Facts, ask: Ask, now_ms: int, rules: ShelfRules) -> Iterator[tuple[Angle, str | None]]:
    """Every reason that holds, and that a shopper would agree with."""
    if ask.because is Angle.IN_CART:
        yield Angle.IN_CART, None
        on_sale = promotion(facts, now_ms, rules.facts) in {Promotion.SALE, Promotion.ENDING_SOON}
        if on_sale and ask.carted_at_ms is not None and facts.price_since_ms > ask.carted_at_ms:
            yield Angle.PRICE_DROPPED, None
        if is_back(facts, ask.carted_at_ms, now_ms, rules):
            yield Angle.BACK_IN_STOCK, None
        return
    if ask.because in {Angle.REPLENISH, Angle.BACK_IN_STOCK}:
        yield ask.because, None
        return
    yield Angle.INTRODUCE, None
    if ask.because in {Angle.SEARCH_MATCH, Angle.POPULAR}:
        yield ask.because, None
    if names(ask.taste.searched, facts.kind):
        yield Angle.SEARCH_MATCH, None
    if facts.brand is not None and facts.brand in ask.brands:
        yield Angle.YOUR_BRAND, None
    if facts.sku in ask.taste.seen:
        yield Angle.RECENTLY_VIEWED, None
    if ask.seed is not None and ask.because is not Angle.POPULAR:
        yield from _relation(facts, ask.seed, together=ask.because is Angle.GOES_WITH)


def _relation(facts: Facts, seed: Seed, *, together: bool) -> Iterator[tuple[Angle, str | None]]:
    """How the product relates to the one that the shopper started from.

    The same noun is an alternative; what was bought or carted together goes together. Mere looking at both says neither, and
    the fewer briefs name another product, the more shoppers share a text.
    """
    if not seed.kind or not facts.kind or seed.sku == facts.sku:
        return
    if seed.kind.rsplit(" ", 1)[-1] == facts.kind.rsplit(" ", 1)[-1]:
        yield Angle.LIKE_VIEWED, seed.kind
    elif together:
        yield Angle.GOES_WITH, seed.kind
