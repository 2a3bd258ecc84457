"""``shelftalk replay``: load-testing with recorded event streams."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from shelftalk.errors import ConfigError

if TYPE_CHECKING:
    from threading import Event

    from rich.console import Console

    from shelftalk.replay.measure import Spread
    from shelftalk.replay.site import Where

app = typer.Typer()

#: What a ramp is that was asked for and not said.
_RAMP = "10s"

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def seconds(text: str) -> float:
    """A duration such as ``90s``, ``5m``, ``250ms`` or ``60``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", str(text).strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 90s, 5m or 250ms")
    return float(found[1]) * _UNITS_S[found[2]]


# --- what `run` and `capacity` are both told ----------------------------------------------------------------------------

_Recording = Annotated[Path, typer.Argument(help="A file, or a folder of parts.")]
_Bootstrap = Annotated[
    str | None,
    typer.Option(
        help="This Kafka: with --workers for workers of our own, without for those that run there; else an embedded broker."
    ),
]
_Partitions = Annotated[int, typer.Option(min=1, help="Of the topics for workers started here.")]
_Metrics = Annotated[list[str] | None, typer.Option(help="Where running workers show figures: http://.../metrics.")]
_PhrasebookOnly = Annotated[bool, typer.Option(help="Start workers without a model.")]
_Records = Annotated[int, typer.Option(min=1, help="Of the recording, at most.")]
_Out = Annotated[Path | None, typer.Option(file_okay=False, help="Folder for what was found, and its page.")]
_Rows = Annotated[bool, typer.Option("--rows", help="Plain lines, even on a terminal.")]


def _where(
    console: "Console",
    bootstrap: str | None,
    partitions: int,
    metrics: list[str] | None,
    *,
    own: bool,
    workers: int | None = None,
    phrasebook_only: bool,
    plain: bool,
) -> "Where":
    """The place, with a model for workers of our own."""
    from shelftalk.demo.words import find_model  # noqa: PLC0415
    from shelftalk.replay.site import Where  # noqa: PLC0415

    model = find_model(console, plain=plain, phrasebook_only=phrasebook_only) if own else None
    return Where(bootstrap=bootstrap, workers=workers, partitions=partitions, model=model, metrics=tuple(metrics or ()))


def _look_first(recording: Path, slo: str) -> None:
    """Mistakes that can be seen at once, before a model is looked for, which may take minutes to build."""
    from shelftalk.replay.recording import Recording  # noqa: PLC0415
    from shelftalk.replay.slo import parse  # noqa: PLC0415

    parse(slo)
    Recording(recording)


