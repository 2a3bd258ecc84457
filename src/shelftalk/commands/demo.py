"""``shelftalk demo`` and ``shelftalk verify``."""

import enum
from pathlib import Path
from typing import Annotated

import typer


class Format(enum.StrEnum):
    """Formats of recorded logs."""

    REES46 = "rees46"


def demo(
    *,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long to play (60).")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Events a second (25); with --events, rows a second at most (100).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides what the crowd does.")] = 1,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Keep every record here: events.jsonl, cards.jsonl.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Replay this log instead of a simulated crowd.")
    ] = None,
    log_format: Annotated[Format, typer.Option("--format", help="The log's format.")] = Format.REES46,
    catalog: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Products from this YAML, JSON or CSV file.")
    ] = None,
    speed: Annotated[float | None, typer.Option(min=0.001, help="Log seconds a second; fitted if not given.")] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Use this Kafka instead of the embedded broker.")] = None,
    rush: Annotated[
        bool,
        typer.Option(
            "--rush",
            help="A shop at its busiest: 1,000 events a second for 150 s, or as many as the worker takes here, "
            "and how many of them cost a text.",
        ),
    ] = False,
    phrasebook_only: Annotated[bool, typer.Option(help="Run without a model.")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Plain rows, even on a terminal.")] = False,
) -> None:
    """Run the whole thing here: a broker, a worker, a simulated shop, cards live in the terminal."""
    from shelftalk.demo.pace import RUSH_PER_S, RUSH_S  # noqa: PLC0415  slow to import, and --help must not wait
    from shelftalk.demo.piece import DEFAULT_S, Choice  # noqa: PLC0415
    from shelftalk.demo.run import Options, run_demo  # noqa: PLC0415

    del log_format  # there is one
    choice = Choice(
        seconds=seconds or (RUSH_S if rush else DEFAULT_S),
        rate_per_s=rate or (RUSH_PER_S if rush else None),
        seed=seed,
        events=events,
        catalog=catalog,
        speed=speed,
        writing=not phrasebook_only,
        rush=rush,
    )
    options = Options(choice=choice, out=out, bootstrap=bootstrap, phrasebook_only=phrasebook_only, rows=rows)
    raise typer.Exit(run_demo(options))


def verify(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="What `shelftalk demo --out` wrote.")],
) -> None:
    """Check a demo's recorded cards against its recorded events, trusting neither."""
    from shelftalk.demo.verify import describe, verify_folder  # noqa: PLC0415
    from shelftalk.errors import ConfigError  # noqa: PLC0415
    from shelftalk.terminal import safe  # noqa: PLC0415

    try:
        report = verify_folder(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder}: not what `shelftalk demo --out` writes: {error!r}") from error
    typer.echo("\n".join(map(safe, describe(report))))
    raise typer.Exit(0 if report.clean else 1)
