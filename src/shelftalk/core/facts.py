"""Facts of a product: folded from inventory events by event time, and what they mean for a shopper.

The fold is last-writer-wins for each group of fields (product, price, stock), by ``occurred_at_ms``. So duplicates change
nothing, late events cannot undo newer ones, and any order of arrival ends in the same facts.
"""

import msgspec

from shelftalk.core.brief import Promotion
from shelftalk.core.messages import Origin
from shelftalk.events.types import InventoryEvent, PriceChanged, ProductDelisted, ProductUpserted, StockChanged

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: The EU's Omnibus directive (98/6/EC, article 6a): the prior price is the lowest of the thirty days before the reduction.
PRIOR_PRICE_WINDOW_MS = 30 * DAY_MS

#: Price changes of one product that are remembered at most; beyond it the oldest go, which can only make a sale look smaller.
MAX_PRICE_POINTS = 256


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


class PricePoint(msgspec.Struct, frozen=True, array_like=True):
    """From this moment on, this price."""

    at_ms: int
    price_minor: int


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything known of a product.

    Attributes:
        version: grows by one with each event that changed something.
        cause: the newest event that changed something.
        prices: price points by time, the present one last; at least the window of the prior price. Of a run of equal prices
            the first and the last are kept: a late event may still fall between them.
        restocked_at_ms: when stock last went from none to some.
    """

    sku: str
    version: int = 0
    cause: Origin | None = None
    name: str | None = None
    brand: str | None = None
    category: str = ""
    kind: str = ""
    points: tuple[str, ...] = ()
    currency: str = ""
    consumable: bool = False
    delisted: bool = False
    stock: int | None = None
    prices: tuple[PricePoint, ...] = ()
    sale_ends_at_ms: int | None = None
    released_at_ms: int | None = None
    restocked_at_ms: int | None = None
    product_at_ms: int = -1
    stock_at_ms: int = -1
    delisted_at_ms: int = -1

    @property
    def complete(self) -> bool:
        """Whether enough is known to write about it."""
        return self.name is not None and bool(self.prices) and self.stock is not None

    @property
    def sellable(self) -> bool:
        """Whether it may be shown at all."""
        return self.complete and not self.delisted and bool(self.stock)

    @property
    def price_minor(self) -> int:
        """The present price. Call only where `complete`."""
        return self.prices[-1].price_minor

    @property
    def price_since_ms(self) -> int:
        """Since when the present price holds."""
        return self.prices[_run_start(self.prices)].at_ms


def _run_start(prices: tuple[PricePoint, ...]) -> int:
    """The index at which the present price began."""
    start = len(prices) - 1
    while start > 0 and prices[start - 1].price_minor == prices[-1].price_minor:
        start -= 1
    return start


def plain_kind(kind: str | None, category: str) -> str:
    """The noun of a product: as given, else the last part of its category, such as ``"water heater"``."""
    if kind:
        return kind
    last = category.replace("/", ".").replace(">", ".").rsplit(".", 1)[-1]
    return last.replace("_", " ").replace("-", " ").strip().lower()


def fold(facts: Facts, event: InventoryEvent, origin: Origin) -> Facts:
    """The facts after an event. Their version grows only if something that a card could show changed.

    Args:
        facts: what is known so far.
        event: what the shop says.
        origin: where the event stood.
    """
    match event:
        case ProductUpserted():
            new = _fold_product(facts, event)
        case PriceChanged():
            new = _fold_price(facts, event.occurred_at_ms, event.price_minor, event.currency, event.sale_ends_at_ms)
        case StockChanged():
            new = _fold_stock(facts, event.occurred_at_ms, event.stock)
        case ProductDelisted():
            # Delisting is undone by a product event that is newer than it.
            at_ms = max(facts.delisted_at_ms, event.occurred_at_ms)
            new = msgspec.structs.replace(facts, delisted_at_ms=at_ms, delisted=at_ms > facts.product_at_ms)
    if _visible(new) == _visible(facts):
        return new  # nothing that a card could show changed; only how late a late event would have to be
    return msgspec.structs.replace(new, version=facts.version + 1, cause=origin)


def _visible(facts: Facts) -> Facts:
    """The facts without what only orders events: two that are equal here render and mean the same."""
    prices = facts.prices[: _run_start(facts.prices) + 1]
    return msgspec.structs.replace(facts, prices=prices, product_at_ms=0, stock_at_ms=0, delisted_at_ms=0)


def _fold_product(facts: Facts, event: ProductUpserted) -> Facts:
    at_ms = event.occurred_at_ms
    if at_ms >= facts.product_at_ms:
        facts = msgspec.structs.replace(
            facts,
            name=event.name,
            brand=event.brand,
            category=event.category,
            kind=plain_kind(event.kind, event.category),
            points=event.points,
            consumable=event.consumable,
            released_at_ms=event.released_at_ms,
            product_at_ms=at_ms,
            delisted=facts.delisted_at_ms > at_ms,
        )
    facts = _fold_price(facts, at_ms, event.price_minor, event.currency, None)
    return _fold_stock(facts, at_ms, event.stock)


def _fold_price(facts: Facts, at_ms: int, price_minor: int, currency: str, sale_ends_at_ms: int | None) -> Facts:
    if facts.currency and currency != facts.currency:
        if facts.prices and at_ms < facts.prices[-1].at_ms:
            return facts
        # Prices in two currencies cannot be compared: a new history starts.
        facts = msgspec.structs.replace(facts, prices=())
    newest = not facts.prices or at_ms >= facts.prices[-1].at_ms
    moved = not facts.prices or facts.price_minor != price_minor
    points = {point.at_ms: point.price_minor for point in facts.prices}
    points[at_ms] = price_minor
    # A repeat of the price in force, by a product event say, does not end its sale.
    ends_ms = sale_ends_at_ms if newest and (moved or sale_ends_at_ms is not None) else facts.sale_ends_at_ms
    return msgspec.structs.replace(facts, currency=currency, prices=_compact(points), sale_ends_at_ms=ends_ms)


def _compact(points: dict[int, int]) -> tuple[PricePoint, ...]:
    """Sorted by time, the inside of runs dropped, then what lies before the window but for the price in force as it opens."""
    ordered = [PricePoint(at_ms, minor) for at_ms, minor in sorted(points.items())]
    last = len(ordered) - 1
    kept = [
        point
        for i, point in enumerate(ordered)
        if not (0 < i < last and ordered[i - 1].price_minor == point.price_minor == ordered[i + 1].price_minor)
    ]
    opens_ms = kept[-1].at_ms - PRIOR_PRICE_WINDOW_MS
    # The run of the present price may be older than the window; its prior price lies before the run's start.
    start = _run_start(tuple(kept))
    opens_ms = min(opens_ms, kept[start].at_ms - PRIOR_PRICE_WINDOW_MS)
    first = max((i for i, point in enumerate(kept) if point.at_ms <= opens_ms), default=0)
    return tuple(kept[max(first, len(kept) - MAX_PRICE_POINTS) :])


def _fold_stock(facts: Facts, at_ms: int, stock: int) -> Facts:
    if at_ms < facts.stock_at_ms:
        return facts
    restocked_at_ms = at_ms if facts.stock == 0 and stock > 0 else facts.restocked_at_ms
    return msgspec.structs.replace(facts, stock=stock, stock_at_ms=at_ms, restocked_at_ms=restocked_at_ms)


def prior_price_minor(facts: Facts) -> int | None:
    """The genuine "was" price: the lowest of the thirty days before the present price came, if that is above it.

    Source: Directive 98/6/EC as amended by (EU) 2019/2161, article 6a.
    """
    start = _run_start(facts.prices)
    opens_ms = facts.prices[start].at_ms - PRIOR_PRICE_WINDOW_MS
    # A price counts for the window if it was still in force when the window opened.
    in_force = [facts.prices[i].price_minor for i in range(start) if facts.prices[i + 1].at_ms > opens_ms]
    lowest = min(in_force, default=None)
    return lowest if lowest is not None and lowest > facts.price_minor else None


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