def _say(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def _until_interrupted() -> Iterator["Event"]:
    """Ctrl-C sets the event; what could not begin yet ends with a line and the exit code of shells."""
    from shelftalk.replay.progress import INTERRUPTED, Interrupted, stop_on_signal  # noqa: PLC0415

    try:
        with stop_on_signal() as stop:
            yield stop
    except Interrupted as error:
        _say(f"shelftalk: {error}")
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def record(
    *,
    out: Annotated[Path, typer.Option(help="A folder; one that holds a recording already is gone on with.")],
    topic: Annotated[
        list[str] | None,
        typer.Option(help="behaviour, inventory, ... or the full name of any other; both inputs if not given."),
    ] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="The brokers; else those of the settings.")] = None,
    from_beginning: Annotated[bool, typer.Option(help="What is in the topics already, too.")] = False,
    until_end: Annotated[bool, typer.Option(help="Stop where the topics end now.")] = False,
    for_: Annotated[
        float | None, typer.Option("--for", parser=seconds, metavar="TIME", help="Stop after so long.")
    ] = None,
    records: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    rotate_mb: Annotated[float, typer.Option(min=0.001, help="Begin another file after so many MB of events.")] = 256.0,
    rotate_every: Annotated[float, typer.Option(parser=seconds, metavar="TIME", help="... or after so long.")] = 300.0,
    keep_ids: Annotated[bool, typer.Option(help="Record shoppers' ids as they are, rather than pseudonyms.")] = False,
) -> None:
    """Write what comes to live topics to Parquet, until Ctrl-C."""
    from shelftalk.replay.progress import Ticker, stop_on_signal  # noqa: PLC0415  slow to import, and --help must not wait
    from shelftalk.replay.recorder import Plan, Recorder  # noqa: PLC0415
    from shelftalk.stream.settings import TOPIC_FIELDS, load  # noqa: PLC0415

    settings = load(**({"kafka": {"bootstrap_servers": bootstrap_servers}} if bootstrap_servers else {}))
    ours = {settings.topics.name(field): field.removesuffix("_") for field in TOPIC_FIELDS}
    full_names = {stream: name for name, stream in ours.items()}
    names = [full_names.get(name, name) for name in topic or ("behaviour", "inventory")]
    plan = Plan(
        topics={name: ours.get(name) for name in names},
        from_beginning=from_beginning,
        until_end=until_end,
        seconds=for_,
        records=records,
        rotate_bytes=int(rotate_mb * 1024 * 1024),
        rotate_s=rotate_every,
    )
    recorder = Recorder(settings.kafka, plan, out, None if keep_ids else settings.privacy.pseudonyms().of)
    _say(f"{'going on with' if recorder.resumed else 'recording'} {', '.join(names)} to {out}; Ctrl-C ends it")
    if keep_ids:
        _say("shoppers' ids are recorded as they are")
    elif not settings.privacy.pseudonym_key.get_secret_value():
        _say("pseudonyms by a key made up for this run; to go on another time, set SHELFTALK_PRIVACY__PSEUDONYM_KEY")
    with stop_on_signal() as stop, Ticker(recorder.words) as ticker:
        recorder.run(ticker.tick, stop)
    _say(f"{recorder.records.total():,} records in {out}")


@app.command("import")
def import_(
    *,
    files: Annotated[list[Path] | None, typer.Argument(help="The log, plain or .gz; several are read as one.")] = None,
    out: Annotated[Path, typer.Option(help="A .parquet file, or a folder.")],
    kind: Annotated[str, typer.Option("--format", help="rees46, otto, uci, or demo: the demo's crowd.")],
    catalog: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Tell it in these products.")
    ] = None,
    most: Annotated[int, typer.Option("--records", min=1, help="Take so many events at most.")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="Of the demo's crowd.")] = 1,
    for_: Annotated[float, typer.Option("--for", parser=seconds, metavar="TIME", help="Of the demo's crowd.")] = 300.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second of the demo's crowd.")] = 25.0,
) -> None:
    """Make a recording of a public log, or of the demo's crowd (the same seed gives the same file)."""
    from shelftalk.replay.importing import Format, import_demo, import_logs  # noqa: PLC0415
    from shelftalk.replay.progress import INTERRUPTED, Ticker  # noqa: PLC0415

    if kind not in set(Format):
        raise ConfigError(f"--format {kind}: there is no such format; there are {', '.join(Format)}")
    if kind == Format.DEMO:
        if files:
            raise ConfigError("the demo's crowd is no file: leave it out")
        with _until_interrupted() as stop:
            found = import_demo(out, seed=seed, seconds=for_, rate_per_s=rate, catalogue=catalog, stop=stop)
    else:
        if not files:
            raise ConfigError(f"--format {kind}: name the log's file")
        count = 0

        def progress(events: int) -> None:
            nonlocal count
            count = events
            ticker.tick()

        with _until_interrupted() as stop, Ticker(lambda: f"{count:,} events read") as ticker:
            found = import_logs(files, Format(kind), out, catalogue=catalog, most=most, progress=progress, stop=stop)
    typer.echo("\n".join([*found.lines(), f"{found.products:,} products; {out}"]))
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command()
def show(
    recording: _Recording,
    records: Annotated[int, typer.Option(min=0, help="Print so many of its records, too.")] = 0,
) -> None:
    """Say what is in a recording."""
    from shelftalk.replay.contents import contents  # noqa: PLC0415
    from shelftalk.replay.recording import Recording  # noqa: PLC0415

    found = Recording(recording)
    typer.echo("\n".join(contents(found)))
    for row in found.rows(records) if records else ():
        key, value = (None if raw is None else raw.decode(errors="replace") for raw in (row.key, row.value))
        typer.echo(f"{row.topic}[{row.partition}]@{row.offset} {row.timestamp_ms} {key} {value}")


