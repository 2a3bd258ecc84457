"""The letterbox: words reach the shelves only while their partitions are surely ours.

The generator goes on while a worker is frozen or cut off, and its words come when the lease on the partitions may be over. A card
made of them then would be of facts that the next owner has moved on from (found by the simulator's zombies).
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from shelftalk.core.brief import Brief
from shelftalk.core.shelf import Words


class Reader(Protocol):
    """Who gets the words: the keeper."""

    def words(self, words: Words, now_ms: int) -> None:
        """Something was written."""

    def failed(self, brief: Brief, now_ms: int) -> None:
        """It could not be written."""

    def later(self, brief: Brief, now_ms: int) -> None:
        """It will be written, but not while a shopper waits."""


class Letterbox:
    """What was written reaches the shelves only while their partitions are surely ours; what comes meanwhile waits.

    Args:
        reader: the shelves.
        ours: whether nobody else can have the partitions.
    """

    def __init__(self, reader: Reader, ours: Callable[[], bool]) -> None:
        self._reader = reader
        self._ours = ours
        self._waiting: deque[Callable[[int], None]] = deque()  # no more than the desk has in hand

    def words(self, words: Words, now_ms: int) -> None:
        """Something was written."""
        self._put(lambda at_ms: self._reader.words(words, at_ms), now_ms)

    def failed(self, brief: Brief, now_ms: int) -> None:
        """It could not be."""
        self._put(lambda at_ms: self._reader.failed(brief, at_ms), now_ms)

    def later(self, brief: Brief, now_ms: int) -> None:
        """There is no room for who waits."""
        self._put(lambda at_ms: self._reader.later(brief, at_ms), now_ms)

    def empty(self, now_ms: int) -> None:
        """Pass on what waits."""
        while self._waiting and self._ours():
            self._waiting.popleft()(now_ms)

    def _put(self, letter: Callable[[int], None], now_ms: int) -> None:
        self._waiting.append(letter)
        self.empty(now_ms)
