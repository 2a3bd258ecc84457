"""The fence: one writer a shopper, so that what stands last on a placement is newest.

Two asks for one placement may be answered by two shelves, on two partitions, each at its own pace. What they publish goes to the
internal *offers* topic, keyed by shopper; here, where the shopper's profile lives, an offer that a newer one has overtaken ends.
So revisions only grow in the cards topic, and a compacted copy of it is right. A placement where nothing has happened for a day is
forgotten, here and with a tombstone there, so that neither grows for ever.

It is also the only place that knows a shopper's whole page: a card that would begin like another one there gets other words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from shelftalk.core.card import Card, Status, encode_card
from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.offer import Offer, decode_offer, ingredients_in
from shelftalk.core.opening import opening
from shelftalk.core.reword import Ingredients, reworded
from shelftalk.errors import BadInputError
from shelftalk.stream.account import Together
from shelftalk.stream.keeper import Entry
from shelftalk.stream.record import Record
from shelftalk.stream.sweep import Sweep

#: For how long a placement is remembered after its last card: far longer than any ask is on its way, or any card is valid.
REMEMBER_MS: Final = 24 * 3_600_000


class Shown(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The newest card of a placement: whether there is anything to see of it, how its text begins, when it came and was made."""

    revision: int
    live: bool = True
    at_ms: int = 0
    opening: str = ""
    sku: str = ""
    made_ms: int = 0

    def overtakes(self, offer: Offer) -> bool:
        """Whether an offer comes too late.

        Where a crash leaves two shelves with the same revision, the first has the placement. Of one shelf's, the later made has it:
        what a worker that was cut off had on the wire comes after its successor's, and says what was true before.
        """
        revision = offer.revision or 0
        if revision != self.revision:
            return revision < self.revision
        return offer.sku != self.sku or offer.published_at_ms < self.made_ms


class ShownTable(Protocol):
    """Revisions by audience key."""

    def get(self, key: str, partition: int, /) -> Shown | None:
        """The newest."""

    def put(self, key: str, value: Shown, partition: int, entry: Entry, /) -> None:
        """Remember."""

    def delete(self, key: str, partition: int, entry: Entry, /) -> None:
        """Forget, with a tombstone."""

    def items(self, partition: int, /) -> Iterator[tuple[str, Shown]]:
        """All of a partition, as of now."""


class Erasures(Protocol):
    """Where it is remembered who was forgotten."""

    def get(self, key: str, partition: int, /) -> Erased | None:
        """What is remembered of an erasure."""


class CardsOutlet(Protocol):
    """The cards topic."""

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        """A card, or a tombstone."""


_card = msgspec.json.Decoder(Card)
_made_of = msgspec.json.Decoder(Ingredients)


class Fence:
    """Handles the offers topic.

    Args:
        shown: what stands on the placements.
        erasures: who was forgotten.
        outlet: the cards topic.
        page: the placements that a shopper sees at once.
    """

    def __init__(self, shown: ShownTable, erasures: Erasures, outlet: CardsOutlet, page: Sequence[str]) -> None:
        self.counts: Counter[str] = Counter()
        self._shown = shown
        self._erasures = erasures
        self._outlet = outlet
        self._page = tuple(page)
        self._sweep = Sweep(shown.items)

    def handle(self, record: Record, entry: Entry) -> None:
        """Pass an offer on, unless a newer one was passed before.

        Raises:
            BadInputError: the record was not written by a shelf.
        """
        try:
            offer, card = decode_offer(record.value)
        except ValueError as error:
            raise BadInputError("not_an_offer", str(error)) from None
        key = f"{offer.shopper_id}|{offer.placement}"
        newest = self._shown.get(key, record.partition)
        if offer.revision is None:
            if newest is not None and newest.revision > offer.upto:
                self.counts["came_back"] += 1
                return
            if offer.upto <= self._erased_upto(offer.shopper_id, record.partition):
                self._shown.delete(key, record.partition, entry)
            else:
                # Nothing else would keep older offers out: the order is of a worker that had lost the partition, and the erasure
                # comes again, or the card had no room in its shopper's profile.
                self._shown.put(key, Shown(offer.upto, live=False, at_ms=record.timestamp_ms), record.partition, entry)
            self._outlet.card(key, None, (entry,))
            self.counts["erased"] += 1
            return
        if newest is not None and newest.overtakes(offer):
            self.counts["overtaken"] += 1
            return
        if self._is_straggler(offer, record.partition):
            self.counts["forgotten"] += 1
            return
        live = offer.status is Status.LIVE
        card, begins = self._worded(card, offer, newest, record)
        # Of one revision and product the later has the placement, for a consumer and so here: after a crash a card that was let
        # go and its ask, answered once more, may grow to the same revision within a millisecond.
        made_ms = offer.published_at_ms
        if newest is None or offer.revision > newest.revision or live != newest.live or made_ms > newest.made_ms:
            shown = Shown(offer.revision, live, record.timestamp_ms, begins, offer.sku, made_ms)
            self._shown.put(key, shown, record.partition, entry)
            if not live and (newest is None or not newest.live):
                self.counts["nothing_to_withdraw"] += 1
                return
        self._outlet.card(key, card, (entry,))
        self.counts["passed"] += 1

    def _worded(self, card: bytes, offer: Offer, newest: Shown | None, record: Record) -> tuple[bytes, str]:
        """The card and how it begins: as it came, or in other words if that opening stands on the page already.

        A card that a crash brings again begins as it did before: its id promises the same words.
        """
        begins = offer.opening
        if not begins:
            return card, begins
        if newest is not None and newest.live and newest.opening == begins:
            return card, begins  # it was looked at when it came there, and since then others give way to it
        again = newest.opening if newest is not None and newest.revision == offer.revision else ""
        taken = self._openings(offer, record.partition)
        if begins == again if again else begins not in taken:
            return card, begins
        made_of = ingredients_in(record.value or b"")
        other = reworded(_card.decode(card), _made_of.decode(made_of), taken, again or None) if made_of else None
        if other is None:
            self.counts["same_opening"] += 1
            return card, begins
        self.counts["reworded"] += 1
        return encode_card(other), opening(other.text)

    def _openings(self, offer: Offer, partition: int) -> set[str]:
        """How the other cards of the page begin."""
        others = (
            self._shown.get(f"{offer.shopper_id}|{place}", partition)
            for place in self._page
            if place != offer.placement
        )
        return {shown.opening for shown in others if shown is not None and shown.live}

    def _is_straggler(self, offer: Offer, partition: int) -> bool:
        """Whether a card is of before its shopper was forgotten: a crash may have had it written again."""
        return offer.revision is not None and offer.revision <= self._erased_upto(offer.shopper_id, partition)

    def _erased_upto(self, shopper_id: str, partition: int) -> int:
        """The revision up to which a shopper's cards are of before they were forgotten; -1 if they were not."""
        erased = self._erasures.get(erased_key(shopper_id), partition)
        return -1 if erased is None else erased.revision

    def sweep(self, partitions: Iterable[int], now_ms: int) -> None:
        """Look at a few placements, and forget those where nothing has happened for long."""
        for partition, key in self._sweep.turn(partitions):
            shown = self._shown.get(key, partition)  # what another worker has by now is not here any more
            if shown is not None and shown.at_ms + REMEMBER_MS <= now_ms:
                nobody = Together()
                self._shown.delete(key, partition, nobody)
                self._outlet.card(key, None, (nobody,))
                self.counts["forgotten_placement"] += 1
