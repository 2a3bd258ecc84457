"""`replay capacity`: searches on one worker and on several, a small sweep, a plan, a page."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from rich.console import Console

from shelftalk import __version__
from shelftalk.errors import ConfigError
from shelftalk.replay.capacity.fit import Fit, fit_cpu, fit_memory
from shelftalk.replay.capacity.plan import Ladder, Line, Wanted, plan
from shelftalk.replay.capacity.search import Outcome, Search
from shelftalk.replay.capacity.state import read_state
from shelftalk.replay.capacity.steps import WARM_UP_S, Step, Stepper
from shelftalk.replay.files import write_whole
from shelftalk.replay.live import view_for
from shelftalk.replay.progress import Interrupted
from shelftalk.replay.run import Exit, Source, load, make_folder
from shelftalk.replay.schedule import Pace, Schedule
from shelftalk.replay.site import Site, Where, site
from shelftalk.replay.slo import parse

FILE = "capacity.json"

#: The first step of a site is to warm it up: models are loaded lazily, caches are empty, Faust has just joined its group.
_WARMING_S = 4.0

#: The step that confirms a rate lasts so many times as long.
_LONGER = 2.0

#: The sweep's rate, of what one worker holds: enough to be felt, and safely held.
_SWEEP_SHARE = 0.5

#: By so much the sweep's larger sites are larger.
_SWEEP_TIMES = 4

DEFAULT_SLO = "p99<1s,lost=0"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to find out.

    Attributes:
        recording: a file or folder.
        where: `workers` is ignored; see `workers` here.
        workers: numbers of workers to search with; empty for workers that run already.
        slo: objectives.
        first_per_s: rate of the first step.
        step_s: how long a step is measured.
        within: how close the result is to be to what is held (a share).
        sweep: whether larger catalogues and more partitions are measured, too.
        wanted: what to plan for.
        out: folder for the result.
    """

    recording: Path
    where: Where
    workers: tuple[int, ...]
    wanted: Wanted
    out: Path
    slo: str = DEFAULT_SLO
    first_per_s: float = 50.0
    step_s: float = 8.0
    within: float = 0.1
    sweep: bool = True
    records: int = 1_000_000
    plain: bool = False


class Found(msgspec.Struct, kw_only=True):
    """What was found, as it is written.

    Attributes:
        sweep: steps on larger sites.
        doubts: what is to be known before the figures are believed.
    """

    run: str
    started_at: str
    version: str
    recording: dict[str, Any]
    slo: str
    sites: list[str]
    ladders: list[Ladder]
    sweep: list[Step] = []
    cpu: Fit | None = None
    memory: Fit | None = None
    wanted: Wanted | None = None
    plan: list[Line] = []
    interrupted: bool = False
    failures: list[str] = []

    @property
    def steps(self) -> list[Step]:
        """All of them."""
        return [*(step for ladder in self.ladders for step in ladder.steps), *self.sweep]


def run(options: Options, console: Console, stop: Event) -> int:
    """Find out how much is held.

    Args:
        options: what and how.
        console: where a person is told.
        stop: ends it with what there is.

    Returns:
        The exit code (`Exit`): kept if a rate was found for every number of workers.

    Raises:
        ConfigError: something asked for cannot be.
        BrokerError: the brokers do not answer, or a topic is not there.
    """
    from shelftalk.replay.capacity.page import write_page  # noqa: PLC0415  matplotlib takes a second, and only the end needs it

    if not parse(options.slo):
        raise ConfigError(f"--slo: without an objective every rate is held; say for instance {DEFAULT_SLO}")
    source = load(options.recording, options.records)
    Schedule(source.rows, source.streams, Pace())  # raises where there is nothing to play
    make_folder(options.out)
    found = Found(
        run=f"capacity-{uuid.uuid4().hex[:8]}",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        recording={
            "path": str(options.recording),
            "records": len(source.rows),
            "fingerprint": source.fingerprint,
        },
        slo=options.slo,
        sites=[],
        ladders=[],
        wanted=options.wanted,
    )
    measuring = _Measuring(options, source, found, console, stop)
    try:
        measuring.measure()
    except Interrupted:
        found.interrupted = True
    finish(found)
    file = write_whole(options.out / FILE, msgspec.json.format(msgspec.json.encode(found), indent=1))
    page = write_page(found, options.out)
    for text in ("", *summary(found), f"page: {page}; figures: {file}"):
        measuring.say(text)
    return exit_code(found)


def finish(found: Found) -> None:
    """What follows from what was measured."""
    found.cpu, found.memory = fit_cpu(found.steps), fit_memory(found.steps)
    if found.wanted is not None:
        found.plan = plan(found.wanted, found.ladders, found.steps, found.cpu, found.memory)


def exit_code(found: Found) -> Exit:
    """What it says to whoever called it."""
    if any(step.outcome is Outcome.LOAD_LATE for ladder in found.ladders for step in ladder.steps[-1:]):
        return Exit.NO_VERDICT
    if found.interrupted or not found.ladders:
        return Exit.NO_VERDICT
    return Exit.KEPT if all(ladder.capacity_per_s for ladder in found.ladders) else Exit.BROKEN


