"""The demo's job from beginning to end: broker, worker, crowd, view, audit, summary."""

import contextlib
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import orjson
from rich.console import Console

from shelftalk.demo.child import WorkerProcess, worker_environment, worker_process
from shelftalk.demo.feed import Feed
from shelftalk.demo.observer import Observer, topic_names, uncommitted
from shelftalk.demo.pace import COMMIT_S, LOOK_S, RUSH_PER_S, Pace
from shelftalk.demo.piece import Choice, Piece
from shelftalk.demo.plan import Stream
from shelftalk.demo.player import Player
from shelftalk.demo.records import Seen, Writer
from shelftalk.demo.shopfront import write as write_page
from shelftalk.demo.summary import Figures, Tally, lines
from shelftalk.demo.verify import PRICE_FINDINGS, verify_folder
from shelftalk.demo.verify import describe as describe_report
from shelftalk.demo.view import LiveView, PlainView, Progress, View
from shelftalk.demo.words import find_model
from shelftalk.errors import BrokerError, ConfigError
from shelftalk.replay.lag import Lag
from shelftalk.stream.broker import embedded_broker
from shelftalk.stream.login import Kafka
from shelftalk.stream.settings import Topics, load
from shelftalk.stream.topics import TopicAdmin

#: The model is loaded and the group is joined in some seconds; a cold disk and a busy machine take longer.
READY_S = 120.0

#: How long the worker may take for what is still open when the last event was sent, and how long nothing must come until it counts
#: as done.
DRAIN_S, QUIET_S = 45.0, 2.0

#: After Ctrl-C nobody wants to wait.
HURRIED_DRAIN_S = 5.0

#: The crowd starts a moment after everything is up.
START_IN_MS = 300

