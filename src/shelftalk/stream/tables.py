"""State that survives: Faust tables whose changelogs go out through the outbox, many changes at a time.

A Faust table writes its changelog through Faust's producer, only inside the context of a stream's current event, and
nothing ties the write to the commit. A `StateTable` takes the partition and the ledger's entry explicitly, so that tasks
may write too, and the event's offset waits for the write. Recovery stays Faust's.

Values live as Python objects, one dict a partition, or most of them on disk (`shelftalk.stream.rows`); beside that they are
encoded (msgpack) for the changelog only. So they must not be changed in place: use frozen structs. A key that changes many times
between two writes (`Outbox.later`) is encoded and written once, with its last value, and that one write is owed to all the events
that changed it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

import faust
import msgspec
import structlog
from faust.stores.base import Store
from faust.tables.table import Table
from faust.types import TP

from shelftalk.errors import BadInputError, CancelledRequestError, FatalError, QueueFullError
from shelftalk.stream.batch import BatchSchema
from shelftalk.stream.outbox import Obligation, OnOutcome, Outbox, Outcome, Receipt
from shelftalk.stream.rows import DiskRows, MakeRows, Rows, RowStore, in_memory

log = structlog.get_logger(__name__)

#: Faust logs through its services' class attribute; without this its "Starting..." would come under our name.
_faust_logger = logging.getLogger("faust.tables")

Value = TypeVar("Value", bound=msgspec.Struct)

#: Batches of a changelog's records applied at once during recovery.
_RECOVERY_BATCHES: Final = 4

#: The header of a changelog record with the epoch of its writer: when that took the partition, in ms, and above what it found.
EPOCH_HEADER: Final = "epoch"

OnPartitions = Callable[[frozenset[int]], None]


class _Owed:
    """The events that one write is owed to."""

    __slots__ = ("_then", "entries")

    def __init__(self, entries: list[Obligation]) -> None:
        self.entries = entries
        self._then: OnOutcome | None = None

    def settled_by(self, then: OnOutcome) -> OnOutcome:
        """What is to be told the outcome; `then` is told first."""
        self._then = then
        return self._settle

    def _settle(self, outcome: Outcome) -> None:
        if self._then is not None:
            self._then(outcome)
        if isinstance(outcome, Receipt):
            for entry in self.entries:
                entry.done()
        else:
            self.fail(outcome)

    def fail(self, error: Exception) -> None:
        for entry in self.entries:
            entry.fail(error)


class _PartitionStore(Store):
    """The rows of each partition.

    Faust's memory store knows a key's partition only if it was recovered, keeps keys of revoked partitions that it wrote
    itself, and loses a delete that is followed by a falsy value in the same batch.

    Nothing but transactions keeps a worker that was cut off from its group from writing into a changelog that another one has
    taken over: what was on the wire arrives when the network is back. Seen on a real Kafka: a shelf's record of 11 s ago stood
    last, the next worker recovered it, and two price changes were lost. So each record carries its writer's epoch, and one that
    comes after a record of a later epoch is passed over.
    """

    logger = _faust_logger
    make_rows: MakeRows = staticmethod(in_memory)

    def __post_init__(self) -> None:
        self.data: dict[int, Rows] = {}
        self.offsets: dict[int, int] = {}  # changelog offset up to which `data` is complete
        self.epochs: dict[int, int] = {}  # the latest writer's

    def _clear(self) -> None:
        self._let_go(list(self.data))

    def rows(self, partition: int) -> Rows:
        """The rows of a partition, to write to."""
        held = self.data.get(partition)
        if held is None:
            held = self.data[partition] = self.make_rows(partition)
        return held

    def _let_go(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            held = self.data.pop(partition, None)
            if isinstance(held, DiskRows):
                held.close()

    def persisted_offset(self, tp: TP) -> int | None:
        """Recovery starts here: after the newest write that we made or read ourselves."""
        return self.offsets.get(tp.partition)

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        self.offsets[tp.partition] = max(offset, self.offsets.get(tp.partition, -1))

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],  # noqa: ARG002
        to_value: Callable[[Any], Any],  # noqa: ARG002
    ) -> None:
        """Replay, in order: each event is a `Batch` of one partition."""
        topic = self.table.changelog_topic.get_topic_name()
        for event in batch:
            message = event.message
            if (
                message.topic == topic
            ):  # Faust 0.15.3 hands late records of a revoked partition to whichever table was last
                self._replay(message.partition, message.value.records)

    def _replay(self, partition: int, records: Iterable[Any]) -> None:
        decode, held = self.table.decode, self.rows(partition)
        latest, offset = self.epochs.get(partition, 0), self.offsets.get(partition, -1)
        for record in records:
            offset = max(record.offset, offset)
            epoch = _epoch_of(record.headers)
            if epoch < latest:
                continue
            latest = epoch
            if record.value is None:
                held.pop(record.key.decode(), None)
            else:
                held[record.key.decode()] = decode(record.value)
        self.epochs[partition], self.offsets[partition] = latest, offset

    def take_over(self, partition: int, now_ms: int) -> int:
        """Begin an epoch of our own; it is higher than any that was seen, also where clocks differ."""
        self.epochs[partition] = max(now_ms, self.epochs.get(partition, 0) + 1)
        return self.epochs[partition]

    def drop(self, partitions: Iterable[int]) -> None:
        """Lost to another worker, who will change them: what is here is worth nothing when they come back."""
        self._let_go(partitions)
        for partition in partitions:
            self.offsets.pop(partition, None)
            self.epochs.pop(partition, None)

    def reset_state(self) -> None:
        self._clear()
        self.offsets.clear()
        self.epochs.clear()

    async def backup_partition(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing is on disk."""

    def restore_backup(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing is on disk."""


class _FaustTable(Table):
    """What Faust sees: it declares the changelog, recovers from it and tells of rebalances."""

    logger = _faust_logger

    def __init__(self, app: faust.App, *, owner: "StateTable[Any]", **kwargs: Any) -> None:
        self.owner = owner
        self.decode = owner.decode
        self._generation: int | None = None
        super().__init__(app, **kwargs)

    def _new_store(self) -> _PartitionStore:
        made = _PartitionStore(self.app.conf.store, self.app, self, table_name=self.name, loop=self.loop)
        made.make_rows = self.owner.make_rows
        return made

    def on_key_set(self, key: Any, value: Any) -> None:  # noqa: ARG002
        raise TypeError("write through StateTable.put, which names partition and entry")

    def on_key_del(self, key: Any) -> None:  # noqa: ARG002
        raise TypeError("write through StateTable.delete, which names partition and entry")

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """`revoked` are those that really go elsewhere, `newly_assigned` those that come from there.

        In one generation, or two that follow each other, nobody else can have had what we keep. If one was missed
        (we were frozen, or cut off), anybody can: then all of it is recovered from the beginning.
        """
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        missed = self._generation is None or generation_id - self._generation not in {0, 1}
        self._generation = generation_id
        name = self.changelog_topic.get_topic_name()
        gone = revoked | newly_assigned | (assigned if missed else set())
        lost = frozenset(tp.partition for tp in gone if tp.topic == name)
        self.data.drop(lost)
        for partition in lost:
            self.app.tables.recovery.active_offsets.pop(TP(name, partition), None)
        self.owner.lost(lost)

    def expelled(self) -> None:
        """Recover all anew, also where the next generation we are in is the very next one: our last writes were dropped."""
        self._generation = None

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Faust says so too early where a rebalance overtakes a recovery: what is read of it then is not all.

        Seen under chaos: the rest came with the next recovery, when the partition was taken for ours already; its records were of
        an epoch before ours and passed over, and a shopper's card was refreshed no more. So what is not read to its end is not
        ours yet. Another recovery follows.
        """
        await super().on_recovery_completed(active_tps, standby_tps)
        ends, read = self.app.tables.recovery.active_highwaters, self.data.offsets
        behind = sorted(tp.partition for tp in active_tps if read.get(tp.partition, -1) < (ends[tp] or -1))
        if behind or self.app.consumer_generation_id != self._generation:
            log.info("a rebalance overtook a recovery", table=self.name, behind=behind, generation=self._generation)
            return
        self.owner.recovered(frozenset(tp.partition for tp in active_tps))


class StateTable(Generic[Value]):
    """A partitioned map from str to a frozen struct.

    Args:
        app: of Faust; make tables before it starts.
        name: the changelog is ``{app id}-{name}-changelog``; see `changelog_name`.
        value_type: a msgspec struct.
        outbox: for the changelog.
        partitions: as many as the topics that feed it have.
        on_fatal: told when a write is lost; the worker must stop, for memory and changelog differ.
        store: where rows live: ``memory_rows`` of each partition in memory and the rest in a folder, or all in memory.

    Attributes:
        on_recovered: callbacks told which partitions are ours and complete, after each assignment.
        on_lost: callbacks told which partitions went elsewhere (also before they come back); drop what was derived from them.
    """

    def __init__(
        self,
        app: faust.App,
        name: str,
        value_type: type[Value],
        outbox: Outbox,
        *,
        partitions: int,
        on_fatal: Callable[[FatalError], None],
        store: RowStore | None = None,
    ) -> None:
        self.name = name
        self.partitions = partitions
        self.on_recovered: list[OnPartitions] = []
        self.on_lost: list[OnPartitions] = []
        self._outbox = outbox
        self._on_fatal = on_fatal
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(value_type)
        self.make_rows: MakeRows = in_memory
        if store is not None:
            self.make_rows = lambda _: DiskRows(store.folder, store.memory_rows, self._encoder.encode, self.decode)
        self._topic = changelog_name(app.conf.id, name)
        self._ready: frozenset[int] = frozenset()
        self._dirty: dict[tuple[int, str], _Owed] = {}
        self._epochs: dict[int, dict[str, bytes]] = {}  # headers by partition
        self._faust = _FaustTable(
            app,
            owner=self,
            name=name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            recovery_buffer_size=_RECOVERY_BATCHES,
            schema=BatchSchema(),
        )
        app.tables.add(self._faust)

    @property
    def ready(self) -> frozenset[int]:
        """Partitions that are ours and recovered."""
        return self._ready

    @property
    def read_to(self) -> int:
        """Changelog offsets that memory is complete up to, over all partitions."""
        return sum(list(self._faust.data.offsets.values()))

    def get(self, key: str, partition: int) -> Value | None:
        """The value, or ``None``."""
        held: Value | None = self._data.get(partition, {}).get(key)
        return held

    def put(self, key: str, value: Value, partition: int, entry: Obligation) -> None:
        """Write: at once for who reads, and to the changelog a little later, with other changes.

        Args:
            key: its changelog record is keyed by it.
            value: not to be changed afterwards.
            partition: of the event that caused the write.
            entry: of that event; it is held until the changelog has the write.

        Raises:
            CancelledRequestError: the partition was taken away meanwhile; another worker does this event again.
        """
        self._note_change(key, partition, entry)
        self._faust.data.rows(partition)[key] = value

    def delete(self, key: str, partition: int, entry: Obligation) -> None:
        """Delete, with a tombstone in the changelog; also of a key that is not there.

        Raises:
            CancelledRequestError: see `put`.
        """
        self._note_change(key, partition, entry)
        self._data.get(partition, {}).pop(key, None)

    def items(self, partition: int) -> Iterator[tuple[str, Value]]:
        """All of one partition; writing meanwhile is fine."""
        rows = self._data.get(partition, {})
        for key in list(rows) if isinstance(rows, dict) else rows:
            value = rows.get(key)
            if value is not None:
                yield key, value

    def count(self, partition: int | None = None) -> int:
        """How many keys there are, in one partition or in all."""
        if partition is not None:
            return len(self._data.get(partition, {}))
        return sum(map(len, self._data.values()))

    def decode(self, raw: bytes) -> Value:
        """A changelog value."""
        return self._decoder.decode(raw)

    def recovered(self, partitions: frozenset[int]) -> None:
        """Faust is done."""
        now_ms = time.time_ns() // 1_000_000
        for partition in partitions - self._ready:
            epoch = self._faust.data.take_over(partition, now_ms)
            self._epochs[partition] = {EPOCH_HEADER: str(epoch).encode()}
        self._ready = partitions
        self._tell(self.on_recovered, partitions)

    def expelled(self) -> None:
        """The group went on without us: nothing that we have is worth anything, whoever gets it next."""
        self._faust.expelled()
        self.lost(self._ready)

    def lost(self, partitions: frozenset[int]) -> None:
        """Faust is about to recover; these start from nothing."""
        self._ready -= partitions
        for partition, key in [place for place in self._dirty if place[0] in partitions]:
            self._dirty.pop((partition, key)).fail(CancelledRequestError(f"table {self.name}: {key} went elsewhere"))
        if partitions:
            self._tell(self.on_lost, partitions)

    def _tell(self, callbacks: list[OnPartitions], partitions: frozenset[int]) -> None:
        """Call them all, whatever one of them does."""
        for callback in callbacks:
            try:
                callback(partitions)
            except Exception:
                log.exception("a table callback failed", table=self.name, partitions=sorted(partitions))

    @property
    def _data(self) -> dict[int, Rows]:
        data: dict[int, Rows] = self._faust.data.data
        return data

    def _note_change(self, key: str, partition: int, entry: Obligation) -> None:
        if partition not in self._ready:
            raise CancelledRequestError(f"table {self.name}: partition {partition} is not ours")
        if entry.forgotten:
            raise CancelledRequestError(f"table {self.name}: the partition of the event behind this was taken away")
        entry.hold()
        owed = self._dirty.get((partition, key))
        if owed is not None:
            owed.entries.append(entry)
            return
        if not self._dirty:
            self._outbox.later(self._write)
        self._dirty[partition, key] = _Owed([entry])

    def _write(self) -> None:
        """Write what changed since the last time, each key once."""
        data, post = self._data, self._outbox.post
        while self._dirty:
            partition, key = place = next(iter(self._dirty))
            value = data.get(partition, {}).get(key)
            raw = None if value is None else self._encoder.encode(value)
            owed = self._dirty[place]
            try:
                headers = self._epochs[partition]
                post(
                    self._topic,
                    key,
                    raw,
                    headers=headers,
                    partition=partition,
                    on_outcome=owed.settled_by(self._written),
                )
            except QueueFullError:  # as good as never: `Outbox.room` keeps events from coming long before
                self._outbox.later(self._write)
                return
            except BadInputError as error:  # a value larger than any message may be
                owed.settled_by(self._written)(error)
            del self._dirty[place]

    def _written(self, outcome: Outcome) -> None:
        if isinstance(outcome, Receipt):
            if (
                outcome.partition in self._ready
            ):  # else a late write of a lost partition: it says nothing about what we hold
                self._faust.data.set_persisted_offset(TP(outcome.topic, outcome.partition), outcome.offset)
        elif not isinstance(outcome, CancelledRequestError):  # else it was dropped, and so is what we hold
            self._on_fatal(
                FatalError(f"table {self.name}: a write was lost, so memory is ahead of its changelog: {outcome}")
            )


def _epoch_of(headers: Iterable[tuple[str, bytes]] | None) -> int:
    """Of a changelog record; 0 where it has none."""
    return next((int(value) for name, value in headers or () if name == EPOCH_HEADER), 0)


def changelog_name(app_id: str, table: str) -> str:
    """The topic that Faust reads a table from."""
    return f"{app_id}-{table}-changelog"
