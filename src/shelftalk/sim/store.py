"""Simulated state tables: memory at once, the changelog when the broker has it, and recovery from there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from shelftalk.core.erasure import Erased
from shelftalk.core.facts import Facts
from shelftalk.core.profile import Profile
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf
from shelftalk.sim.broker import Broker, Producer, Record
from shelftalk.stream.account import Entry
from shelftalk.stream.fence import Shown

Value = TypeVar("Value", bound=msgspec.Struct)

_BETWEEN = "\x1f"


def standing(records: Iterable[Record], *, fenced: bool = True) -> tuple[dict[str, bytes], int]:
    """What a changelog of one partition says in the end, and the latest epoch in it.

    Args:
        records: in order.
        fenced: whether what comes after a record of a later epoch is passed over, for its writer had lost the partition.
    """
    found: dict[str, bytes] = {}
    latest = 0
    for record in records:
        if fenced and record.epoch < latest:
            continue
        latest = max(latest, record.epoch)
        found.pop(record.key, None)
        if record.value is not None:
            found[record.key] = record.value
    return found, latest


class Table(Generic[Value]):
    """A partitioned map with a changelog."""

    def __init__(self, name: str, value_type: type[Value], broker: Broker, producer: Producer, *, fenced: bool) -> None:
        self.data: dict[int, dict[str, Value]] = {}
        self._fenced = fenced
        self._epochs: dict[int, int] = {}
        self._topic = f"changelog-{name}"
        self._broker = broker
        self._producer = producer
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(value_type)

    def get(self, key: str, partition: int) -> Value | None:
        """The value, or nothing."""
        return self.data.get(partition, {}).get(key)

    def put(self, key: str, value: Value, partition: int, entry: Entry) -> None:
        """Write."""
        self.change(key, value, partition, (entry,))

    def delete(self, key: str, partition: int, entry: Entry) -> None:
        """Delete."""
        self.change(key, None, partition, (entry,))

    def change(self, key: str, value: Value | None, partition: int, owed_by: Sequence[Entry]) -> None:
        """Write or delete, on several accounts."""
        held = self.data.setdefault(partition, {})
        held.pop(key, None)
        if value is not None:
            held[key] = value
        raw = None if value is None else self._encoder.encode(value)
        epoch = self._epochs.get(partition, 0)
        self._producer.post(self._topic, key, raw, owe(owed_by), partition, epoch=epoch)

    def items(self, partition: int) -> Iterator[tuple[str, Value]]:
        """All of a partition, as of now."""
        yield from list(self.data.get(partition, {}).items())

    def recover(self, partition: int, now_ms: int) -> None:
        """Read the changelog, and begin an epoch."""
        found, latest = standing(self._broker.log(self._topic, partition), fenced=self._fenced)
        self.data[partition] = {key: self._decoder.decode(value) for key, value in found.items()}
        self._epochs[partition] = max(now_ms, latest + 1)

    def drop(self, partition: int) -> None:
        """The partition went elsewhere."""
        self.data.pop(partition, None)


def owe(entries: Sequence[Entry]) -> Callable[[], None]:
    """Put one more delivery on these accounts.

    Returns:
        What is to be called when it is delivered.
    """
    accounts = tuple(entries)
    for entry in accounts:
        if entry.forgotten:
            raise AssertionError("something is done for an input whose partition was taken away")
        entry.hold()

    def delivered() -> None:
        for entry in accounts:
            entry.done()

    return delivered


class SimStore:
    """The keeper's `Store`, and the profiles."""

    def __init__(self, broker: Broker, producer: Producer, *, fenced: bool = True) -> None:
        self.profiles = Table("profiles", Profile, broker, producer, fenced=fenced)
        self.erased = Table("erased", Erased, broker, producer, fenced=fenced)
        self.shelves = Table("shelves", Shelf, broker, producer, fenced=fenced)
        self.copybooks = Table("copybooks", Copybook, broker, producer, fenced=fenced)
        self.boards = Table("boards", Board, broker, producer, fenced=fenced)
        self.live = Table("live", LiveCard, broker, producer, fenced=fenced)
        self.shown = Table("shown", Shown, broker, producer, fenced=fenced)
        self._tables: tuple[Table[Any], ...] = (
            self.profiles,
            self.erased,
            self.shelves,
            self.copybooks,
            self.boards,
            self.live,
            self.shown,
        )

    def recover(self, partition: int, now_ms: int) -> None:
        """Read all tables of a partition."""
        for table in self._tables:
            table.recover(partition, now_ms)

    def drop(self, partition: int) -> None:
        """Forget a partition."""
        for table in self._tables:
            table.drop(partition)

    def shelf(self, sku: str, partition: int) -> Shelf | None:
        """The shelf of a product."""
        return self.shelves.get(sku, partition)

    def copybook(self, sku: str, partition: int) -> Copybook | None:
        """Its texts."""
        return self.copybooks.get(sku, partition)

    def board(self, key: str, partition: int) -> Board | None:
        """A category's board."""
        return self.boards.get(key, partition)

    def facts(self, partition: int) -> Iterator[Facts]:
        """Those of every product of a partition."""
        return (shelf.facts for shelf in self.shelves.data.get(partition, {}).values())

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:
        """Every live card of a partition with its SKU."""
        for key, card in self.live.data.get(partition, {}).items():
            yield key.split(_BETWEEN, 1)[0], card

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a shelf."""
        self.shelves.change(sku, shelf, partition, owed_by)

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a copybook."""
        self.copybooks.change(sku, copybook, partition, owed_by)

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a board."""
        self.boards.change(key, board, partition, owed_by)

    def put_live(
        self, sku: str, audience_key: str, card: LiveCard | None, partition: int, owed_by: Sequence[Entry]
    ) -> None:
        """Keep a live card, or drop it."""
        self.live.change(f"{sku}{_BETWEEN}{audience_key}", card, partition, owed_by)
