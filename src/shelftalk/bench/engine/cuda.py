"""The engine on a GPU: ``make bench-cuda``, or ``python -m shelftalk.bench.engine.cuda [FOLDER]``; some minutes.

Four questions, answered in this order, the last line one JSON object: does every node run on the GPU; are the texts those of the
CPU (kernels differ, so fp16 texts may part at a near tie: how many do); do padding and CUDA graphs leave the texts as they are; and
how many texts a second with and without graphs. It needs CUDA and cuDNN (``pip install 'shelftalk[cuda]'``).
``--device cpu`` tries the command out where there is no GPU: nothing is captured.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import onnxruntime as ort

from shelftalk.asking import request_for
from shelftalk.bench.engine.console import run, say
from shelftalk.bench.engine.workload import line_briefs
from shelftalk.engine import Device, Engine, Priority, Request
from shelftalk.engine.fact_lock import FactLock
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.engine.runner import Runner
from shelftalk.engine.session import Session, open_session
from shelftalk.modelling.build import DEFAULT_ADAPTER, build
from shelftalk.modelling.fetch import cache_dir
from shelftalk.resources import models_dir


def main() -> None:
    """Run and print."""
    options = _options()
    folder = options.model or build(
        None, cache_dir() / "models" / DEFAULT_ADAPTER, ("fp16",), models_dir() / DEFAULT_ADAPTER
    )
    device = Device(options.device)
    requests = _requests(options.texts)
    placed = _placement(folder, device)
    say(f"nodes: {dict(placed)}")
    found: dict[str, object] = {"model": folder.name, "device": str(device), "nodes": dict(placed)}
    on_cpu, _ = _write(folder, requests[: options.compared], 16, Device.CPU)
    plain, _ = _write(folder, requests, 16, device, bucketed=False, cuda_graphs=False)
    found["same_as_cpu"] = _agreeing(on_cpu, plain)
    say(f"same as on the CPU: {found['same_as_cpu']:.0%} of {len(on_cpu)} texts")
    for rows in options.rows:
        for name, bucketed, cuda_graphs in (("plain", False, False), ("padded", True, False), ("graphs", True, True)):
            texts, rate = _write(folder, requests, rows, device, bucketed=bucketed, cuda_graphs=cuda_graphs)
            found[f"{name}_{rows}"] = round(rate, 1)
            found[f"{name}_{rows}_same"] = _agreeing(plain, texts)
            say(f"{rows:3} rows, {name:6}: {rate:8.1f} texts/s, {_agreeing(plain, texts):.0%} the same")
    print(json.dumps(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-cuda", description=__doc__)
    parser.add_argument("--model", type=Path, help="a built folder; SmolLM2 with our adapter in fp16 if left out")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rows", type=lambda text: [int(part) for part in text.split(",")], default=[1, 4, 16, 64])
    parser.add_argument("--texts", type=int, default=256, help="texts of each measurement")
    parser.add_argument("--compared", type=int, default=32, help="texts that the CPU writes too")
    return parser.parse_args()


def _requests(count: int) -> list[Request]:
    briefs = line_briefs()
    return [
        request_for(brief, str(number), seed=number, temperature=0.7 if number % 2 else 0.0)
        for number, brief in enumerate(briefs[:: max(1, len(briefs) // count)][:count])
    ]


def _placement(folder: Path, device: Device) -> Counter[str]:
    """How many nodes each provider runs, from ONNX Runtime's profile."""
    model = open_model_folder(folder)
    lock = FactLock(model.vocabulary, columns=model.head_ids)
    providers = open_session(model.graph, device).providers
    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = f"{scratch}/step"
        session = ort.InferenceSession(str(model.graph), options, providers=list(providers))
        runner = Runner(model, Session(session, device, 0, providers), lock, rows=1, row_tokens=64)
        runner.try_out(len(model.vocabulary.pieces) - 1)
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = {event["name"]: event["args"]["provider"] for event in events if event["args"].get("provider")}
    return Counter(nodes.values())


def _write(
    folder: Path,
    requests: list[Request],
    rows: int,
    device: Device,
    *,
    bucketed: bool = False,
    cuda_graphs: bool = False,
) -> tuple[list[str], float]:
    """The texts, and how many a second; the first few are not timed: they allocate and capture."""
    with Engine(
        folder, device=device, rows=rows, queue_limit=len(requests) + rows, bucketed=bucketed, cuda_graphs=cuda_graphs
    ) as engine:
        warm = [Request(f"warm {one.key}", one.prompt, one.slots, 8, Priority.SHOPPER, None) for one in requests[:rows]]
        for _ in range(3):
            for future in [engine.submit(request) for request in warm]:
                future.result()
        begun = time.perf_counter()
        texts = [future.result().text for future in [engine.submit(request) for request in requests]]
        return texts, len(texts) / (time.perf_counter() - begun)


def _agreeing(some: list[str], others: list[str]) -> float:
    pairs = list(zip(some, others, strict=False))
    return sum(one == other for one, other in pairs) / len(pairs)


if __name__ == "__main__":
    run(main)
