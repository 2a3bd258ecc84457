"""The whole evaluation: contestants, the same briefs for all, and every figure."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shelftalk.core.brief import Brief, Channel
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import channels_of, languages_of
from shelftalk.core.remarks import family
from shelftalk.engine import Writer, open_writer
from shelftalk.engine.headline import is_headline_folder
from shelftalk.evaluate.text.briefs import HEADLINES, Case, of_channels
from shelftalk.evaluate.text.generate import Written, as_written, write_all, write_phrases
from shelftalk.evaluate.text.honesty import honesty
from shelftalk.evaluate.text.measures import by_chance, coverage, form, overlap, shown
from shelftalk.evaluate.text.pages import page_figures
from shelftalk.evaluate.text.perplexity import BaseModel
from shelftalk.evaluate.text.variety import beside, more_alike, variety

HUMAN, PHRASEBOOK = "human", "phrasebook"

_LONG = frozenset({Channel.SOCIAL, Channel.COPY})

#: Texts asked one by one, for the time of a single one.
_ALONE = 8

#: Texts that the base model reads a contestant: seconds each on a CPU.
_PERPLEXITY_TEXTS = 60


class Contestant(NamedTuple):
    """Who is judged.

    Attributes:
        name: for people.
        family: ``human``, ``phrasebook``, ``transformer`` or ``headline``.
        folder: a built model; None for the others.
    """

    name: str
    family: str
    folder: Path | None = None


@dataclasses.dataclass
class Group:
    """Briefs that are judged together: one language, and headlines or longer texts."""

    name: str
    language: str
    cases: list[Case]


@dataclasses.dataclass
class Result:
    """A contestant's texts and figures in a group; ``final`` is what a shelf would print, the phrasebook where all tries failed."""

    group: str
    contestant: Contestant
    written: list[Written]
    final: list[str]
    figures: dict[str, float]


Say = Callable[[str], None]


def model_contestant(folder: Path, name: str | None = None) -> Contestant:
    """A built model as a contestant."""
    family = "headline" if is_headline_folder(folder) else "transformer"
    return Contestant(name or f"{folder.parent.name}/{folder.name}", family, folder)


def groups_of(language: str, cases: Sequence[Case], name: str = "lines") -> list[Group]:
    """Headlines (cards, ads) apart from posts and descriptions, which not every family writes."""
    groups = [
        Group(f"{language} {name}, cards and ads", language, of_channels(cases, HEADLINES)),
        Group(f"{language} {name}, posts and descriptions", language, of_channels(cases, _LONG)),
    ]
    return [group for group in groups if group.cases]


def evaluate(
    contestants: Sequence[Contestant],
    groups: Sequence[Group],
    pages: Sequence[Sequence[Brief]],
    base: Path | None,
    say: Say,
    *,
    seed: int = 0,
) -> tuple[list[Result], dict[str, dict[str, float]]]:
    """Judge everybody on everything that they can write.

    Args:
        contestants: in the order of the tables.
        groups: of briefs with references.
        pages: of briefs, for what cards beside each other look like.
        base: weights of the model that perplexity is measured with; None leaves it out.
        say: told what is being done.
        seed: of the draws.

    Returns:
        The results, and figures of pages by contestant.
    """
    judge = BaseModel(base) if base else None
    results: list[Result] = []
    of_pages: dict[str, dict[str, float]] = {}
    for contestant in contestants:
        with _opened(contestant) as writer:
            for group in groups:
                if not _writes(contestant, writer, group):
                    continue
                say(f"{contestant.name}: {group.name}, {len(group.cases)} texts")
                results.append(_result(contestant, writer, group, judge, seed))
            if contestant.family != HUMAN and _speaks(writer, "en"):
                say(f"{contestant.name}: {len(pages)} pages")
                of_pages[contestant.name] = _pages(writer, pages, seed)
    for group in groups:
        _compare(group, [result for result in results if result.group == group.name])
    return results, of_pages


def _compare(group: Group, results: Sequence[Result]) -> None:
    """Add the figures that depend on who else writes."""
    briefs = [case.brief for case in group.cases]
    texts = {one.contestant.name: [shown(b, t) for b, t in zip(briefs, one.final, strict=True)] for one in results}
    products = [(brief.kind, brief.points) for brief in briefs]
    families = [family(brief.kind) for brief in briefs]
    figures = beside(texts, products, group.language)
    people = [shown(case.brief, case.reference) for case in group.cases]
    written = {name: those for name, those in texts.items() if name != HUMAN}
    chances = by_chance(written, PHRASEBOOK, people)
    for result in results:
        result.figures |= figures[result.contestant.name]
        if result.contestant.family != HUMAN:
            result.figures |= more_alike(texts[result.contestant.name], people, products, families)
        if result.contestant.name in chances:
            result.figures["chrf_chance"] = chances[result.contestant.name]


