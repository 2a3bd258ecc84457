"""The run of ``evaluate text``: contestants and briefs by name, progress, the report and the figures."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shelftalk.core.brief import LANGUAGES
from shelftalk.errors import ConfigError
from shelftalk.evaluate.guarding import corpora_that_come, evaluate_guard
from shelftalk.evaluate.text.briefs import foreign_cases, held_out_cases, shopper_pages
from shelftalk.evaluate.text.evaluation import (
    HUMAN,
    PHRASEBOOK,
    Contestant,
    Group,
    Result,
    as_json,
    evaluate,
    groups_of,
    model_contestant,
)
from shelftalk.evaluate.text.ladder import read_judged, rung_of
from shelftalk.evaluate.text.measures import shown
from shelftalk.evaluate.text.report import write_report
from shelftalk.modelling.build import build_all_models, build_named
from shelftalk.modelling.fetch import fetch_base


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line says."""

    models: tuple[str, ...] = ()
    foreign: tuple[Path, ...] = ()
    foreign_language: str = "en"
    limit: int = 0
    pages: int = 40
    perplexity: bool = True
    seed: int = 0
    out: Path = Path("out/evaluation")


def run(request: Request) -> dict[str, Any]:
    """Judge, write ``report.html`` and ``texts.jsonl``, and return all figures."""
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {what}", file=sys.stderr, flush=True)

    groups = [group for language in LANGUAGES for group in groups_of(language, held_out_cases(language, request.limit))]
    for path in request.foreign:
        cases = foreign_cases(path, request.foreign_language, request.limit)
        groups += groups_of(request.foreign_language, cases, path.stem)
    base = fetch_base(lambda what, _: say(what)).gguf if request.perplexity else None
    contestants = [Contestant(HUMAN, HUMAN), Contestant(PHRASEBOOK, PHRASEBOOK), *_models(request, say)]
    results, of_pages = evaluate(contestants, groups, shopper_pages(request.pages), base, say, seed=request.seed)
    guard = {name: evaluate_guard(cases).figures() for name, cases in corpora_that_come().items()}
    judged = read_judged()
    ladder = {
        group.name: rung_of([one for one in results if one.group == group.name], judged)._asdict() for group in groups
    }
    figures = as_json(results, of_pages, guard=guard, ladder=ladder)
    request.out.mkdir(parents=True, exist_ok=True)
    with (request.out / "texts.jsonl").open("w", encoding="utf-8") as file:
        for row in _rows(groups, results):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    write_report(request.out / "report.html", groups, results, figures)
    for name, rung in ladder.items():
        say(f"{name}: {rung['generated'] or rung['otherwise']} writes, {rung['why']}")
    say(f"wrote {request.out / 'report.html'}")
    return figures


def _models(request: Request, say: Any) -> Iterator[Contestant]:
    if not request.models:
        for name, folder in build_all_models(lambda what, _: say(what)).items():
            yield model_contestant(folder, name)
        return
    for one in request.models:
        name, equals, path = one.partition("=")
        yield model_contestant(
            _folder(path if equals else name, say), name if equals or not Path(name).is_dir() else None
        )


def _folder(model: str, say: Any) -> Path:
    """A built model's folder, or that of a model that comes with shelftalk, by its name."""
    if Path(model).is_dir():
        return Path(model)
    try:
        return build_named(model, lambda what, _: say(what))
    except ConfigError as error:
        raise ConfigError(f"--model {model}: no such folder, and {error}") from None


def _rows(groups: list[Group], results: list[Result]) -> Iterator[dict[str, Any]]:
    """Every printed text, as `rate` reads them."""
    by_name = {group.name: group for group in groups}
    for result in results:
        for case, written, final in zip(by_name[result.group].cases, result.written, result.final, strict=True):
            brief = case.brief
            anchor = f", beside {brief.anchor}" if brief.anchor else ""
            yield {
                "group": result.group,
                "brief": f"{brief.kind}: {'; '.join(brief.points)} [{brief.channel}, {brief.angle}{anchor}, {brief.promotion},"
                f" {brief.tone}] {brief.sku}",
                "who": result.contestant.name,
                "text": shown(brief, final),
                "own": written.passed,
                "first": written.first,
                "slotted": final,
            }