class _RampAlone(TyperCommand):
    """``--ramp`` may stand without a time, which Typer's options cannot."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What was typed, with the time that was meant."""
        told = [
            part
            for word, after in zip_longest(args, args[1:], fillvalue="--")
            for part in ((word, _RAMP) if word == "--ramp" and after.startswith("--") else (word,))
        ]
        return super().parse_args(ctx, told)


@app.command(cls=_RampAlone)
def run(
    recording: _Recording,
    *,
    speed: Annotated[float, typer.Option(min=0.001, help="Recorded seconds in one second.")] = 1.0,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Records a second, evenly; shoppers are multiplied until --speed is true."),
    ] = None,
    for_: Annotated[
        float | None, typer.Option("--for", parser=seconds, metavar="TIME", help="End after so long.")
    ] = None,
    loop: Annotated[bool, typer.Option(help="Begin again at the end.")] = False,
    ramp: Annotated[
        float, typer.Option(parser=seconds, metavar="[TIME]", help="Grow to the full pace in so long; 10s if not said.")
    ] = 0.0,
    users: Annotated[int | None, typer.Option(min=1, help="Each shopper comes so often, as another one each.")] = None,
    products: Annotated[int, typer.Option(min=1, help="Each product is there so often, as another one each.")] = 1,
    warm_up: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="Measured only after that; 5s or the ramp if not given."),
    ] = None,
    drain: Annotated[
        float, typer.Option(parser=seconds, metavar="TIME", help="Wait so long for what is open at the end.")
    ] = 60.0,
    slo: Annotated[str, typer.Option(help='Objectives such as "p99<300ms,lost=0"; exit code 1 if one is broken.')] = "",
    out: _Out = None,
    bootstrap_servers: _Bootstrap = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Start so many workers, on topics of their own.")] = None,
    partitions: _Partitions = 4,
    metrics: _Metrics = None,
    phrasebook_only: _PhrasebookOnly = False,
    records: _Records = 1_000_000,
    rows: _Rows = False,
) -> None:
    """Play a recording and measure what it causes; without a broker, everything is started here.

    Exit codes: 0 objectives kept; 1 broken, or something failed; 2 a mistake in what was asked for; 3 no verdict, because the
    generator of load could not keep up.
    """
    from rich.console import Console  # noqa: PLC0415

    from shelftalk.replay.run import Options, run  # noqa: PLC0415
    from shelftalk.replay.schedule import Pace  # noqa: PLC0415

    _look_first(recording, slo)
    console = Console(highlight=False)
    pace = Pace(speed=speed, rate_per_s=rate, seconds=for_, loop=loop, ramp_s=ramp, users=users, products=products)
    own = bootstrap_servers is None or workers is not None
    said = (console, bootstrap_servers, partitions, metrics)
    where = _where(*said, own=own, workers=workers, phrasebook_only=phrasebook_only, plain=rows)
    options = Options(
        recording=recording,
        pace=pace,
        where=where,
        out=out or _folder("run", recording),
        warm_up_s=warm_up,
        drain_s=drain,
        slo=slo,
        records=records,
        plain=rows,
    )
    with _until_interrupted() as stop:
        code = run(options, console, stop)
    raise typer.Exit(code)


