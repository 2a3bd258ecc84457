"""What the stages say to each other on the internal *asks* topic, keyed by SKU (or by category board)."""

import enum

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.taste import NO_TASTE, Taste


class Origin(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The input that caused something: it makes ids deterministic and lets a card explain itself."""

    topic: str
    partition: int
    offset: int
    event_id: str
    occurred_at_ms: int


class Seed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The product that an ask started from, as its shelf knows it."""

    sku: str
    kind: str
    category: str
    brand: str | None = None
    price_minor: int = 0


class Near(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A product that was met with another, and how much that says; and its family, where that is known."""

    sku: str
    weight: float
    family: int = 0


class Mode(enum.StrEnum):
    """What is asked of the shelf that gets the ask."""

    SHOW = "show"  # show this product itself
    NEXT = "next"  # show what goes with this product


class ShelfMessage(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", omit_defaults=True):
    """A message for the shelf of `key`."""

    key: str


class Ask(ShelfMessage, frozen=True, kw_only=True, omit_defaults=True, tag="ask"):
    """Fill these placements of this shopper's page.

    Attributes:
        placements: slots on the page, best first; exactly one in mode ``show``.
        revision: orders the cards of one placement; a hybrid logical clock that the shopper's profile issues.
        base: what the profile issued, where a card passed it on or a crash had it renewed with a higher revision; else 0.
        because: the angle known so far; the shelf that answers refines it.
        seed: where the ask started, once a shelf has passed it on.
        exclude: SKUs that must not be shown.
        brands: brands that the shopper keeps choosing.
        taste: what else is known of them.
        carted_at_ms: since when the product lies in the cart (angle ``in_cart``), or when it was last seen (``back_in_stock``).
        hops: how often shelves passed it on; bounded.
        via: shelves that it still goes through, each adding what it was met with; the last one is the shelf that answers.
        found: what those on the way have added, from the earlier products of the session.
    """

    shopper_id: str
    placements: tuple[str, ...]
    revision: int
    base: int = 0
    mode: Mode
    because: Angle
    locale: str
    origin: Origin
    seed: Seed | None = None
    exclude: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    taste: Taste = NO_TASTE
    carted_at_ms: int | None = None
    hops: int = 0
    via: tuple[str, ...] = ()
    found: tuple[Near, ...] = ()


class CoVisited(ShelfMessage, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="co_visited"):
    """A shopper met this product and these others in one session.

    Attributes:
        others: what came before it or after it; the nearer in the session, the more it weighs.
        together: whether they were carted or bought, and not merely looked at: evidence that they go together.
        visit: whether this is a visit to the product itself, which adds to its heat.
        event_id: a fingerprint of the behaviour event behind it; a repeat of a recent one is not counted twice.
    """

    others: tuple[Near, ...]
    at_ms: int
    event_id: str
    together: bool = False
    visit: bool = False


class Heat(ShelfMessage, frozen=True, kw_only=True, tag="heat"):
    """How much a product is looked at: from its shelf to the board of its category.

    Attributes:
        heat: decayed count of views at `at_ms`; 0 takes the product off the board.
    """

    sku: str
    heat: float
    at_ms: int
    brand: str | None = None
    price_minor: int = 0


class Release(ShelfMessage, frozen=True, kw_only=True, tag="release"):
    """This shelf need no longer feed these placements: newer cards took them, or the shopper is to be forgotten."""

    shopper_id: str
    placements: tuple[str, ...]
    revision: int  # cards up to and including this revision
    erase: bool = False


class Bought(ShelfMessage, frozen=True, kw_only=True, tag="bought"):
    """The shopper bought this product: its cards on their page are taken back.

    Attributes:
        revision: of the last ask that may have put it there.
    """

    shopper_id: str
    placements: tuple[str, ...]
    revision: int


Message = Ask | CoVisited | Heat | Release | Bought

_BOARD = "category:"


def board_key(category: str) -> str:
    """The key under which the board of a category lives on the asks topic."""
    return _BOARD + category


def is_board(key: str) -> bool:
    """Whether a key is that of a category board, not a SKU. A SKU of that form would be a shelf that never gets facts."""
    return key.startswith(_BOARD)


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """The wire form: JSON, tagged by ``type``."""
    return _encoder.encode(message)


def decode_message(raw: bytes) -> Message:
    """The inverse of `encode_message`.

    Raises:
        msgspec.DecodeError: the record was not written by `encode_message`.
    """
    return _decoder.decode(raw)
