"""Facts of a product: folded from inventory events by event time, and what they mean for a shopper.

The fold is last-writer-wins for each group of fields (product, price, stock), by ``occurred_at_ms``. So duplicates change
nothing, late events cannot undo newer ones, and any order of arrival ends in the same facts. Of two events of the same moment
the later arrival wins: shops that stamp whole seconds send both in the order that they meant.
"""

import hashlib
from functools import lru_cache
from itertools import pairwise

import msgspec

from shelftalk.core.brief import Promotion
from shelftalk.core.labels import MAX_BRAND, MAX_NAME, clean_label, clean_noun, is_path
from shelftalk.core.messages import Origin
from shelftalk.events.types import InventoryEvent, PriceChanged, ProductDelisted, ProductUpserted, StockChanged

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: The EU's Omnibus directive (98/6/EC, article 6a): the prior price is the lowest of the thirty days before the reduction.
PRIOR_PRICE_WINDOW_MS = 30 * DAY_MS

#: An event may come this late and still leave the same price history as if it had come in time.
LATENESS_MS = DAY_MS

#: Price points of one product that are remembered at most. Beyond it the two oldest become one with the lower price, which can
#: only make a sale look smaller, never larger.
MAX_PRICE_POINTS = 256

#: Events of its newest moments that a product remembers, so that a repeat cannot undo another event of the same moment.
_REMEMBERED = 8


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


class PricePoint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """From this moment on, this price, for as long as the shop promised it."""

    at_ms: int
    price_minor: int
    ends_ms: int | None = None


