"""What is done to them, and when: drawn from a seed, a list of faults with their moments."""

import enum
import random
from dataclasses import dataclass


class Fault(enum.StrEnum):
    """A kind of fault."""

    KILL = "kill"  # kill -9 one worker, start it again
    WIPE = "wipe"  # the same, and its state directory is gone
    DRAIN = "drain"  # SIGTERM one worker: it must end by itself with 0, then starts again
    STORM = "storm"  # all workers are told to go within a second, and come back: rebalance upon rebalance
    FREEZE = "freeze"  # SIGSTOP for longer than the session: the group goes on without it, then it wakes
    STALL = "stall"  # a worker's network stands still for a while, within the session
    PARTITION = "partition"  # the same for longer than the session: the group goes on without it
    CUT = "cut"  # every connection of a worker is reset
    BROKER_RESTART = "broker_restart"
    BROKER_STOP = "broker_stop"  # for long
    HANG = "generator_hang"
    FAIL = "generator_fail"


#: How often each comes, kills by far the most; the two of the broker have their own share of the time.
WEIGHTS = {
    Fault.KILL: 12,
    Fault.WIPE: 2,
    Fault.DRAIN: 3,
    Fault.STORM: 1,
    Fault.FREEZE: 1,
    Fault.STALL: 4,
    Fault.PARTITION: 1,
    Fault.CUT: 3,
    Fault.HANG: 2,
    Fault.FAIL: 2,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and its moment.

    Attributes:
        at_s: after the beginning.
        slot: which worker, by number; of no meaning for the broker and the generator.
        lasts_s: how long, where that has a meaning.
    """

    at_s: float
    fault: Fault
    slot: int
    lasts_s: float = 0.0


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        seconds: how long faults happen.
        every_s: mean time between two faults.
        rate_per_s: inputs.
        session_s: of the consumer group: who is silent for so long is out.
        broker_stop_s: how long the broker is stopped, once; 0 for never.
        calm_s: how long it may take to come to rest.
        thaws: nothing but workers that are frozen, and wake while the broker restarts.
        generator: whether the workers have one; else the phrasebook answers all.
    """

    seed: int = 1
    seconds: float = 240.0
    every_s: float = 4.0
    rate_per_s: float = 15.0
    workers: int = 3
    session_s: float = 6.0
    broker_stop_s: float = 30.0
    calm_s: float = 150.0
    thaws: bool = False
    generator: bool = True


def plan(options: Options) -> list[Planned]:
    """Draw the faults of a run."""
    return _thaws(options) if options.thaws else _mixed(options)


def _thaws(options: Options) -> list[Planned]:
    """Again and again a worker is frozen for longer than its session, and wakes while the broker restarts.

    A coordinator that is still reading its groups answers every heartbeat, of those that it has expelled, too.
    """
    rng = random.Random(f"thaws {options.seed}")
    found, at_s, session_s = [], 8.0, options.session_s
    while at_s < options.seconds - 4 * session_s:
        slot, frozen_s = rng.randrange(options.workers), rng.uniform(1.1, 1.6) * session_s
        found.append(Planned(at_s, Fault.FREEZE, slot, frozen_s))
        found.append(Planned(at_s + rng.uniform(0.85 * session_s, frozen_s), Fault.BROKER_RESTART, 0))
        if rng.random() < 0.5:
            found.append(Planned(at_s - rng.uniform(0.1, 2.5), Fault.KILL, (slot + 1) % options.workers))
        if rng.random() < 0.5:
            found.append(Planned(at_s + rng.uniform(3, frozen_s + 3), Fault.CUT, slot))
        at_s += 3.7 * session_s
    return sorted(found, key=lambda planned: planned.at_s)


def _mixed(options: Options) -> list[Planned]:
    length_s, session_s = options.seconds, options.session_s
    rng = random.Random(f"faults {options.seed}")
    lasts = {
        Fault.STALL: (0.5, 0.6 * session_s),
        Fault.PARTITION: (1.3 * session_s, 2 * session_s),
        Fault.FREEZE: (1.2 * session_s, 1.6 * session_s),
        Fault.HANG: (3, 8),
        Fault.FAIL: (3, 8),
    }
    found, at_s = [], 0.0
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    hand: list[Fault] = []
    while (at_s := at_s + rng.uniform(0.4, 1.6) * options.every_s) < length_s:
        if not hand:  # a shuffled round rather than single draws: also a short run has one of each of the frequent ones
            hand = [kind for kind, weight in zip(kinds, weights, strict=True) for _ in range(weight)]
            rng.shuffle(hand)
        fault = hand.pop()
        low, high = lasts.get(fault, (0.0, 0.0))
        found.append(Planned(at_s, fault, rng.randrange(options.workers), rng.uniform(low, high)))
    found.append(Planned(length_s * 0.3, Fault.BROKER_RESTART, 0))
    if options.broker_stop_s:
        found.append(Planned(length_s * 0.6, Fault.BROKER_STOP, 0, options.broker_stop_s))
    return sorted(found, key=lambda planned: planned.at_s)
