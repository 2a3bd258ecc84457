"""A simulated worker: react and the real keeper over the real ledger, with ports to the simulated broker and model."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shelftalk.core.card import Audience
from shelftalk.core.effects import Drop, Effect, Erase, Hold, Publish
from shelftalk.core.ledger import Entry as LedgerEntry
from shelftalk.core.ledger import Ledger
from shelftalk.core.messages import Message, Origin, decode_message, encode_message
from shelftalk.core.offer import decode_offer, encode_erasure
from shelftalk.core.policy import Policy
from shelftalk.core.react import Reaction
from shelftalk.core.rules import ShelfRules
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_inventory
from shelftalk.sim.broker import Broker, Producer, Record, TopicPartition
from shelftalk.sim.bugs import Bug
from shelftalk.sim.check import Auditor, Place, Tracked
from shelftalk.sim.model import SimDesk
from shelftalk.sim.store import SimStore, owe
from shelftalk.sim.world import World
from shelftalk.stream.account import Entry
from shelftalk.stream.fence import Fence
from shelftalk.stream.keeper import Keeper, Limits, card_key
from shelftalk.stream.lease import Lease
from shelftalk.stream.letterbox import Letterbox
from shelftalk.stream.react_handler import ReactHandler
from shelftalk.stream.record import Record as KafkaRecord

CONSUMED = ("behaviour", "inventory", "asks", "offers")


class Setup(NamedTuple):
    """What all workers of a history have in common."""

    world: World
    broker: Broker
    auditor: Auditor
    rules: ShelfRules
    limits: Limits
    policy: Policy
    ledger_limit: int
    slowness: Callable[[str], float]
    model_up: Callable[[], bool]
    bug: Bug | None


class Cut(NamedTuple):
    """A worker without a network.

    Attributes:
        ends: how far it had fetched.
        frozen: whether it is stopped.
    """

    ends: dict[TopicPartition, int]
    frozen: bool


class Outlet:
    """The keeper's `Outlet`."""

    def __init__(self, setup: Setup, producer: Producer, store: SimStore) -> None:
        self._auditor = setup.auditor
        self._producer = producer
        self._store = store
        # Shelves with little room let cards go, and with them the memory of their revisions.
        self._forgets = setup.limits.live_per_sku < 100
        self._revisions: dict[tuple[Audience, str, Place], tuple[int, str]] = {}

    def publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        """A card; the fence is checked here, at the moment of decision."""
        card = effect.card
        place = self._producer_place(card.sku)
        shelf = None if place is None else self._store.shelf(card.sku, place)
        self._auditor.publishing(effect, shelf, self._revisions)
        if self._forgets:
            self._revisions.clear()
        if effect.audience.shopper_id:
            self._producer.post("offers", effect.audience.shopper_id, effect.offered(), owe(owed_by))
        else:
            self._producer.post("copy", card_key(effect.audience, card.sku), effect.encoded(), owe(owed_by))

    def card(self, key: str, value: bytes | None, owed_by: Sequence[Entry]) -> None:
        """A card that passed the fence, or a tombstone."""
        self._producer.post("cards", key, value, owe(owed_by))

    def forget(self) -> None:
        """What was published may not have been delivered: as after a crash, it may come again."""
        self._revisions.clear()

    def _producer_place(self, sku: str) -> int | None:
        return next((place for place, held in self._store.shelves.data.items() if sku in held), None)

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to a shelf or a board."""
        self._producer.post("asks", message.key, encode_message(message), owe(owed_by))

    def hold(self, effect: Hold, owed_by: Sequence[Entry]) -> None:
        """A text for a person."""
        self._producer.post("review", effect.brief.sku, effect.slotted.encode(), owe(owed_by))

    def erase(self, effect: Erase, owed_by: Sequence[Entry]) -> None:
        """The order to leave a tombstone."""
        self.erase_card(effect.audience.shopper_id, effect.audience.placement, effect.revision, owed_by)

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Entry]) -> None:
        """The order to leave a tombstone."""
        self._producer.post("offers", shopper_id, encode_erasure(shopper_id, placement, revision), owe(owed_by))


class AuditedKeeper(Keeper):
    """The keeper, with what it drops made known."""

    auditor: Auditor

    def _do(self, effect: Effect, owed_by: Sequence[Entry], now_ms: int) -> None:
        if isinstance(effect, Drop):
            self.auditor.dropped(effect)
        super()._do(effect, owed_by, now_ms)


class AuditedReact(ReactHandler):
    """The first stage, with what it decides made known."""

    auditor: Auditor
    record: Record

    def _carry_out(self, shopper_id: str, reaction: Reaction, partition: int, entry: Entry) -> None:
        self.auditor.reacted(self.record, reaction)
        super()._carry_out(shopper_id, reaction, partition, entry)


class AuditedFence(Fence):
    """The fence, with what it keeps back made known."""

    auditor: Auditor

    def handle(self, record: KafkaRecord, entry: Entry) -> None:
        """Handle an offer."""
        before = self.counts["nothing_to_withdraw"]
        super().handle(record, entry)
        if self.counts["nothing_to_withdraw"] > before:
            self.auditor.withheld(decode_offer(record.value)[1])


class OpenFence(AuditedFence):
    """The planted bug: it lets everything pass."""

    def handle(self, record: KafkaRecord, entry: Entry) -> None:
        """Pass an offer on."""
        offer, card = decode_offer(record.value)
        self._outlet.card(f"{offer.shopper_id}|{offer.placement}", card or None, (entry,))


class EndlessLease(Lease):
    """The planted bug: it is never over."""

    @property
    def valid(self) -> bool:
        """Whether nobody else can have our partitions."""
        return True


class TimedLease(Lease):
    """The planted bug: it goes by the time alone, whatever generation is in memory."""

    @property
    def valid(self) -> bool:
        """Whether nobody else can have our partitions."""
        return self._clock() - self._heard_s < self._length_s


class GullibleLease(Lease):
    """The planted bug: any answer brings it back."""

    def renew(self, generation: int, heard_s: float) -> bool:
        """The group has heard of us."""
        self.joined(generation, heard_s)
        return True


#: What is planted, by bug.
LEASES: dict[Bug | None, type[Lease]] = {Bug.LEASE: EndlessLease, Bug.REJOIN: TimedLease, Bug.BLIND: GullibleLease}


class Worker:
    """One process, from its start to its end.

    Attributes:
        partitions: what it owns.
        alive: whether it was not killed.
    """

    def __init__(self, name: str, setup: Setup) -> None:
        self.name = name
        self.alive = True
        self.partitions: set[int] = set()
        self._setup = setup
        self._world = setup.world
        self.producer = Producer(setup.world, setup.broker, setup.slowness, hasty=setup.bug is Bug.OUTBOX)
        self.store = SimStore(setup.broker, self.producer, fenced=setup.bug is not Bug.EPOCH)
        self.desk = SimDesk(setup.world, setup.model_up, self._is_alive)
        self.outlet = Outlet(setup, self.producer, self.store)
        self.keeper = AuditedKeeper(setup.rules, setup.limits, self.store, self.outlet, self.desk)
        self.keeper.auditor = setup.auditor
        self._letters = self.desk.reader = Letterbox(self.keeper, self._has_lease)
        self.react = AuditedReact(
            setup.policy, self.store.profiles, self.store.erased, self.outlet, self.keeper.at_hand
        )
        self.react.auditor = setup.auditor
        fence = OpenFence if setup.bug is Bug.FENCE else AuditedFence
        self.fence = fence(self.store.shown, self.store.erased, self.outlet, setup.policy.page)
        self.fence.auditor = setup.auditor
        self.ledger: Ledger[TopicPartition] = Ledger(setup.ledger_limit, on_failed=self._failed)
        self._positions: dict[TopicPartition, int] = {}
        self._backlog: dict[int, int] = {}  # by partition that catches up: where its inventory ended when it was taken
        self._cut: Cut | None = None
        self._letting_go: set[int] = set()  # given up, and still in memory
        self._generation = 0
        self._lease = self._leased(math.inf)
        self._turn()

    def _leased(self, session_ms: float) -> Lease:
        """A lease on what it has, as of now."""
        lease = LEASES.get(self._setup.bug, Lease)(session_ms / 1_000, lambda: self._world.now_ms / 1_000)
        lease.joined(self._generation, self._world.now_ms / 1_000)
        lease.take(self._generation)
        return lease

    def _rejoin(self) -> None:
        """The group counts it in again; what it has in memory is still of before."""
        self._generation += 1
        self._lease.joined(self._generation, self._world.now_ms / 1_000)

    def _has_lease(self) -> bool:
        return self._lease.valid and not (self._cut is not None and self._cut.frozen)

    def _is_alive(self) -> bool:
        return self.alive

    def _failed(self, _entry: LedgerEntry, error: Exception) -> None:
        raise error  # no delivery fails here

    # --- partitions --------------------------------------------------------------------------------------------------

    def assign(self, partition: int) -> None:
        """Take a partition: recover its state, read on from what was committed."""
        self._world.note("assign", f"{self.name} gets {partition}")
        self.release(partition)
        self.partitions.add(partition)
        self.store.recover(partition, self._world.now_ms)
        for topic in CONSUMED:
            self._positions[topic, partition] = self._setup.broker.committed.get((topic, partition), 0)
        self._backlog[partition] = len(self._setup.broker.log("inventory", partition))
        self.keeper.recovered(partition, self._world.now_ms, catching_up=self._setup.bug is not Bug.CATCH_UP)
        self._look_up()

    def _look_up(self) -> None:
        """Partitions whose inventory is read as far as it went when they were taken begin to publish."""
        for partition, end in list(self._backlog.items()):
            if self._positions["inventory", partition] >= end:
                del self._backlog[partition]
                self.keeper.caught_up(partition, self._world.now_ms)

    def revoke(self, partition: int) -> None:
        """Give a partition up in good order: deliver what is under way, and commit. It is in memory until `release`."""
        self._world.note("revoke", f"{self.name} gives {partition}")
        self.producer.flush()
        self._commit()
        self._lease.give_up()
        places = [(topic, partition) for topic in CONSUMED]
        self.ledger.forget(places)
        self._setup.auditor.forget(places)
        self.partitions.discard(partition)
        self._backlog.pop(partition, None)
        for place in places:
            self._positions.pop(place, None)
        self._letting_go.add(partition)
        self._rejoin()

    def release(self, partition: int) -> None:
        """The group's next generation is known: let go of what went elsewhere, and take what is left."""
        if partition not in self._letting_go:
            return
        self.keeper.revoked(partition)
        self.store.drop(partition)
        self._letting_go.discard(partition)
        if not self._letting_go:
            self._lease.take(self._generation)

    @property
    def settled(self) -> bool:
        """Whether it is between no two generations."""
        return not self._letting_go

    def cut_off(self, session_ms: int, *, frozen: bool) -> None:
        """It is without a network, or stopped altogether. While it has its lease it handles what was fetched, if it can."""
        self._world.note("frozen" if frozen else "cut off", f"{self.name} with {sorted(self.partitions)}")
        self.producer.cut()
        ends = {place: len(self._setup.broker.log(*place)) for place in self._positions}
        self._cut = Cut(ends, frozen)
        self._lease = self._leased(session_ms)  # as if its last heartbeat had just been answered

    def back(self, *, expelled: bool) -> None:
        """What was on the wire arrives. If the group went on without it, it does not know that yet."""
        self._world.note("back", f"{self.name}{', expelled' * expelled}")
        self.producer.back(late=expelled)
        self._cut = self._cut._replace(frozen=False) if expelled and self._cut is not None else None
        if self._cut is None:
            self._lease = self._leased(math.inf)

    def answered_blindly(self) -> None:
        """A coordinator that is still reading its groups answers its heartbeat: all is well."""
        self._world.note("blind answer", self.name)
        self._lease.renew(self._generation, self._world.now_ms / 1_000)

    def expelled(self) -> None:
        """The group's answer to its heartbeat: it has lost everything."""
        self._world.note("expelled", self.name)
        self._lease.end()
        self.ledger.forget([(topic, partition) for topic in CONSUMED for partition in self.partitions])
        self._backlog.clear()
        self._positions.clear()
        if self._setup.bug is not Bug.REJOIN:
            self._drop_all()
            self.producer.drop()
            self.outlet.forget()

    def _drop_all(self) -> None:
        for partition in sorted(self.partitions):
            self.keeper.revoked(partition)
            self.store.drop(partition)
        self.partitions.clear()

    def rejoin(self) -> None:
        """It is a member again, and is told so; its event loop has not seen it yet."""
        self._world.note("rejoin", self.name)
        self._rejoin()

    def welcome(self) -> None:
        """It has nothing of before any more, and may get partitions."""
        self._drop_all()
        self._cut = None
        self._lease = self._leased(math.inf)

    def crash(self) -> None:
        """Kill -9."""
        self._world.note("crash", f"{self.name} with {sorted(self.partitions)}")
        self.alive = False
        self.producer.crash()
        self._setup.auditor.forget([(topic, place) for topic in CONSUMED for place in sorted(self.partitions)])

    # --- turns -------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        if not self.alive:
            return
        rng = self._world.rng
        if self._cut is not None and self._cut.frozen:
            self._world.after(rng.randint(5, 60), self._turn)
            return
        for _ in range(rng.randint(0, 6)):
            if self.ledger.room and self._has_lease():
                self._poll()
        if rng.random() < 0.9 and self._has_lease():  # now and then the loop is busy
            self._letters.empty(self._world.now_ms)
            self.keeper.tick(self._world.now_ms)
        if rng.random() < 0.3 and self._cut is None:
            self._commit()
        self.ledger.check()
        held = self.partitions | self._letting_go
        if not any(
            map(self.keeper.is_catching_up, held)
        ):  # what was taken over is brought within bounds when it has caught up
            self._setup.auditor.bounds(self.keeper.gauges(), self._setup.limits, self.store)
        self._world.after(rng.randint(5, 60), self._turn)

    def _end(self, place: TopicPartition) -> int:
        """How far it can read."""
        if self._cut is None:
            return len(self._setup.broker.log(*place))
        return self._cut.ends.get(place, 0)

    def _poll(self) -> None:
        ready = [
            place
            for place, position in sorted(self._positions.items())
            if position < self._end(place) and not (place[0] == "asks" and self.keeper.is_catching_up(place[1]))
        ]
        if not ready:
            return
        place = self._world.rng.choice(ready)
        if self._cut is None and self._world.chance(0.01):  # a seek back: the ledger skips what it has
            self._positions[place] = self._setup.broker.committed.get(place, 0)
        record = self._setup.broker.log(*place)[self._positions[place]]
        self._positions[place] += 1  # handled within this call, whatever becomes of it
        held = self.ledger.open(place, record.offset)
        if held is not None:
            entry = Tracked(held, place, record.offset, self._setup.auditor)
            self._handle(record, entry)
            entry.done()
        self._look_up()

    def _commit(self) -> None:
        found = self.ledger.committable()
        if self._setup.bug is Bug.LEDGER:
            found = {place: position for place, position in self._positions.items() if position}
        for place, position in found.items():
            self._setup.auditor.committing(place, position)
            self._setup.broker.committed[place] = position

    def idle(self) -> bool:
        """Whether everything it has is read, done and delivered."""
        sizes = self.keeper.gauges()
        read = all(position == len(self._setup.broker.log(*place)) for place, position in self._positions.items())
        return read and not (self.ledger.unfinished or self.producer.in_flight or sizes["waiting"] or sizes["behind"])

    # --- handling ----------------------------------------------------------------------------------------------------

    def _handle(self, record: Record, entry: Tracked) -> None:
        now_ms, auditor = self._world.now_ms, self._setup.auditor
        try:
            match record.topic:
                case "behaviour":
                    self.react.record = record
                    self.react.handle(_as_kafka(record), entry, now_ms)
                case "inventory":
                    event = decode_inventory(record.value, now_ms)
                    self.keeper.inventory(event, _origin(record, event.event_id, event.occurred_at_ms), entry, now_ms)
                    shelf = self.store.shelf(event.sku, record.partition)
                    auditor.applied(record, None if shelf is None else shelf.facts)
                case "offers":
                    self.fence.handle(_as_kafka(record), entry)
                case _:
                    self.keeper.message(decode_message(record.value or b""), record.partition, entry, now_ms)
        except BadInputError as error:
            auditor.refused(record)
            self.producer.post("dead-letters", record.key, error.reason.encode(), owe([entry]))


def _as_kafka(record: Record) -> KafkaRecord:
    return KafkaRecord(
        record.topic, record.partition, record.offset, record.key.encode(), record.value, (), record.at_ms
    )


def _origin(record: Record, event_id: str, at_ms: int) -> Origin:
    return Origin(
        topic=record.topic, partition=record.partition, offset=record.offset, event_id=event_id, occurred_at_ms=at_ms
    )


__all__ = ["CONSUMED", "Setup", "Worker"]