class _Measuring:
    def __init__(self, options: Options, source: Source, found: Found, console: Console, stop: Event) -> None:
        self._options, self._source, self._found, self._console, self._stop = options, source, found, console, stop
        self._objectives = parse(options.slo)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def measure(self) -> None:
        """Fill `found`."""
        for workers in self._options.workers or (None,):
            self._on_site(workers, self._options.where.partitions, 1, self._search)
        alone = min(self._found.ladders, key=lambda ladder: ladder.workers)
        if not (self._options.sweep and self._options.workers and alone.capacity_per_s):
            return
        rate_per_s = _SWEEP_SHARE * alone.capacity_per_s / alone.workers
        partitions = self._options.where.partitions
        for times_partitions, times_products in ((1, 1), (_SWEEP_TIMES, 1), (1, _SWEEP_TIMES)):
            self._on_site(
                1,
                partitions * times_partitions,
                times_products,
                lambda stepper, _site: self._sweep(stepper, rate_per_s),
            )

    def _on_site(
        self, workers: int | None, partitions: int, products: int, work: Callable[[Stepper, Site], None]
    ) -> None:
        where = msgspec.structs.replace(self._options.where, workers=workers, partitions=partitions)
        with site(where, self._options.out, self.say, self._stop) as place:
            self.say(place.about)
            self._found.sites.append(place.about)
            stepper = Stepper(
                place,
                place.partitions(),
                lambda pace: Schedule(self._source.rows, self._source.streams, pace),
                self._objectives,
                run=f"{self._found.run}-{len(self._found.sites)}",
                products=products,
                watch=self._watch,
                stop=self._stop,
            )
            self._step(stepper.warm, self._options.first_per_s, _WARMING_S, "warming up")
            work(stepper, place)

    def _search(self, stepper: Stepper, place: Site) -> None:
        search = Search(self._options.first_per_s, self._options.within)
        ladder: Ladder | None = None
        while (tried := search.next()) is not None:
            seconds = self._options.step_s * (_LONGER if tried.longer else 1.0)
            step = self._step(stepper.play, tried.rate_per_s, seconds, "longer" if tried.longer else "step")
            if step.outcome is Outcome.LOAD_LATE:  # a hiccup of the machine, or really the end?
                step = self._step(stepper.play, tried.rate_per_s, seconds, "once more")
            if ladder is None:
                ladder = Ladder(
                    workers=step.workers, partitions=step.partitions, steps=[], capacity_per_s=None, ended=""
                )
                self._found.ladders.append(ladder)
            ladder.steps.append(step)
            search.note(tried, step.outcome)
            ladder.capacity_per_s, ladder.ended = search.confirmed, ended(search)
        if ladder is not None:
            ladder.state = read_state(place)
            self.say(f"{ladder.workers} worker{'s' * (ladder.workers > 1)}: {holds(ladder)}")
            if (
                self._options.sweep and ladder.capacity_per_s
            ):  # the sweep's rate once more, with all the shoppers that came
                self._sweep(stepper, _SWEEP_SHARE * ladder.capacity_per_s)

    def _sweep(self, stepper: Stepper, rate_per_s: float) -> None:
        self._found.sweep.append(self._step(stepper.play, rate_per_s, self._options.step_s, "sweep"))

    def _step(self, play: Callable[[float, float], Step], rate_per_s: float, seconds: float, name: str) -> Step:
        self.say(f"{name}: {rate_per_s:,.1f} records/s for {WARM_UP_S + seconds:.0f} s")
        self._view = view_for(self._console, plain=self._options.plain)
        try:
            step = play(rate_per_s, seconds)
        finally:
            self._view.close()
        self.say(f"  {step}")
        if step.outcome is Outcome.INTERRUPTED:
            raise Interrupted
        return step

    def _watch(self, stage: Any) -> None:
        self._view.show(stage)


def ended(search: Search) -> str:
    """Why a search ended where it did."""
    if search.next() is not None:
        return "the search was not finished" + ("" if search.kept is None else f"; {search.kept:,.0f}/s was held once")
    if search.at_limit:
        return f"not searched higher: {Outcome.LOAD_LATE}"
    if search.kept is None:
        return "even the slowest step was not held"
    if search.broken is None:
        return "more was not tried"
    return f"{search.broken:,.0f}/s was not held"


def holds(ladder: Ladder) -> str:
    """The result of a search in words."""
    if ladder.capacity_per_s is None:
        return f"no rate was held ({ladder.ended})"
    at_least = "at least " if "not searched higher" in ladder.ended else ""
    full = f"; {ladder.full_of_what}" if ladder.full else ""
    return f"{at_least}{ladder.capacity_per_s:,.0f} records/s ({ladder.ended}{full})"


def summary(found: Found) -> list[str]:
    """To read."""
    said = [f"objective: {found.slo}"]
    said += [f"{ladder.workers} worker{'s' * (ladder.workers > 1)}: {holds(ladder)}" for ladder in found.ladders]
    if found.interrupted:
        said.append("interrupted: this is what there was")
    said += [f"failed: {failure}" for failure in found.failures]
    for fit in (found.cpu, found.memory):
        if fit is not None:
            said.append(f"{fit.of}: {_terms(fit)} ({fit.points} steps, the worst {fit.worst:.0%} off)")
    if found.plan and found.wanted is not None:
        wanted = found.wanted
        said += [
            "",
            f"for {wanted.rate_per_s:,.0f} events/s, {wanted.shoppers:,} shoppers and {wanted.skus:,} SKUs:",
        ]
        width, value_width = (max(len(getattr(line, name)) for line in found.plan) for name in ("what", "value"))
        said += [
            f"  {line.what:<{width}}  {line.value:>{value_width}}  {line.basis:<12}  {line.how}" for line in found.plan
        ]
    return said


def _terms(fit: Fit) -> str:
    told = [f"{term.name} {term.value:,.4g} {term.unit}" for term in fit.terms if term.value is not None]
    untold = [term.name for term in fit.terms if term.value is None]
    return ", ".join(told) + (f"; not told apart: {', '.join(untold)}" if untold else "")


__all__: Sequence[str] = (
    "DEFAULT_SLO",
    "FILE",
    "Found",
    "Options",
    "ended",
    "exit_code",
    "finish",
    "holds",
    "run",
    "summary",
)
