"""The card: what goes out. Its contract is ``schemas/card.schema.json``."""

import enum
import hashlib

import msgspec

from shelftalk.core.brief import Angle, Channel, Promotion, Tone
from shelftalk.core.messages import Origin


class Status(enum.StrEnum):
    """Whether the card may be shown."""

    LIVE = "live"
    WITHDRAWN = "withdrawn"


class Rung(enum.StrEnum):
    """Which rung of the ladder gave the words."""

    CACHED = "cached"
    GENERATED = "generated"
    PHRASEBOOK = "phrasebook"


class Trigger(enum.StrEnum):
    """Why the card goes out now."""

    ASK = "ask"  # a shopper did something
    FACTS = "facts"  # price, stock or another fact moved
    REWRITE = "rewrite"  # better words became ready


class Audience(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Who is being shown a product: one placement of one shopper, or everybody through one channel.

    Attributes:
        shopper_id: empty for product copy, ads and posts, which are the same for everybody.
        placement: the slot on the shopper's page; for everybody, channel and locale such as ``"ad/en-GB"``.
    """

    shopper_id: str
    placement: str

    @property
    def key(self) -> str:
        """One to one with the audience: the schemas keep ``|`` out of ids."""
        return f"{self.shopper_id}|{self.placement}"


class CardFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The facts that the text was rendered from."""

    version: int
    source_partition: int
    source_offset: int
    name: str
    brand: str | None
    price_minor: int
    currency: str
    was_price_minor: int | None
    percent_off: int | None
    stock: int
    promotion: Promotion


class Provenance(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How the card came to be.

    Attributes:
        because: the angle in words that a person understands.
        model: the generator of the words; ``"phrasebook"`` for hand-written ones.
        origin: the input that asked for the card.
        cause: the input that made it go out now; the origin itself, or the inventory event behind a refresh.
        reworded: whether these are other words than its shelf's, which began like a card beside it.
    """

    rung: Rung
    trigger: Trigger
    angle: Angle
    because: str
    brief_id: str
    model: str
    variant: str
    tone: Tone
    origin: Origin
    cause: Origin
    reworded: bool = False


class Card(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One finished shelf talker, rendered from the newest facts of its shelf.

    Attributes:
        card_id: the same for the same cause; consumers may drop repeats by it.
        revision: only grows for one audience; a consumer keeps the highest it has seen.
        text: what the shopper reads; empty on a withdrawn card.
        slotted: the same with its slots unfilled.
        ai_generated: whether a model wrote the words (EU AI Act, article 50).
    """

    card_id: str
    revision: int
    status: Status
    channel: Channel
    sku: str
    shopper_id: str | None
    placement: str
    locale: str
    text: str
    slotted: str
    facts: CardFacts
    valid_until_ms: int
    published_at_ms: int
    ai_generated: bool
    provenance: Provenance
    schema_version: int = 1


def identity(card: Card) -> bytes:
    """What the id of a card is made of.

    The same cause gives the same id, however often it is processed. After a crash it may find newer facts or better words: so what
    decides the rest of the content is in it, too, and the same id is the same card.
    """
    made = card.provenance
    cause = made.cause
    return msgspec.json.encode(
        (
            card.shopper_id or "",
            card.placement,
            card.sku,
            card.revision,
            cause.topic,
            cause.partition,
            cause.offset,
            made.trigger,
            card.status,
            card.facts.version,
            card.facts.promotion,
            made.brief_id,
            made.rung,
            made.because,
            card.slotted,
        )
    )


def card_id(identity: bytes) -> str:
    """An id: 24 hex digits."""
    return hashlib.blake2b(identity, digest_size=12).hexdigest()


def identified(card: Card) -> Card:
    """The card with the id that its content gives it."""
    return msgspec.structs.replace(card, card_id=card_id(identity(card)))


def encode_card(card: Card) -> bytes:
    """The wire form."""
    return msgspec.json.encode(card)
