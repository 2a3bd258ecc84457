"""The plate: what all cards that say the same of one product at one moment have in common, made once for all of them.

A price change re-renders every live card of a product. A hundred thousand of them share a few texts, and differ in who is shown
them, their revision, until when they are valid, and which input asked for them; their id follows from that. So everything else is
rendered, explained and encoded once, and a card is these few things put into their places.
"""

from functools import cached_property
from typing import Any, Final

import msgspec

from shelftalk.core.card import Audience, Card, card_id, encode_card, identified, identity
from shelftalk.core.messages import Origin
from shelftalk.core.offer import encode_offer, offer_of
from shelftalk.core.opening import opening
from shelftalk.core.reword import Ingredients

#: Where something of a card's own goes, in its JSON: bytes that stand in no JSON.
_TEXT: Final[Any] = msgspec.Raw(b"\0")
_NUMBER: Final[Any] = msgspec.Raw(b"\1")

_encode = msgspec.json.Encoder().encode


class Plate:
    """The common part of cards.

    Args:
        card: any one of them; what is its own is not looked at.
        made_of: what the words of shoppers' cards were made of, should one have to begin otherwise.
    """

    def __init__(self, card: Card, made_of: Ingredients | None = None) -> None:
        self.common, self.made_of = card, made_of
        self._shared = False  # most are for one card only, and for that one patterns are not worth their making

    def card(self, audience: Audience, revision: int, valid_until_ms: int, origin: Origin) -> Card:
        """The card of an audience, as a value."""
        common = self.common
        card = msgspec.structs.replace(
            common,
            revision=revision,
            shopper_id=audience.shopper_id or None,
            placement=audience.placement,
            valid_until_ms=valid_until_ms,
            provenance=msgspec.structs.replace(common.provenance, origin=origin),
        )
        return identified(card)

    def encoded(self, audience: Audience, revision: int, valid_until_ms: int, origin: Origin) -> bytes:
        """The same card in its wire form: to the byte what `encode_card` makes of it.

        Args:
            audience: who is shown it.
            revision: as in `Card`, like the others.
            valid_until_ms: until when it may be shown.
            origin: the input that asked for it.
        """
        if not self._shared:
            self._shared = True
            return encode_card(self.card(audience, revision, valid_until_ms, origin))
        shopper_id, placement, own_id = self._own(audience, revision)
        if not audience.shopper_id:
            shopper_id = b"null"
        return self._wire % (own_id, revision, shopper_id, placement, valid_until_ms, _encode(origin))

    def offered(self, audience: Audience, revision: int, valid_until_ms: int, origin: Origin) -> bytes:
        """A shopper's card likewise, as the fence is to have it: to the byte what `encode_offer` makes of it."""
        if not self._shared:
            self._shared = True
            card = self.card(audience, revision, valid_until_ms, origin)
            return encode_offer(offer_of(card, self._opening), encode_card(card), self._ingredients)
        shopper_id, placement, own_id = self._own(audience, revision)
        return self._offer % (
            shopper_id, placement, revision, own_id, revision, shopper_id, placement, valid_until_ms, _encode(origin),
        )  # fmt: skip

    def _own(self, audience: Audience, revision: int) -> tuple[bytes, bytes, bytes]:
        """Shopper and placement in JSON, and the card's id."""
        shopper_id, placement = _encode(audience.shopper_id), _encode(audience.placement)
        return shopper_id, placement, card_id(self._identity % (shopper_id, placement, revision)).encode()

    @cached_property
    def _opening(self) -> str:
        return opening(self.common.text)

    @cached_property
    def _ingredients(self) -> bytes:
        return b"" if self.made_of is None else _encode(self.made_of)

    @cached_property
    def outcome(self) -> str:
        """What became of the cards, for counting."""
        made = self.common.provenance
        return f"card_{made.trigger}_{made.rung}_{self.common.status}"

    @cached_property
    def _identity(self) -> bytes:
        return _pattern(identity(self._with_holes))

    @cached_property
    def _wire(self) -> bytes:
        return _pattern(encode_card(self._with_holes))

    @cached_property
    def _offer(self) -> bytes:
        card = self._with_holes
        return _pattern(encode_offer(offer_of(card, self._opening), encode_card(card), self._ingredients))

    @cached_property
    def _with_holes(self) -> Card:
        return msgspec.structs.replace(
            self.common,
            card_id=msgspec.Raw(b'"\0"'),
            revision=_NUMBER,
            shopper_id=_TEXT,
            placement=_TEXT,
            valid_until_ms=_NUMBER,
            provenance=msgspec.structs.replace(self.common.provenance, origin=_TEXT),
        )


def _pattern(encoded: bytes) -> bytes:
    return encoded.replace(b"%", b"%%").replace(b"\0", b"%b").replace(b"\1", b"%d")
