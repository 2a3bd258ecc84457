"""The run of ``evaluate next-item``: methods by name, progress, the table, and the figures."""

import itertools
import sys
import time
from collections.abc import Sequence
from typing import Any

from shelftalk.errors import ConfigError
from shelftalk.evaluate.item_knn import ItemKnn
from shelftalk.evaluate.log import Part
from shelftalk.evaluate.method import LastCategory, Method, Popularity
from shelftalk.evaluate.next_item import Outcome, replay
from shelftalk.evaluate.score import Score
from shelftalk.evaluate.session_knn import Stan, VSknn
from shelftalk.evaluate.shelves import Shelves

#: How often progress is said, seconds.
_EVERY_S = 2.0


def methods() -> dict[str, Method]:
    """Everything that is compared, by name."""
    return {
        "popularity": Popularity(),
        "last-category": LastCategory(),
        "item-knn": ItemKnn(),
        "v-sknn": VSknn(),
        "stan": Stan(),
        "shelftalk": Shelves(),
    }


def evaluate_next_item(parts: Sequence[Part], *, score: int) -> dict[str, Any]:
    """Replay the parts, print the tables, and return the figures.

    Raises:
        ConfigError: there is nothing to foretell.
    """
    total = sum(part.rows for part in parts)
    foretold = sum(part.foretold for part in parts)
    progress = Progress(total)
    began_s = time.monotonic()
    outcome = replay(
        itertools.chain.from_iterable(part.read() for part in parts),
        methods(),
        stride=max(1, round(foretold / score)),
        on_row=progress.row,
    )
    progress.done()
    if not any(found.count for found in outcome.steps.values()):
        raise ConfigError("no session goes from one product to another after the split: nothing to foretell")
    print("\n".join(table("every step to another product", outcome.steps)))
    print("\n".join(table("only products new to the session", outcome.new)))
    return figures(outcome, seconds=time.monotonic() - began_s)


def figures(outcome: Outcome, *, seconds: float) -> dict[str, Any]:
    """What the last line says."""
    return {
        "rows_learned": outcome.learned,
        "rows_foretold": outcome.scored,
        "steps": next(iter(outcome.steps.values())).count,
        "steps_new": next(iter(outcome.new.values())).count,
        "seconds": round(seconds, 1),
        "methods": {name: found.figures() for name, found in outcome.steps.items()},
        "methods_new": {name: found.figures() for name, found in outcome.new.items()},
    }


def table(title: str, scores: dict[str, Score]) -> list[str]:
    """Lines to read, one a method."""
    of = next(iter(scores.values())).count
    names = list(Score().figures())
    lines = [f"{title} ({of:,})", f"  {'method':<16}" + "".join(f"{name:>9}" for name in names)]
    for name, found in scores.items():
        lines.append(f"  {name:<16}" + "".join(f"{value:>9.4f}" for value in found.figures().values()))
    return [*lines, ""]


class Progress:
    """Says how far a long run is, on standard error.

    Args:
        total: rows that there are; ``None`` where that is to be found out.
    """

    def __init__(self, total: int | None = None) -> None:
        self._total = total
        self._began_s = self._said_s = time.monotonic()

    def row(self, number: int) -> None:
        """So many rows are done."""
        if number % 256 or time.monotonic() - self._said_s < _EVERY_S:
            return
        self._said_s = time.monotonic()
        said = f"{number:,} rows read"
        if self._total is not None:
            left_s = (self._said_s - self._began_s) / number * (self._total - number)
            said = f"{number:,} of {self._total:,} rows, {left_s:.0f} s to go"
        print(f"\r{said:<50}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """End the line."""
        print(f"\r{self._total:,} rows in {time.monotonic() - self._began_s:.1f} s", file=sys.stderr, flush=True)
