"""What all our pages have in common: one HTML file with everything in it, and its figures."""

from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from shelftalk.replay import plots


def page(title: str, body: Sequence[str]) -> str:
    """An HTML document of our own look."""
    template = Template((resources.files("shelftalk.replay") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body="\n".join(body))


def figure(caption: str, explanation: str, draw: Callable[[Any], None], *, wide: bool = False) -> str:
    """A plot with its caption."""
    svg = plots.plot(draw, wide=wide, salt=caption)
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}><figcaption>{escape(caption)}<small>{escape(explanation)}</small></figcaption>{svg}</figure>"


def ms(value: float | None) -> str:
    """A latency to read."""
    return "-" if value is None else f"{plots.short(value)} ms"
