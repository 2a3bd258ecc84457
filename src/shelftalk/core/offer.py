"""The offer: a shopper's card on its way to the fence, in three lines of JSON.

The first line is all that the fence decides by; the second is the card as it goes out, untouched; the third is what its words were
made of, should they have to begin otherwise. So a card that passes is never parsed there. The order to leave a tombstone is a first
line alone.
"""

from typing import Final

import msgspec

from shelftalk.core.card import Card, Status

_LINE: Final = b"\n"  # JSON has it between its parts only, and ours has none there


class Offer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the fence reads of a card; one without a revision is the order to leave a tombstone.

    Attributes:
        opening: how its text begins.
        upto: the order is about cards up to this revision; a later one is of a shopper who came back.
    """

    shopper_id: str
    placement: str
    revision: int | None = None
    status: Status = Status.LIVE
    sku: str = ""
    published_at_ms: int = 0
    opening: str = ""
    upto: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Offer).decode


def offer_of(card: Card, opening: str) -> Offer:
    """What is read of a shopper's card."""
    return Offer(
        card.shopper_id or "", card.placement, card.revision, card.status, card.sku, card.published_at_ms, opening
    )


def encode_offer(offer: Offer, card: bytes, made_of: bytes = b"") -> bytes:
    """The wire form.

    Args:
        offer: the first line.
        card: in its wire form.
        made_of: JSON of `shelftalk.core.reword.Ingredients`; empty where other words cannot be had.
    """
    return _LINE.join((_encode(offer), card, made_of))


def encode_erasure(shopper_id: str, placement: str, upto: int) -> bytes:
    """The order to leave a tombstone where a card up to this revision is."""
    return _encode(Offer(shopper_id, placement, upto=upto))


def decode_offer(value: bytes | None) -> tuple[Offer, bytes]:
    """The first line, and the card as it goes out; no card where it is the order to leave a tombstone.

    Raises:
        msgspec.DecodeError: it is no offer.
    """
    head, card = value or b"", b""
    end = head.find(_LINE)
    if end >= 0:
        head, card = head[:end], head[end + 1 : head.rfind(_LINE)]
    offer = _decode(head)
    if offer.revision is not None and not card:
        raise msgspec.ValidationError("an offer without its card")
    return offer, card


def ingredients_in(value: bytes) -> bytes:
    """What its words were made of, if that is told."""
    return value[value.rindex(_LINE) + 1 :]
