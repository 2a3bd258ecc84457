"""``shelftalk evaluate``: what recommendations and words are worth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from shelftalk.evaluate.text.rate import Verdict

app = typer.Typer(help="Judge recommendations by a log, and texts by figures.", no_args_is_help=True)

_File = typer.Option(exists=True, dir_okay=False)


@app.callback()
def _group() -> None:
    """Make it a group, however many commands there are."""


@app.command()
def next_item(
    log: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="A REES46 log (.csv) or OTTO's (.jsonl), plain or .gz."),
    ] = None,
    *,
    train: Annotated[Path | None, _File] = None,
    test: Annotated[Path | None, _File] = None,
    split: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of one LOG that is only learned from.")] = 0.8,
    score: Annotated[
        int, typer.Option(min=1, help="Foretell about so many steps; of more, every n-th session.")
    ] = 20_000,
) -> None:
    """Replay a log in order of time: who knows best which product comes next in the session?"""
    from shelftalk.evaluate.log import survey  # noqa: PLC0415
    from shelftalk.evaluate.report import Progress, evaluate_next_item  # noqa: PLC0415  numpy and scipy are slow to import

    if (log is None) == (train is None and test is None) or (train is None) != (test is None):
        raise typer.BadParameter("give either LOG, or --train FILE and --test FILE")
    if log is not None:
        parts = [survey(log, learned_share=split, on_row=Progress().row)]
    else:
        assert train is not None  # noqa: S101  checked above
        assert test is not None  # noqa: S101
        shares = ((train, 1.0), (test, 0.0))
        parts = [survey(path, learned_share=share, on_row=Progress().row) for path, share in shares]
    figures = evaluate_next_item(parts, score=score)
    typer.echo(json.dumps(figures))


@app.command()
def text(
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that comes with shelftalk, by name, a built model's folder, or NAME=FOLDER; repeatable."
            " Left out: all that come with shelftalk."
        ),
    ] = None,
    foreign: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help='A test set: JSONL of {"attributes": {}, "reference": ""}; repeatable.'
        ),
    ] = None,
    foreign_language: Annotated[str, typer.Option(help="Language of the test sets.")] = "en",
    limit: Annotated[int, typer.Option(min=0, help="Briefs a language or test set, 0 for all.")] = 0,
    pages: Annotated[int, typer.Option(min=0, help="Pages of six cards to look at.")] = 40,
    perplexity: Annotated[bool, typer.Option(help="Ask SmolLM2 how likely it finds the texts; minutes.")] = True,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    out: Annotated[Path, typer.Option(file_okay=False, help="report.html and texts.jsonl go here.")] = Path(
        "out/evaluation"
    ),
    json_file: Annotated[Path | None, typer.Option("--json", help="All figures, as one JSON object.")] = None,
) -> None:
    """Judge generators, phrasebook and people by the same held-out briefs; writes a report."""
    from shelftalk.evaluate.text.command import Request, run  # noqa: PLC0415  slow to import

    figures = run(
        Request(
            models=tuple(model or ()),
            foreign=tuple(foreign or ()),
            foreign_language=foreign_language,
            limit=limit,
            pages=pages,
            perplexity=perplexity,
            seed=seed,
            out=out,
        )
    )
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(json.dumps(figures))


@app.command()
def compression(
    *,
    texts: Annotated[int, typer.Option(min=8, help="Briefs a round, held-out cards and ads.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Everybody takes a turn in each.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Texts at once.")] = 16,
    whole: Annotated[bool, typer.Option(help="The forms with the whole vocabulary too.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="All figures, as one JSON object.")] = None,
) -> None:
    """Quality against speed: the default model in several forms, and the small ones."""
    from rich.console import Console  # noqa: PLC0415  slow to import
    from rich.table import Table  # noqa: PLC0415

    from shelftalk.evaluate.text.compression import Row, compare, forms  # noqa: PLC0415

    def say(what: str, share: float) -> None:
        typer.echo(f"{share:4.0%} {what}", err=True)

    rows = [Row(name, folder) for name, folder in forms(say, whole=whole)]
    figures = compare(rows, say, texts=texts, rounds=rounds, batch=batch)
    table = Table("form", "MB", "texts/s", "texts a CPU second", "ms alone", "passes at once", "invented", "distinct-2")
    for name, row in figures.items():
        table.add_row(
            name, f"{row['megabytes']:.1f}", f"{row['texts_per_s']:.1f}", f"{row['texts_per_cpu_s']:.1f}", f"{row['alone_ms']:.0f}",
            f"{row['passed_first_try']:.0%}", f"{row['invented_claims']:.1%}", f"{row['distinct_2']:.3f}",
        )  # fmt: skip
    Console(width=150).print(table)
    rounded = {name: {key: round(value, 4) for key, value in row.items()} for name, row in figures.items()}
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(rounded))


@app.command()
def rate(
    first: Annotated[str, typer.Argument(help="Whose texts: a name of the report, such as phrasebook.")],
    second: Annotated[str, typer.Argument(help="Against whose: another, such as human.")],
    *,
    texts: Annotated[Path, _File] = Path("out/evaluation/texts.jsonl"),
    count: Annotated[int, typer.Option(min=1, help="Pairs.")] = 30,
    seed: Annotated[int, typer.Option(help="Which pairs, and which side.")] = 0,
    log: Annotated[Path, typer.Option(dir_okay=False, help="Every answer is added here.")] = Path(
        "out/evaluation/ratings.jsonl"
    ),
) -> None:
    """Two texts for a brief, blind: which would you print? The win rate with its 95 % interval (Wilson)."""
    from shelftalk.evaluate.text import rate as rating  # noqa: PLC0415

    pairs = rating.pairs_of(texts, first, second, count, seed)
    wins = rating.rate(pairs, input, typer.echo, log)
    _say_verdict(rating.verdict(first, second, wins))


def _say_verdict(verdict: "Verdict") -> None:
    typer.echo(
        f"{verdict.first} against {verdict.second}: {verdict.rate:.0%} of {verdict.ratings},"
        f" 95 % {verdict.low:.0%} to {verdict.high:.0%}"
    )
    typer.echo(msgspec.json.encode(verdict).decode())


@app.command()
def blind(
    first: Annotated[str, typer.Argument(help="Whose texts: a name of the report, such as phrasebook.")],
    second: Annotated[str, typer.Argument(help="Against whose: another, such as human.")],
    *,
    texts: Annotated[Path, _File] = Path("out/evaluation/texts.jsonl"),
    group: Annotated[str, typer.Option(help="Only of groups whose name holds this, such as zh.")] = "",
    count: Annotated[int, typer.Option(min=1, help="Pairs.")] = 60,
    seed: Annotated[int, typer.Option(help="Which pairs, and which side.")] = 0,
    out: Annotated[Path, typer.Option(file_okay=False, help="sheet.jsonl and key.jsonl go here.")] = Path("out/blind"),
) -> None:
    """Write a sheet of pairs for a judge who sits elsewhere, and apart from it whose texts they are.

    The judge reads sheet.jsonl alone and answers with rows like {"pair": 1, "better": "a"}: a, b or neither; `tally` counts.
    """
    from shelftalk.evaluate.text import rate as rating  # noqa: PLC0415

    pairs = rating.pairs_of(texts, first, second, count, seed, group=group)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("sheet", rating.sheet(pairs)), ("key", rating.key(pairs))):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    typer.echo(f"{len(pairs)} pairs in {out / 'sheet.jsonl'}; keep {out / 'key.jsonl'} from whoever judges")


@app.command()
def tally(
    answers: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The judge's rows.")],
    key: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The key that `blind` wrote.")],
    first: Annotated[str, typer.Argument(help="Whose win rate.")],
    second: Annotated[str, typer.Argument(help="Against whom.")],
) -> None:
    """Count a judge's answers to a sheet of `blind`: the win rate with its 95 % interval (Wilson)."""
    from shelftalk.evaluate.text import rate as rating  # noqa: PLC0415

    _say_verdict(rating.verdict(first, second, rating.tally(answers, key)))


