"""The figures of a run's page: latency, flow and costs over time."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from shelftalk.replay import plots
from shelftalk.replay.measure import distribution
from shelftalk.replay.page import figure
from shelftalk.replay.result import RUNGS, Result
from shelftalk.replay.timeline import Sample


def figures(result: Result) -> list[str]:
    """A section of the page; nothing where there are no lines to draw."""
    samples = [sample for sample in result.samples if sample.at_s >= 0]
    if len(samples) < 3:  # noqa: PLR2004  no line without points
        return []
    parts = ["<h2>Over time</h2>", '<div class="figures">']
    parts += _latency(result)
    parts += _flow(result, samples)
    parts += _costs(result, samples)
    return [*parts, "</div>"]


def _latency(result: Result) -> list[str]:
    if result.answers is None or not result.over_time:
        late = distribution(result.histograms["lateness"])
        lines: plots.Lines = {"generator late by": (plots.RED, _columns(late))}
        return [
            figure(
                "The generator's own lateness",
                "handed over after the intended time",
                plots.by_percentile(lines),
                wide=True,
            )
        ]
    seconds = [float(second) for second in result.over_time]
    colours = {"p50": plots.BLUE, "p95": plots.ORANGE, "p99": plots.RED}
    over_time: plots.Lines = {
        name: (colour, (seconds, [getattr(spread, name) for spread in result.over_time.values()]))
        for name, colour in colours.items()
    }
    spreads: plots.Lines = {
        "event to card": (plots.BLUE, _columns(distribution(result.histograms["answers"]))),
        "price or stock to card": (plots.ORANGE, _columns(distribution(result.histograms["refreshes"]))),
        "generator late by": (plots.PURPLE, _columns(distribution(result.histograms["lateness"]))),
    }
    return [
        figure(
            "From event to card",
            "by the second in which the event was due; logarithmic",
            plots.over_time(over_time, " ms", warm_up_s=result.warm_up_s, log=True),
            wide=True,
        ),
        figure(
            "Latency by percentile",
            "how long the slowest one in ten, hundred, thousand took",
            plots.by_percentile({name: line for name, line in spreads.items() if line[1][0]}),
            wide=True,
        ),
    ]


def _flow(result: Result, samples: Sequence[Sample]) -> list[str]:
    lag = _line(samples, lambda sample: sample.lag)
    opened = _line(samples, lambda sample: sample.open)
    seconds, shares = _shares(samples)
    through: plots.Lines = {
        "records in": (plots.BLUE, _rate(samples, lambda sample: sample.sent)),
        "cards out": (plots.GREEN, _rate(samples, lambda sample: sample.cards)),
    }
    waiting: plots.Lines = {
        name: (colour, line)
        for name, colour, line in (("lag", plots.RED, lag), ("in work", plots.BLUE, opened))
        if line[0]
    }
    refreshed: plots.Lines = {"": (plots.GREEN, _rate(samples, lambda sample: sample.refreshed))}
    from_s = result.warm_up_s
    parts = [figure("Throughput", "a second", plots.over_time(through, "/s", warm_up_s=from_s))]
    if waiting:
        parts.append(
            figure(
                "Waiting", "records not committed, and inputs in work", plots.over_time(waiting, "", warm_up_s=from_s)
            )
        )
    parts.append(
        figure(
            "Who gave the words", "share of the cards of each second", plots.stacked(shares, seconds, warm_up_s=from_s)
        )
    )
    parts.append(
        figure(
            "Refreshed cards",
            "because price, stock or another fact moved",
            plots.over_time(refreshed, "/s", warm_up_s=from_s),
        )
    )
    return parts


def _costs(result: Result, samples: Sequence[Sample]) -> list[str]:
    from_s = result.warm_up_s
    parts = []
    batches = _ratio(samples, lambda sample: sample.tokens, lambda sample: sample.steps)
    if batches[0]:
        parts.append(
            figure(
                "Batch size",
                "rows that had a turn of the generator, on average",
                plots.over_time({"": (plots.GREEN, batches)}, "", warm_up_s=from_s),
            )
        )
    memory = _line(samples, lambda sample: sample.memory_mb)
    if memory[0]:
        parts.append(
            figure("Memory", "of all workers", plots.over_time({"": (plots.PURPLE, memory)}, " MB", warm_up_s=from_s))
        )
    cores: plots.Lines = {
        "workers": (plots.BLUE, _rate(samples, lambda sample: sample.cpu_s)),
        "generator of load": (plots.ORANGE, _rate(samples, lambda sample: sample.own_cpu_s)),
    }
    cores = {name: line for name, line in cores.items() if line[1][0]}
    parts.append(
        figure("Processor", "cores in use", plots.over_time(cores, "", warm_up_s=from_s), wide=not len(parts) % 2)
    )
    return parts


Value = Callable[[Sample], float | None]


def _line(samples: Sequence[Sample], value: Value) -> plots.Points:
    found = [(sample.at_s, told) for sample in samples if (told := value(sample)) is not None]
    return _columns(found)


def _rate(samples: Sequence[Sample], value: Value) -> plots.Points:
    """How fast a count grew, by second."""
    found = []
    for before, after in pairwise(samples):
        old, new, seconds = value(before), value(after), after.at_s - before.at_s
        if old is not None and new is not None and seconds > 0:
            found.append((after.at_s, max(0.0, (new - old) / seconds)))
    return _columns(found)


def _ratio(samples: Sequence[Sample], above: Value, below: Value) -> plots.Points:
    found = []
    for before, after in pairwise(samples):
        steps = (below(after) or 0) - (below(before) or 0)
        if steps > 0:
            found.append((after.at_s, ((above(after) or 0) - (above(before) or 0)) / steps))
    return _columns(found)


def _shares(samples: Sequence[Sample]) -> tuple[list[float], dict[str, tuple[str, Sequence[float]]]]:
    seconds: list[float] = []
    shares: dict[str, list[float]] = {rung: [] for rung in RUNGS}
    for before, after in pairwise(samples):
        grown = {rung: after.rungs.get(rung, 0) - before.rungs.get(rung, 0) for rung in RUNGS}
        total = sum(grown.values())
        if total <= 0:
            continue
        seconds.append(after.at_s)
        for rung in RUNGS:
            shares[rung].append(100 * grown[rung] / total)
    return seconds, {rung: (plots.RUNG_COLOURS[rung], values) for rung, values in shares.items()}


def _columns(pairs: Sequence[tuple[float, float]]) -> plots.Points:
    return [x for x, _ in pairs], [y for _, y in pairs]
