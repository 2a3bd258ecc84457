"""The worker: one Faust app in our own process, event loop and log, that stops as it should.

Faust's own ``Worker`` owns signals, logging and standard output, and can only live in the main thread. This one is a
coroutine; `shelftalk.stream.host` runs it alone in a process, or beside something else in a thread.
"""

import asyncio
import contextlib
import enum
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import faust
import msgspec
import structlog
from faust.types import TP
from prometheus_client import CollectorRegistry, ProcessCollector

from shelftalk.core.ledger import Ledger
from shelftalk.errors import BrokerError, FatalError
from shelftalk.stream.batch import BatchSchema
from shelftalk.stream.dead_letters import DeadLetters
from shelftalk.stream.faust_app import faust_app
from shelftalk.stream.health import Health, HealthServer
from shelftalk.stream.intake import Handler, Intake
from shelftalk.stream.lease import Lease
from shelftalk.stream.metrics import WorkerMetrics
from shelftalk.stream.outbox import Outbox
from shelftalk.stream.processes import exit_now
from shelftalk.stream.rows import IN_MEMORY, RowStore
from shelftalk.stream.settings import Settings
from shelftalk.stream.tables import StateTable
from shelftalk.stream.topics import TopicAdmin, topic_specs
from shelftalk.stream.transport import Transport
from shelftalk.stream.watchdog import GRACE_S, Broker, StalledError, Watchdog

log = structlog.get_logger(__name__)

Value = TypeVar("Value", bound=msgspec.Struct)

#: After a fatal error nothing is waited for that long: what is stuck will come again.
_FATAL_DRAIN_S = 2.0

#: What Faust takes to stop its services beyond the drain.
_STOP_SLACK_S = 10.0


