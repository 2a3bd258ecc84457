"""What a larger shop would take, with what was measured told from what is extrapolated. Pure."""

import enum
import math
import os
from collections.abc import Sequence

import msgspec
import numpy as np

from shelftalk.replay.capacity.fit import Fit
from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.capacity.state import State
from shelftalk.replay.capacity.steps import Step

#: A worker is planned with so much of what it holds: the rest is for catching up, and for a neighbour that dies.
HEADROOM = 0.7

#: Partitions cannot be added later without moving keys, workers can.
_PARTITIONS_PER_WORKER = 2

#: Above this a machine is full, and what ran on it had to share.
FULL = 0.9

#: More workers than this and the iteration is asked the wrong question.
_MOST_WORKERS = 1_000_000


class Basis(enum.StrEnum):
    """How sure a figure is."""

    MEASURED = "measured"
    EXTRAPOLATED = "extrapolated"
    ASSUMED = "assumed"


class Wanted(msgspec.Struct, frozen=True):
    """The shop to plan for.

    Attributes:
        memory_mb: that a worker may take.
    """

    rate_per_s: float
    shoppers: int
    skus: int
    memory_mb: float = 8_000.0


class Line(msgspec.Struct, frozen=True):
    """One figure of a plan."""

    what: str
    value: str
    basis: Basis
    how: str


class Ladder(msgspec.Struct, kw_only=True):
    """The search on so many workers.

    Attributes:
        capacity_per_s: the highest rate that was held twice; ``None`` if there is none.
        ended: why it ended where it did, in words.
    """

    workers: int
    partitions: int
    steps: list[Step]
    capacity_per_s: float | None
    ended: str
    state: State | None = None
    machine_cores: int = msgspec.field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def full(self) -> bool:
        """Whether it may be this machine's capacity: it was full at what was held, or at the next rate, which was not."""
        return self._fullest() is not None

    @property
    def full_of_what(self) -> str:
        """What filled the machine, in words; empty where it was not full."""
        step = self._fullest()
        if step is None or step.machine is None:
            return ""
        said = f"this machine's {self.machine_cores} cores were {step.machine:.0%} busy at {step.rate_per_s:,.0f}/s"
        if step.cores is None:
            return said
        others = max(0.0, step.machine * self.machine_cores - step.cores)
        whose = f"{step.cores:.1f} by the worker{'s' * (self.workers > 1)}"
        return f"{said}, {whose} and {others:.1f} by the broker, the load and what else runs here"

    def _fullest(self) -> Step | None:
        limit = self.capacity_per_s or 0.0
        above = [step.rate_per_s for step in self.steps if step.rate_per_s > limit]
        asked = {limit, min(above, default=limit)}
        tight = [step for step in self.steps if step.rate_per_s in asked and (step.machine or 0.0) > FULL]
        return max(tight, key=lambda step: step.machine or 0.0, default=None)

    def at_capacity(self) -> Step | None:
        """The newest step at the rate that was found."""
        held = [step for step in self.steps if step.rate_per_s == self.capacity_per_s]
        return next((step for step in reversed(held) if step.outcome is Outcome.KEPT), None)


class Costs(msgspec.Struct, frozen=True):
    """What everything costs, by what was measured.

    Attributes:
        cpu, memory: fitted.
        at: the step at which one worker's capacity was found.
    """

    cpu: Fit | None
    memory: Fit | None
    at: Step | None

    def dearer(self, skus: float, shoppers: float) -> float:
        """By which factor an event is dearer than at `at`, on a worker with so many."""
        cpu, at = self.cpu, self.at
        if cpu is None or at is None or not at.cpu_us_per_event:
            return 1.0
        grown_us = cpu["event, SKUs doubled"] * np.log2(max(1.0, skus * at.workers / at.skus))
        grown_us += cpu["event, shoppers doubled"] * np.log2(max(1.0, shoppers * at.workers / at.shoppers))
        return 1.0 + float(grown_us) / at.cpu_us_per_event

    def state_mb(self, wanted: Wanted) -> float:
        """Memory that grows with the shop."""
        memory = self.memory
        return 0.0 if memory is None else (memory["shopper"] * wanted.shoppers + memory["SKU"] * wanted.skus) / 1000

    def own_mb(self) -> float:
        """Memory of a worker that has nothing to remember."""
        memory = self.memory
        return 0.0 if memory is None else memory["worker"] + memory["partition"] * _PARTITIONS_PER_WORKER


def plan(
    wanted: Wanted, ladders: Sequence[Ladder], steps: Sequence[Step], cpu: Fit | None, memory: Fit | None
) -> list[Line]:
    """What the shop would take; nothing where no capacity was found.

    Args:
        wanted: the shop.
        ladders: of one worker and of several.
        steps: all of them, sweeps included.
        cpu: fitted.
        memory: fitted.
    """
    alone = min((each for each in ladders if each.capacity_per_s), key=lambda each: each.workers, default=None)
    if alone is None or alone.capacity_per_s is None:
        return []
    each_per_s = alone.capacity_per_s / alone.workers
    lines = [
        Line(
            "one worker holds",
            f"{each_per_s:,.0f} events/s",
            Basis.MEASURED,
            _circumstances(alone),
        )
    ]
    share, together = _together(ladders, alone)
    lines += share
    efficiency = 1.0 if together is None else together
    held = [step for step in steps if step.outcome is Outcome.KEPT] or list(steps)
    costs = Costs(cpu, memory, alone.at_capacity())
    workers = _workers(wanted, each_per_s * efficiency * HEADROOM, costs)
    if cpu is not None:
        lines.append(_event(costs, wanted, workers))
    why = f"{HEADROOM:.0%} of what a worker holds, as many times as it takes"
    if efficiency < 1:
        why += f", each holding {efficiency:.0%} of what it does alone"
    if together is None:
        why += "; that workers add up is assumed: none were measured together with cores to spare"
    partitions = _PARTITIONS_PER_WORKER * workers
    lines += [
        Line("workers", f"{workers:,}", Basis.EXTRAPOLATED, why),
        Line(
            "partitions",
            f"{partitions:,}",
            Basis.ASSUMED,
            f"{_PARTITIONS_PER_WORKER} a worker, so that as many can be added before keys must move",
        ),
    ]
    if memory is not None:
        lines += _memory(costs, memory, wanted, workers, max(step.shoppers for step in held))
    lines += _disk(wanted, [each for each in ladders if each.state is not None])
    return lines


