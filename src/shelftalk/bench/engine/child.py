"""The process of one contestant: loads it, then serves a course for each line on its standard input.

python -m shelftalk.bench.engine.child KIND MODEL WORKLOAD THREADS

A line in: ``{"concurrency": 16, "seconds": 6, "first": 128}``, or with ``"prepare": true`` to get ready for a concurrency.
A line out: ``RESULT {...}``; what else a library prints is passed over.
"""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

from shelftalk.bench.engine.clients import Clients, Wanted
from shelftalk.bench.engine.contestant import Contestant


def load(kind: str, model: Path, threads: int) -> Contestant:
    """The contestant, its model loaded. Each library is imported only in its own process."""
    if kind.startswith("ours"):
        from shelftalk.bench.engine.ours import Ours  # noqa: PLC0415

        return Ours(model, threads, own_lengths=kind == "ours")
    if kind == "genai":
        from shelftalk.bench.engine.genai import Genai  # noqa: PLC0415

        return Genai(model, threads)
    if kind == "llama.cpp":
        from shelftalk.bench.engine.llama_cpp_peer import LlamaCpp  # noqa: PLC0415

        return LlamaCpp(model, threads)
    from shelftalk.bench.engine.transformers_peer import Transformers  # noqa: PLC0415

    return Transformers(model, threads)


def main() -> None:
    """Serve until standard input ends."""
    kind, model, workload, threads = sys.argv[1:]
    wanted = [Wanted(**entry) for entry in json.loads(Path(workload).read_text())]
    contestant = load(kind, Path(model), int(threads))
    _answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("prepare"):
            contestant.prepare(order["concurrency"], wanted)
            _answer({"ready": True})
            continue
        _forget_peak()
        clients = Clients(wanted, order["concurrency"], order["seconds"], order["first"])
        begun_s = time.process_time()
        contestant.serve(clients)
        _answer(dataclasses.asdict(clients.course(_peak_mb(), time.process_time() - begun_s)))


def _answer(result: dict[str, object]) -> None:
    sys.stdout.write(f"RESULT {json.dumps(result)}\n")
    sys.stdout.flush()


def _forget_peak() -> None:
    """Let the kernel count the peak of resident memory anew (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not allowed in some containers: the peak is then the whole run's
        return


def _peak_mb() -> float:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