class State(enum.StrEnum):
    """How far a worker is."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


class Worker:
    """One member of the consumer group.

    Args:
        settings: everything.
        register: called with the worker on its event loop, before Faust starts: make tables and agents there.
        create_topics: create what is missing rather than refuse to start.

    Attributes:
        app: of Faust, from `register` on.
        ledger: decides what is committed.
        lease: says whether our partitions can still be ours.
        outbox: for all outputs.
        dead_letters: for events that nobody can take.
        intake: the loop of every agent, with its counts.
        registry: of Prometheus; add your own metrics.
        on_drain: called on the event loop when the worker begins to stop, so that work that waits can be cut short.
        on_running: called on the event loop when it first has its partitions, state included.
        on_stopped: called on the event loop when everything is delivered or the deadline passed.
        catching_up: how far those are who must read something before they answer; ``None`` when nobody must.
        error: what stopped it, if that was an error.
    """

    app: faust.App
    outbox: Outbox
    dead_letters: DeadLetters
    intake: Intake

    def __init__(
        self, settings: Settings, register: "Callable[[Worker], None]", *, create_topics: bool = False
    ) -> None:
        self.settings = settings
        self.ledger: Ledger[TP] = Ledger(settings.in_flight)
        self.lease = Lease(settings.kafka.session_timeout_s)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(WorkerMetrics(self))
        self.on_drain: list[Callable[[], None]] = []
        self.on_stopped: list[Callable[[], None]] = []
        self.on_running: list[Callable[[], None]] = []
        self.catching_up: Callable[[], int | None] = lambda: None
        self.state = State.STARTING
        self.error: Exception | None = None
        self.web_port: int | None = None
        self.watchdog: Watchdog | None = None
        self.started = threading.Event()  # set when it first has its partitions, or has stopped
        self._register = register
        self._create_topics = create_topics
        self._tables: list[StateTable[Any]] = []
        self._consumed: list[str] = []  # topics, by their full names
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = threading.Event()
        self._ended = threading.Event()
        self._stopping: asyncio.Event | None = None
        self._drain_until: float | None = None  # of time.monotonic

    def table(self, name: str, value_type: type[Value]) -> StateTable[Value]:
        """A state table; call it in `register`."""
        partitions = self.settings.topics.partitions
        store = None if name in IN_MEMORY else self._row_store()
        table = StateTable(
            self.app, name, value_type, self.outbox, partitions=partitions, on_fatal=self.fatal, store=store
        )
        self._tables.append(table)
        return table

    def _row_store(self) -> RowStore | None:
        settings = self.settings
        return RowStore(settings.data_dir, settings.store_rows) if settings.store == "sqlite://" else None

    def agent(self, name: str, topic: str, handler: Handler) -> None:
        """Read a topic; call it in `register`, once a topic.

        Args:
            name: for the log and metrics.
            topic: a field of `Topics`, such as ``"behaviour"``.
            handler: see `Intake.run`.
        """
        self._consumed.append(self.settings.topics.name(topic))
        source = self.app.topic(
            self._consumed[-1],
            schema=BatchSchema(),
            partitions=self.settings.topics.partitions,
            allow_empty=True,
        )

        async def read(stream: Any) -> None:
            await self.intake.run(name, stream, handler)

        self.app.agent(source, name=name)(read)

    def stop(self) -> None:
        """Drain and end; from any thread, any number of times."""
        self._stop_asked.set()
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                loop.call_soon_threadsafe(stopping.set)

    def fatal(self, error: Exception) -> None:
        """End with an error; from the event loop."""
        if self.error is None:
            self.error = error
            log.critical("the worker must stop", error=str(error), kind=type(error).__name__)
        self.stop()

    @property
    def exit_code(self) -> int:
        """0 when it stopped because it was asked to."""
        return 0 if self.error is None else 1

    @property
    def health(self) -> Health:
        """What the probes are told."""
        app = getattr(self, "app", None)
        crashed = app is not None and app.crashed
        assigned = app is not None and bool(app.assignor.assigned_actives())
        settled = app is not None and not app.rebalancing and not app.in_recovery and app.tables.actives_ready
        live = self.error is None and not crashed and self.state is not State.STOPPED
        broker_answers = self._broker_answers()
        catching_up = self.catching_up() is not None
        taking = self.state is State.RUNNING and settled and not catching_up
        ready = live and taking and self.lease.valid and broker_answers
        detail = {
            "state": self.state.value,
            "ready": ready,
            "assigned": assigned,
            "rebalancing": app is not None and app.rebalancing,
            "recovering": app is not None and app.in_recovery,
            "catching_up": catching_up,
            "in_group": self.lease.valid,
            "broker_answers": broker_answers,
            "lag": self.lag,
            "open_entries": self.ledger.unfinished,
            "error": None if self.error is None else str(self.error),
        }
        return Health(live, ready, detail)

    @property
    def lag(self) -> int | None:
        """Records of our partitions that are not done with, as the broker last said; ``None`` while it does not."""
        standing = self.watchdog.standing if self.watchdog is not None else None
        return None if standing is None else sum(seen.lag for seen in standing.values())

    def _broker_answers(self) -> bool:
        """Whether it answered within the last looks. Where it never said anything, nobody knows."""
        watchdog = self.watchdog
        if watchdog is None or watchdog.looked_s is None:
            return True
        return watchdog.standing is not None or time.monotonic() - watchdog.looked_s < 2 * watchdog.every_s

    async def run(self) -> None:
        """Run until `stop`, SIGTERM through `run_worker`, or an error.

        Raises:
            FatalError: it could not start, or had to stop.
        """
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        if self._stop_asked.is_set():
            self._stopping.set()
        deadlines = self.settings.deadlines
        self.outbox = Outbox(self.settings.kafka, delivery_timeout_s=deadlines.delivery_s)
        server = HealthServer(self.settings.web, lambda: self.health, self.registry)
        try:
            self._build()
            await asyncio.to_thread(self._check_topics)
            self.outbox.start()
            self._start_watchdog()
            if self.settings.web.enabled:
                await server.start()
                self.web_port = server.port
            await self._run_faust()
        except FatalError as error:
            self.fatal(error)
        except Exception as error:
            log.exception("the worker failed")
            self.fatal(FatalError(f"the worker failed: {error!r}"))
        finally:
            flushed = await self.outbox.close(self._drain_left())
            await server.close()
            self.state = State.STOPPED
            if self.watchdog is not None:
                self.watchdog.stop()
            self._tell(self.on_stopped)
            self.started.set()
            self._ended.set()
            log.info("stopped", flushed=flushed, open_entries=self.ledger.unfinished)
        if self.error is not None:
            raise self.error

    def _build(self) -> None:
        settings = self.settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.dead_letters = DeadLetters(self.outbox, settings.topics.name("dead_letters"), self.fatal)
        self.intake = Intake(self.ledger, self.outbox, self.dead_letters, settings.retry, self.fatal, lease=self.lease)
        self.app = faust_app(settings)
        self.app.transport = Transport(
            self.app,
            self.ledger,
            self._drain,
            self._expelled,
            self.lease,
            fetch_max_wait_ms=self.settings.kafka.fetch_max_wait_ms,
        )
        self._register(self)

    def _start_watchdog(self) -> None:
        broker = Broker(self.settings.kafka, self.settings.app_id)
        stall_s = self.settings.deadlines.stall_s
        self.watchdog = Watchdog(broker, stall_s, self._watched, self._recovered, self._stalled)
        self.watchdog.start()

    def _watched(self) -> list[TP]:
        """What the watchdog looks at: the partitions that are ours; where we have none, all, for then somebody should have them."""
        ours = [TP(tp.topic, tp.partition) for tp in list(self.app.assignor.assigned_actives())]
        found = [place for place in ours if place.topic in self._consumed]
        return found or [TP(topic, n) for topic in self._consumed for n in range(self.settings.topics.partitions)]

    def _recovered(self) -> int:
        """Grows while state is being recovered, or what must be read before anything is answered: that may outlast any stall."""
        if self.app.in_recovery:
            return sum(table.read_to for table in self._tables)
        progress = self.catching_up()
        return -1 if progress is None else progress

    def _stalled(self, error: StalledError) -> None:
        """In the watchdog's thread: end, also if the event loop is what stands still."""
        log.critical("the worker stands still", error=str(error))
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                self._loop.call_soon_threadsafe(self.fatal, error)
        if not self._ended.wait(min(GRACE_S, 4 * self.settings.deadlines.stall_s)):
            exit_now(1)

    def _check_topics(self) -> None:
        specs = topic_specs(self.settings, [table.name for table in self._tables])
        admin = TopicAdmin(self.settings.kafka, min(self.settings.kafka.request_timeout_s, 15.0))
        if self._create_topics:
            admin.ensure(specs)
        else:
            admin.check(specs)

    async def _run_faust(self) -> None:
        assert self._stopping is not None  # noqa: S101  set by `run`
        app = self.app
        starting = asyncio.ensure_future(app.start())
        stopping = asyncio.ensure_future(self._stopping.wait())
        crashed = asyncio.ensure_future(app.wait_until_stopped())
        started_by = time.monotonic() + self.settings.deadlines.start_s
        try:
            while not stopping.done() and not crashed.done():
                if self.state is State.STARTING:
                    if starting.done():
                        starting.result()  # what it raised
                    if self._has_partitions():
                        self.state = State.RUNNING
                        self.started.set()
                        self._tell(self.on_running)
                        log.info("running", partitions=len(app.assignor.assigned_actives()))
                    elif time.monotonic() > started_by and not app.consumer_generation_id:  # recovery may take longer
                        raise BrokerError(
                            f"no partitions were assigned within {self.settings.deadlines.start_s:g} s of the start; "
                            "is the broker well, and does the group rebalance for ever?"
                        )
                await asyncio.wait(
                    {stopping, crashed},
                    timeout=0.05 if self.state is State.STARTING else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if app.crashed and self.error is None:
                raise FatalError(f"Faust crashed: {app.crash_reason!r}") from app.crash_reason
        finally:
            await self._stop_faust()
            for task in (starting, stopping, crashed):
                task.cancel()
            await asyncio.gather(starting, stopping, crashed, return_exceptions=True)

    def _has_partitions(self) -> bool:
        app = self.app
        return bool(app.tables.actives_ready and not app.rebalancing and app.consumer_generation_id)

    async def _stop_faust(self) -> None:
        self.state = State.DRAINING
        drain_s = self.settings.deadlines.drain_s if self.error is None else _FATAL_DRAIN_S
        self._drain_until = time.monotonic() + drain_s
        log.info("draining", open_entries=self.ledger.unfinished, deadline_s=drain_s)
        self._tell(self.on_drain)
        try:
            await asyncio.wait_for(self.app.stop(), drain_s + _STOP_SLACK_S)
        except TimeoutError:
            log.warning("Faust did not stop in time")
        except Exception:
            log.exception("Faust failed to stop")

    async def _drain(self) -> None:
        """Before partitions are given up: let open entries finish and outputs be delivered."""
        final = self._drain_until is not None
        left = self._drain_left() if final else self.settings.deadlines.rebalance_drain_s
        # Without a lease nothing is done any more, so nothing would finish.
        if self.lease.valid and not await self.intake.idle(left):
            log.warning("gave up waiting for open entries; they come again", open_entries=self.ledger.unfinished)
        left = self._drain_left() if final else self.settings.deadlines.rebalance_drain_s
        if not await self.outbox.flush(left) and not final:
            # Delivered later, these writes could overtake those of the next owner of the partitions.
            self.fatal(FatalError("outputs could not be delivered before partitions were taken away"))

    def _expelled(self) -> None:
        """Others have our partitions: nothing more is written of what we had, and all of it is recovered anew."""
        for table in self._tables:
            table.expelled()
        log.warning("the group went on without us", dropped=self.outbox.drop())

    def _drain_left(self) -> float:
        until = self._drain_until
        return self.settings.deadlines.drain_s if until is None else max(until - time.monotonic(), 0.05)

    def _tell(self, callbacks: Iterable[Callable[[], None]]) -> None:
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("a stop callback failed")
