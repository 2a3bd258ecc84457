"""One history from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from shelftalk.core.policy import Policy
from shelftalk.core.rules import ShelfRules
from shelftalk.sim.broker import Broker
from shelftalk.sim.bugs import Bug
from shelftalk.sim.check import Auditor
from shelftalk.sim.crashes import Fleet, Weather, plan
from shelftalk.sim.shop import Arrival, Shop
from shelftalk.sim.verdict import judge
from shelftalk.sim.worker import Setup
from shelftalk.sim.world import START_MS, PromiseBrokenError, World
from shelftalk.stream.keeper import Limits

#: How long things come in, and go wrong.
_LENGTH_MS = 6_000

#: By then everything must have come to rest; sales end within it, too.
_PATIENCE_MS = 90_000


@dataclass(frozen=True)
class Result:
    """How a history ended.

    Attributes:
        broken: the promise that did not hold, and how; ``None`` if all held.
        promise: its short code.
        counts: how often what happened.
        diary: the last things that happened.
    """

    seed: int
    broken: str | None
    promise: str | None
    counts: Mapping[str, int]
    diary: tuple[str, ...]


def run_seed(seed: int, bug: Bug | None = None) -> Result:
    """Play the history of a seed. The same seed is the same history.

    Args:
        seed: its number.
        bug: plant one.
    """
    world = World(seed)
    try:
        _play(world, bug)
    except PromiseBrokenError as error:
        return Result(seed, str(error), error.promise, world.counts, tuple(world.diary))
    except Exception as error:  # noqa: BLE001 - a bug anywhere is a finding, and its seed is what matters
        return Result(seed, f"{type(error).__name__}: {error}", type(error).__name__, world.counts, tuple(world.diary))
    return Result(seed, None, None, world.counts, tuple(world.diary))


def _play(world: World, bug: Bug | None) -> None:
    rng = world.rng
    broker = Broker(world, partitions=rng.randint(1, 3))
    auditor = Auditor(world)
    broker.on_append = auditor.appended
    weather = Weather(world, _LENGTH_MS)
    setup = Setup(
        world=world,
        broker=broker,
        auditor=auditor,
        rules=ShelfRules(model=rng.choice(("phrasebook", "sim-1", "sim-1", "sim-1"))),
        limits=Limits(
            deadline_ms=rng.choice((100, 900)),
            live_per_sku=rng.choice((5, 200)),
            refreshes_per_turn=rng.choice((1, 3, 200)),
            refreshes_per_product=rng.choice((1, 50)),
            give_up_ms=rng.choice((3_000, 60_000)),
        ),
        policy=Policy(debounce_ms=rng.choice((0, 50, 1_500)), max_events_per_second=rng.choice((5, 50))),
        ledger_limit=rng.choice((8, 64, 4_096)),
        slowness=weather.slowness,
        model_up=weather.model_up,
        bug=bug,
    )
    arrivals = list(Shop(world).arrivals(rng.choice((5, 20, 50, 90)), _LENGTH_MS))
    for arrival in arrivals:
        world.at(arrival.at_ms, partial(_arrive, broker, arrival))
    fleet = Fleet(setup, rng.randint(1, 3))
    plan(world, fleet, arrivals)
    _until(world, START_MS + _LENGTH_MS)
    weather.over = True
    # The last kill may be noticed three seconds later; a sale may end six seconds after the last event.
    _until(world, world.now_ms + 8_000)
    # At rest for a whole second: words that come late start things anew, and the last commit takes a few turns.
    rest_ms = 0
    while rest_ms < 1_000 and world.now_ms < START_MS + _PATIENCE_MS:
        _until(world, world.now_ms + 100)
        rest_ms = rest_ms + 100 if all(worker.idle() for worker in fleet.workers) else 0
    judge(world, broker, auditor, setup.rules)


def _arrive(broker: Broker, arrival: Arrival) -> None:
    broker.append(arrival.topic, arrival.key, arrival.value)


def _until(world: World, end_ms: int) -> None:
    while world.now_ms < end_ms and world.step():
        pass