@contextlib.contextmanager
def _opened(contestant: Contestant) -> Iterator[Writer | None]:
    if contestant.folder is None:
        yield None
        return
    with contextlib.closing(open_writer(contestant.folder, queue_limit=100_000)) as writer:
        yield writer


def _speaks(writer: Writer | None, language: str) -> bool:
    if writer is None or writer.prompt_variant is None:
        return True
    return language in languages_of(writer.prompt_variant)


def _writes(contestant: Contestant, writer: Writer | None, group: Group) -> bool:
    if writer is not None and writer.prompt_variant is not None:
        written = channels_of(writer.prompt_variant)
        if not all(case.brief.channel in written for case in group.cases):
            return False
    short = all(case.brief.channel in HEADLINES for case in group.cases)
    return _speaks(writer, group.language) and (short or contestant.family != "headline")


def _texts(writer: Writer | None, briefs: Sequence[Brief], seed: int) -> list[Written]:
    return write_phrases(briefs) if writer is None else write_all(writer, briefs, seed=seed)


def _result(contestant: Contestant, writer: Writer | None, group: Group, judge: BaseModel | None, seed: int) -> Result:
    briefs = [case.brief for case in group.cases]
    references = [case.reference for case in group.cases]
    started = time.monotonic()
    written = as_written(briefs, references) if contestant.family == HUMAN else _texts(writer, briefs, seed)
    seconds = time.monotonic() - started
    final = [
        one.text if one.passed or writer is None else phrase(brief) for brief, one in zip(briefs, written, strict=True)
    ]
    first = [one.first for one in written]
    show = [shown(brief, text) for brief, text in zip(briefs, final, strict=True)]
    figures: dict[str, float] = {
        "texts": len(briefs),
        **{f"first_{name}": value for name, value in honesty(briefs, first).items()},
        **{f"final_{name}": value for name, value in honesty(briefs, final).items()},
        "passed_first_draft": sum(one.first_passed for one in written) / len(written),
        "passed_first_try": sum(one.passed and one.tries == 1 for one in written) / len(written),
        "passed": sum(one.passed for one in written) / len(written),
        **variety(show, group.language),
        **form(briefs, final),
        **coverage(briefs, final),
    }
    if contestant.family != HUMAN:
        human = [shown(brief, text) for brief, text in zip(briefs, references, strict=True)]
        figures |= overlap(show, human, group.language)
        figures |= {
            "median_ms": statistics.median(_texts(writer, [brief], seed + 1)[0].ms for brief in briefs[:_ALONE]),
            "texts_per_s": len(written) / max(seconds, 1e-9),
        }
    if judge is not None and group.language == "en":
        figures["perplexity"] = judge.perplexity(show[:: max(1, len(show) // _PERPLEXITY_TEXTS)])
    if contestant.folder is not None:
        figures["megabytes"] = sum(path.stat().st_size for path in contestant.folder.iterdir()) / 1e6
    return Result(group.name, contestant, written, final, figures)


def _pages(writer: Writer | None, pages: Sequence[Sequence[Brief]], seed: int) -> dict[str, float]:
    briefs = [brief for page in pages for brief in page]
    written = _texts(writer, briefs, seed)
    final = [
        one.text if one.passed or writer is None else phrase(brief) for brief, one in zip(briefs, written, strict=True)
    ]
    # Each card has its own product's name: an opening is what the shopper reads.
    named = iter(
        [
            shown(brief, text.replace("{name}", f"{brief.kind.title()} {brief.sku[-2:]}"))
            for brief, text in zip(briefs, final, strict=True)
        ]
    )
    figures = page_figures([[next(named) for _ in page] for page in pages])
    return {**figures, "passed": sum(one.passed for one in written) / max(1, len(written))}


def as_json(results: Sequence[Result], of_pages: dict[str, dict[str, float]], **more: Any) -> dict[str, Any]:
    """Every figure, rounded."""
    return {
        "groups": {
            name: {result.contestant.name: _rounded(result.figures) for result in results if result.group == name}
            for name in dict.fromkeys(result.group for result in results)
        },
        "pages": {name: _rounded(figures) for name, figures in of_pages.items()},
        **more,
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
