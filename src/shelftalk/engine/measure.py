"""Where the milliseconds of a decode step go: the model, the fact lock, the choice of tokens, the scheduler.

python -m shelftalk.engine.measure FOLDER [ROWS]
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from shelftalk.engine import sampler
from shelftalk.engine.fact_lock import FactLock
from shelftalk.engine.generator import Generator
from shelftalk.engine.job import Job, Waiter
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.engine.request import Priority, Request
from shelftalk.engine.runner import Runner
from shelftalk.engine.scheduler import Scheduler
from shelftalk.engine.session import Device, Session

#: Nodes of our graphs that exist for the fact lock alone.
_LOCK_NODES = ("mask", "allowed")

_MS, _US_A_MS = 1000.0, 1000.0


@dataclass(frozen=True, slots=True)
class StepCost:
    """Median milliseconds of one decode step.

    Attributes:
        rows: in the batch.
        step_ms: the whole step.
        model_ms: the forward pass, the fact lock's nodes included.
        lock_nodes_ms: the fact lock's nodes; 0 for graphs that leave the selection to us.
        lock_ms: the fact lock's Python: finding masks and following the texts.
        choice_ms: choosing tokens.
        scheduler_ms: plan, reserve and commit.
    """

    rows: int
    step_ms: float
    model_ms: float
    lock_nodes_ms: float
    lock_ms: float
    choice_ms: float
    scheduler_ms: float

    @property
    def lock_share(self) -> float:
        """The part of a step that the fact lock costs."""
        return (self.lock_nodes_ms + self.lock_ms) / self.step_ms


def measure_step(folder: Path, *, rows: int = 16, steps: int = 40, threads: int | None = None) -> StepCost:
    """Decode a full batch on the CPU, half of it drawn with a temperature.

    Args:
        folder: the model folder.
        rows: of the batch.
        steps: decode steps to take the medians of.
        threads: CPU threads; None leaves it to ONNX Runtime.
    """
    model = open_model_folder(folder)
    lock = FactLock(model.vocabulary, columns=model.head_ids, capacity=max(32, 2 * rows))
    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.enable_profiling = True
        options.profile_file_prefix = f"{scratch}/step"
        session = ort.InferenceSession(str(model.graph), options, providers=["CPUExecutionProvider"])
        opened = Session(session, Device.CPU, threads or 0, (("CPUExecutionProvider", {}),))
        runner = Runner(model, opened, lock, rows=rows, row_tokens=256)
        scheduler = _full_scheduler(lock, rows, steps)
        clock = _Clock()
        generator = Generator(runner, lock, model.vocabulary)
        clock.watch(runner, "_infer", "model")
        clock.watch(lock, "rows", "lock")
        clock.watch(lock, "after", "lock")
        clock.watch(generator, "_choose", "choosing")
        for method in ("plan", "reserve", "commit"):
            clock.watch(scheduler, method, "scheduler")
        for _ in range(steps + 1):
            clock.begin()
            outcomes = generator.run(scheduler.reserve(scheduler.plan(), 0.0))
            scheduler.commit(outcomes)
            clock.end()
        nodes_us = _lock_nodes_us(Path(session.end_profiling()))
    # `_choose` follows the texts as well, which is the lock's.
    after_ms = clock.median("lock.after")
    return StepCost(
        rows=rows,
        step_ms=clock.median("step"),
        model_ms=clock.median("model._infer"),
        lock_nodes_ms=sum(nodes_us) / _US_A_MS / (steps + 1),
        lock_ms=clock.median("lock.rows") + after_ms,
        choice_ms=clock.median("choosing._choose") - after_ms,
        scheduler_ms=sum(clock.median(f"scheduler.{method}") for method in ("plan", "reserve", "commit")),
    )


class _Clock:
    """Adds up what watched methods take in each step. The first step, a prefill, is left out."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps: list[dict[str, float]] = []
        self._begun = 0.0

    def watch(self, owner: Any, method: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(owner, method)
        name = f"{part}.{method}"

        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self._sums[name] = self._sums.get(name, 0.0) + time.perf_counter() - begun

        setattr(owner, method, timed)

    def begin(self) -> None:
        self._sums = {}
        self._begun = time.perf_counter()

    def end(self) -> None:
        self._sums["step"] = time.perf_counter() - self._begun
        self._steps.append(self._sums)

    def median(self, name: str) -> float:
        return float(np.median([sums.get(name, 0.0) for sums in self._steps[1:]])) * _MS


def _full_scheduler(lock: FactLock, rows: int, steps: int) -> Scheduler:
    """A batch whose rows are offered different slots and never end."""
    scheduler = Scheduler(rows=rows, queue_limit=rows)
    offers = (("name", "price"), ("name", "brand", "price"), ("name", "price", "was_price", "percent_off"))
    for row in range(rows):
        temperature = 0.8 if row % 2 else 0.0
        slots = offers[row % len(offers)]
        request = Request(f"r{row}", "", slots, steps + 2, Priority.SHOPPER, None, temperature=temperature)
        prompt = tuple(range(40, 100 + row))
        draws = sampler.draws(row, steps + 2) if temperature else None
        job = Job(request, prompt, row, lock.start(slots), draws=draws)
        scheduler.add(job, Waiter(row, Priority.SHOPPER, None, 0.0))
    return scheduler


def _lock_nodes_us(profile: Path) -> list[float]:
    """Microseconds of each run of one of the fact lock's nodes, from ONNX Runtime's profile."""
    events = json.loads(profile.read_text())
    wanted = {f"{name}{suffix}" for name in _LOCK_NODES for suffix in ("_kernel_time", "_Gather_kernel_time")}
    return [float(event["dur"]) for event in events if event.get("cat") == "Node" and event["name"] in wanted]


def main() -> None:
    """Print a table for one row and for a full batch."""
    folder, *rest = sys.argv[1:]
    for rows in sorted({1, int(rest[0]) if rest else 16}):
        cost = measure_step(Path(folder), rows=rows)
        sys.stdout.write(
            f"{rows:3d} rows: step {cost.step_ms:.2f} ms = model {cost.model_ms:.2f} (lock's nodes {cost.lock_nodes_ms:.3f})"
            f" + lock {cost.lock_ms:.3f} + choice {cost.choice_ms:.3f} + scheduler {cost.scheduler_ms:.3f}"
            f"; the lock takes {cost.lock_share:.1%}\n"
        )


if __name__ == "__main__":
    main()
