"""What a person sees while it runs: on a terminal events on the left and cards on the right, elsewhere plain lines."""

import time
from collections.abc import Callable
from typing import Protocol

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shelftalk.demo.feed import CardLine, Feed
from shelftalk.demo.summary import Tally, percentiles, shares

#: Without a terminal a card is shown this often.
SAMPLE_EVERY_S = 2.0

REFRESH_PER_S = 4

_WIDEST = 140
_ROWS_OF_A_CARD = 3  # at least
_TEXT_ROWS = 2
_MIN_NAME = 12


class Progress(msgspec.Struct):
    """How far the run is.

    Attributes:
        stage: in words, such as ``"playing"``.
    """

    stage: str
    elapsed_s: float
    total_s: float


class View(Protocol):
    """How a person is told."""

    def show(self, progress: Progress) -> None:
        """The state of things now; called often, told as often as makes sense."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def header(tally: Tally, progress: Progress) -> list[str]:
    """The figures of this moment, in two lines."""
    seconds = max(progress.elapsed_s, 0.1)
    events = tally.records["behaviour"] + tally.records["inventory"]
    cards = tally.cards["cards"] + tally.cards["copy"]
    late = percentiles(tally.latest_ms)
    delays = (
        " ".join(f"{name} {late[name]:.0f}" for name in ("p50", "p95", "p99")) + " ms" if late["count"] else "none yet"
    )
    answered = shares({rung: tally.answers[rung] for rung in ("cached", "generated", "phrasebook")})
    dead = sum(tally.dead_letters.values())
    when = f"{progress.stage} {_clock(progress.elapsed_s)}/{_clock(progress.total_s)}"
    return [
        f"{when}   events {events:,} ({events / seconds:.0f}/s)   cards {cards:,} ({cards / seconds:.0f}/s)   {delays}",
        f"{answered}   refreshed {tally.refreshed:,}   withdrawn {tally.withdrawn:,}   dead letters {dead}",
    ]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class LiveView:
    """A calm screen, redrawn in place.

    Args:
        console: of a terminal.
        tally: figures.
        feed: lines.
    """

    def __init__(self, console: Console, tally: Tally, feed: Feed) -> None:
        self._console, self._tally, self._feed = console, tally, feed
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        """Redraw, if it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + 1 / REFRESH_PER_S
            self._live.update(self.render(progress), refresh=True)

    def close(self) -> None:
        """The screen is cleared of it."""
        self._live.stop()

    def render(self, progress: Progress) -> RenderableType:
        """The whole screen."""
        width = min(self._console.width, _WIDEST)
        head = [line for text in header(self._tally, progress) for line in Text(text).wrap(self._console, width)]
        # One row for the space below the header, one for the titles, one for the cursor.
        rows = max(self._console.height - len(head) - 3, _ROWS_OF_A_CARD)
        events, cards = self._feed.newest(rows, rows // _ROWS_OF_A_CARD)
        left_width = width * 2 // 5
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=left_width - 2, no_wrap=True)
        table.add_column(width=width - left_width - 2, no_wrap=True)
        table.add_row(_title("what goes in", left_width - 2), _title("which cards come out", width - left_width - 2))
        left = Text("\n", overflow="ellipsis", no_wrap=True).join(_cut(line, left_width - 2) for line in events)
        right: list[Text] = []
        for card in cards:
            lines = _rendered(card, width - left_width - 2, self._console)
            if len(right) + len(lines) > rows:
                break
            right += lines
        table.add_row(left, Group(*right))
        return Group(*head, Text(""), table)


def _title(text: str, width: int) -> Text:
    return _cut(text, width, "dim underline")


def _cut(text: str, width: int, style: str = "") -> Text:
    cut = Text(text, style=style, no_wrap=True)
    cut.truncate(width, overflow="ellipsis")
    return cut


_RUNG_STYLES = {"cached": "cyan", "generated": "green", "phrasebook": "yellow"}


def _rendered(card: CardLine, width: int, console: Console) -> list[Text]:
    """Product and price; the text, cut where it is long; how it was answered, how fast, and why."""
    name = Text(card.name, style="bold")
    name.truncate(max(width - len(card.price) - 2, _MIN_NAME), overflow="ellipsis")
    head = Text.assemble(name, "  ", (card.price, "bold magenta" if card.moved else ""))
    took = f" in {card.took}" if card.took else ""
    foot = Text.assemble((card.rung, _RUNG_STYLES.get(card.rung, "")), (f"{took}: {card.why}", "dim"))
    text = Text(card.text).wrap(console, width)
    lines = [head, *text[:_TEXT_ROWS], foot]
    if len(text) > _TEXT_ROWS:
        lines[_TEXT_ROWS] = Text(f"{text[_TEXT_ROWS - 1].plain.rstrip()} {text[_TEXT_ROWS].plain}")
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


class PlainView:
    """A line a second, and a card now and then, for logs and pipes.

    Args:
        say: prints a line.
        tally: figures.
        feed: lines.
    """

    def __init__(self, say: Callable[[str], None], tally: Tally, feed: Feed) -> None:
        self._say, self._tally, self._feed = say, tally, feed
        self._next_s = 0.0
        self._next_card_s = 0.0
        self._last: CardLine | None = None

    def show(self, progress: Progress) -> None:
        """Print, if it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + 1
        self._say("   ".join(header(self._tally, progress)))
        _, cards = self._feed.newest(0, 1)
        if cards and cards[0] != self._last and now_s >= self._next_card_s:
            self._next_card_s = now_s + SAMPLE_EVERY_S
            card = self._last = cards[0]
            self._say(f"    {card.name}  {card.price}\n      {card.text}\n      {card.rung}, {card.why}  {card.took}")

    def close(self) -> None:
        """Nothing to tidy."""
