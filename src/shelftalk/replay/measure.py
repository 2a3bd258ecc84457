"""Latency, from the moment something was meant to be sent.

A tool that measures from the real sending waits with the system it measures, and leaves out just the moments when it was slow
(coordinated omission). So the *intended* time counts, also for what the generator itself sent late. Histograms are Gil Tene's HDR:
three significant digits from a microsecond to ten minutes.
"""

import threading
from collections import deque
from typing import Any

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram

_LONGEST_US = 600_000_000

#: Over time two digits do, and a second takes some 20 kB.
_FINEST_US, _DIGITS, _DIGITS_OVER_TIME = 100, 3, 2

#: Of so many newest are the percentiles of the live view.
_WINDOW = 2_000

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}


class Spread(msgspec.Struct, frozen=True):
    """How latencies are spread; all in ms, ``None`` where there are none."""

    count: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None

    def __str__(self) -> str:
        if not self.count:
            return "none"
        named = ", ".join(f"{name} {getattr(self, name):.4g}" for name in ("p50", "p95", "p99"))
        return f"{named}, longest {self.max:.4g} ms (of {self.count:,})"


class Latencies:
    """Collects latencies. Written by one thread, read by another.

    Args:
        from_s: what was due earlier is warm-up: it is shown over time and counts for nothing else.
    """

    def __init__(self, from_s: float) -> None:
        self._from_s = from_s
        self._all = HdrHistogram(1, _LONGEST_US, _DIGITS)
        self._seconds: dict[int, Any] = {}
        self._newest: deque[tuple[float, float]] = deque(maxlen=_WINDOW)
        self._lock = threading.Lock()

    def add(self, due_s: float, latency_s: float) -> None:
        """Note one.

        Args:
            due_s: when it was meant to be sent, on the run's clock.
            latency_s: from then on.
        """
        us = min(max(1, round(latency_s * 1e6)), _LONGEST_US)
        with self._lock:
            self._newest.append((due_s, latency_s))
            if due_s >= self._from_s:
                self._all.record_value(us)
            second = self._seconds.get(int(due_s))
            if second is None:
                second = self._seconds[int(due_s)] = HdrHistogram(_FINEST_US, _LONGEST_US, _DIGITS_OVER_TIME)
            second.record_value(max(us, _FINEST_US))

    def spread(self) -> Spread:
        """Of all after the warm-up."""
        with self._lock:
            return spread_of(self._all)

    def over_time(self) -> dict[int, Spread]:
        """By the second in which it was due, the warm-up included."""
        with self._lock:
            return {second: spread_of(histogram) for second, histogram in sorted(self._seconds.items())}

    def recent(self, before_s: float, seconds: float = 3.0) -> Spread:
        """Of what was due within the last seconds before a moment; at most of the newest `_WINDOW`."""
        with self._lock:
            newest = [latency_s * 1000 for due_s, latency_s in self._newest if due_s >= before_s - seconds]
        if not newest:
            return Spread()
        found = np.percentile(newest, list(PERCENTILES.values()))
        named = {name: float(value) for name, value in zip(PERCENTILES, found, strict=True)}
        return Spread(count=len(newest), mean=float(np.mean(newest)), max=max(newest), **named)

    def encoded(self) -> str:
        """All after the warm-up, in HDR's own compressed form, which its tools read and merge."""
        with self._lock:
            return str(self._all.encode().decode())


def spread_of(histogram: Any) -> Spread:
    """The usual percentiles of a histogram in µs."""
    if not histogram.get_total_count():
        return Spread()
    named = {name: histogram.get_value_at_percentile(at) / 1000 for name, at in PERCENTILES.items()}
    return Spread(
        count=histogram.get_total_count(),
        mean=round(histogram.get_mean_value() / 1000, 3),
        max=histogram.get_max_value() / 1000,
        **named,
    )


def distribution(encoded: str, points: int = 200) -> list[tuple[float, float]]:
    """Percentile and ms, for a plot: ever closer to 100."""
    histogram = HdrHistogram.decode(encoded)
    total = histogram.get_total_count()
    if not total:
        return []
    # 1 - 10^-x for even x: as many points between 90 and 99 as between 99 and 99.9.
    most = max(1.0, len(str(total)) - 1.0)
    ranks = [100 * (1 - 10 ** (-most * step / points)) for step in range(points + 1)]
    return [(rank, histogram.get_value_at_percentile(rank) / 1000) for rank in ranks]