_STREAMS = ("behaviour", "inventory", "cards", "copy", "review", "dead_letters")
_STEP_S = 0.05


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run.

    Attributes:
        out: where to keep the records; a temporary folder otherwise.
        bootstrap: a broker of your own instead of the embedded one.
        phrasebook_only: without a model.
        rows: plain rows even on a terminal.
    """

    choice: Choice
    out: Path | None = None
    bootstrap: str | None = None
    phrasebook_only: bool = False
    rows: bool = False


class Outcome(msgspec.Struct):
    """How the playing itself went."""

    complete: bool = True
    interrupted: bool = False
    drained: bool = False
    read_back: bool = False
    stopped_cleanly: bool = False
    failure: str | None = None
    metrics: dict[str, float] = {}
    uncommitted: int | None = None


class Demo:
    """One run.

    Args:
        options: how.
        console: where to print.
    """

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._tally = Tally()
        self._feed = Feed()
        self._outcome = Outcome()
        self._pace = Pace()
        self._looked_s = 0.0  # when the worker was last asked for its figures, after the start
        self._plain = options.rows or not console.is_terminal

    def run(self) -> int:
        """Run it all.

        Returns:
            Exit code: 0 if everything held, 1 if a card was wrong, an event was lost, or the worker failed.
        """
        piece = Piece(self._options.choice)
        for line in piece.about:
            self._say(line)
        model = find_model(self._console, plain=self._plain, phrasebook_only=self._options.phrasebook_only)
        with self._folder() as folder, _interruptible():
            self._play(piece, model, folder)
            figures = self._figures(folder)
            if self._options.out is not None:
                write_page(folder, figures)
            if self._options.choice.rush and not self._outcome.interrupted:
                figures["simulated"] = self._simulated()
            for line in piece.remarks():
                self._say(line)
        self._say("")
        for line in lines(figures):
            self._say(line)
        self._closing_notes(figures)
        print(orjson.dumps(figures).decode(), flush=True)
        return 0 if figures["ok"] else 1

    def _simulated(self) -> Figures:
        """The same crowd at the whole rate, whatever this machine can take: without a broker, in simulated time."""
        from shelftalk.evaluate.crowd import play, warm_of  # noqa: PLC0415  few need it, and it needs the demo

        self._say(f"playing the crowd at {RUSH_PER_S:,.0f} events/s once more, in simulated time; some 40 s")
        events, texts = warm_of(
            play(seconds=48, window_s=4, rate_per_s=RUSH_PER_S, seed=self._options.choice.seed, texts_per_s=RUSH_PER_S)
        )
        return {
            "events_per_s": RUSH_PER_S,
            "events": events,
            "texts": texts,
            "texts_per_event": round(texts / events, 5),
        }

    # --- before ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        if self._options.out is not None:
            try:
                self._options.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"--out {self._options.out}: {error}") from error
            yield self._options.out.resolve()
        else:
            with tempfile.TemporaryDirectory(prefix="shelftalk-demo-", ignore_cleanup_errors=True) as folder:
                yield Path(folder)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _play(self, piece: Piece, model: Path | None, folder: Path) -> None:
        """Everything between the first process started and the last one ended."""
        try:
            with contextlib.ExitStack() as stack:
                kafka = self._kafka(stack)
                name = f"shelftalk-demo-{uuid.uuid4().hex[:8]}"
                topics = Topics(prefix=f"{name}.")
                if self._options.bootstrap is not None:
                    stack.callback(self._delete_topics, kafka, name)
                environment = worker_environment(
                    kafka, topics, name, folder, model, embedded=self._options.bootstrap is None
                )
                if piece.held_back:
                    environment["SHELFTALK_KAFKA__COMMIT_INTERVAL_S"] = str(COMMIT_S)
                arguments = ["--create-topics", *(["--phrasebook-only"] if model is None else [])]
                writer = stack.enter_context(Writer(folder))
                worker = stack.enter_context(worker_process(arguments, environment, folder))
                self._start(worker)
                observer = Observer(
                    kafka, f"{name}-observer", {stream: topics.name(stream) for stream in _STREAMS}, self._note(writer)
                )
                observer.start()
                self._perform(piece, kafka, topics, worker, observer)
                self._finish(kafka, topics, name, worker, observer)
        except KeyboardInterrupt:
            self._outcome.interrupted = True
            self._outcome.complete = False

    def _kafka(self, stack: contextlib.ExitStack) -> Kafka:
        if self._options.bootstrap is not None:
            kafka = load(kafka={"bootstrap_servers": self._options.bootstrap}).kafka
            self._say(f"broker: yours, at {kafka.bootstrap_servers}, with {len(topic_names(kafka))} topics")
            return kafka
        broker = stack.enter_context(embedded_broker())
        self._say(f"broker: embedded, at {broker.bootstrap_servers}")
        return Kafka(bootstrap_servers=broker.bootstrap_servers)

    def _start(self, worker: WorkerProcess) -> None:
        told = 0.0

        def waiting(waited_s: float) -> None:
            nonlocal told
            if waited_s - told >= 5:  # noqa: PLR2004  seconds between two words of patience
                told = waited_s
                self._say(f"worker: starting, {waited_s:.0f} s")

        worker.wait_until_ready(READY_S, waiting)
        self._say(f"worker: ready; its log is {worker.log}")

    def _note(self, writer: Writer) -> Any:
        def note(seen: Seen) -> None:
            writer.write(seen)
            self._feed.note(seen, self._tally.note(seen))

        return note

    def _perform(self, piece: Piece, kafka: Kafka, topics: Topics, worker: WorkerProcess, observer: Observer) -> None:
        """Play and watch, then wait until everything that was caused has come out."""
        start_ms = time.time_ns() // 1_000_000 + START_IN_MS
        until_ms = start_ms + round(piece.seconds * 1000)
        names = {stream: topics.name(stream.value) for stream in Stream}
        records = piece.records(start_ms)
        if piece.held_back:
            records = self._pace.held_back(records, until_ms)
        self._player = player = Player(kafka, names, records, until_ms)
        view = self._view()
        lag = Lag(kafka, topics, topics.prefix.removesuffix(".")) if piece.held_back else None
        began_s = time.monotonic()
        player.start()
        try:
            while player.is_alive() and self._healthy(player, worker, observer):
                played_s = time.monotonic() - began_s
                self._look(worker, lag, played_s)
                view.show(Progress("playing", played_s, piece.seconds))
                time.sleep(_STEP_S)
        except KeyboardInterrupt:
            self._outcome.interrupted = True
        finally:
            player.stop()
            self._pace.over()
            player.join()
            view.close()
            if lag is not None:
                lag.close()
        self._healthy(player, worker, observer)
        if self._outcome.interrupted:
            self._say("interrupted: ending with what there is")
        self._drain(worker, observer)

    def _look(self, worker: WorkerProcess, lag: Lag | None, played_s: float) -> None:
        """How much the worker has done."""
        if played_s >= self._looked_s + LOOK_S:
            self._looked_s = played_s
            behind = lag.now() if lag is not None else None
            self._pace.note(played_s, worker.metrics(), behind, self._tally.newest_ms())

    def _view(self) -> View:
        if self._plain:
            return PlainView(self._say, self._tally, self._feed)
        return LiveView(self._console, self._tally, self._feed)

    def _healthy(self, player: Player, worker: WorkerProcess, observer: Observer) -> bool:
        """Whether it makes sense to go on; what failed is remembered."""
        if not worker.running:
            self._outcome.failure = f"the worker ended (exit {worker.exit_code}):\n{worker.last_words()}"
        for thread in (player, observer):
            if thread.error is not None:
                self._outcome.failure = f"the {thread.name} failed: {thread.error!r}"
        return self._outcome.failure is None

    def _drain(self, worker: WorkerProcess, observer: Observer) -> None:
        """Until nothing is open and nothing comes out any more."""
        limit_s = HURRIED_DRAIN_S if self._outcome.interrupted else DRAIN_S
        deadline_s = time.monotonic() + limit_s
        quiet_since_s, seen = time.monotonic(), observer.seen
        while time.monotonic() < deadline_s and worker.running:
            time.sleep(_STEP_S * 4)
            idle = worker.open_entries() == 0
            if observer.seen != seen or not idle:
                quiet_since_s, seen = time.monotonic(), observer.seen
            if time.monotonic() - quiet_since_s >= QUIET_S:
                self._outcome.drained = True
                return

    def _finish(self, kafka: Kafka, topics: Topics, name: str, worker: WorkerProcess, observer: Observer) -> None:
        self._outcome.metrics = worker.metrics()
        self._outcome.stopped_cleanly = worker.stop(READY_S / 3)
        observer.stop()
        observer.join()
        if observer.error is None:
            self._outcome.read_back = observer.finish(DRAIN_S / 3)
        self._outcome.uncommitted = uncommitted(kafka, name, [topics.name("behaviour"), topics.name("inventory")])

    def _delete_topics(self, kafka: Kafka, prefix: str) -> None:
        """A broker of somebody's own is left as it was."""
        try:
            names = [topic for topic in topic_names(kafka) if topic.startswith(prefix)]
            TopicAdmin(kafka).delete(names)
        except BrokerError as error:
            self._say(f"topics {prefix}* could not be deleted: {error}")
        else:
            self._say(f"deleted {len(names)} topics {prefix}*")

    # --- after -------------------------------------------------------------------------------------------------------

    def _figures(self, folder: Path) -> Figures:
        report = verify_folder(folder)
        if not report.clean:
            for line in describe_report(report):
                self._say(line)
        outcome, player = self._outcome, getattr(self, "_player", None)
        figures = self._tally.figures()
        sent = sum(player.sent.values()) if player is not None else 0
        poison = dict(player.poison) if player is not None else {}
        steady = self._pace.steady()
        self._pace.note(self._options.choice.seconds, outcome.metrics)
        figures |= {
            "seconds": self._options.choice.seconds,
            "sent": sent,
            "behind_schedule_ms": player.behind_ms if player is not None else 0,
            "asks": _reactions(outcome.metrics) or None,
            "generations": self._pace.texts,
            "drafts": self._pace.drafts,
            "generations_per_event": round(self._pace.texts / max(figures["events"], 1), 4),
            "steady": steady.figures() if steady is not None and self._pace.texts else None,
            "poison_sent": poison,
            "poison_refused": sum(figures["dead_letters"].values()) == sum(poison.values()),
            "lost_events": _lost(sent, figures["events"], outcome.uncommitted),
            "wrong_prices": report.wrong_prices,
            "cards_checked": report.cards,
            "findings": {kind: count for kind, count in report.counts.items() if kind not in PRICE_FINDINGS},
            "price_findings": {kind: count for kind, count in report.counts.items() if kind in PRICE_FINDINGS},
            "crossed_cards": report.crossed,
            "overtaken_cards": len(report.standing_ms),
            "overtaken_max_ms": max(report.standing_ms, default=0),
            "drained": outcome.drained,
            "interrupted": outcome.interrupted,
            "worker_stopped_cleanly": outcome.stopped_cleanly,
        }
        figures["ok"] = (
            report.clean
            and outcome.failure is None
            and outcome.stopped_cleanly
            and outcome.read_back
            and figures["poison_refused"]
            and not figures["lost_events"]
        )
        return figures

    def _closing_notes(self, figures: Figures) -> None:
        if self._outcome.failure is not None:
            self._say(self._outcome.failure)
        elif not self._outcome.drained and not self._outcome.interrupted:
            self._say(
                f"not everything was quiet after {DRAIN_S:g} s; what was left was drained when the worker stopped"
            )
        if not figures["worker_stopped_cleanly"]:
            self._say("the worker did not end cleanly")
        if self._options.out is not None:
            self._say(f"records: {self._options.out}; check them with: shelftalk verify {self._options.out}")
            self._say(f"what shoppers saw: {self._options.out / 'shop.html'}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends us as Ctrl-C does, so that nobody is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _lost(sent: int, read_back: int, uncommitted: int | None) -> int | None:
    """Events that were sent and are not in the topics, or are there and were never finished."""
    return None if uncommitted is None else max(0, sent - read_back) + uncommitted


def _reactions(metrics: dict[str, float]) -> dict[str, int]:
    prefix = 'shelftalk_reactions_total{what="'
    return {name[len(prefix) : -2]: round(value) for name, value in metrics.items() if name.startswith(prefix)}


def run_demo(options: Options) -> int:
    """Run the demo on standard output.

    Raises:
        ShelftalkError: it could not start.
    """
    console = Console(highlight=False)
    try:
        return Demo(options, console).run()
    except KeyboardInterrupt:
        print("interrupted before anything was played", file=sys.stderr)
        return 1
