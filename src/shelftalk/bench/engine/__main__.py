"""The command: ``make bench-engine``, or ``python -m shelftalk.bench.engine --help``."""

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnx

from shelftalk.bench.engine import limit, report
from shelftalk.bench.engine.clients import Course
from shelftalk.bench.engine.console import run, say
from shelftalk.bench.engine.ours import LEARNED
from shelftalk.bench.engine.process import ContestantFailedError, Process
from shelftalk.bench.engine.setup import Entry, Setup, set_up
from shelftalk.bench.engine.workload import SIZE
from shelftalk.engine.measure import measure_step
from shelftalk.modelling.build import ensure_default_model

_LEVELS = (1, 4, 8, 16, 32)

#: More than any course serves.
_BRIEFS_A_ROUND = 120

#: The goal's concurrency; the fact lock's cost is measured at it too.
_MEASURED_ROWS = 16


def main() -> None:
    """Set up, run all courses, print the tables and a line of JSON."""
    options = _options()
    model = options.model or ensure_default_model(lambda message, share: say(f"{message} ({share:.0%})"))
    setup = set_up(model, options.python, options.threads, say)
    entries = [entry for entry in setup.entries if not options.only or any(part in entry.name for part in options.only)]
    machine = limit.measure(options.threads)
    work = _work(model, setup.workload)
    ours = setup.entries[0].name
    figures: dict[int, dict[str, report.Figure]] = {}
    with contextlib.ExitStack() as stack:
        running = _start(entries, setup, options, stack)
        for level in options.levels:
            courses = _level(running, setup, level, options)
            figures[level] = {name: report.figure(done) for name, done in courses.items() if done}
            most = work.requests_per_s(machine, level)
            print("\n" + report.table(level, figures[level], ours, most) + "\n", flush=True)
    print(
        f"The limit: {machine.products_per_s / 1e9:.0f} G int8 products/s and {machine.bytes_per_s / 1e9:.0f} GB/s, measured; "
        f"{(work.layer_weights + work.head_weights) / 1e6:.0f} M weights; on average {work.prompt_tokens:.0f} tokens of "
        f"prompt and {work.new_tokens:.0f} of text."
    )
    print(
        f"What is not equal: ours has a head of {_head_words(model):,} words, pruned for copy, 8 bits, and the fact lock on; the"
        " peers have the whole head, the bits in their names, and no lock. 'Whole head' is ours with the peers' head. Before its"
        f" lone callers ours has written {LEARNED} other texts, from which its guesses learn; no brief comes twice in its courses."
    )
    cost = measure_step(model, rows=_MEASURED_ROWS, threads=options.threads)
    print(
        f"The fact lock takes {cost.lock_share:.1%} of a decode step of {_MEASURED_ROWS} rows ({cost.step_ms:.1f} ms)."
    )
    for name, reason in setup.failures.items():
        print(f"NOT RUN: {name}: {reason}")
    print(
        json.dumps(
            _summary(figures, ours, work, machine)
            | {"lock_share": round(cost.lock_share, 4), "not_run": sorted(setup.failures)}
        )
    )


def _head_words(model: Path) -> int:
    return int(json.loads((model / "genai_config.json").read_bytes())["model"]["vocab_size"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-engine", description=__doc__)
    parser.add_argument("--levels", type=lambda text: [int(part) for part in text.split(",")], default=list(_LEVELS))
    parser.add_argument("--rounds", type=int, default=2, help="courses of each contestant at each concurrency")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long new callers come in a course")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="CPU threads of each contestant"
    )
    parser.add_argument("--only", action="append", help="part of a contestant's name; repeatable")
    parser.add_argument("--model", type=Path, help="our model's folder; the default model if left out")
    parser.add_argument("--python", type=Path, default=Path(".venv-bench/bin/python"), help="of the peers' environment")
    return parser.parse_args()


def _start(
    entries: list[Entry], setup: Setup, options: argparse.Namespace, stack: contextlib.ExitStack
) -> dict[str, Process]:
    """A process for each contestant; those that can't run are noted by name."""
    running = {}
    for entry in entries:
        say(f"loading {entry.name}")
        python = Path(sys.executable) if entry.kind.startswith("ours") else options.python
        try:
            process = Process(python, entry.kind, entry.model, setup.workload, options.threads)
        except ContestantFailedError as error:
            setup.failures[entry.name] = str(error)
            say(f"{entry.name} can't run: {error}")
            continue
        running[entry.name] = stack.enter_context(process)
    return running


def _level(
    running: dict[str, Process], setup: Setup, level: int, options: argparse.Namespace
) -> dict[str, list[Course]]:
    """All rounds of one concurrency, the contestants in turn; the order turns too."""
    courses: dict[str, list[Course]] = {name: [] for name in running}
    # No brief comes twice to an engine of ours, which would guess its text the second time; nor one that it has learned from.
    apart = min(_BRIEFS_A_ROUND, (SIZE - (LEARNED if level == 1 else 0)) // options.rounds)
    for turn in range(options.rounds):
        names = list(running)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            try:
                if not turn:
                    running[name].prepare(level)
                begun = time.perf_counter()
                course = running[name].course(level, options.seconds, turn * apart)
            except ContestantFailedError as error:
                setup.failures[name] = f"at {level}: {error}"
                say(f"{name} failed: {error}")
                running.pop(name).close()
                courses.pop(name)
                continue
            courses[name].append(course)
            rate = course.requests / course.seconds
            say(
                f"{level:3} at once, round {turn + 1} of {options.rounds}: {name} {rate:.2f} texts/s, "
                f"{course.cpu_s / max(1, course.requests) * 1000:.0f} ms of CPU a text ({time.perf_counter() - begun:.0f} s)"
            )
    return courses


def _work(model: Path, workload: Path) -> limit.Work:
    """What an average request asks, from the model's shapes and the workload."""
    sizes = {
        tensor.name: int(np.prod(tensor.dims))
        for tensor in onnx.load(model / "model.onnx", load_external_data=False).graph.initializer
        if len(tensor.dims) == 2  # noqa: PLR2004 a matrix
    }
    layers = sum(size for name, size in sizes.items() if name.startswith("layers."))
    wanted = json.loads(workload.read_text())
    return limit.Work(
        layer_weights=layers,
        head_weights=sizes.get("head.weight", sizes["embedding"]),
        prompt_tokens=sum(len(one["prompt"]) for one in wanted) / len(wanted),
        new_tokens=sum(one["new_tokens"] for one in wanted) / len(wanted),
    )


def _summary(
    figures: dict[int, dict[str, report.Figure]], ours: str, work: limit.Work, machine: limit.Machine
) -> dict[str, object]:
    summary: dict[str, object] = {}
    for level, found in figures.items():
        to_best = report.ratio(found, ours)
        summary[f"ratio_{level}"] = to_best and round(to_best, 2)
    middle = _MEASURED_ROWS if _MEASURED_ROWS in figures else max(figures)
    if ours in figures[middle]:
        rate = figures[middle][ours].requests_per_s
        summary[f"rps_{middle}"] = round(rate, 2)
        summary["limit_fraction"] = round(rate / work.requests_per_s(machine, middle), 3)
    summary["best_peer"] = report.best_peer(figures[middle], ours)
    return summary


if __name__ == "__main__":
    run(main)
