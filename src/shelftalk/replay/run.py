"""`replay run`: from a recording to a result, its page, and an exit code."""

import enum
import uuid
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from threading import Event

import msgspec
from rich.console import Console

from shelftalk import __version__
from shelftalk.errors import ConfigError
from shelftalk.replay import result as results
from shelftalk.replay.diff import digests
from shelftalk.replay.live import View, view_for
from shelftalk.replay.play import How, Played, Stage, play
from shelftalk.replay.recording import Recorded, Recording
from shelftalk.replay.report import write_report
from shelftalk.replay.result import Result
from shelftalk.replay.schedule import Pace, Schedule
from shelftalk.replay.site import Site, Where, site
from shelftalk.replay.slo import parse
from shelftalk.replay.texts import TextsWriter, read_texts

#: What is due this early counts for nothing where nothing is said, and no more than a fifth of the whole.
WARM_UP_S = 5.0

_MOST_RECORDS = 1_000_000


class Exit(enum.IntEnum):
    """How a run ends. 2 is a mistake in what was asked for, as everywhere."""

    KEPT = 0
    BROKEN = 1
    NO_VERDICT = 3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run.

    Attributes:
        recording: a file or folder.
        records: so many of its records at most.
        out: folder for the result.
        slo: objectives, as given.
        plain: lines even on a terminal.
    """

    recording: Path
    pace: Pace
    where: Where
    out: Path
    warm_up_s: float | None = None
    drain_s: float = 60.0
    slo: str = ""
    records: int = _MOST_RECORDS
    plain: bool = False


class Source(msgspec.Struct, frozen=True):
    """A recording in memory.

    Attributes:
        fingerprint: of every record; the same records have the same.
        cut: whether it has more than were taken.
    """

    path: Path
    rows: list[Recorded]
    streams: dict[str, str]
    fingerprint: str
    cut: bool


def load(path: Path, most: int) -> Source:
    """Read a recording.

    Raises:
        ConfigError: it is not there, not whole, or empty.
    """
    recording = Recording(path)
    digest = blake2b(digest_size=12)
    rows = []
    for row in recording.rows(most):
        digest.update(msgspec.msgpack.encode((row.topic, row.partition, row.timestamp_ms, row.key, row.value)))
        rows.append(row)
    return Source(path, rows, recording.about.streams, digest.hexdigest(), recording.records > len(rows))


def run(options: Options, console: Console, stop: Event) -> int:
    """Run.

    Args:
        options: what and how.
        console: where a person is told.
        stop: ends it with what there is.

    Returns:
        The exit code (`Exit`).

    Raises:
        ConfigError: something asked for cannot be.
        BrokerError: the brokers do not answer, or a topic is not there.
    """

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    objectives = parse(options.slo)
    source = load(options.recording, options.records)
    schedule = Schedule(source.rows, source.streams, options.pace)
    warm_up_s = _warm_up(options, schedule)
    for text in about(source, schedule):
        say(text)
    make_folder(options.out)
    name = f"replay-{uuid.uuid4().hex[:10]}"
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with site(options.where, options.out, say, stop) as place:
        say(place.about)
        how = How(run=name, warm_up_s=warm_up_s, drain_s=options.drain_s)
        played = _play(place, schedule, how, options.out, view_for(console, plain=options.plain), stop)
    found = Result(
        run=name,
        started_at=started_at,
        version=__version__,
        recording={"path": str(options.recording), "records": len(source.rows), "fingerprint": source.fingerprint},
        pace=msgspec.to_builtins(options.pace) | {"users": schedule.users},
        keys=schedule.keys,
        site=place.about,
        warm_up_s=warm_up_s,
        **results.figures_of(played, warm_up_s=warm_up_s),
    )
    found.verdicts = results.judged(objectives, found)
    said = read_texts(options.out)
    found.texts = digests(said)
    results.write(found, options.out)
    report = write_report(found, said, options.out)
    for text in ("", *results.summary(found), f"page: {report}; figures: {options.out / results.FILE}"):
        say(text)
    return exit_code(found)


def exit_code(found: Result) -> Exit:
    """What the run says to whoever called it."""
    if found.failures or found.broken:
        return Exit.BROKEN
    return Exit.NO_VERDICT if found.doubts or found.undecided else Exit.KEPT


def about(source: Source, schedule: Schedule) -> list[str]:
    """What will be played, in lines to read."""
    pace, keys = schedule.pace, schedule.keys
    said = [f"{source.path}: {len(source.rows):,} records over {schedule.duration_s:,.0f} s"]
    if source.cut:
        said[0] += " (the recording has more: --records)"
    how = f"{pace.rate_per_s:,g} a second" if pace.rate_per_s else f"{pace.speed:g} times as fast as recorded"
    often = "" if schedule.users == 1 else f", each shopper {schedule.users:,} times"
    lasts = "until Ctrl-C" if schedule.seconds == float("inf") else f"for {schedule.seconds:,.0f} s"
    said.append(
        f"playing {how}{often}, {lasts}: {keys['shoppers']:,} shoppers, {keys['products']:,} products, "
        f"{len(schedule.opening):,} of them announced before the clock starts"
    )
    if schedule.backwards:
        said.append(
            f"{schedule.backwards:,} timestamps ran backwards; those records follow the one before them at once"
        )
    if schedule.passed_over:
        said.append(f"{schedule.passed_over:,} records are of topics that do not come in, and are not played")
    return said


def _play(place: Site, schedule: Schedule, how: How, out: Path, view: View, stop: Event) -> Played:  # noqa: PLR0917

    def watch(stage: Stage) -> bool:
        view.show(stage)
        return not stop.is_set()

    try:
        with TextsWriter(out) as texts:
            return play(place, schedule, how, watch, texts.add)
    finally:
        view.close()


def _warm_up(options: Options, schedule: Schedule) -> float:
    wanted = options.warm_up_s
    if wanted is None:
        wanted = max(options.pace.ramp_s, min(WARM_UP_S, schedule.seconds / 5))
    if wanted >= schedule.seconds:
        raise ConfigError(f"a warm-up of {wanted:g} s leaves nothing of a run of {schedule.seconds:.3g} s to measure")
    if wanted < options.pace.ramp_s:
        raise ConfigError(
            f"--warm-up {wanted:g} s is shorter than --ramp {options.pace.ramp_s:g} s: the ramp is no steady state"
        )
    return wanted


def make_folder(out: Path) -> None:
    """Where results go.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error
