"""Least squares on a few named terms: what an event, a product and a shopper cost. Pure."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.capacity.steps import Step

#: Terms that are told apart only by noise are not told apart at all.
_CONDITION = 30.0


class Term(msgspec.Struct, frozen=True):
    """One cost.

    Attributes:
        value: in its unit; ``None`` where what was measured does not tell it from the others.
    """

    name: str
    unit: str
    value: float | None


class Fit(msgspec.Struct, frozen=True):
    """A sum of terms.

    Attributes:
        points: how many were fitted.
        worst: by which share the worst of them is off.
    """

    of: str
    terms: list[Term]
    points: int
    worst: float

    def __getitem__(self, name: str) -> float:
        """The value of a term; 0 where it could not be told."""
        return next((term.value or 0.0 for term in self.terms if term.name == name), 0.0)


class Base(msgspec.Struct, frozen=True):
    """What growth is counted from: a worker's share at the smallest step."""

    skus: float
    shoppers: float
    partitions: float


def least_squares(
    of: str, units: Mapping[str, str], columns: Mapping[str, Sequence[float]], target: Sequence[float]
) -> Fit:
    """Fit by relative error. Costs are never negative: a term that comes out so is too small to be seen, and is 0.

    Args:
        of: what is explained.
        units: by the names of terms, the most important first: where terms cannot be told apart, the last one is left out.
        columns: how much of each term there is in each point.
        target: what was measured of each point; positive.
    """
    y = np.asarray(target, dtype=float)
    matrix = {name: np.asarray(columns[name], dtype=float) / y for name in units}
    told: list[str] = []
    for name in units:
        if len(told) < len(y) and _distinct([*(matrix[each] for each in told), matrix[name]]):
            told.append(name)
    values = dict.fromkeys(told, 0.0)
    left = list(told)
    while left:
        found, *_ = np.linalg.lstsq(np.column_stack([matrix[name] for name in left]), np.ones(len(y)), rcond=None)
        lowest = int(np.argmin(found))
        if found[lowest] >= 0:
            values.update(zip(left, map(float, found), strict=True))
            break
        del left[lowest]
    predicted = sum((values[name] * matrix[name] for name in told), np.zeros(len(y)))
    terms = [Term(name, unit, values.get(name)) for name, unit in units.items()]
    return Fit(of, terms, len(y), round(float(np.max(np.abs(predicted - 1), initial=0.0)), 4))


def _distinct(columns: list[np.ndarray]) -> bool:
    """Whether the columns point in directions of their own."""
    scaled = [column / length for column in columns if (length := float(np.linalg.norm(column))) > 0]
    if len(scaled) < len(columns):
        return False
    return float(np.linalg.cond(np.column_stack(scaled))) < _CONDITION


def base_of(steps: Sequence[Step]) -> Base:
    """The smallest of each."""
    return Base(
        skus=min(step.skus / step.workers for step in steps),
        shoppers=min(step.shoppers / step.workers for step in steps),
        partitions=min(step.partitions / step.workers for step in steps),
    )


#: Terms of the processor: of a worker, of each event, and by how much an event grows dearer as a worker's share doubles.
CPU_TERMS = {
    "event": "us",
    "idle worker": "us/s",
    "event, SKUs doubled": "us",
    "event, shoppers doubled": "us",
    "event, partitions doubled": "us",
}

MEMORY_TERMS = {"worker": "MB", "shopper": "kB", "SKU": "kB", "partition": "MB"}


def fit_cpu(steps: Sequence[Step]) -> Fit | None:
    """Processor time, of steps that did not end in a backlog; ``None`` if there are none."""
    held = [step for step in steps if step.outcome in {Outcome.KEPT, Outcome.LOAD_LATE} and step.cores]
    if not held:
        return None
    fewest = min(
        step.workers for step in held
    )  # two halves of a shop are no whole one: what they share is not an event's cost
    held = [step for step in held if step.workers == fewest]
    base = base_of(held)
    rates = [step.sent_per_s for step in held]
    columns = {
        "event": rates,
        "idle worker": [float(step.workers) for step in held],
        "event, SKUs doubled": [
            step.sent_per_s * float(np.log2(step.skus / step.workers / base.skus)) for step in held
        ],
        "event, shoppers doubled": [
            step.sent_per_s * float(np.log2(step.shoppers / step.workers / base.shoppers)) for step in held
        ],
        "event, partitions doubled": [
            step.sent_per_s * float(np.log2(step.partitions / step.workers / base.partitions)) for step in held
        ],
    }
    return least_squares("processor", CPU_TERMS, columns, [1e6 * (step.cores or 0.0) for step in held])


def fit_memory(steps: Sequence[Step]) -> Fit | None:
    """Resident memory; ``None`` if it was not told."""
    told = [step for step in steps if step.memory_mb]
    if not told:
        return None
    columns = {
        "worker": [float(step.workers) for step in told],
        "shopper": [step.shoppers / 1000 for step in told],
        "SKU": [step.skus / 1000 for step in told],
        "partition": [float(step.partitions) for step in told],
    }
    return least_squares("memory", MEMORY_TERMS, columns, [step.memory_mb or 0.0 for step in told])
