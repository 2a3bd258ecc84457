"""The shelves' and profiles' records in state tables."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from shelftalk.core.erasure import Erased
from shelftalk.core.facts import Facts
from shelftalk.core.profile import Profile
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf
from shelftalk.stream.fence import Shown
from shelftalk.stream.keeper import Entry
from shelftalk.stream.tables import StateTable

Value = TypeVar("Value", bound=msgspec.Struct)

#: The names of the tables, which name their changelogs.
TABLES = ("profiles", "erased", "shelves", "copybooks", "boards", "live", "shown")

#: Between SKU and audience in the key of a live card; the schemas keep control characters out of both.
_SEPARATOR = "\x1f"


class MakeTable(Protocol):
    """How a table is made: `Worker.table`."""

    def __call__(self, name: str, value_type: type[Value], /) -> StateTable[Value]:
        """A table of this name."""


class Joint:
    """Several accounts as one: what is owed by all of them. Of none, it is nobody's."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)

    @property
    def forgotten(self) -> bool:
        """Whether the partition of every one of them was taken away."""
        return bool(self._entries) and all(entry.forgotten for entry in self._entries)

    def hold(self) -> None:
        """One more is owed."""
        for entry in self._entries:
            entry.hold()

    def done(self) -> None:
        """One less."""
        for entry in self._entries:
            entry.done()

    def fail(self, error: Exception) -> None:
        """One that cannot be had."""
        for entry in self._entries:
            entry.fail(error)


def jointly(entries: Sequence[Entry]) -> Entry:
    """Several accounts as one; one as it is."""
    return entries[0] if len(entries) == 1 else Joint(entries)


class TableStore:
    """The keeper's `Store` and the react handler's `Profiles`, over Faust tables."""

    def __init__(self, table: MakeTable) -> None:
        self.profiles: StateTable[Profile] = table("profiles", Profile)
        self.erased: StateTable[Erased] = table("erased", Erased)
        self.shelves: StateTable[Shelf] = table("shelves", Shelf)
        self.copybooks: StateTable[Copybook] = table("copybooks", Copybook)
        self.boards: StateTable[Board] = table("boards", Board)
        self.live: StateTable[LiveCard] = table("live", LiveCard)
        self.shown: StateTable[Shown] = table("shown", Shown)

    def forget_erasures(self, now_ms: int) -> None:
        """Forget those that nothing under way can be about any more."""
        for partition in self.erased.ready:
            for key, erased in self.erased.items(partition):
                if erased.forget_at_ms <= now_ms:
                    self.erased.delete(key, partition, Joint(()))

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
        return (shelf.facts for _, shelf in self.shelves.items(partition))

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:
        """Every live card of a partition with its SKU."""
        for key, card in self.live.items(partition):
            yield key.split(_SEPARATOR, 1)[0], card

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a shelf."""
        self.shelves.put(sku, shelf, partition, jointly(owed_by))

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a copybook."""
        self.copybooks.put(sku, copybook, partition, jointly(owed_by))

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a board."""
        self.boards.put(key, board, partition, jointly(owed_by))

    def put_live(
        self, sku: str, audience_key: str, card: LiveCard | None, partition: int, owed_by: Sequence[Entry]
    ) -> None:
        """Keep a live card, or drop it."""
        key = f"{sku}{_SEPARATOR}{audience_key}"
        if card is None:
            self.live.delete(key, partition, jointly(owed_by))
        else:
            self.live.put(key, card, partition, jointly(owed_by))
