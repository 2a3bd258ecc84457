"""The page of a run: one HTML file with everything in it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from shelftalk.replay.figures import figures
from shelftalk.replay.files import write_whole
from shelftalk.replay.measure import Spread
from shelftalk.replay.page import ms, page
from shelftalk.replay.result import RUNGS, Result
from shelftalk.replay.texts import Said

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
    return [*_head(result), *_tiles(result), *_objectives(result), *figures(result), *_cards(said), *_how(result)]


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
