"""The events that come in, as frozen structs.

Their contract is the JSON Schema of the same name under ``schemas/``; `shelftalk.events.codec` holds bytes against it before
anything here is built. ``type`` names the schema, times are UTC milliseconds since the epoch, money is in minor units.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", omit_defaults=True):
    """What every event carries.

    Attributes:
        event_id: identifies the event at its producer; a repeat of it is a duplicate.
        occurred_at_ms: when it happened (event time), not when it arrived.
    """

    event_id: str
    occurred_at_ms: int
    schema_version: int = 1


# --- behaviour, keyed by shopper -------------------------------------------------------------------------------------


class Behaviour(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a shopper did.

    Attributes:
        shopper_id: the shop's pseudonym of the shopper; the Kafka key.
        session_id: groups one visit, where the shop knows it.
        locale: a BCP 47 tag such as ``"en-GB"``.
    """

    shopper_id: str
    session_id: str | None = None
    locale: str | None = None


class ProductViewed(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="product_viewed"):
    """A product page was opened.

    Attributes:
        brand: the product's brand where the shop sends it, for the shopper's affinities; likewise `category`.
        price_minor: what they saw it for, for the price band that they look in; comes with its `currency`.
        candidates: SKUs that the shop's own recommender would show next, best first.
    """

    sku: str
    brand: str | None = None
    category: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    candidates: tuple[str, ...] = ()


class ProductsSearched(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="products_searched"):
    """A search was made. The query is untrusted text: nothing is kept of it but numbers for its words.

    Attributes:
        category: that was searched in, or that the shop made of the query.
        results: the SKUs that the shop listed first.
    """

    query: str
    category: str | None = None
    results: tuple[str, ...] = ()


class CartAdded(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="cart_added"):
    """A product was put into the cart; attributes as of `ProductViewed`."""

    sku: str
    quantity: int = 1
    brand: str | None = None
    category: str | None = None
    price_minor: int | None = None
    currency: str | None = None


class CartRemoved(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="cart_removed"):
    """A product was taken out of the cart."""

    sku: str


class OrderItem(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One line of an order."""

    sku: str
    quantity: int = 1


class OrderCompleted(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="order_completed"):
    """A purchase."""

    items: tuple[OrderItem, ...]


class ShopperErased(Behaviour, frozen=True, kw_only=True, omit_defaults=True, tag="shopper_erased"):
    """The shopper asked to be forgotten."""


# --- inventory, keyed by SKU -----------------------------------------------------------------------------------------


class Inventory(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something that changed about a product. The Kafka key is the SKU."""

    sku: str


class ProductUpserted(Inventory, frozen=True, kw_only=True, omit_defaults=True, tag="product_upserted"):
    """A product was added or its facts were rewritten as a whole.

    Attributes:
        kind: the plain noun of the product; derived from the category when absent.
        points: short selling points; the only claims that copy may make.
        released_at_ms: when it went on sale, for "new"; unknown when absent.
    """

    name: str
    category: str
    price_minor: int
    currency: str
    stock: int
    brand: str | None = None
    kind: str | None = None
    points: tuple[str, ...] = ()
    description: str | None = None
    consumable: bool = False
    released_at_ms: int | None = None


class PriceChanged(Inventory, frozen=True, kw_only=True, omit_defaults=True, tag="price_changed"):
    """The price moved.

    Attributes:
        sale_ends_at_ms: when the shop will end this price, where that is promised.
    """

    price_minor: int
    currency: str
    sale_ends_at_ms: int | None = None


class StockChanged(Inventory, frozen=True, kw_only=True, omit_defaults=True, tag="stock_changed"):
    """The stock moved; 0 is sold out."""

    stock: int


class ProductDelisted(Inventory, frozen=True, kw_only=True, omit_defaults=True, tag="product_delisted"):
    """The product is no longer sold."""


BehaviourEvent = ProductViewed | ProductsSearched | CartAdded | CartRemoved | OrderCompleted | ShopperErased
InventoryEvent = ProductUpserted | PriceChanged | StockChanged | ProductDelisted

BEHAVIOUR_TYPES = frozenset(
    {"product_viewed", "products_searched", "cart_added", "cart_removed", "order_completed", "shopper_erased"}
)
INVENTORY_TYPES = frozenset({"product_upserted", "price_changed", "stock_changed", "product_delisted"})
