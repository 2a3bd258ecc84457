"""The page of a search for capacity: one HTML file with everything in it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from shelftalk.replay import plots
from shelftalk.replay.capacity.plan import Basis, Ladder
from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.capacity.steps import WARM_UP_S, Step
from shelftalk.replay.files import write_whole
from shelftalk.replay.page import figure, ms, page

if TYPE_CHECKING:
    from shelftalk.replay.capacity.run import Found

FILE = "capacity.html"

_COLOURS = {Outcome.KEPT: plots.GREEN, Outcome.BROKEN: plots.RED, Outcome.LOAD_LATE: plots.ORANGE}
_BADGES = {Outcome.KEPT: "good", Outcome.BROKEN: "bad", Outcome.LOAD_LATE: "unsure", Outcome.INTERRUPTED: "unsure"}
_BASES = {Basis.MEASURED: "good", Basis.EXTRAPOLATED: "unsure", Basis.ASSUMED: "unsure"}

_HOW = (
    f"Each rate is played open-loop, {WARM_UP_S:g} s of warm-up not counted: up in doublings until the objective breaks or answers "
    "come later and later, then bisecting; what is found is held once more, for twice as long. Where the load generator itself "
    "could not keep up, the search ends and says so. A rate is steady when the median answer does not come later from second to "
    "second."
)


def write_page(found: "Found", folder: Path) -> Path:
    """Write it."""
    return write_whole(folder / FILE, page(f"Capacity, by {Path(found.recording['path']).name}", body(found)))


def body(found: "Found") -> list[str]:
    """The body of the page."""
    name = escape(Path(found.recording["path"]).name)
    sites = "; ".join(dict.fromkeys(found.sites))
    ended = "; interrupted" if found.interrupted else ""
    parts = [
        f"<h1>How much is held, by {name}</h1>",
        f'<p class="soft">Objective: {escape(found.slo)}. {escape(sites)}. Started {escape(found.started_at)}{ended}.</p>',
        *_tiles(found.ladders),
        *_plan(found),
        *_figures(found),
    ]
    for ladder in found.ladders:
        parts += _ladder(ladder)
    if found.sweep:
        parts += ["<h2>Larger sites, at half of that rate</h2>", *_steps(found.sweep)]
    parts += _fits(found)
    parts += ["<h2>How it was measured</h2>", f"<p>{_HOW}</p>"]
    return [*parts, f"<footer>shelftalk {escape(found.version)} · run {escape(found.run)}</footer>"]


def _tiles(ladders: Sequence[Ladder]) -> list[str]:
    tiles = []
    for ladder in ladders:
        held = "-" if ladder.capacity_per_s is None else f"{ladder.capacity_per_s:,.0f}/s"
        label = f"held by {ladder.workers} worker{'s' * (ladder.workers > 1)}" + (
            "; machine full" if ladder.full else ""
        )
        tiles.append(f'<div class="tile"><b>{held}</b><span>{escape(label)}</span></div>')
    return ['<div class="tiles">', *tiles, "</div>"]


def _plan(found: "Found") -> list[str]:
    if not found.plan or found.wanted is None:
        return []
    wanted = found.wanted
    rows = [
        f"<tr><td>{escape(line.what)}</td><td class=r><b>{escape(line.value)}</b></td>"
        f'<td><span class="badge {_BASES[line.basis]}">{line.basis}</span></td><td class=soft>{escape(line.how)}</td></tr>'
        for line in found.plan
    ]
    return [
        f"<h2>For {wanted.rate_per_s:,.0f} events/s, {wanted.shoppers:,} shoppers and {wanted.skus:,} SKUs</h2>",
        '<div class="box"><table>',
        *rows,
        "</table></div>",
    ]


def _ladder(ladder: Ladder) -> list[str]:
    title = f"<h2>{ladder.workers} worker{'s' * (ladder.workers > 1)}, {ladder.partitions} partitions</h2>"
    return [title, f"<p>{escape(ladder.ended)}.</p>", *_steps(ladder.steps)]


def _steps(steps: Sequence[Step]) -> list[str]:
    head = "".join(
        f"<th class=r>{name}</th>"
        for name in ("records/s", "p50", "p99", "later each second", "CPU an event", "memory", "machine", "shoppers")
    )
    rows = []
    for step in steps:
        growth = "-" if step.growth is None else f"{step.growth * 1000:,.0f} ms"
        cost = "-" if step.cpu_us_per_event is None else f"{step.cpu_us_per_event:,.0f} us"
        memory = "-" if step.memory_mb is None else f"{step.memory_mb:,.0f} MB"
        machine = "-" if step.machine is None else f"{step.machine:.0%}"
        values = (f"{step.rate_per_s:,.0f}", ms(step.answers.p50), ms(step.answers.p99), growth, cost, memory, machine)
        rows.append(
            "<tr>"
            + "".join(f"<td class=r>{value}</td>" for value in (*values, f"{step.shoppers:,}"))
            + f'<td><span class="badge {_BADGES[step.outcome]}">{step.outcome}</span></td>'
            f"<td class=soft>{escape(step.why)}</td></tr>"
        )
    return [f'<div class="box"><table><tr>{head}<th></th><th></th></tr>', *rows, "</table></div>"]


def _fits(found: "Found") -> list[str]:
    rows = [
        f"<tr><td>{escape(fit.of)}</td><td>{escape(term.name)}</td>"
        f"<td class=r>{'not told apart' if term.value is None else f'{term.value:,.4g} {term.unit}'}</td></tr>"
        for fit in (found.cpu, found.memory)
        if fit is not None
        for term in fit.terms
    ]
    if not rows:
        return []
    worst = "; ".join(
        f"{fit.of}: {fit.points} steps, the worst {fit.worst:.0%} off" for fit in (found.cpu, found.memory) if fit
    )
    return [
        "<h2>What costs what</h2>",
        '<div class="box"><table>',
        *rows,
        "</table></div>",
        f"<p class=soft>{worst}.</p>",
    ]


def _figures(found: "Found") -> list[str]:
    parts = []
    for ladder in found.ladders:
        if len(ladder.steps) > 1:
            name = f"{ladder.workers} worker{'s' * (ladder.workers > 1)}"
            draw = plots.by_rate(_latency(ladder), ladder.capacity_per_s)
            parts.append(figure(f"Latency by rate, {name}", "p99 of the answers; the line is what is held", draw))
    cpu = found.cpu
    held = [step for step in found.steps if step.workers == 1 and step.outcome is Outcome.KEPT and step.cores]
    if cpu is not None and len(held) > 1:
        rates = [step.sent_per_s for step in held]
        line = [0.0, max(rates)]
        fitted = [(cpu["idle worker"] + rate * cpu["event"]) / 1e6 for rate in line]
        parts.append(
            figure(
                "Processor by rate, 1 worker",
                "cores in use; the line is the smallest site's",
                plots.scatter_fit(
                    (rates, [step.cores or 0.0 for step in held]),
                    (line, fitted),
                    ("measured", "fitted"),
                    ("records/s", "cores"),
                ),
            )
        )
    return ['<div class="figures">', *parts, "</div>"] if parts else []


def _latency(ladder: Ladder) -> dict[str, tuple[str, plots.Points]]:
    """p99 by rate, by outcome."""
    found: dict[str, tuple[str, plots.Points]] = {}
    for outcome, colour in _COLOURS.items():
        told = [(step.rate_per_s, step.answers.p99) for step in ladder.steps if step.outcome is outcome]
        points = [(rate, p99) for rate, p99 in told if p99]
        if points:
            found[str(outcome)] = (colour, ([rate for rate, _ in points], [p99 for _, p99 in points]))
    return found
