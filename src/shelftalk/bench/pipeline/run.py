"""``make bench-pipeline``: everybody on one broker, in one run, taking turns."""

import argparse
import contextlib
import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import orjson

from shelftalk.bench.pipeline.course import COMMIT_S, Course, Spent, settings_for
from shelftalk.bench.pipeline.processes import Contestant, contestant
from shelftalk.bench.pipeline.workload import Shop
from shelftalk.commands.worker import to_toml
from shelftalk.errors import ShelftalkError
from shelftalk.stream.broker import embedded_broker
from shelftalk.stream.store import TABLES
from shelftalk.stream.topics import TopicAdmin, TopicSpec

ROOT = Path(__file__).resolve().parents[4]
KAFKA = ROOT / "tests/kafka/broker.py"
QUIX_PYTHON = ROOT / ".venv-bench-pipeline/bin/python"

_READY_S, _BURST_S = 120.0, 240.0


class Runner(msgspec.Struct):
    """A contestant on its course, and what was measured of it."""

    name: str
    about: str
    course: Course
    process: Contestant
    bursts: list[Spent] = []
    latency_ms: list[float] = []
    memory_mb: float = 0.0

    def per_core(self) -> float:
        """Events a second of CPU time, the median of the bursts."""
        return statistics.median(spent.events / spent.cpu_s for spent in self.bursts)

    def per_second(self) -> float:
        """Events a second by the wall, the median of the bursts."""
        return statistics.median(spent.events / spent.wall_s for spent in self.bursts)