@app.command()
def references(
    catalogue: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the set litemall-zh.")],
    *,
    out: Annotated[Path, typer.Option(dir_okay=False, help="A test set for `evaluate text --foreign`.")] = Path(
        "out/litemall.jsonl"
    ),
) -> None:
    """What people wrote in Chinese about a catalogue's products, as a test set. Only to measure by: it is that shop's own."""
    from shelftalk.evaluate.text.references import litemall  # noqa: PLC0415

    rows = litemall(catalogue)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    typer.echo(f"{len(rows)} products in {out}")


@app.command()
def guard(
    files: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, dir_okay=False, help="JSONL of cases instead of those that come with us."),
    ] = None,
    *,
    wrong: Annotated[
        bool,
        typer.Option(help="Show each text that was judged wrongly; held-out ones never: who reads them tunes on them."),
    ] = True,
) -> None:
    """How many bad texts does the guard stop, and how many good ones does it let pass?"""
    from shelftalk.evaluate.guarding import HELD_OUT, corpora_that_come, evaluate_guard, read_cases  # noqa: PLC0415

    corpora = {path.name: list(read_cases(path)) for path in files or ()} or corpora_that_come()
    scores = {name: evaluate_guard(cases) for name, cases in corpora.items()}
    for name, score in scores.items():
        typer.echo(
            f"{name}: {score.stopped} of {score.bad} bad texts stopped (recall {score.recall:.1%}; {score.for_the_reason} for "
            f"the expected reason), {score.passed} of {score.good} good ones passed (precision {score.precision:.1%}). "
            f"From a model, {score.reviewed} of the bad ones would be stopped"
        )
        for case in score.wrong if wrong and not name.endswith(HELD_OUT) else ():
            given = "; ".join(case.reasons) or "nothing"
            typer.echo(f"  expected {case.expected}, {case.outcome} for {given}: {case.text}")
    typer.echo(json.dumps({name: score.figures() for name, score in scores.items()}))


@app.command()
def crowd(
    *,
    seconds: Annotated[int, typer.Option(min=12, help="Simulated seconds.")] = 360,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 1_000.0,
    seed: Annotated[int, typer.Option(help="Decides what the crowd does.")] = 1,
    texts: Annotated[float, typer.Option(min=0.1, help="Texts a second that the model can write.")] = 1_000.0,
) -> None:
    """Play the demo's crowd in simulated time: how many events cost a generation?"""
    from shelftalk.evaluate.crowd import evaluate_crowd  # noqa: PLC0415

    typer.echo(json.dumps(evaluate_crowd(seconds=seconds, rate_per_s=rate, seed=seed, texts_per_s=texts)))