@app.command()
def capacity(
    recording: _Recording,
    *,
    slo: Annotated[str, typer.Option(help="What a rate must keep to be held.")] = "p99<1s,lost=0",
    workers: Annotated[
        str | None, typer.Option(metavar="N,N", help="Search on so many workers, one number after the other.")
    ] = None,
    from_rate: Annotated[float, typer.Option(min=0.5, help="Records a second of the first step.")] = 50.0,
    step: Annotated[float, typer.Option(parser=seconds, metavar="TIME", help="How long a rate is measured.")] = 8.0,
    within: Annotated[float, typer.Option(min=0.01, max=1.0, help="How close the result is to be, as a share.")] = 0.1,
    sweep: Annotated[
        bool, typer.Option(help="Measure larger catalogues and more partitions, too, for the plan.")
    ] = True,
    plan_rate: Annotated[float, typer.Option(min=1, help="Plan for so many events a second,")] = 50_000,
    plan_shoppers: Annotated[int, typer.Option(min=1, help="so many shoppers,")] = 20_000_000,
    plan_skus: Annotated[int, typer.Option(min=1, help="and so many products,")] = 100_000,
    plan_memory: Annotated[float, typer.Option(min=0.1, help="on workers of so many GB.")] = 8.0,
    out: _Out = None,
    bootstrap_servers: _Bootstrap = None,
    partitions: _Partitions = 4,
    metrics: _Metrics = None,
    phrasebook_only: _PhrasebookOnly = False,
    records: _Records = 1_000_000,
    rows: _Rows = False,
) -> None:
    """Find the highest steady rate that keeps an objective, and plan for a larger shop by it.

    Exit codes: 0 found; 1 not even the slowest step was held; 2 a mistake in what was asked for; 3 interrupted, or the generator of
    load ended the search.
    """
    from rich.console import Console  # noqa: PLC0415

    from shelftalk.replay.capacity.plan import Wanted  # noqa: PLC0415
    from shelftalk.replay.capacity.run import Options, run  # noqa: PLC0415

    _look_first(recording, slo)
    console = Console(highlight=False)
    numbers = _numbers(workers) if workers else () if bootstrap_servers else (1,)
    said = (console, bootstrap_servers, partitions, metrics)
    where = _where(*said, own=bool(numbers), phrasebook_only=phrasebook_only, plain=rows)
    options = Options(
        recording=recording,
        where=where,
        workers=numbers,
        wanted=Wanted(plan_rate, plan_shoppers, plan_skus, plan_memory * 1000),
        out=out or _folder("capacity", recording),
        slo=slo,
        first_per_s=from_rate,
        step_s=step,
        within=within,
        sweep=sweep,
        records=records,
        plain=rows,
    )
    with _until_interrupted() as stop:
        code = run(options, console, stop)
    raise typer.Exit(code)


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers such as ``1,2,4``."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--workers {text}: write numbers of workers, such as 1,2")
    return tuple(sorted({int(part) for part in parts}))


def _folder(what: str, recording: Path) -> Path:
    """A new place under ``out/``, named so that the newest comes last."""
    from datetime import datetime  # noqa: PLC0415

    return Path("out") / "replay" / f"{what}-{recording.stem}-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005  for a person here


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of one run.")],
    after: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the other.")],
    *,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The page; diff.html beside the second run if not given.")
    ] = None,
    same_text: Annotated[bool, typer.Option(help="Exit code 1 if a text changed.")] = False,
    slower: Annotated[
        float | None, typer.Option(min=0, help="Exit code 1 if p99 grew by more than so many percent.")
    ] = None,
) -> None:
    """Compare two runs: latency, and the texts by brief, changed ones side by side."""
    from rich.console import Console  # noqa: PLC0415

    from shelftalk.replay import diff_report, result  # noqa: PLC0415
    from shelftalk.replay.diff import compare  # noqa: PLC0415
    from shelftalk.replay.texts import read_texts  # noqa: PLC0415

    first, second = result.read(before), result.read(after)
    same_sends = (first.recording["fingerprint"], first.pace) == (second.recording["fingerprint"], second.pace)
    texts = compare(read_texts(before), read_texts(after), same_sends=same_sends)
    console = Console(highlight=False)
    for line in diff_report.lines(first, second, texts):
        console.print(line, markup=False, soft_wrap=True)
    if (table := diff_report.table(texts)) is not None:
        console.print(table)
    page = diff_report.write_page(first, second, texts, out or after / diff_report.FILE)
    console.print(f"page: {page}", markup=False, soft_wrap=True)
    if slower is not None and (first.answers is None or second.answers is None):
        raise typer.Exit(3)
    grew = slower is not None and _grown(first.answers, second.answers) > slower / 100
    raise typer.Exit(int((same_text and not texts.same_text) or grew))


def _grown(before: "Spread | None", after: "Spread | None") -> float:
    """By which share p99 grew."""
    if before is None or after is None or not before.p99 or after.p99 is None:
        return 0.0
    return after.p99 / before.p99 - 1
