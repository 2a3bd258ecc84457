"""Facts of a product: folded from inventory events by event time. What they mean for a shopper is `shelftalk.core.meaning`.

The fold is last-writer-wins for each group of fields (product, price, stock), by ``occurred_at_ms``. So duplicates change
nothing, late events cannot undo newer ones, and any order of arrival ends in the same facts. Of two events of the same moment
the later arrival wins: shops that stamp whole seconds send both in the order that they meant.
"""

import hashlib
import re

import msgspec

from shelftalk.core.labels import MAX_BRAND, MAX_NAME, clean_label, clean_noun, is_path
from shelftalk.core.messages import Origin
from shelftalk.core.plurals import one_of
from shelftalk.core.prices import PricePoint, compact, ends_ms, prior_minor, run_start
from shelftalk.events.types import InventoryEvent, PriceChanged, ProductDelisted, ProductUpserted, StockChanged

#: Events of its newest moments that a product remembers, so that a repeat cannot undo another event of the same moment.
_REMEMBERED = 8


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
        place: which of the products of its kind it is (`core.places`), where its worker counts them.
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
    place: int | None = None
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
        return self.prices[run_start(self.prices)].at_ms


#: Nouns that say nothing: better none than "the product you were looking at".
_VAGUE = frozenset({"product", "item", "article", "other", "misc"})
#: What a shop calls its departments says where a thing stands, not what it is: nobody compares "another beauty".
_CALLED = """
everything general default all new sale offers gifts home decor decoration kitchen garden outdoor outdoors living electronics beauty
health wellness groceries grocery food fashion apparel clothing clothes sport sports fitness men women mens womens kids baby
automotive office business travel accessories essentials basics collection collections clearance
"""
_DEPARTMENTS = frozenset(_CALLED.split())


def plain_kind(kind: str | None, category: str) -> str:
    """The noun of a product: as given, else the last part of its category, such as ``"water heater"``; none where it is no noun."""
    if kind and (noun := clean_noun(kind)):
        return "" if noun.lower() in _VAGUE else noun
    if not is_path(category):
        return ""
    last = category.replace("/", ".").replace(">", ".").rsplit(".", 1)[-1]
    noun = clean_noun(last.replace("_", " ").replace("-", " ")).lower()
    head = noun.rpartition(" ")[2]
    if head in _VAGUE or head in _DEPARTMENTS or _SEVERAL.search(noun):
        return ""
    return one_of(noun)


#: A category of two sorts names neither ("hoodies & sweatshirts"), and a pastime is no thing ("cycling", "lighting").
_SEVERAL = re.compile(r"&|\band\b|(?<!\br)(?<!earr)(?<!str)(?<!sw)(?<!paint)ing$")


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
    priced = (facts.price_minor, facts.price_since_ms, prior_minor(facts.prices)) if facts.prices else ()
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
        prices = compact({held.at_ms: held for held in prices} | {point.at_ms: point})
    return msgspec.structs.replace(
        facts, currency=currency, currency_since_ms=since_ms, prices=prices, sale_ends_at_ms=ends_ms(prices)
    )


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