class Facts(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Everything known of a product.

    Attributes:
        version: grows by one with each event that changed something.
        cause: the newest event that changed something.
        prices: price points by time, the present one last; at least the window of the prior price. The inside of a run of equal
            prices is dropped once it is older than `LATENESS_MS`: until then a late event may still fall between.
        sale_ends_at_ms: when the present price is promised to end.
        restocked_at_ms: when stock last went from none to some.
        currency_since_ms: prices up to this moment are in another currency, and not comparable.
        sold_out_at_ms: when there was last none.
        read_to: the offset of the event folded in last: a redelivery after a crash cannot undo another event of its moment.
        seen: times and fingerprints of the events that set what is now: nor can a repeat at the producer.
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
    currency_since_ms: int = -1
    sold_out_at_ms: int = -1
    read_to: int = -1
    seen: tuple[tuple[int, int], ...] = ()

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


#: Nouns that say nothing: better none than "the product you were looking at".
_VAGUE = frozenset({"product", "item", "article", "other", "misc"})


def plain_kind(kind: str | None, category: str) -> str:
    """The noun of a product: as given, else the last part of its category, such as ``"water heater"``; none where it is no noun."""
    if kind and (noun := clean_noun(kind)):
        return "" if noun.lower() in _VAGUE else noun
    if not is_path(category):
        return ""
    last = category.replace("/", ".").replace(">", ".").rsplit(".", 1)[-1]
    noun = clean_noun(last.replace("_", " ").replace("-", " ")).lower()
    return "" if noun in _VAGUE else noun


def fold(facts: Facts, event: InventoryEvent, origin: Origin) -> Facts:
    """The facts after an event. Their version grows only if something that a card could show changed.

    Args:
        facts: what is known so far.
        event: what the shop says.
        origin: where the event stood.
    """
    name = (event.occurred_at_ms, _fingerprint(event.event_id))
    # By offset alone a topic that was made anew would be deaf until it had grown as long as the old one.
    if name in facts.seen or (origin.offset <= facts.read_to and event.occurred_at_ms <= _newest_ms(facts)):
        return facts
    match event:
        case ProductUpserted():
            new = _fold_product(facts, event)
        case PriceChanged():
            point = PricePoint(event.occurred_at_ms, event.price_minor, event.sale_ends_at_ms)
            new = _fold_price(facts, point, event.currency)
        case StockChanged():
            new = _fold_stock(facts, event.occurred_at_ms, event.stock)
        case ProductDelisted():
            # Delisting is undone by a product event that is newer than it.
            at_ms = max(facts.delisted_at_ms, event.occurred_at_ms)
            delisted = facts.delisted or event.occurred_at_ms >= facts.product_at_ms
            new = msgspec.structs.replace(facts, delisted_at_ms=at_ms, delisted=delisted)
    moments = {new.product_at_ms, new.stock_at_ms, new.delisted_at_ms, *(point.at_ms for point in new.prices[-1:])}
    seen = tuple(held for held in (*facts.seen, name) if held[0] in moments)[-_REMEMBERED:]
    new = msgspec.structs.replace(new, seen=seen, read_to=origin.offset)
    if _visible(new) == _visible(facts):
        return new  # nothing that a card could show changed; only how late a late event would have to be
    return msgspec.structs.replace(new, version=facts.version + 1, cause=origin)


def _newest_ms(facts: Facts) -> int:
    priced_at_ms = facts.prices[-1].at_ms if facts.prices else -1
    return max(facts.product_at_ms, facts.stock_at_ms, facts.delisted_at_ms, priced_at_ms)


def _fingerprint(event_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(event_id.encode(), digest_size=6).digest())


def _visible(facts: Facts) -> tuple[object, ...]:
    """The facts without what only orders events: two that are equal here render and mean the same."""
    priced = (facts.price_minor, facts.price_since_ms, prior_price_minor(facts)) if facts.prices else ()
    rest = msgspec.structs.replace(
        facts,
        prices=(),
        product_at_ms=0,
        stock_at_ms=0,
        delisted_at_ms=0,
        currency_since_ms=0,
        sold_out_at_ms=0,
        read_to=-1,
        seen=(),
    )
    return priced, rest


def _fold_product(facts: Facts, event: ProductUpserted) -> Facts:
    at_ms = event.occurred_at_ms
    if at_ms >= facts.product_at_ms:
        facts = msgspec.structs.replace(
            facts,
            name=clean_label(event.name, MAX_NAME) or None,
            brand=clean_label(event.brand or "", MAX_BRAND) or None,
            category=event.category,
            kind=plain_kind(event.kind, event.category),
            points=event.points,
            consumable=event.consumable,
            released_at_ms=event.released_at_ms,
            product_at_ms=at_ms,
            delisted=facts.delisted_at_ms > at_ms,
        )
    facts = _fold_price(facts, PricePoint(at_ms, event.price_minor), event.currency)
    return _fold_stock(facts, at_ms, event.stock)


def _fold_price(facts: Facts, point: PricePoint, currency: str) -> Facts:
    prices, since_ms = facts.prices, facts.currency_since_ms
    if prices and currency != facts.currency:
        # Prices in two currencies cannot be compared: the history begins after the last one in the other currency.
        if point.at_ms < prices[-1].at_ms:
            since_ms, currency = max(since_ms, point.at_ms), facts.currency
            prices = tuple(held for held in prices if held.at_ms > since_ms)
        else:
            since_ms, prices = max(since_ms, prices[-1].at_ms), (point,)
    elif point.at_ms > since_ms:
        tied = next((held for held in prices[:-1] if held.at_ms == point.at_ms), None)
        if tied is not None and tied.price_minor < point.price_minor:
            point = tied  # of the past, where nobody can tell which was the repeat, the lower is the fairer "was"
        prices = _compact({held.at_ms: held for held in prices} | {point.at_ms: point})
    return msgspec.structs.replace(
        facts, currency=currency, currency_since_ms=since_ms, prices=prices, sale_ends_at_ms=_ends_ms(prices)
    )


def _ends_ms(prices: tuple[PricePoint, ...]) -> int | None:
    """The promised end of the present price.

    A repeat of the price while it runs, by a product event say, does not take the promise back. One after the end means that the
    shop goes on with the price.
    """
    ends_ms = None
    for point in prices[_run_start(prices) :]:
        if point.ends_ms is not None:
            ends_ms = point.ends_ms
        elif ends_ms is not None and point.at_ms >= ends_ms:
            ends_ms = None
    return ends_ms


def _compact(points: dict[int, PricePoint]) -> tuple[PricePoint, ...]:
    """Sorted by time, without what can matter no more: the old inside of runs, and what lies before any window."""
    ordered = [points[at_ms] for at_ms in sorted(points)]
    settled_ms = ordered[-1].at_ms - LATENESS_MS
    kept = ordered[:1]
    for point, following in pairwise(ordered[1:]):
        inside = kept[-1].price_minor == point.price_minor == following.price_minor
        if not inside or point.ends_ms is not None or point.at_ms >= settled_ms:
            kept.append(point)
    kept += ordered[1:][-1:]
    # The present price may have begun before; a late event may yet make it begin at `settled_ms`.
    opens_ms = min(kept[_run_start(tuple(kept))].at_ms, settled_ms) - PRIOR_PRICE_WINDOW_MS
    first = max((i for i, point in enumerate(kept) if point.at_ms <= opens_ms), default=0)
    kept = kept[first:]
    while len(kept) > MAX_PRICE_POINTS:
        oldest, second = kept[:2]
        kept[:2] = [PricePoint(oldest.at_ms, min(oldest.price_minor, second.price_minor))]
    return tuple(kept)


def _fold_stock(facts: Facts, at_ms: int, stock: int) -> Facts:
    sold_out_at_ms, restocked_at_ms = facts.sold_out_at_ms, facts.restocked_at_ms
    if at_ms >= facts.stock_at_ms:
        facts = msgspec.structs.replace(facts, stock=stock, stock_at_ms=at_ms)
    if stock == 0 and at_ms >= sold_out_at_ms:
        sold_out_at_ms = at_ms
        if restocked_at_ms is not None and restocked_at_ms <= at_ms:
            # Of the events after a late one only the newest is known: it is the restock, at the latest.
            restocked_at_ms = None
        if restocked_at_ms is None and facts.stock:
            restocked_at_ms = facts.stock_at_ms
    elif stock > 0 and 0 <= sold_out_at_ms < at_ms:
        restocked_at_ms = min(restocked_at_ms or at_ms, at_ms)
    elif stock > 0 and at_ms == sold_out_at_ms == facts.stock_at_ms:
        restocked_at_ms = at_ms
    return msgspec.structs.replace(facts, sold_out_at_ms=sold_out_at_ms, restocked_at_ms=restocked_at_ms)


def prior_price_minor(facts: Facts) -> int | None:
    """The genuine "was" price: the lowest of the thirty days before the present price came, if that is above it.

    Source: Directive 98/6/EC as amended by (EU) 2019/2161, article 6a.
    """
    lowest = _lowest_before(facts.prices)
    return lowest if lowest is not None and lowest > facts.price_minor else None


@lru_cache(maxsize=16_384)
def _lowest_before(prices: tuple[PricePoint, ...]) -> int | None:
    """The lowest of the window before the present price; remembered, for every card of a product asks several times."""
    start = _run_start(prices)
    opens_ms = prices[start].at_ms - PRIOR_PRICE_WINDOW_MS
    # A price counts for the window if it was still in force when the window opened.
    return min((prices[i].price_minor for i in range(start) if prices[i + 1].at_ms > opens_ms), default=None)


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
