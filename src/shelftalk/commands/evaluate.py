"""``shelftalk evaluate``: what recommendations and words are worth."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Judge recommendations by a log, and texts by figures.", no_args_is_help=True)

_File = typer.Option(exists=True, dir_okay=False)


@app.callback()
def _group() -> None:
    """Make it a group, however many commands there are."""


@app.command()
def next_item(
    log: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A REES46 log, plain or .gz.")] = None,
    *,
    train: Annotated[Path | None, _File] = None,
    test: Annotated[Path | None, _File] = None,
    split: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of one LOG that is only learned from.")] = 0.8,
    frozen: Annotated[bool, typer.Option(help="Learn nothing after the split.")] = False,
    score: Annotated[
        int, typer.Option(min=1, help="Foretell about so many steps; of more, every n-th session.")
    ] = 20_000,
) -> None:
    """Replay a log in order of time: who knows best which product comes next in the session?"""
    from shelftalk.evaluate.log import survey  # noqa: PLC0415
    from shelftalk.evaluate.report import evaluate_next_item  # noqa: PLC0415  numpy and scipy are slow to import

    if (log is None) == (train is None and test is None) or (train is None) != (test is None):
        raise typer.BadParameter("give either LOG, or --train FILE and --test FILE")
    if log is not None:
        parts = [survey(log, learned_share=split)]
    else:
        assert train is not None  # noqa: S101  checked above
        assert test is not None  # noqa: S101
        parts = [survey(train, learned_share=1.0), survey(test, learned_share=0.0)]
    figures = evaluate_next_item(parts, frozen=frozen, score=score)
    typer.echo(json.dumps(figures))
