"""Objectives such as ``p99<300ms,lost=0``: read, and held against figures."""

import operator
import re
from collections.abc import Callable, Mapping

import msgspec

from shelftalk.errors import ConfigError

#: What can be promised, and in which unit a bare number is.
NAMES: dict[str, str] = {
    **dict.fromkeys(("p50", "p90", "p95", "p99", "p99.9", "max", "mean"), "ms"),
    **{f"refresh.{name}": "ms" for name in ("p50", "p90", "p95", "p99", "p99.9", "max", "mean")},
    **dict.fromkeys(("cached", "generated", "phrasebook"), "%"),
    "lost": "",
    "dead_letters": "",
    "lag": "",
    "rate": "",
    "memory": "MB",
}

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "%": 1.0, "kB": 0.001, "MB": 1.0, "GB": 1000.0, "": 1.0}
_KINDS = {"us": "ms", "s": "ms", "kB": "MB", "GB": "MB"}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_OBJECTIVE = re.compile(r"\s*([a-z_.0-9]+?)\s*(<=|>=|<|>|==?)\s*(\d+(?:\.\d+)?)\s*([A-Za-z%]*)\s*")


class Objective(msgspec.Struct, frozen=True):
    """One promise.

    Attributes:
        limit: in the unit of its name.
    """

    name: str
    operator: str
    limit: float
    text: str


class Verdict(msgspec.Struct, frozen=True):
    """What became of a promise.

    Attributes:
        value: as measured; ``None`` if there is nothing to judge by.
        kept: ``None`` likewise.
    """

    text: str
    value: float | None
    kept: bool | None

    def __str__(self) -> str:
        said = "cannot be told" if self.kept is None else "kept" if self.kept else "broken"
        return f"{self.text}: {said}" + ("" if self.value is None else f" ({self.value:.4g})")


def parse(text: str) -> tuple[Objective, ...]:
    """Read objectives separated by commas.

    Raises:
        ConfigError: one of them says nothing; the message shows how to write it.
    """
    return tuple(_parse(part) for part in text.split(",") if part.strip())


def _parse(part: str) -> Objective:
    found = _OBJECTIVE.fullmatch(part)
    if found is None:
        raise ConfigError(f"--slo: {part.strip()!r} is no objective; write p99<300ms, lost=0, cached>50%")
    name, sign, number, unit = found.groups()
    if name not in NAMES:
        raise ConfigError(f"--slo: {name!r} is not measured; there are {', '.join(NAMES)}")
    wanted = NAMES[name]
    if unit and _KINDS.get(unit, unit) != wanted:
        raise ConfigError(f"--slo: {part.strip()!r}: {name} is in {wanted or 'plain numbers'}")
    return Objective(name, sign.replace("==", "="), float(number) * _UNITS[unit], part.strip())


def judge(objectives: tuple[Objective, ...], figures: Mapping[str, float | None]) -> list[Verdict]:
    """Hold objectives against figures.

    Args:
        objectives: parsed.
        figures: by the names of `NAMES`; ``None`` where a figure could not be measured.
    """
    verdicts = []
    for objective in objectives:
        value = figures.get(objective.name)
        kept = None if value is None else _OPERATORS[objective.operator](value, objective.limit)
        verdicts.append(Verdict(objective.text, value, kept))
    return verdicts
