"""The plots of a page: plain SVG that takes its ink from the page, so that it can be read in light and in dark."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

#: Colours of Okabe and Ito (2008), which are told apart without red and green.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#aa6f9e", "#56b4e9"

RUNG_COLOURS = {"cached": SKY, "generated": GREEN, "phrasebook": ORANGE}

#: Stand for the page's own colours, and are replaced by them.
_INK, _LINE, _SHADE = "#010203", "#040506", "#070809"
_VARIABLES = {_INK: "var(--soft)", _LINE: "var(--line)", _SHADE: "var(--line)"}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 7,
    "ytick.major.pad": 6,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

Points = tuple[Sequence[float], Sequence[float]]
Lines = dict[str, tuple[str, Points]]

#: Percentiles that the axis of a distribution names.
_NAMED = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)

#: From its least to its most, a logarithmic axis of less is named by 1, 2 and 5.
_FEW = 100


def plot(draw: Callable[[Any], None], *, wide: bool = False, salt: str = "") -> str:
    """An SVG element.

    Args:
        draw: puts everything on the axes.
        wide: twice as wide as high.
        salt: makes the ids within it differ from those of other plots of the page.
    """
    with mpl.rc_context(_STYLE | {"svg.hashsalt": salt}):
        figure = Figure(figsize=(10.4, 3.4) if wide else (5.4, 2.9))
        axes = figure.subplots()
        axes.grid(visible=False, axis="x")
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    svg = re.sub(
        r"font: ([\d.]+)px[^;\"]*", r"font: \1px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", svg
    )
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def over_time(lines: Lines, unit: str, *, warm_up_s: float, log: bool = False) -> Callable[[Any], None]:
    """Lines by second, the warm-up shaded."""

    def draw(axes: Any) -> None:
        for name, (colour, (seconds, values)) in lines.items():
            axes.plot(seconds, values, color=colour, label=name)
        if log:
            _logarithmic(axes)
        else:
            axes.set_ylim(
                0, 1.12 * max((max(values, default=0.0) for _, (_, values) in lines.values()), default=0.0) or 1.0
            )
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{short(value)}{unit}"))
        _seconds(axes, warm_up_s)
        _legend(axes, len(lines))

    return draw


def stacked(
    shares: dict[str, tuple[str, Sequence[float]]], seconds: Sequence[float], *, warm_up_s: float
) -> Callable[[Any], None]:
    """Shares of a whole by second."""

    def draw(axes: Any) -> None:
        axes.stackplot(
            seconds,
            [values for _, values in shares.values()],
            colors=[colour for colour, _ in shares.values()],
            labels=list(shares),
            linewidth=0,
        )
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
        _seconds(axes, warm_up_s)
        _legend(axes, len(shares))

    return draw


def by_percentile(lines: Lines) -> Callable[[Any], None]:
    """Latency by percentile, with the last percent given the room that it deserves."""

    def draw(axes: Any) -> None:
        most = 0.0
        for name, (colour, (ranks, values)) in lines.items():
            places = -np.log10(1 - np.minimum(np.asarray(ranks), 99.9999) / 100)
            most = max(most, float(places.max(initial=0.0)))
            axes.plot(places, values, color=colour, label=name)
        named = [rank for rank in _NAMED if -np.log10(1 - rank / 100) <= most + 0.01]
        axes.xaxis.set_major_locator(FixedLocator([float(-np.log10(1 - rank / 100)) for rank in named]))
        axes.set_xticklabels([f"p{rank:g}" if rank else "best" for rank in named])
        axes.grid(visible=True, axis="x")
        _logarithmic(axes)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{short(value)} ms"))
        axes.margins(x=0.01)
        _legend(axes, len(lines))

    return draw


def scatter_fit(
    points: Points, fitted: Points, names: tuple[str, str], labels: tuple[str, str]
) -> Callable[[Any], None]:
    """What was measured as dots, what follows from the model as a line."""

    def draw(axes: Any) -> None:
        axes.plot(*fitted, color=ORANGE, linestyle="--", label=names[1])
        axes.plot(*points, color=BLUE, marker="o", linestyle="", markersize=7, label=names[0])
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        _legend(axes, 2)

    return draw


def by_rate(points: dict[str, tuple[str, Points]], found: float | None) -> Callable[[Any], None]:
    """Latencies in ms by rate, each kind of point in its colour, and a line at the rate that was found."""

    def draw(axes: Any) -> None:
        for name, (colour, (rates, values)) in points.items():
            axes.plot(rates, values, color=colour, marker="o", linestyle="", markersize=7, label=name)
        if found:
            axes.axvline(found, color=BLUE, linewidth=1.2)
        _logarithmic(axes)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{short(value)} ms"))
        axes.set_xlabel("records/s")
        axes.set_xlim(left=0)
        _legend(axes, len(points))

    return draw


def short(value: float) -> str:
    """``1.2k`` for 1200; three digits at most."""
    for limit, divisor, suffix in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= limit:
            return f"{value / divisor:.3g}{suffix}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def _logarithmic(axes: Any) -> None:
    """A scale by powers of ten, with steps between them where there are few: one lonely "100 ms" tells nobody anything."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high > _FEW * low else (1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())


def _seconds(axes: Any, warm_up_s: float) -> None:
    if warm_up_s > 0:
        axes.axvspan(0, warm_up_s, color=_SHADE, alpha=0.35, linewidth=0)
    axes.margins(x=0)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))


def _legend(axes: Any, entries: int) -> None:
    if entries > 1:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=entries,
            borderaxespad=0.2,
            handlelength=1.2,
            columnspacing=1.4,
        )
