"""A recorded log, played as if it happened now: times are shifted to the present and sped up."""

import heapq
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from shelftalk.demo.plan import Planned, planned
from shelftalk.errors import ConfigError
from shelftalk.events.log_events import Describe, Row, Tally
from shelftalk.events.rees46 import Rees46, describe, read_rows
from shelftalk.events.types import ProductUpserted

#: Without a given rate no more rows a second are played than this, which two cores answer at ease; a log of a month has 42 million.
MAX_ROWS_PER_S = 100.0

#: A fitted log is cut where it is silent for so many times its mean gap: a shop's night would otherwise fill the demo, and its
#: morning would come within a second. Cut no finer than the log's clock ticks.
LONG_GAPS, LOG_TICK_MS = 3, 1_000

#: A product is made known this long before it is first seen: the real shop knew it, the log only tells us late.
LEAD_MS = 1_500


class Plan(msgspec.Struct, frozen=True):
    """How a log is played.

    Attributes:
        rows: how many of its rows.
        speed: how many of its seconds pass in one of ours.
        longest_gap_ms: silences of the log that are longer are cut to this; ``None`` keeps them.
        whole: whether that is all of it.
    """

    rows: int
    speed: float
    longest_gap_ms: int | None
    whole: bool


def plan_log(path: Path, seconds: float, rate_per_s: float | None, speed: float | None) -> Plan:
    """Look through the log as far as it will be played.

    Args:
        path: the log.
        seconds: how long playing may take.
        rate_per_s: rows a second at most; `MAX_ROWS_PER_S` where nothing is given.
        speed: fixed, and then silences are kept; ``None`` fits the rows into the seconds.

    Raises:
        ConfigError: there is no good row in it.
    """
    most = max(1, int(seconds * (rate_per_s or MAX_ROWS_PER_S)))
    times, whole = array("q"), True
    for row in read_rows(path, Tally()):
        if len(times) >= most or (times and speed is not None and row.at_ms - times[0] > seconds * speed * 1000):
            whole = False
            break
        times.append(max(row.at_ms, times[-1] if times else row.at_ms))
    if not times:
        raise ConfigError(f"{path}: no good row in it")
    if speed is not None:
        return Plan(len(times), speed, None, whole)
    gap_ms = max(LOG_TICK_MS, round(LONG_GAPS * (times[-1] - times[0]) / len(times)))
    lasts_ms = sum(min(after - before, gap_ms) for before, after in pairwise(times))
    return Plan(len(times), max(lasts_ms / (seconds * 1000), 1e-6), gap_ms, whole)


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
        longest_ms = self._plan.longest_gap_ms
        before_ms: int | None = None
        passed_ms = 0
        for count, row in enumerate(read_rows(self._path, self.adapter.tally)):
            if count >= self._plan.rows:
                self.adapter.tally.rows -= 1  # looked at, not played
                return
            gap_ms = 0 if before_ms is None else max(0, row.at_ms - before_ms)
            before_ms = row.at_ms if before_ms is None else max(before_ms, row.at_ms)
            passed_ms += gap_ms if longest_ms is None else min(gap_ms, longest_ms)
            yield row, self._start_ms + LEAD_MS + int(passed_ms / self._plan.speed)
