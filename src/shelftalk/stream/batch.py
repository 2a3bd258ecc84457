"""Records on their way from the fetcher to an agent: many at a time.

Faust takes each record through a scheduler, a lock, a queue and two coroutines, some 100 microseconds of Python; handling it
takes less. So what was fetched of a partition goes that way as *one* message whose value is the batch. Faust stays the
framework: its agents, flow control, generations and recovery see messages as ever, only fewer of them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from faust import Schema
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

#: Records of one partition before the next partition has its turn. Faust's cost a batch is shared by so many, and a turn stays
#: within some twenty milliseconds of work.
BATCH_RECORDS: Final = 256

#: Batches that may wait for one agent: with `BATCH_RECORDS` about as many records as Faust's default buffer (4,096).
BUFFERED_BATCHES: Final = 16


class Batch(msgspec.Struct, frozen=True):
    """Consecutive records of one partition.

    Attributes:
        records: as aiokafka delivered them, in order; never empty.
        current: whether they may still be handled: not once the partition is about to be taken away, or was.
    """

    place: TP
    records: list[Any]
    current: Callable[[], bool]


class BatchScheduler(SchedulingStrategyT):
    """Round robin over partitions, a batch at a time.

    Args:
        size: records in a batch, at most.
    """

    def __init__(self, size: int = BATCH_RECORDS) -> None:
        self._size = size

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, list[Any]]]:
        """What was fetched, as batches of records."""
        waiting = deque((tp, fetched, 0) for tp, fetched in records.items() if fetched)
        while waiting:
            tp, fetched, start = waiting.popleft()
            end = start + self._size
            yield tp, fetched[start:end]
            if end < len(fetched):
                waiting.append((tp, fetched, end))


class BatchSchema(Schema):
    """Leaves the value of a message as it is: a `Batch`."""

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        """The batch."""
        return message.value
