"""``python -m tests.chaos.soak [--minutes M]``: hours in short. One worker, steady traffic, no faults: does anything grow?

Every second the worker's memory, open files and threads are read from the system, its queues from its own metrics, its lag from
the broker. After a warm-up each must be flat: its Theil-Sen slope (the median of the slopes between all pairs of points, so that
no garbage collection and no hiccup of the machine decides), over the time that was watched, must stay within an allowance.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from scipy.stats import theilslopes

from shelftalk.demo.child import parse_metrics
from tests.chaos.faults import Options
from tests.chaos.run import CONSUMED, Run, tell
from tests.kafka.broker import KafkaUnavailableError

#: Of the time: caches fill, the allocator settles.
WARM_UP = 0.35

EVERY_S = 1.0

#: Pairs grow with the square of the points.
_MAX_POINTS = 600

MIB = 1024 * 1024


@dataclass(frozen=True)
class Series:
    """Something that is watched.

    Attributes:
        share: how much it may grow, of its median, over the time that was watched.
        least: how much it may grow in any case.
    """

    name: str
    unit: str
    share: float
    least: float


SERIES = (
    Series("rss", "MiB", 0.02, 4.0),
    Series("open_files", "", 0.0, 2.0),
    Series("threads", "", 0.0, 2.0),
    Series("ledger_kept", "events", 0.1, 20.0),
    Series("outbox_in_flight", "messages", 0.1, 20.0),
    Series("desk_queued", "texts", 0.1, 20.0),
    Series("engine_queued", "texts", 0.1, 5.0),
    Series("shelf_waiting", "cards", 0.1, 10.0),
    Series("shelf_behind", "products", 0.1, 10.0),
    Series("lag", "records", 0.1, 40.0),
)


@dataclass(frozen=True)
class Flatness:
    """What became of a series after the warm-up.

    Attributes:
        growth: by its slope, over the time that was watched.
        allowed: at most.
    """

    median: float
    growth: float
    allowed: float

    @property
    def flat(self) -> bool:
        return self.growth <= self.allowed


def flatness(series: Series, at_s: list[float], values: list[float]) -> Flatness:
    """Judge one series; needs two points after the warm-up."""
    begin = at_s[0] + WARM_UP * (at_s[-1] - at_s[0])
    points = [(at, value) for at, value in zip(at_s, values, strict=True) if at >= begin]
    points = points[:: max(len(points) // _MAX_POINTS, 1)]
    times, levels = [at for at, _ in points], [value for _, value in points]
    slope = float(theilslopes(levels, times)[0])
    median = sorted(levels)[len(levels) // 2]
    return Flatness(median, slope * (times[-1] - times[0]), max(series.share * median, series.least))


class Sampler:
    """Looks at the worker once a second."""

    def __init__(self, run: Run) -> None:
        self.at_s: list[float] = []
        self.values: dict[str, list[float]] = {series.name: [] for series in SERIES}
        self._run = run
        self._slot = run.fleet.slots[0]
        self._began = time.monotonic()
        self._next = self._began
        self._consumed = [run.settings.topics.name(topic) for topic in CONSUMED]

    def __call__(self) -> None:
        """At every turn; mostly nothing is due."""
        if time.monotonic() < self._next:
            return
        self._next += EVERY_S
        process = self._slot.process
        if process is None or process.pid is None or self._slot.starts > 1:
            raise RuntimeError(f"the worker ended by itself; see {self._slot.log}")
        body = self._slot.get("/metrics")
        lag = self._run.topics.lag(self._consumed)
        if body is None or lag is None:
            return
        metrics = parse_metrics(body)
        seen = psutil.Process(process.pid)
        system = {"rss": seen.memory_info().rss / MIB, "open_files": seen.num_fds(), "threads": seen.num_threads()}
        self.at_s.append(time.monotonic() - self._began)
        for name, values in self.values.items():
            values.append(float(system.get(name, lag if name == "lag" else metrics.get(f"shelftalk_{name}", 0.0))))


def draw(path: Path, sampler: Sampler, found: dict[str, Flatness]) -> None:
    """The picture: one small plot for each series, the warm-up shaded."""
    from matplotlib.figure import Figure  # noqa: PLC0415  slow to import

    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplots(5, 2, sharex=True).flat
    for series, plot in zip(SERIES, axes, strict=True):
        judged = found[series.name]
        plot.plot(
            sampler.at_s, sampler.values[series.name], linewidth=0.8, color="tab:blue" if judged.flat else "tab:red"
        )
        plot.axvspan(sampler.at_s[0], sampler.at_s[0] + WARM_UP * (sampler.at_s[-1] - sampler.at_s[0]), alpha=0.1)
        plot.set_title(
            f"{series.name.replace('_', ' ')}: {'flat' if judged.flat else 'NOT flat'} ({judged.growth:+.2f})"
        )
        plot.set_ylabel(series.unit)
        plot.set_ylim(bottom=0)
    figure.supxlabel("seconds")
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> int:
    """Watch, judge, draw.

    Returns:
        0 if everything is flat, 1 if something grows, 2 if there is no Kafka.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="how long (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=20, help="inputs a second (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (default: %(default)s)")
    parser.add_argument("--picture", type=Path, default=Path("soak.png"), help="PNG or SVG (default: %(default)s)")
    given = parser.parse_args(arguments)
    options = Options(seed=given.seed, seconds=given.minutes * 60, rate_per_s=given.rate, workers=1, session_s=10)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shelftalk-soak-")))
        try:
            run = stack.enter_context(Run(folder, options, tell))
            run.begin()
            sampler = Sampler(run)
            run.flow("soak", sampler)
            run.calm()
            run.finish()
        except KafkaUnavailableError as error:
            tell(f"soak: {error}")
            return 2
        except KeyboardInterrupt:
            tell("soak: interrupted")
            return 130
    found = {series.name: flatness(series, sampler.at_s, sampler.values[series.name]) for series in SERIES}
    draw(given.picture, sampler, found)
    figures = report(given.minutes, run, sampler, found)
    print(json.dumps(figures | {"picture": str(given.picture)}))
    return 0 if figures["flat"] else 1


def report(minutes: float, run: Run, sampler: Sampler, found: dict[str, Flatness]) -> dict[str, Any]:
    """Print a table; all figures."""
    print(f"{'':18} {'first':>9} {'median':>9} {'last':>9} {'growth':>9} {'allowed':>9}")
    for series in SERIES:
        values, judged = sampler.values[series.name], found[series.name]
        row = (values[0], judged.median, values[-1], judged.growth, judged.allowed)
        print(
            f"{series.name.replace('_', ' '):18} "
            + " ".join(f"{value:9.1f}" for value in row)
            + f"  {'flat' if judged.flat else 'NOT FLAT'} {series.unit}"
        )
    return {
        "flat": all(judged.flat for judged in found.values()) and run.story.quiet,
        "minutes": minutes,
        "inputs": sum(run.story.inputs.values()),
        "samples": len(sampler.at_s),
        "came_to_rest": run.story.quiet,
        **{
            name: {"median": round(judged.median, 1), "growth": round(judged.growth, 2), "flat": judged.flat}
            for name, judged in found.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