def say(line: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


@contextlib.contextmanager
def broker(given: str | None) -> Iterator[str]:
    """The broker of this run: the given one, else an Apache Kafka of our own, else the embedded one; says which."""
    if given is not None:
        say(f"broker: {given}, as told")
        yield given
        return
    with _apache_kafka() as bootstrap:
        if bootstrap is not None:
            say("broker: Apache Kafka, one node, on the same machine")
            yield bootstrap
            return
    say("broker: the embedded one, for there is no Java 17 with Maven here; the same for all")
    with embedded_broker() as embedded:
        yield embedded.bootstrap_servers


@contextlib.contextmanager
def _apache_kafka() -> Iterator[str | None]:
    if not KAFKA.is_file():
        yield None
        return
    command = [sys.executable, str(KAFKA), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        try:
            ready = next((line for line in process.stdout or () if line.startswith("Ready: ")), None)
            yield ready.split()[1] if ready else None
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def ours(bootstrap: str, folder: Path, *options: str, name: str = "shelftalk") -> Iterator[tuple[Course, Contestant]]:
    """`shelftalk worker`."""
    settings = settings_for(name, bootstrap, str(folder))
    config = folder / f"{name}.toml"
    config.write_text("\n".join(to_toml(settings.masked())))
    course = Course(settings, TABLES)
    environment = os.environ | {"SHELFTALK_CONFIG": str(config)}
    with (
        contextlib.closing(course),
        contestant(name, [sys.executable, "-m", "shelftalk", "worker", *options], environment, folder) as process,
    ):
        yield course, process


@contextlib.contextmanager
def _quix(bootstrap: str, folder: Path) -> Iterator[tuple[Course, Contestant]]:
    settings = settings_for("quixstreams", bootstrap, str(folder))
    course = Course(settings)
    command = [str(QUIX_PYTHON), "-m", "shelftalk.bench.pipeline.quix", bootstrap, "quixstreams", "quixstreams."]
    command += [str(COMMIT_S), str(folder / "quix-state")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with contextlib.closing(course), contestant("quixstreams", command, environment, folder) as process:
        yield course, process


@contextlib.contextmanager
def _bare(bootstrap: str, folder: Path) -> Iterator[tuple[Course, Contestant]]:
    settings = settings_for("bare", bootstrap, str(folder))
    course = Course(settings)
    TopicAdmin(settings.kafka).ensure([TopicSpec("bare-state-changelog", settings.topics.partitions, 1)])
    command = [sys.executable, "-m", "shelftalk.bench.pipeline.bare", bootstrap, "bare", "bare.", str(COMMIT_S)]
    with contextlib.closing(course), contestant("bare", command, os.environ, folder) as process:
        yield course, process


def _race(bootstrap: str, folder: Path, arguments: argparse.Namespace) -> list[Runner]:
    """The same job, three ways."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        runners = [
            Runner("quixstreams", "quixstreams 3, RocksDB state", *enter(_quix(bootstrap, folder))),
            Runner("bare", "confluent-kafka loop, dicts", *enter(_bare(bootstrap, folder))),
            Runner("shelftalk", "shelftalk worker (Faust)", *enter(ours(bootstrap, folder, "--phrasebook-only"))),
        ]
        shop = Shop(arguments.products)
        now_ms = time.time_ns() // 1_000_000
        catalogue = list(shop.catalogue(now_ms - 3_600_000))
        for runner in runners:
            runner.bursts = []
            runner.course.send(catalogue)
            runner.course.settle(runner.process, _READY_S)
            say(f"{runner.name} is up and knows {len(catalogue)} products")
        _bursts(runners, shop, now_ms, arguments)
        for runner in runners:
            own = copy.deepcopy(shop)
            runner.latency_ms = runner.course.pace(runner.process, own.event, arguments.rate, arguments.seconds)
            runner.memory_mb = runner.process.memory_mb()
            say(f"{runner.name}: {len(runner.latency_ms)} events led to a card, at {arguments.rate:g} events/s")
        _compare(runners)
    return runners


def _bursts(runners: Sequence[Runner], shop: Shop, now_ms: int, arguments: argparse.Namespace) -> None:
    """Backlogs of the same events, in turns; the first is for warming up."""
    for number in range(arguments.rounds + 1):
        count = arguments.events if number else arguments.events // 4
        begin_ms = now_ms - 3_000_000 + number * 600_000
        events = [shop.event(begin_ms + index * 600_000 // count) for index in range(count)]
        for place in range(len(runners)):
            runner = runners[(place + number) % len(runners)]
            spent = runner.course.burst(runner.process, events, _BURST_S)
            if number:
                runner.bursts.append(spent)
            say(
                f"round {number or 'warm-up'}: {runner.name} {spent.events / spent.wall_s:.0f} events/s, "
                f"{1e6 * spent.cpu_s / spent.events:.0f} us of CPU an event, {spent.cards} cards"
            )


def _compare(runners: Sequence[Runner]) -> None:
    """Whether it was the same job: what stands on the placements in the end."""
    standing = {runner.name: runner.course.final_cards() for runner in runners}
    ours_ = standing["shelftalk"].keys()
    for name, cards in standing.items():
        say(f"{name}: {len(cards)} placements filled, {len(cards.keys() & ours_)} of them also by shelftalk")


def _table(runners: Sequence[Runner]) -> None:
    print(f"\n{'':28} {'events/s':>9} {'per core':>9} {'us/event':>9} {'p50 ms':>7} {'p99 ms':>7} {'MiB':>6}")
    for runner in runners:
        cuts = statistics.quantiles(runner.latency_ms, n=100, method="inclusive")
        print(
            f"{runner.about:28} {runner.per_second():9.0f} {runner.per_core():9.0f} {1e6 / runner.per_core():9.0f} "
            f"{cuts[49]:7.0f} {cuts[98]:7.0f} {runner.memory_mb:6.0f}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the last line is one JSON object.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="The worker against other ways to do its job.")
    parser.add_argument("--bootstrap", help="a broker of your own")
    parser.add_argument("--events", type=int, default=4_000, help="in a burst (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="bursts each (default: %(default)s)")
    parser.add_argument("--products", type=int, default=2_000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=40, help="events a second for latency (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of that (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if not QUIX_PYTHON.is_file():
        parser.error(
            f"{QUIX_PYTHON} is missing: quixstreams lives in an environment of its own; run `make bench-pipeline`"
        )
    try:
        with broker(chosen.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="shelftalk-bench-") as folder:
            runners = _race(bootstrap, Path(folder), chosen)
    except ShelftalkError as error:
        print(f"bench-pipeline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing to report", file=sys.stderr)
        return 130
    _table(runners)
    quix, bare, us = runners
    print(
        orjson.dumps(
            {
                "vs_quixstreams": round(us.per_core() / quix.per_core(), 2),
                "vs_bare_loop": round(us.per_core() / bare.per_core(), 2),
            }
        ).decode()
    )
    return 0
