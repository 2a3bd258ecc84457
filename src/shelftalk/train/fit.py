"""The loop of the models that are trained from nothing: seeded, resumable, with progress; what a step is, the task says."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from shelftalk.errors import ConfigError
from shelftalk.train.loop import Mark


class Task(Protocol):
    """Something to train.

    Attributes:
        steps_an_epoch: steps until every example has been seen once.
        signature: what a checkpoint must have in common to be gone on from.
    """

    steps_an_epoch: int
    signature: str

    def step(self, number: int, steps: int) -> tuple[float, int]:
        """Do step ``number`` of ``steps``; all that it draws must follow from the number. Loss and tokens, for the report."""

    def held_out(self) -> float:
        """The loss on what training never sees."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""

    def weights(self) -> dict[str, torch.Tensor]:
        """What is kept of the best moment."""


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """How long to train, and how often to look.

    Attributes:
        steps: of the whole schedule.
        look_every: steps between evaluations on held-out data, each with a checkpoint.
        minutes: wall-clock limit, None for none; the schedule is not bent to it.
    """

    steps: int
    look_every: int = 100
    minutes: float | None = None


@dataclasses.dataclass
class Fitted:
    """The outcome: the best weights and the course of the losses."""

    best: dict[str, torch.Tensor]
    best_loss: float
    marks: list[Mark]
    seconds: float


def fit(task: Task, settings: FitSettings, folder: Path, report: Callable[[Mark], None]) -> Fitted:
    """Train, or go on where a run in the same folder was cut off."""
    # Models of a few million weights gain nothing from a second thread, and on cores that others use too, threads
    # that spin for each other lose all: 2,450 tokens for each second of CPU with one, 557 with two.
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checkpoint.pt"
    done, fitted = 0, Fitted({}, math.inf, [], 0.0)
    if path.exists():
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        if saved["signature"] != task.signature:
            raise ConfigError(f"{path} is of another model or other data: choose another --work, or delete it")
        task.restore(saved["task"])
        done = saved["done"]
        fitted = Fitted(saved["best"], saved["best_loss"], [Mark(**mark) for mark in saved["marks"]], saved["seconds"])
    started, before = time.monotonic(), fitted.seconds
    losses: list[float] = []
    tokens, since = 0, started
    limit_s = math.inf if settings.minutes is None else 60 * settings.minutes
    while done < settings.steps and fitted.seconds < limit_s:
        loss, seen = task.step(done, settings.steps)
        losses.append(loss)
        tokens += seen
        done += 1
        fitted.seconds = before + time.monotonic() - started
        if done % settings.look_every and done != settings.steps:
            continue
        held_out = task.held_out()
        if held_out < fitted.best_loss:
            fitted.best_loss = held_out
            fitted.best = {name: tensor.detach().clone() for name, tensor in task.weights().items()}
        speed = tokens / (time.monotonic() - since)
        mark = Mark(done, done / task.steps_an_epoch, fitted.seconds, speed, 0.0, sum(losses) / len(losses), held_out)
        fitted.marks.append(mark)
        report(mark)
        losses, tokens, since = [], 0, time.monotonic()
        _save(path, task, done, fitted)
    return fitted


def _save(path: Path, task: Task, done: int, fitted: Fitted) -> None:
    state = {
        "task": task.state(),
        "signature": task.signature,
        "done": done,
        "best": fitted.best,
        "best_loss": fitted.best_loss,
        "marks": [dataclasses.asdict(mark) for mark in fitted.marks],
        "seconds": fitted.seconds,
    }
    # Written beside and renamed: a run that is killed while it writes still has its last checkpoint.
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)
