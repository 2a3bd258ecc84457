"""What must hold, checked while a history runs. What must hold at its end is in `shelftalk.sim.verdict`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from shelftalk.core.card import Audience, Card, Status, Trigger
from shelftalk.core.effects import Drop, Publish
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Origin
from shelftalk.core.money import format_money
from shelftalk.core.offer import decode_offer
from shelftalk.core.profile import MAX_BOUGHT, MAX_BRANDS, MAX_CART, MAX_PLACEMENTS, MAX_RECENT, Profile
from shelftalk.core.react import Reaction
from shelftalk.core.state import MAX_BOARD, MAX_NEIGHBOURS, MAX_TEXTS, Shelf
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_inventory
from shelftalk.sim.broker import Record, TopicPartition
from shelftalk.sim.oracle import Book
from shelftalk.sim.world import PromiseBrokenError, World
from shelftalk.stream.account import Entry
from shelftalk.stream.keeper import Limits

if TYPE_CHECKING:
    from shelftalk.sim.store import SimStore

#: An input by topic, partition and offset.
Place = tuple[str, int, int]

_card = msgspec.json.Decoder(Card)


class Tracked:
    """An entry of the ledger with the auditor's own count of what is owed: the ledger is under test, too."""

    def __init__(self, entry: Entry, place: TopicPartition, offset: int, auditor: "Auditor") -> None:
        self.owed = 1
        self._entry = entry
        auditor.opened[place][offset] = self

    @property
    def forgotten(self) -> bool:
        """Whether the partition was taken away."""
        return self._entry.forgotten

    def hold(self) -> None:
        """One more."""
        self.owed += 1
        self._entry.hold()

    def done(self) -> None:
        """One less."""
        self.owed -= 1
        self._entry.done()

    def fail(self, error: Exception) -> None:
        """One that cannot be had."""
        self.owed -= 1
        self._entry.fail(error)


