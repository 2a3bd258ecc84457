"""What a person sees while it runs: a panel on a terminal, a line every two seconds elsewhere."""

import math
import time
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shelftalk.replay.measure import Spread
from shelftalk.replay.play import Stage
from shelftalk.replay.result import RUNGS
from shelftalk.replay.timeline import Sample

_REFRESH_S, _LINE_S = 0.25, 2.0
_WIDTH = 96

_STYLES = {"cached": "cyan", "generated": "green", "phrasebook": "yellow"}


class View(Protocol):
    """How a person is told."""

    def show(self, stage: Stage) -> None:
        """The state of things; called often, told as often as makes sense."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def view_for(console: Console, *, plain: bool) -> View:
    """The panel on a terminal, lines elsewhere."""
    return PlainView(console) if plain or not console.is_terminal else LiveView(console)


class LiveView:
    """A panel that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live  # noqa: PLC0415  only terminals need it

        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._next_s = 0.0

    def show(self, stage: Stage) -> None:
        """Redraw, if it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _REFRESH_S
            self._live.update(panel(stage), refresh=True)

    def close(self) -> None:
        """The screen is cleared of it."""
        self._live.stop()


class PlainView:
    """Lines for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0
        self._stage = ""

    def show(self, stage: Stage) -> None:
        """Print, if it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s or stage.name != self._stage:
            self._next_s, self._stage = now_s + _LINE_S, stage.name
            self._console.print(line(stage), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing to tidy."""


def line(stage: Stage) -> str:
    """The state of things in one line."""
    sample = stage.sample
    if sample is None:
        return stage.name
    rates = _rates(stage)
    lag = "?" if sample.lag is None else f"{sample.lag:,}"
    return (
        f"{stage.name} {clock(stage.at_s)}/{clock(stage.total_s)}   in {rates['sent']:,.0f}/s   cards {rates['cards']:,.0f}/s   "
        f"lag {lag}   {_spread(stage.recent)}   {_shares(sample)}   late {_spread(stage.late, ('p99',))}   "
        f"dead letters {sample.dead_letters}"
    )


def panel(stage: Stage) -> RenderableType:
    """The state of things as a small table."""
    head = Text.assemble((stage.name, "bold"), "  ", f"{clock(stage.at_s)} / {clock(stage.total_s)}")
    sample = stage.sample
    if sample is None:
        return head
    rates = _rates(stage)
    grid = Table.grid(padding=(0, 3, 0, 0))
    for _ in range(4):
        grid.add_column(min_width=12)
    titles = ("in", "cards out", "lag", "in work")
    values = (
        f"{rates['sent']:,.0f}/s",
        f"{rates['cards']:,.0f}/s",
        "?" if sample.lag is None else f"{sample.lag:,}",
        "?" if sample.open is None else f"{sample.open:,}",
    )
    grid.add_row(*(Text(title, style="dim") for title in titles))
    grid.add_row(*(Text(value, style="bold") for value in values))
    recent = stage.recent
    titles = ("p50", "p95", "p99", "longest")
    figures = (recent.p50, recent.p95, recent.p99, recent.max)
    grid.add_row(*(Text(title, style="dim") for title in titles))
    grid.add_row(*(Text("-" if value is None else f"{value:,.0f} ms", style="bold") for value in figures))
    memory = "?" if sample.memory_mb is None else f"{sample.memory_mb:,.0f} MB"
    titles = ("workers' memory", "machine", "generator late", "dead letters")
    values = (
        memory,
        "?" if sample.machine is None else f"{sample.machine:.0%}",
        _spread(stage.late, ("p99",)),
        f"{sample.dead_letters:,}",
    )
    grid.add_row(*(Text(title, style="dim") for title in titles))
    grid.add_row(*(Text(value, style="bold") for value in values))
    total = stage.total_s if math.isfinite(stage.total_s) else None
    return Group(head, ProgressBar(total, min(stage.at_s, stage.total_s), width=_WIDTH), grid, _ladder(sample))


def clock(seconds: float) -> str:
    """``4:05``; ``∞`` where it never ends."""
    if not math.isfinite(seconds):
        return "∞"
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _ladder(sample: Sample) -> Text:
    """Who answers, as a bar of their shares."""
    total = sum(sample.rungs.values())
    bar = Text()
    if total:
        for rung in RUNGS:
            share = sample.rungs.get(rung, 0) / total
            bar.append("█" * round(share * _WIDTH * 0.6), _STYLES[rung])
        for rung in RUNGS:
            bar.append(f"  {rung} {sample.rungs.get(rung, 0) / total:.0%}", _STYLES[rung])
    return bar


def _rates(stage: Stage) -> dict[str, float]:
    sample, before = stage.sample, stage.before
    if sample is None or before is None or sample.at_s <= before.at_s:
        return {"sent": 0.0, "cards": 0.0}
    seconds = sample.at_s - before.at_s
    return {"sent": (sample.sent - before.sent) / seconds, "cards": (sample.cards - before.cards) / seconds}


def _spread(spread: Spread, names: tuple[str, ...] = ("p50", "p95", "p99")) -> str:
    if not spread.count:
        return "-"
    return " ".join(f"{name} {getattr(spread, name):.0f}" for name in names) + " ms"


def _shares(sample: Sample) -> str:
    total = sum(sample.rungs.values())
    return " ".join(f"{rung} {sample.rungs.get(rung, 0) / total:.0%}" for rung in RUNGS) if total else "no cards yet"
