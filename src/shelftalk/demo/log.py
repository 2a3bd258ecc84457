"""A recorded log, played as if it happened now: times are shifted to the present and sped up."""

import heapq
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shelftalk.demo.plan import Planned, planned
from shelftalk.errors import ConfigError
from shelftalk.events.rees46 import Describe, Rees46, Row, Tally, describe, read_rows
from shelftalk.events.types import ProductUpserted

#: Without a given rate no more rows a second are played than this; a log of a month has 42 million.
MAX_ROWS_PER_S = 250.0

#: A product is made known this long before it is first seen: the real shop knew it, the log only tells us late.
LEAD_MS = 1_500


class Plan(msgspec.Struct, frozen=True):
    """How a log is played.

    Attributes:
        rows: how many of its rows.
        first_ms: the time of the first of them.
        speed: how many of its seconds pass in one of ours.
        whole: whether that is all of it.
    """

    rows: int
    first_ms: int
    speed: float
    whole: bool


def plan_log(path: Path, seconds: float, rate_per_s: float | None, speed: float | None) -> Plan:
    """Look through the log as far as it will be played.

    Args:
        path: the log.
        seconds: how long playing may take.
        rate_per_s: rows a second at most; `MAX_ROWS_PER_S` where nothing is given.
        speed: fixed, or ``None`` to fit the rows into the seconds.

    Raises:
        ConfigError: there is no good row in it.
    """
    most = max(1, int(seconds * (rate_per_s or MAX_ROWS_PER_S)))
    count, first_ms, last_ms, whole = 0, 0, 0, True
    for row in read_rows(path, Tally()):
        first_ms = first_ms if count else row.at_ms
        if count >= most or (speed is not None and row.at_ms - first_ms > seconds * speed * 1000):
            whole = False
            break
        last_ms = max(last_ms, row.at_ms)
        count += 1
    if not count:
        raise ConfigError(f"{path}: no good row in it")
    fitted = max((last_ms - first_ms) / (seconds * 1000), 1e-6)
    return Plan(count, first_ms, speed or fitted, whole)


class Log:
    """The records of a log, in the order they are due.

    Args:
        path: the log.
        plan: how to play it.
        start_ms: when it starts, UTC milliseconds.
        describe: names the products.

    Attributes:
        adapter: what turned rows into events, with its counts.
    """

    def __init__(self, path: Path, plan: Plan, start_ms: int, describe: Describe = describe) -> None:
        self.adapter = Rees46(describe)
        self._path, self._plan, self._start_ms = path, plan, start_ms

    def __iter__(self) -> Iterator[Planned]:
        waiting: list[tuple[int, int, Planned]] = []
        order = 0
        for row, at_ms in self._timed():
            for event in self.adapter.events(row, at_ms):
                record = planned(at_ms, event)
                if isinstance(event, ProductUpserted):
                    early_ms = at_ms - LEAD_MS
                    record = planned(early_ms, msgspec.structs.replace(event, occurred_at_ms=early_ms))
                order += 1
                heapq.heappush(waiting, (record.due_ms, order, record))
            while waiting and waiting[0][0] <= at_ms - LEAD_MS:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _timed(self) -> Iterator[tuple[Row, int]]:
        """Rows with their new times, which never go back even where the log's do."""
        at_ms = self._start_ms + LEAD_MS
        zero_ms = at_ms
        for count, row in enumerate(read_rows(self._path, self.adapter.tally)):
            if count >= self._plan.rows:
                self.adapter.tally.rows -= 1  # looked at, not played
                return
            at_ms = max(at_ms, zero_ms + int((row.at_ms - self._plan.first_ms) / self._plan.speed))
            yield row, at_ms
