"""The keeper's ports: what it needs of the world around it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from shelftalk.core.effects import Erase, Hold, Publish, Write
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Message
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf
from shelftalk.stream.account import Entry


class Store(Protocol):
    """The shelves' records. Writes are owed by the entries given until they are safe."""

    def shelf(self, sku: str, partition: int) -> Shelf | None:
        """The shelf of a product."""

    def copybook(self, sku: str, partition: int) -> Copybook | None:
        """Its texts."""

    def board(self, key: str, partition: int) -> Board | None:
        """A category's board."""

    def facts(self, partition: int) -> Iterator[Facts]:
        """Those of every product of a partition, after recovery."""

    def live_cards(self, partition: int) -> Iterator[tuple[str, LiveCard]]:
        """Every live card of a partition with its SKU, after recovery."""

    def put_shelf(self, sku: str, shelf: Shelf, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a shelf."""

    def put_copybook(self, sku: str, copybook: Copybook, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a copybook."""

    def put_board(self, key: str, board: Board, partition: int, owed_by: Sequence[Entry]) -> None:
        """Keep a board."""

    def put_live(
        self, sku: str, audience_key: str, card: LiveCard | None, partition: int, owed_by: Sequence[Entry]
    ) -> None:
        """Keep a live card, or drop it."""


class Outlet(Protocol):
    """Where effects go. Each is owed by the entries given until it is delivered."""

    def publish(self, effect: Publish, owed_by: Sequence[Entry]) -> None:
        """A card."""

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to another shelf."""

    def hold(self, effect: Hold, owed_by: Sequence[Entry]) -> None:
        """A text for a person to look at."""

    def erase(self, effect: Erase, owed_by: Sequence[Entry]) -> None:
        """A tombstone."""


class Desk(Protocol):
    """Where words are written. It answers through `Keeper.words` or `Keeper.failed`, later and on the keeper's thread."""

    def write(self, effect: Write) -> None:
        """Start writing, or hurry what is being written already."""