def _circumstances(ladder: Ladder) -> str:
    step = ladder.at_capacity()
    if step is None:
        return ladder.ended
    full = f"; {ladder.full_of_what}, so it may hold more on a machine of its own" if ladder.full else ""
    return (
        f"{ladder.workers} worker{'s' * (ladder.workers > 1)}, {ladder.partitions} partitions, {step.skus:,} SKUs, "
        f"{step.shoppers:,} shoppers{full}; {ladder.ended}"
    )


def _together(ladders: Sequence[Ladder], alone: Ladder) -> tuple[list[Line], float | None]:
    """What several workers hold, and the share of a worker's own capacity that each keeps among others, where that was seen."""
    lines, shares = [], []
    for each in ladders:
        if each.workers <= alone.workers or not each.capacity_per_s or not alone.capacity_per_s:
            continue
        times = each.capacity_per_s / alone.capacity_per_s
        how = f"{times:.2f} times what {alone.workers} hold{'s' * (alone.workers == 1)}; {each.ended}"
        if each.full:
            how += f"; {each.full_of_what}: this says nothing about workers on machines of their own"
        else:
            shares.append(times * alone.workers / each.workers)
        lines.append(Line(f"{each.workers} workers hold", f"{each.capacity_per_s:,.0f} events/s", Basis.MEASURED, how))
    return lines, min(1.0, *shares) if shares else None


def _workers(wanted: Wanted, each_per_s: float, costs: Costs) -> int:
    """How many.

    The more workers, the smaller each one's share of the state, the cheaper its events: so it is iterated from below.
    """
    workers, room_mb = 1, wanted.memory_mb - costs.own_mb()
    while workers < _MOST_WORKERS:
        dearer = costs.dearer(wanted.skus / workers, wanted.shoppers / workers)
        needed = math.ceil(wanted.rate_per_s * dearer / each_per_s)
        if room_mb > 0:
            needed = max(needed, math.ceil(costs.state_mb(wanted) / room_mb))
        if needed <= workers:
            break
        workers = max(workers + 1, min(needed, 2 * workers))
    return workers


def _event(costs: Costs, wanted: Wanted, workers: int) -> Line:
    skus, shoppers = wanted.skus / workers, wanted.shoppers / workers
    dearer = costs.dearer(skus, shoppers)
    measured_us = (costs.at.cpu_us_per_event if costs.at is not None else None) or 0.0
    return Line(
        "CPU of an event",
        f"{measured_us * dearer:,.0f} us",
        Basis.EXTRAPOLATED,
        f"measured {measured_us:,.0f} us; {dearer:.2f} times that with {shoppers:,.0f} shoppers and {skus:,.0f} SKUs a worker",
    )


def _memory(costs: Costs, memory: Fit, wanted: Wanted, workers: int, seen: int) -> list[Line]:
    each_mb = costs.own_mb() + costs.state_mb(wanted) / workers
    how = f"a worker {memory['worker']:,.0f} MB, {memory['shopper']:.3g} kB a shopper, {memory['SKU']:.3g} kB a SKU; "
    how += f"measured up to {seen:,} shoppers"
    untold = [term.name for term in memory.terms if term.value is None]
    if untold:
        how += f"; not told apart: {', '.join(untold)}"
    return [
        Line("memory, each worker", _size(each_mb * 1e6), Basis.EXTRAPOLATED, how),
        Line("memory, all", _size(each_mb * workers * 1e6), Basis.EXTRAPOLATED, "as many times that"),
    ]


def _disk(wanted: Wanted, ladders: Sequence[Ladder]) -> list[Line]:
    """Changelogs, compacted; the largest state that was read tells most."""
    read = max(ladders, key=lambda each: each.state.written if each.state else 0, default=None)
    if read is None or read.state is None or not read.steps:
        return []
    last = max(read.steps, key=lambda step: step.shoppers)
    of_shoppers = read.state.bytes_of(shoppers=True) / max(1, last.shoppers)
    of_skus = read.state.bytes_of(shoppers=False) / max(1, last.skus)
    total = of_shoppers * wanted.shoppers + of_skus * wanted.skus
    how = f"{of_shoppers:,.0f} bytes a shopper, {of_skus:,.0f} a SKU (measured), before compression and replication"
    per_event = read.state.written_bytes / max(1, sum(step.sent for step in read.steps))
    return [
        Line("disk, state in changelogs", _size(total), Basis.EXTRAPOLATED, how),
        Line(
            "written to changelogs",
            f"{_size(per_event * wanted.rate_per_s)}/s",
            Basis.EXTRAPOLATED,
            f"{_size(per_event)} an event (measured, the catalogue's included); what compaction must keep up with",
        ),
    ]


def _size(number: float) -> str:
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= limit:
            return f"{number / limit:,.3g} {unit}"
    return f"{number:,.0f} B"
