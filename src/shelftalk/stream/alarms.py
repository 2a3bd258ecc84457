"""Alarms: what is due by the clock alone."""

import heapq
from collections.abc import Container, Iterator
from typing import Final

#: Moments that were superseded and may lie among the others.
_SPARE: Final = 1_000


class Alarms:
    """When shoppers have waited long enough, and when time will change what a product's cards should say."""

    def __init__(self) -> None:
        self._deadlines: list[tuple[int, str, str, int]] = []
        self._wakes: list[tuple[int, str]] = []
        self._wake_at: dict[str, int] = {}

    def answer_by(self, due_ms: int, sku: str, audience_key: str, revision: int) -> None:
        """A shopper's card, asked for with this revision, waits until then."""
        heapq.heappush(self._deadlines, (due_ms, sku, audience_key, revision))

    def wake(self, due_ms: int, sku: str) -> None:
        """A product is to be looked at then; of several moments the last one said counts."""
        if self._wake_at.get(sku) != due_ms:
            self._wake_at[sku] = due_ms
            heapq.heappush(self._wakes, (due_ms, sku))
            if len(self._wakes) > 2 * len(self._wake_at) + _SPARE:  # a shop that says a new end of a sale every second
                self._wakes = [(due_ms, sku) for sku, due_ms in self._wake_at.items()]
                heapq.heapify(self._wakes)

    def overdue(self, now_ms: int) -> Iterator[tuple[str, str, int]]:
        """The cards that have waited long enough: product, audience, revision of the ask."""
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            yield heapq.heappop(self._deadlines)[1:]

    def awake(self, now_ms: int) -> Iterator[str]:
        """The products whose moment has come."""
        while self._wakes and self._wakes[0][0] <= now_ms:
            due_ms, sku = heapq.heappop(self._wakes)
            if self._wake_at.get(sku) == due_ms:
                del self._wake_at[sku]
            yield sku

    def hurry(self, now_ms: int) -> None:
        """Nobody waits any longer."""
        self._deadlines = [(now_ms, *what) for _, *what in self._deadlines]  # type: ignore[misc]
        heapq.heapify(self._deadlines)

    def forget(self, gone: Container[str]) -> None:
        """These products are another worker's."""
        self._deadlines = [due for due in self._deadlines if due[1] not in gone]
        self._wakes = [due for due in self._wakes if due[1] not in gone]
        self._wake_at = {sku: due_ms for sku, due_ms in self._wake_at.items() if sku not in gone}
        heapq.heapify(self._deadlines)
        heapq.heapify(self._wakes)
