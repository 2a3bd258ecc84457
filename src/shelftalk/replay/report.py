"""The page of a run: one HTML file with everything in it."""

from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from shelftalk.replay import plots
from shelftalk.replay.files import write_whole
from shelftalk.replay.measure import Spread, distribution
from shelftalk.replay.result import RUNGS, Result
from shelftalk.replay.texts import Said
from shelftalk.replay.timeline import Sample

FILE = "report.html"

_EXAMPLES = 4

_MEASURED = (
    "Records were sent when they were due, whatever became of the ones before them. Latency runs from the moment a record was "
    "<i>meant</i> to be sent until its card could be read from the output topic, so a stall counts for everything that it kept "
    "waiting."
)
_LAG = (
    "Lag is what the workers have not committed. An offset is committed only when everything that its record caused is delivered, "
    "once a second, so at a steady rate it is never nothing. Lost is what was still not committed when the run had waited for it."
)
_LOST = (
    "when the run ended: what they would have caused is not in the latencies, which look better than they are. In objectives they "
    "count as infinitely late."
)


def page(title: str, body: Sequence[str]) -> str:
    """An HTML document of our own look."""
    template = Template((resources.files("shelftalk.replay") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body="\n".join(body))


def write_report(result: Result, said: Sequence[Said], folder: Path) -> Path:
    """Write the page of a run.

    Args:
        result: what was found.
        said: the cards, from which a few are shown.
        folder: where to.
    """
    title = f"Replay of {Path(result.recording['path']).name}"
    return write_whole(folder / FILE, page(title, report(result, said)))


def report(result: Result, said: Sequence[Said]) -> list[str]:
    """The body of the page."""
    return [*_head(result), *_tiles(result), *_objectives(result), *_figures(result), *_cards(said), *_how(result)]


# --- words -----------------------------------------------------------------------------------------------------------


def badge(result: Result) -> str:
    """The verdict in two words."""
    if result.failures:
        return '<span class="badge bad">failed</span>'
    if result.broken:
        return '<span class="badge bad">objective broken</span>'
    if result.doubts:
        return '<span class="badge unsure">no verdict on latency</span>'
    if result.undecided:
        return '<span class="badge unsure">objective not judged</span>'
    return f'<span class="badge good">{"objectives kept" if result.verdicts else "measured"}</span>'


def _head(result: Result) -> list[str]:
    pace = result.pace
    how = pace_of(pace)
    often = "" if pace["users"] == 1 else f", each shopper {pace['users']:,} times"
    keys, ended = result.keys, "; interrupted" if result.interrupted else ""
    what = f"{how}{often}: {keys['shoppers']:,} shoppers, {keys['products']:,} products. {result.site}. "
    parts = [
        f"<h1>Replay of {escape(Path(result.recording['path']).name)} {badge(result)}</h1>",
        f'<p class="soft">{escape(what)}Started {escape(result.started_at)}{ended}.</p>',
    ]
    parts += [f'<div class="note"><b>Latency is not given:</b> {escape(doubt)}.</div>' for doubt in result.doubts]
    parts += [f'<div class="note"><b>Failed:</b> {escape(failure)}</div>' for failure in result.failures]
    if result.lost:
        parts.append(f'<div class="note"><b>{result.lost:,} records were not done with</b> {_LOST}</div>')
    return parts


def pace_of(pace: dict[str, Any]) -> str:
    """How it was played, in words."""
    if pace["rate_per_s"]:
        return f"{pace['rate_per_s']:,g} records a second"
    return "As fast as recorded" if pace["speed"] == 1 else f"{pace['speed']:g} times as fast as recorded"


def _tiles(result: Result) -> list[str]:
    answers, refreshes = result.answers or Spread(), result.refreshes or Spread()
    tiles = [
        (ms(answers.p50), "event to card, p50"),
        (ms(answers.p99), "event to card, p99"),
        (ms(refreshes.p99), "price or stock to card, p99"),
        (f"{result.rate_per_s:,.0f}/s", "records in"),
        (f"{result.cards:,}", "cards out"),
        ("?" if result.lost is None else f"{result.lost:,}", "lost"),
    ]
    return [
        '<div class="tiles">',
        *(f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span></div>' for value, label in tiles),
        "</div>",
    ]


def _objectives(result: Result) -> list[str]:
    if not result.verdicts:
        return []
    rows = []
    for verdict in result.verdicts:
        name, words = {True: ("good", "kept"), False: ("bad", "broken"), None: ("unsure", "cannot be told")}[
            verdict.kept
        ]
        value = "" if verdict.value is None else f"{verdict.value:,.4g}"
        rows.append(
            f"<tr><td>{escape(verdict.text)}</td><td class=r>{value}</td>"
            f'<td><span class="badge {name}">{words}</span></td></tr>'
        )
    return ["<h2>Objectives</h2>", '<div class="box"><table>', *rows, "</table></div>"]


def _cards(said: Sequence[Said]) -> list[str]:
    """A few cards of each rung, spread over the run."""
    rows = []
    for rung in RUNGS:
        texts = list(
            dict.fromkeys((card.name, card.text) for card in said if card.rung == rung and card.trigger == "ask")
        )
        step = max(1, len(texts) // _EXAMPLES)
        rows += [
            f"<tr><td>{rung}</td><td>{escape(name)}</td><td>{escape(text)}</td></tr>"
            for name, text in texts[::step][:_EXAMPLES]
        ]
    if not rows:
        return []
    return [
        "<h2>What shoppers read</h2>",
        '<div class="box"><table><tr><th>answered from</th><th>product</th><th>card</th></tr>',
        *rows,
        "</table></div>",
    ]


def _how(result: Result) -> list[str]:
    late = result.lateness
    samples = [
        ("event to card", result.answers),
        ("price or stock to card", result.refreshes),
        ("the generator's own lateness", late),
    ]
    head = "".join(f"<th class=r>{name}</th>" for name in ("count", "p50", "p90", "p95", "p99", "p99.9", "longest"))
    rows = [
        f"<tr><td>{name}</td><td class=r>{spread.count:,}</td>"
        + "".join(
            f"<td class=r>{ms(getattr(spread, field))}</td>" for field in ("p50", "p90", "p95", "p99", "p999", "max")
        )
        + "</tr>"
        for name, spread in samples
        if spread is not None
    ]
    cost = "" if result.cpu_s_per_event is None else f"{result.cpu_s_per_event * 1000:.2f} ms a record of the workers"
    machine = "" if result.machine_mean is None else f"this machine {result.machine_mean:.0%} busy"
    told = "; ".join(part for part in (cost, machine) if part)
    recording = f"recording {result.recording['fingerprint']}, {result.recording['records']:,} records"
    return [
        "<h2>Figures</h2>",
        f'<div class="box"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>',
        f"<p class=soft>Processor time: {escape(told)}.</p>" if told else "",
        "<h2>How it was measured</h2>",
        f"<p>{_MEASURED}</p>",
        f"<p>The first {result.warm_up_s:g} s are warm-up (shaded): drawn, not counted. {result.measured_s:.0f} s were.</p>",
        f"<p>{_LAG}</p>",
        f"<footer>shelftalk {escape(result.version)} · run {escape(result.run)} · {escape(recording)}</footer>",
    ]


def ms(value: float | None) -> str:
    """A latency to read."""
    return "-" if value is None else f"{plots.short(value)} ms"


# --- plots -----------------------------------------------------------------------------------------------------------


def figure(caption: str, explanation: str, draw: Callable[[Any], None], *, wide: bool = False) -> str:
    """A plot with its caption."""
    svg = plots.plot(draw, wide=wide, salt=caption)
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}><figcaption>{escape(caption)}<small>{escape(explanation)}</small></figcaption>{svg}</figure>"


def _figures(result: Result) -> list[str]:
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
