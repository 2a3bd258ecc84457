"""One run: broker, proxies and workers are started, traffic flows, faults happen, and then it must come to rest."""

import heapq
import itertools
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Producer

from shelftalk.modelling.tiny import build_tiny
from shelftalk.stream.settings import Settings, load
from shelftalk.stream.store import TABLES
from shelftalk.stream.tables import changelog_name
from shelftalk.stream.topics import TopicAdmin, topic_specs
from tests.chaos.faults import Fault, Options, Planned, plan
from tests.chaos.fleet import GENERATOR_VARIABLE, PHRASEBOOK_VARIABLE, Fleet, Slot, preload
from tests.chaos.proxy import Network
from tests.chaos.topics import Topics
from tests.chaos.traffic import KIND_HEADER, Input, Traffic
from tests.kafka.broker import KafkaBroker

APP = "chaos"
PARTITIONS = 4

#: Read by the workers: what must be committed to the end.
CONSUMED = ("behaviour", "inventory", "asks", "offers")

_START_S = 90.0
_DRAIN_S = 45.0
_TICK_S = 0.01


@dataclass
class Story:
    """What was done; the verifier gets nothing of it but when.

    Attributes:
        faults: each kind's moments, UTC milliseconds.
        exits: exit codes of workers that ended by themselves when nobody had asked them to.
        bad_drains: workers that were asked to go and did not end with 0.
        quiet: whether it came to rest in time.
        rest_ms: when the faults were over, and how long it then took to come to rest.
    """

    faults: dict[str, list[int]] = field(default_factory=dict)
    exits: Counter[int] = field(default_factory=Counter)
    starts: int = 0
    bad_drains: list[str] = field(default_factory=list)
    quiet: bool = False
    calm_began_ms: int = 0
    rest_ms: int = 0
    inputs: Counter[str] = field(default_factory=Counter)


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Run:
    """Broker, network, fleet, traffic and the hand that does the harm, on one thread; only the broker has one of its own.

    Args:
        folder: for everything that is written.
        options: how.
        say: gets lines for a person.
    """

    def __init__(self, folder: Path, options: Options, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.options = options
        self.story = Story()
        self._say = say
        names = tuple(f"W{number}" for number in range(1, options.workers + 1))
        self._network = Network(names)
        self._traffic = Traffic(options.seed, now_ms)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        # The kernel kills the broker when the thread that started it ends, so it has one that lives as long as we do.
        self._keeper = ThreadPoolExecutor(1, "broker")
        self._broker_busy: Future[None] | None = None
        self._draining: dict[str, float] = {}
        self._began = 0.0

    def __enter__(self) -> Self:
        preload()
        self._network.__enter__()
        self.broker = KafkaBroker(self.folder / "kafka", proxies={n: p.port for n, p in self._network.proxies.items()})
        self._keeper.submit(self.broker.start).result()
        for name, proxy in self._network.proxies.items():
            proxy.target_port = self.broker.behind[name]
        self.settings = _settings(self.broker.bootstrap)
        _create_topics(self.settings)
        self.topics = Topics(self.broker.bootstrap, APP, PARTITIONS)
        self._producer = Producer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "partitioner": "murmur2_random",
                # Not idempotent: seen once in five runs, that kind of producer sent nothing any more after the broker was away
                # (librdkafka 2.16). A worker's ends it then, and starts anew; the shop must go on. In order all the same.
                "acks": "all",
                "max.in.flight": 1,
                "message.timeout.ms": 180_000,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        generator = self.folder / "generator"
        model = build_tiny(self.folder / "model") if self.options.generator else None
        slots = [
            Slot(name, self.folder, self._environment(name, proxy.port, generator, model))
            for name, proxy in self._network.proxies.items()
        ]
        self.fleet = Fleet(slots, generator)
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "fleet"):
            self.fleet.end()
        if hasattr(self, "topics"):
            self.topics.close()
        self._network.__exit__(None, None, None)
        self._keeper.shutdown()
        if hasattr(self, "broker"):
            self.broker.kill()

    # --- the run -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """All of it: start, chaos, calm, end."""
        self.begin()
        for fault in plan(self.options):
            self._at(fault.at_s, lambda fault=fault: self._harm(fault))  # type: ignore[misc]
        self.flow("chaos")
        self.calm()
        self.finish()

    def begin(self) -> None:
        """Start the workers, and let the shop open."""
        self.fleet.start()
        for record in self._traffic.opening():
            self._send(record)
        self._wait_for(lambda: all(slot.ready() for slot in self.fleet.slots), _START_S, "the workers are ready")
        self._began = time.monotonic()

    def flow(self, phase: str, watch: Callable[[], None] = lambda: None) -> None:
        """Traffic, for as long as the options say.

        Args:
            phase: its name.
            watch: called at every turn.
        """
        gap_s = 1 / self.options.rate_per_s
        due = self._began
        said = self._began
        while (now := time.monotonic()) < self._began + self.options.seconds:
            self._turn()
            watch()
            while due <= now:
                self._send(self._traffic.next())
                due += gap_s
            if now - said > 10:
                said = now
                self._progress(phase)
            time.sleep(_TICK_S)

    def _turn(self) -> None:
        while self._agenda and self._agenda[0][0] <= time.monotonic() - self._began:
            heapq.heappop(self._agenda)[2]()
        self._watch_drains()
        for name in self.fleet.mend():
            self._say(f"{self._clock()} {name} ended by itself and is started again")
        self._producer.poll(0)

    def calm(self) -> None:
        """The faults are over; whatever still runs of them comes to its end first."""
        self.story.calm_began_ms = now_ms()
        self._agenda_to_its_end()
        for proxy in self._network.proxies.values():
            proxy.flow()
        self.fleet.generator.write_text("")
        for record in self._traffic.farewell():
            self._send(record)
        if self._producer.flush(60):
            raise RuntimeError("the inputs could not be delivered: the broker is gone")
        self.story.quiet = self._rest()
        self.story.rest_ms = now_ms() - self.story.calm_began_ms

    def _agenda_to_its_end(self) -> None:
        deadline = time.monotonic() + 120
        while self._agenda or self._draining or not self._broker_idle:
            self._turn()
            time.sleep(_TICK_S)
            if time.monotonic() > deadline:
                raise RuntimeError("the faults do not come to their end")

    def _rest(self) -> bool:
        consumed = [self.settings.topics.name(name) for name in CONSUMED]
        written = [self.settings.topics.name(name) for name in ("cards", "copy", "review", "dead_letters")]
        deadline = time.monotonic() + self.options.calm_s
        since, before = time.monotonic(), None
        said = time.monotonic()
        while time.monotonic() < deadline:
            self._turn()
            time.sleep(0.2)
            lag = self.topics.lag(consumed)
            ends = [self.topics.ends(topic) for topic in (*consumed, *written)]
            # Who takes partitions has something to say when it is done: seen with a worker that had just been woken.
            if lag != 0 or ends != before or not all(slot.ready() for slot in self.fleet.slots):
                since, before = time.monotonic(), ends
            elif time.monotonic() - since > 3:
                return True
            if time.monotonic() - said > 10:
                said = time.monotonic()
                self._progress("calm")
        return False

    def finish(self) -> None:
        """Everybody drains."""
        for slot in self.fleet.slots:
            self.fleet.holding.add(slot.name)
            slot.signal(signal.SIGTERM)
        for slot in self.fleet.slots:
            code = slot.wait(_DRAIN_S)
            if code != 0:
                self.story.bad_drains.append(f"{slot.name} at the end: exit {code}")
        for slot in self.fleet.slots:
            self.story.exits.update(slot.exits)
            self.story.starts += slot.starts

    # --- faults ------------------------------------------------------------------------------------------------------

    def _harm(self, planned: Planned) -> None:
        """Do it, or let the next worker have it a little later where this one is in another fault's hand."""
        slot = self.fleet.slots[planned.slot]
        harm = {
            Fault.KILL: self._kill,
            Fault.WIPE: self._wipe,
            Fault.DRAIN: self._drain,
            Fault.STORM: self._storm,
            Fault.FREEZE: self._freeze,
            Fault.STALL: self._stall,
            Fault.PARTITION: self._stall,
            Fault.CUT: self._cut,
            Fault.HANG: self._spoil_generator,
            Fault.FAIL: self._spoil_generator,
            Fault.BROKER_RESTART: self._take_broker,
            Fault.BROKER_STOP: self._take_broker,
        }[planned.fault]
        if not harm(slot, planned):
            at_s = time.monotonic() - self._began + 0.3
            other = replace(planned, at_s=at_s, slot=(planned.slot + 1) % len(self.fleet.slots))
            self._at(at_s, lambda: self._harm(other))
            return
        lasts = f" for {planned.lasts_s:.1f} s" if planned.lasts_s else ""
        whom = f" {slot.name}" if planned.fault in _OF_A_WORKER else ""
        self._say(f"{self._clock()} {planned.fault}{whom}{lasts}")
        self.story.faults.setdefault(planned.fault.value, []).append(now_ms())

    def _kill(self, slot: Slot, _: Planned) -> bool:
        if slot.name in self.fleet.holding or not slot.kill():
            return False
        slot.start()
        return True

    def _wipe(self, slot: Slot, _: Planned) -> bool:
        if slot.name in self.fleet.holding or not slot.kill():
            return False
        shutil.rmtree(self.folder / slot.name, ignore_errors=True)
        slot.start()
        return True

    def _drain(self, slot: Slot, _: Planned | None = None) -> bool:
        """Ask it to go. Before it is ready it has no hand for the signal yet, and simply ends."""
        if slot.name in self.fleet.holding or not slot.ready() or not slot.signal(signal.SIGTERM):
            return False
        self.fleet.holding.add(slot.name)
        self._draining[slot.name] = time.monotonic() + _DRAIN_S
        return True

    def _storm(self, _: Slot, __: Planned) -> bool:
        drained = [self._drain(each) for each in self.fleet.slots]
        return any(drained)

    def _freeze(self, slot: Slot, planned: Planned) -> bool:
        if slot.name in self.fleet.holding or not slot.signal(signal.SIGSTOP):
            return False
        self.fleet.holding.add(slot.name)
        self._after(planned.lasts_s, lambda: self._wake(slot))
        return True

    def _wake(self, slot: Slot) -> None:
        slot.signal(signal.SIGCONT)
        self.fleet.holding.discard(slot.name)

    def _stall(self, slot: Slot, planned: Planned) -> bool:
        self._network.proxies[slot.name].stall()
        self._after(planned.lasts_s, self._network.proxies[slot.name].flow)
        return True

    def _cut(self, slot: Slot, _: Planned) -> bool:
        self._network.proxies[slot.name].cut()
        return True

    def _spoil_generator(self, _: Slot, planned: Planned) -> bool:
        self.fleet.generator.write_text("hang" if planned.fault is Fault.HANG else "fail")
        self._after(planned.lasts_s, lambda: self.fleet.generator.write_text(""))
        return True

    def _take_broker(self, _: Slot, planned: Planned) -> bool:
        if not self._broker_idle:
            return False
        self._broker_busy = self._keeper.submit(self._restart_broker, planned.lasts_s)
        return True

    def _watch_drains(self) -> None:
        for slot in self.fleet.slots:
            deadline = self._draining.get(slot.name)
            if deadline is None or (slot.running and time.monotonic() < deadline):
                continue
            code = slot.wait(0)
            if code != 0:
                self.story.bad_drains.append(f"{slot.name}: exit {code} {self._clock()}")
                self._say(f"{self._clock()} {slot.name} did not drain: exit {code}")
                slot.kill()
            del self._draining[slot.name]
            self.fleet.holding.discard(slot.name)
            slot.start()

    @property
    def _broker_idle(self) -> bool:
        """Whether nobody is at it; raises what a restart raised."""
        if self._broker_busy is None or not self._broker_busy.done():
            return self._broker_busy is None
        self._broker_busy.result()
        return True

    def _restart_broker(self, away_s: float) -> None:
        self.broker.stop()
        time.sleep(away_s)
        self.broker.start()

    def _environment(self, name: str, port: int, generator: Path, model: Path | None) -> dict[str, str]:
        found = {
            "SHELFTALK_APP_ID": APP,
            "SHELFTALK_DATA_DIR": str(self.folder / name),
            "SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "SHELFTALK_KAFKA__SESSION_TIMEOUT_S": str(self.options.session_s),
            "SHELFTALK_KAFKA__COMMIT_INTERVAL_S": "0.5",
            "SHELFTALK_TOPICS__PREFIX": f"{APP}.",
            "SHELFTALK_TOPICS__PARTITIONS": str(PARTITIONS),
            "SHELFTALK_LOG__FORM": "json",
            # Every event that could cause a card does: the verifier knows what to expect of each.
            "SHELFTALK_POLICY": '{"debounce_ms":0,"max_per_hour":100000,"quiet_after_order_ms":0,"max_events_per_second":100000}',
            GENERATOR_VARIABLE: str(generator),
        }
        if name == "W1":  # as a stateful set gives names: it gets its partitions back without a rebalance
            found["SHELFTALK_INSTANCE_ID"] = name
        if model is None:
            found[PHRASEBOOK_VARIABLE] = "1"
        else:
            found["SHELFTALK_ENGINE__MODEL_FOLDER"] = str(model)
            found["SHELFTALK_ENGINE__THREADS"] = "1"
            found["SHELFTALK_ENGINE__ROWS"] = "4"
        return found

    # --- small things ------------------------------------------------------------------------------------------------

    def _after(self, delay_s: float, what: Callable[[], Any]) -> None:
        self._at(time.monotonic() - self._began + delay_s, what)

    def _at(self, at_s: float, what: Callable[[], Any]) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._order), what))

    def _send(self, record: Input) -> None:
        headers = [(KIND_HEADER, record.poison.encode())] if record.poison else None
        topic = self.settings.topics.name(record.topic)
        self._producer.produce(topic, record.value, record.key, headers=headers)
        kind = "poison" if record.poison else "repeated" if record.repeat else "late" if record.late else "plain"
        self.story.inputs[kind] += 1

    def _wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.fleet.mend()
            self._producer.poll(0.05)
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {timeout_s:g} s: {what}; see the logs in {self.folder}")

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"

    def _progress(self, phase: str) -> None:
        lag = self.topics.lag([self.settings.topics.name(name) for name in CONSUMED], 0.5)
        done = sum(map(len, self.story.faults.values()))
        self._say(
            f"{self._clock()} {phase}: {sum(self.story.inputs.values())} inputs, {done} faults, "
            f"lag {'unknown, the broker is away' if lag is None else lag}"
        )


_OF_A_WORKER = set(Fault) - {Fault.STORM, Fault.HANG, Fault.FAIL, Fault.BROKER_RESTART, Fault.BROKER_STOP}


def _settings(bootstrap: str) -> Settings:
    return load(
        app_id=APP,
        kafka={"bootstrap_servers": bootstrap},
        topics={"prefix": f"{APP}.", "partitions": PARTITIONS},
    )


def topic_names(settings: Settings) -> dict[str, str]:
    """The full name of everything that the verifier reads, by a short one."""
    names = {name: settings.topics.name(name) for name in (*CONSUMED, "cards", "copy", "review", "dead_letters")}
    return names | {f"table {table}": changelog_name(settings.app_id, table) for table in TABLES}


def _create_topics(settings: Settings) -> None:
    """As ``shelftalk topics create`` does, but stamped by the broker: a record's time is when all could have read it."""
    stamped = {"message.timestamp.type": "LogAppendTime"}
    specs = [replace(spec, config=spec.config | stamped) for spec in topic_specs(settings, TABLES)]
    TopicAdmin(settings.kafka).ensure(specs)


def tell(line: str) -> None:
    """To a person."""
    print(line, file=sys.stderr, flush=True)
