"""``make bench-pipeline``: everybody on one broker, in one run, taking turns."""

import argparse
import contextlib
import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import orjson

from shelftalk.bench.pipeline.contestants import QUIX_PYTHON, bare, broker, quix, say, worker
from shelftalk.bench.pipeline.course import Answers, Course, Spent
from shelftalk.bench.pipeline.holding import against_naive
from shelftalk.bench.pipeline.processes import Contestant
from shelftalk.bench.pipeline.workload import Shop
from shelftalk.errors import ShelftalkError
from shelftalk.modelling.build import DEFAULT_ADAPTER, SMALL_MODEL, ensure_model

_READY_S, _BURST_S = 120.0, 240.0


class Runner(msgspec.Struct):
    """A contestant on its course, and what was measured of it."""

    name: str
    about: str
    course: Course
    process: Contestant
    bursts: list[Spent] = msgspec.field(default_factory=list)
    answers: Answers = Answers(1.0, [])
    memory_mb: float = 0.0

    def per_core(self) -> float:
        """Events a second of CPU time, the median of the bursts."""
        return statistics.median(spent.events / spent.cpu_s for spent in self.bursts)

    def per_second(self) -> float:
        """Events a second by the wall, the median of the bursts."""
        return statistics.median(spent.events / spent.wall_s for spent in self.bursts)


def race(bootstrap: str, folder: Path, arguments: argparse.Namespace) -> list[Runner]:
    """The same job, three ways."""
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        runners = [
            Runner("quixstreams", "quixstreams, RocksDB state", *enter(quix(bootstrap, folder))),
            Runner("bare", "confluent-kafka loop, dicts", *enter(bare(bootstrap, folder))),
            Runner("shelftalk", "shelftalk worker (Faust)", *enter(worker(bootstrap, folder, "--phrasebook-only"))),
        ]
        shop = Shop(arguments.products)
        now_ms = time.time_ns() // 1_000_000
        catalogue = list(shop.catalogue(now_ms - 3_600_000))
        for runner in runners:
            runner.course.send(catalogue)
            runner.course.settle(runner.process, _READY_S)
            say(f"{runner.name} is up and knows {len(catalogue)} products")
        _bursts(runners, shop, now_ms, arguments)
        for runner in runners:
            own = copy.deepcopy(shop)
            runner.answers = runner.course.pace(runner.process, own.event, arguments.rate, arguments.seconds)
            runner.memory_mb = runner.process.memory_mb()
            say(f"{runner.name}: {len(runner.answers.cards_ms)} events led to cards, at {arguments.rate:g} events/s")
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
    """Whether it was the same job: the placements that are filled in the end."""
    standing = {runner.name: runner.course.final_cards() for runner in runners}
    ours = standing["shelftalk"].keys()
    for name, cards in standing.items():
        say(f"{name}: {len(cards)} placements filled, {len(cards.keys() & ours)} of them also by shelftalk")


def with_models(bootstrap: str, folder: Path, arguments: argparse.Namespace) -> dict[str, float | str]:
    """Cards in time of the worker, in those of the naive form, with each model that can be had."""
    found: dict[str, float | str] = {}
    for name in arguments.model or (DEFAULT_ADAPTER, SMALL_MODEL):
        model = ensure_model(lambda *_: None, name)
        if name not in str(model):
            say(f"{name} cannot be had here; left out")
            continue
        compared = against_naive(
            bootstrap, folder, model, name=name, products=arguments.products, seconds=arguments.model_seconds
        )
        behind = f"_{name}" if found else ""
        found |= {f"vs_naive{behind}": compared.vs_loop, f"vs_naive_engine{behind}": compared.vs_engine}
        found |= {"vs_naive_model": name} if not behind else {}
        naive_wrong, found[f"wrong_prices{behind}"] = compared.wrong_prices
        found[f"wrong_prices_naive{behind}"] = naive_wrong
    return found


def table(runners: Sequence[Runner]) -> None:
    """What was measured of the race."""
    print(f"\n{'':28} {'events/s':>9} {'per core':>9} {'us/event':>9} {'p50 ms':>7} {'p99 ms':>7} {'MiB':>6}")
    for runner in runners:
        cuts = statistics.quantiles(runner.answers.first_ms, n=100, method="inclusive")
        print(
            f"{runner.about:28} {runner.per_second():9.0f} {runner.per_core():9.0f} {1e6 / runner.per_core():9.0f} "
            f"{cuts[49]:7.0f} {cuts[98]:7.0f} {runner.memory_mb:6.0f}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-pipeline", description="The worker against other ways to do its job.")
    parser.add_argument("--bootstrap", help="a broker of your own")
    parser.add_argument("--events", type=int, default=4_000, help="in a burst (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="bursts each (default: %(default)s)")
    parser.add_argument("--products", type=int, default=2_000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=40, help="events a second for latency (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of that (default: %(default)s)")
    parser.add_argument(
        "--model-seconds", type=float, default=6, help="of each rate with a model (default: %(default)s)"
    )
    parser.add_argument(
        "--model", action="append", choices=(SMALL_MODEL, DEFAULT_ADAPTER), help="with this one only (default: both)"
    )
    parser.add_argument("--only", choices=("race", "model"), help="half of it")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the last line is one JSON object.

    Returns:
        The exit code.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.only != "model" and not QUIX_PYTHON.is_file():
        parser.error(f"{QUIX_PYTHON} is missing: quixstreams has an environment of its own; run `make bench-pipeline`")
    result: dict[str, float | str] = {}
    code = 0
    try:
        with broker(chosen.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="shelftalk-bench-") as folder:
            if chosen.only != "model":
                runners = race(bootstrap, Path(folder), chosen)
                table(runners)
                by_quix, by_bare, ours = (runner.per_core() for runner in runners)
                result |= {"vs_quixstreams": ours / by_quix, "vs_bare_loop": ours / by_bare}
            if chosen.only != "race":
                result |= with_models(bootstrap, Path(folder), chosen)
    except ShelftalkError as error:
        print(f"bench-pipeline: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench-pipeline: interrupted; what there was is below", file=sys.stderr)
        code = 130
    print(
        orjson.dumps(
            {name: round(each, 2) if isinstance(each, float) else each for name, each in result.items()}
        ).decode()
    )
    return code