class Auditor:
    """Sees everything and believes nothing.

    Attributes:
        opened: by partition and offset what is owed for inputs that were handled since the partition was last assigned.
        outcomes: what was said of each input when it was handled, by place: an outcome of react, ``"applied"``, or
            ``"dead_letter"``.
        asked: the placements that each input asked for.
        answered: the placements for which a card of that origin lies in the log.
        drops: the reasons that were given for each input.
        books: the inventory by SKU.
    """

    def __init__(self, world: World) -> None:
        self.opened: defaultdict[TopicPartition, dict[int, Tracked]] = defaultdict(dict)
        self.outcomes: defaultdict[Place, set[str]] = defaultdict(set)
        self.asked: defaultdict[Place, set[str]] = defaultdict(set)
        self.answered: defaultdict[Place, set[str]] = defaultdict(set)
        self.drops: defaultdict[Place, set[str]] = defaultdict(set)
        self.books: defaultdict[str, Book] = defaultdict(Book)
        self._committed: dict[TopicPartition, int] = {}
        self._reached: defaultdict[str, int] = defaultdict(
            lambda: -1
        )  # by SKU: the newest facts that any worker ever had
        self._passed: defaultdict[str, list[Card]] = defaultdict(list)
        self._withheld: set[str] = (
            set()
        )  # ids of withdrawals that the fence kept back, for there was nothing to withdraw
        self._erased: dict[str, int] = {}  # by placement: the highest revision when it was erased
        self._by_id: dict[str, bytes] = {}
        self._world = world

    def require(self, condition: bool, promise: str, detail: str) -> None:
        """Stop the history unless it holds."""
        if not condition:
            raise PromiseBrokenError(promise, detail)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def reacted(self, record: Record, reaction: Reaction) -> None:
        """A behaviour event was handled."""
        place = (record.topic, record.partition, record.offset)
        self._world.note("react", f"{record.key} @{record.offset} {reaction.outcome}")
        self.outcomes[place].add(reaction.outcome)
        for message in reaction.messages:
            if isinstance(message, Ask):
                self.asked[place].update(message.placements)
        if reaction.profile is not None:
            self._profile(reaction.profile)

    def _profile(self, profile: Profile) -> None:
        sizes = (
            (profile.recent, MAX_RECENT),
            (profile.cart, MAX_CART),
            (profile.bought, MAX_BOUGHT),
            (profile.brands, MAX_BRANDS),
            (profile.placed, MAX_PLACEMENTS),
        )
        self.require(all(len(held) <= limit for held, limit in sizes), "bounds", "a profile grew beyond its limits")

    def applied(self, record: Record, facts: Facts | None) -> None:
        """An inventory event was handled, and the shelf has these facts now."""
        self._world.note("inventory", f"{record.key} @{record.offset}")
        self.outcomes[record.topic, record.partition, record.offset].add("applied")
        if facts is not None and facts.cause is not None:
            self._reached[facts.sku] = max(self._reached[facts.sku], facts.cause.offset)

    def refused(self, record: Record) -> None:
        """A record went to the dead letters."""
        self._world.note("dead letter", f"{record.topic}[{record.partition}]@{record.offset}")
        self.outcomes[record.topic, record.partition, record.offset].add("dead_letter")

    def dropped(self, drop: Drop) -> None:
        """An ask ended without a card."""
        self._world.note(f"drop {drop.reason}", f"{drop.origin.topic}[{drop.origin.partition}]@{drop.origin.offset}")
        self.drops[place_of(drop.origin)].add(drop.reason)

    # --- commits -----------------------------------------------------------------------------------------------------

    def committing(self, place: TopicPartition, position: int) -> None:
        """Nothing below a committed position may owe anything, and it never goes back."""
        before = self._committed.get(place, 0)
        self.require(position >= before, "commit_order", f"{place} from {before} back to {position}")
        for offset in range(before, position):
            held = self.opened[place].get(offset)
            self.require(held is not None and held.owed == 0, "commit", f"{place} past {offset}, which is unfinished")
            self.opened[place].pop(offset, None)
        self._committed[place] = position

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """A worker lost these partitions."""
        for place in places:
            self.opened.pop(place, None)

    # --- cards -------------------------------------------------------------------------------------------------------

    def publishing(
        self, effect: Publish, shelf: Shelf | None, revisions: dict[tuple[Audience, str, Place], tuple[int, str]]
    ) -> None:
        """At the moment of decision: the fence, and revisions that only grow as long as nobody crashes."""
        card = effect.card
        applied = 0 if shelf is None else shelf.facts.version
        self._world.note(
            f"card {card.status}", f"{effect.audience.key} {card.sku} r{card.revision} v{card.facts.version}"
        )
        if card.status is Status.WITHDRAWN and card.provenance.trigger is Trigger.ASK:
            return  # an emptied placement is about no product of its shelf's
        self.require(card.facts.version == applied, "fence", f"{card.sku}: {card.facts.version}, applied {applied}")
        reached = self._reached[card.sku]
        # Also across crashes: what one worker knew when it published, the next must know before it does.
        self.require(
            card.facts.source_offset >= reached,
            "older_facts",
            f"{effect.audience.key} {card.sku}: from offset {card.facts.source_offset}, {reached} was applied before",
        )
        # From one ask on. A shelf that let a card go no longer knows its revision; the consumer does.
        key = (effect.audience, card.sku, place_of(card.provenance.origin))
        revision, card_id = revisions.get(key, (0, ""))
        grows = card.revision > revision or (card.revision == revision and card.card_id == card_id)
        grows |= card.provenance.trigger is Trigger.ASK
        self.require(
            grows, "revision", f"{effect.audience.key} {card.sku}: {card.revision} {card.provenance} after {revision}"
        )
        revisions[key] = (card.revision, card.card_id)

    def appended(self, record: Record) -> None:
        """A record lies in a log for all to see."""
        if record.topic == "inventory":
            try:
                event = decode_inventory(record.value, record.at_ms)
            except BadInputError:
                return
            self.books[event.sku].add(record.offset, event)
        elif record.topic == "offers" and record.value is not None:
            _, offered = decode_offer(record.value)
            if offered:
                card = _card.decode(offered)
                self.answered[place_of(card.provenance.origin)].add(card.placement)
        elif record.topic == "copy" and record.value is not None:
            self._appended_card(record, _card.decode(record.value))
        elif record.topic == "cards":
            self._passed_fence(record)

    def withheld(self, value: bytes) -> None:
        """The fence kept a withdrawal back, because nothing was shown."""
        self._withheld.add(_card.decode(value).card_id)

    def _passed_fence(self, record: Record) -> None:
        """Revisions only grow, and an erasure is final for what came before it. A crash may repeat what was there, exactly.

        So may it a withdrawal that was kept back: the one before it, which emptied the placement, may have been lost, and by its
        revision the fence no longer lets it pass. What came after the two is repeated after them.
        """
        passed = self._passed[record.key]
        if record.value is None:
            self._erased[record.key] = max((card.revision for card in passed), default=0)
            return
        card = _card.decode(record.value)
        newest = max((other.revision for other in passed), default=0)
        if record.late and card.revision <= max(newest, self._erased.get(record.key, -1)):
            self._world.note("late on the wire", record.key)
            return  # only a transaction could keep it away; who goes by revision passes it over
        again = any(card.card_id == other.card_id for other in passed)
        where = f"{record.key}@{record.offset}: {card.revision} after {newest}"
        withheld = card.status is Status.WITHDRAWN and card.card_id in self._withheld
        self.require(again or withheld or card.revision >= newest, "backwards", where)
        self.require(again or card.revision > self._erased.get(record.key, -1), "came_back", where)
        passed.append(card)
        self._appended_card(record, card)

    def _appended_card(self, record: Record, card: Card) -> None:
        where = f"{record.key}@{record.offset} of {card.sku}"
        # A crash may bring the words of the shelf that were other words before: how they came about is no part of what is said.
        provenance = msgspec.structs.replace(card.provenance, reworded=False)
        same_words = msgspec.structs.replace(card, published_at_ms=0, valid_until_ms=0, provenance=provenance)
        content = msgspec.json.encode(same_words)
        same = self._by_id.setdefault(card.card_id, content)
        self.require(same == content, "id", f"{where}: {card.card_id} says {content!r} and said {same!r}")
        if card.status is Status.LIVE:
            self._price(card, where)

    def _price(self, card: Card, where: str) -> None:
        """What a shopper reads was true at the inventory offset that the card names."""
        facts, truth = card.facts, self.books[card.sku].upto(card.facts.source_offset)
        claims = (facts.name, facts.price_minor, facts.was_price_minor, facts.stock)
        # Of two prices of one past moment the lower is kept: a sale may look smaller than the oracle has it, never larger.
        fair = facts.was_price_minor == truth.was_minor or (facts.was_price_minor or 0) < (truth.was_minor or 0)
        self.require(
            (facts.name, facts.price_minor, facts.stock) == (truth.name, truth.price_minor, truth.stock) and fair,
            "wrong_price",
            f"{where} says {claims}; the shop says {truth}",
        )
        self.require(truth.showable(card.published_at_ms), "offered", f"{where}: {truth} at {card.published_at_ms}")
        if "{price}" in card.slotted:
            price = format_money(truth.price_minor or 0, facts.currency, card.locale)
            self.require(price in card.text, "wrong_price", f"{where}: {price} is not in {card.text!r}")

    # --- bounds ------------------------------------------------------------------------------------------------------

    def bounds(self, sizes: Mapping[str, int], limits: Limits, store: "SimStore") -> None:
        """Everything that could queue is within its limit."""
        most = limits.live_per_sku * max(sizes["products"], 1)
        self.require(sizes["live_cards"] <= most, "bounds", f"{sizes} with {limits.live_per_sku} a product")
        for held in store.shelves.data.values():
            for shelf in held.values():
                self.require(len(shelf.neighbours) <= MAX_NEIGHBOURS, "bounds", "neighbours")
        for copybooks in store.copybooks.data.values():
            for copybook in copybooks.values():
                self.require(len(copybook.texts) <= MAX_TEXTS, "bounds", "texts")
        for boards in store.boards.data.values():
            for board in boards.values():
                self.require(len(board.entries) <= MAX_BOARD, "bounds", "board")


def place_of(origin: Origin) -> Place:
    """An input's place."""
    return origin.topic, origin.partition, origin.offset
