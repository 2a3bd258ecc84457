"""Where the effects go: each kind to its topic, through the outbox, on the accounts of those who caused it."""

from collections.abc import Sequence

import msgspec

from shelftalk.core.effects import Erase, Hold, Publish
from shelftalk.core.messages import Message, encode_message
from shelftalk.core.offer import encode_erasure
from shelftalk.stream.keeper import Entry, card_key
from shelftalk.stream.outbox import Outbox
from shelftalk.stream.settings import Topics
from shelftalk.stream.store import jointly


class TopicOutlet:
    """The keeper's `Outlet` and the react handler's, over Kafka topics."""

    def __init__(self, outbox: Outbox, topics: Topics) -> None:
        self._outbox = outbox
        self._asks = topics.name("asks")
        self._offers = topics.name("offers")
        self._cards = topics.name("cards")
        self._copy = topics.name("copy")
        self._review = topics.name("review")

    def publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        """A card to its shopper's fence, or copy for everybody."""
        audience = effect.audience
        if audience.shopper_id:
            self._outbox.post(self._offers, audience.shopper_id, effect.offered(), entry=jointly(owed_by))
        else:
            self._outbox.post(self._copy, card_key(audience, effect.sku), effect.encoded(), entry=jointly(owed_by))

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        """A card that passed the fence, or a tombstone."""
        self._outbox.post(self._cards, key, value, entry=jointly(owed_by))

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to a shelf or a board."""
        self._outbox.post(self._asks, message.key, encode_message(message), entry=jointly(owed_by))

    def hold(self, effect: Hold, owed_by: Sequence[Entry]) -> None:
        """A text to the review queue."""
        self._outbox.post(self._review, effect.brief.sku, _review_record(effect), entry=jointly(owed_by))

    def erase(self, effect: Erase, owed_by: Sequence[Entry]) -> None:
        """A tombstone where a card was."""
        self.erase_card(effect.audience.shopper_id, effect.audience.placement, effect.revision, owed_by)

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Entry]) -> None:
        """A tombstone where a card up to this revision was."""
        value = encode_erasure(shopper_id, placement, revision)
        self._outbox.post(self._offers, shopper_id, value, entry=jointly(owed_by))


def _review_record(effect: Hold) -> bytes:
    brief = effect.brief
    return msgspec.json.encode(
        {
            "schema_version": 1,
            "brief_id": brief.brief_id,
            "brief": msgspec.structs.asdict(brief),
            "slotted": effect.slotted,
            "reasons": effect.reasons,
        }
    )
