"""The fence: one writer a shopper, so that what stands last on a placement is newest.

Two asks for one placement may be answered by two shelves, on two partitions, each at its own pace. What they publish goes to the
internal *offers* topic, keyed by shopper; here, where the shopper's profile lives, an offer that a newer one has overtaken ends.
So revisions only grow in the cards topic, and a compacted copy of it is right.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from shelftalk.core.card import Status
from shelftalk.errors import BadInputError
from shelftalk.stream.keeper import Entry
from shelftalk.stream.record import Record


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """The newest card of a placement, and whether there is anything to see of it."""

    revision: int
    live: bool = True


class Offer(msgspec.Struct, frozen=True):
    """What the fence reads of a card; a card without a revision is an order to leave a tombstone."""

    shopper_id: str
    placement: str
    revision: int | None = None
    status: Status = Status.LIVE


class ShownTable(Protocol):
    """Revisions by audience key."""

    def get(self, key: str, partition: int, /) -> Shown | None:
        """The newest."""

    def put(self, key: str, value: Shown, partition: int, entry: Entry, /) -> None:
        """Remember."""

    def delete(self, key: str, partition: int, entry: Entry, /) -> None:
        """Forget, with a tombstone."""


class CardsOutlet(Protocol):
    """The cards topic."""

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        """A card, or a tombstone."""


_decoder = msgspec.json.Decoder(Offer)


def encode_erasure(shopper_id: str, placement: str) -> bytes:
    """The order to leave a tombstone."""
    return msgspec.json.encode(Offer(shopper_id, placement))


class Fence:
    """Handles the offers topic."""

    def __init__(self, shown: ShownTable, outlet: CardsOutlet) -> None:
        self.counts: Counter[str] = Counter()
        self._shown = shown
        self._outlet = outlet

    def handle(self, record: Record, entry: Entry) -> None:
        """Pass an offer on, unless a newer one was passed before.

        Raises:
            BadInputError: the record was not written by a shelf.
        """
        try:
            offer = _decoder.decode(record.value or b"")
        except ValueError as error:
            raise BadInputError("not_an_offer", str(error)) from None
        key = f"{offer.shopper_id}|{offer.placement}"
        if offer.revision is None:
            self._shown.delete(key, record.partition, entry)
            self._outlet.card(key, None, (entry,))
            self.counts["erased"] += 1
            return
        newest = self._shown.get(key, record.partition)
        if newest is not None and offer.revision < newest.revision:
            self.counts["overtaken"] += 1
            return
        live = offer.status is Status.LIVE
        if newest is None or offer.revision > newest.revision:
            self._shown.put(key, Shown(offer.revision, live), record.partition, entry)
            if not live and (newest is None or not newest.live):
                self.counts["nothing_to_withdraw"] += 1
                return
        self._outlet.card(key, record.value, (entry,))
        self.counts["passed"] += 1
