"""What compression costs and brings: the same model in several forms, and the small ones, quality against speed in one table.

Contestants take turns in every round, so that what else the machine does falls on all of them alike; figures are medians over
rounds. Seconds of CPU are given beside the clock's: they carry further where cores are shared.
"""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from shelftalk.core.brief import Brief
from shelftalk.engine import open_writer
from shelftalk.evaluate.text.briefs import HEADLINES, held_out_cases, of_channels
from shelftalk.evaluate.text.generate import Written, write_all
from shelftalk.evaluate.text.honesty import honesty
from shelftalk.evaluate.text.measures import shown
from shelftalk.evaluate.text.variety import variety
from shelftalk.modelling.adapter import without_pruning
from shelftalk.modelling.build import DEFAULT_ADAPTER, SMALL_MODEL, build
from shelftalk.modelling.fetch import cache_dir
from shelftalk.modelling.headline import build_headline
from shelftalk.resources import models_dir

Say = Callable[[str, float], None]

#: Texts written one by one, for the time of a single one.
_ALONE = 8


@dataclasses.dataclass
class Row:
    """A form of a model and its figures."""

    name: str
    folder: Path
    texts_per_s: list[float] = dataclasses.field(default_factory=list)
    texts_per_cpu_s: list[float] = dataclasses.field(default_factory=list)
    alone_ms: list[float] = dataclasses.field(default_factory=list)
    written: list[tuple[Brief, Written]] = dataclasses.field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """One line of the table."""
        briefs = [brief for brief, _ in self.written]
        first = [written.first for _, written in self.written]
        return {
            "megabytes": sum(path.stat().st_size for path in self.folder.iterdir()) / 1e6,
            "texts_per_s": statistics.median(self.texts_per_s),
            "texts_per_cpu_s": statistics.median(self.texts_per_cpu_s),
            "alone_ms": statistics.median(self.alone_ms),
            "passed_first_try": sum(written.passed for _, written in self.written) / len(self.written),
            "invented_claims": honesty(briefs, first)["invented_claims"],
            "distinct_2": variety([shown(brief, text) for brief, text in zip(briefs, first, strict=True)], "en")[
                "distinct_2"
            ],
        }


def forms(say: Say, *, whole: bool) -> Iterator[tuple[str, Path]]:
    """Every form, built: SmolLM2 in fp32 and 8 bits with the pruned and the whole vocabulary, and the small models.

    Args:
        say: progress.
        whole: the forms with the whole vocabulary too.
    """
    models, cache = models_dir(), cache_dir() / "compression"
    pruned = models / DEFAULT_ADAPTER
    yield "SmolLM2-135M fp32", build(None, cache / "pruned", ("fp32",), pruned, say)
    yield "SmolLM2-135M 8-bit", build(None, cache_dir() / "models" / DEFAULT_ADAPTER, ("w8a8",), pruned, say)
    yield "SmolLM2-135M 8-bit, 8-bit cache", build(None, cache / "pruned", ("w8a8-kv8",), pruned, say)
    if whole:
        unpruned = cache / "unpruned-adapter"
        without_pruning(pruned, unpruned)
        yield "SmolLM2-135M fp32, whole vocabulary", build(None, cache / "whole", ("fp32",), unpruned, say)
        yield "SmolLM2-135M 8-bit, whole vocabulary", build(None, cache / "whole", ("w8a8",), unpruned, say)
    small = models / SMALL_MODEL
    yield "shelftalk-mini fp32", build(small, cache / SMALL_MODEL, ("fp32",), progress=say)
    yield "shelftalk-mini 8-bit", build(small, cache_dir() / "models" / SMALL_MODEL, ("w8a8",), progress=say)
    for source in sorted(models.glob("*/headline.json")):
        yield source.parent.name, build_headline(source.parent, cache_dir() / "models" / source.parent.name / "fp32")


def compare(rows: Sequence[Row], say: Say, *, texts: int, rounds: int, batch: int) -> dict[str, dict[str, float]]:
    """Run the rounds; the figures by name."""
    cases = of_channels(held_out_cases("en"), HEADLINES)
    briefs = [case.brief for case in cases[:texts]]
    for number in range(rounds):
        for place, row in enumerate(rows):
            say(f"round {number + 1}, {row.name}", (number * len(rows) + place) / (rounds * len(rows)))
            with contextlib.closing(open_writer(row.folder, rows=batch, queue_limit=10_000)) as writer:
                write_all(writer, briefs[:1], seed=10_000)  # the first run allocates
                clock, cpu = time.perf_counter(), time.process_time()
                written = write_all(writer, briefs, seed=number, tries=1, drafts=1)
                row.texts_per_s.append(len(briefs) / (time.perf_counter() - clock))
                row.texts_per_cpu_s.append(len(briefs) / (time.process_time() - cpu))
                row.written += zip(briefs, written, strict=True)
                row.alone_ms.append(
                    statistics.median(
                        write_all(writer, [brief], seed=777, tries=1, drafts=1)[0].ms for brief in briefs[:_ALONE]
                    )
                )
    return {row.name: row.figures() for row in rows}
