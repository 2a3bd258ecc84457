"""Everything that the contestants need on disk, made once for each model."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shelftalk import engine
from shelftalk.bench.engine.export import GGUF_KINDS, write_gguf, write_hugging_face
from shelftalk.bench.engine.workload import write_workload
from shelftalk.core import prompt
from shelftalk.modelling.adapter import without_pruning
from shelftalk.modelling.build import MAX_POSITIONS, build, load_reference
from shelftalk.modelling.fetch import cache_dir
from shelftalk.modelling.folder import Manifest
from shelftalk.resources import models_dir

#: genai's own builder writes these; int4 and int8 multiply in int8 (accuracy level 4), which is its fastest on a CPU.
GENAI_KINDS = ("int4", "int8")


class Entry(NamedTuple):
    """A contestant to be.

    Attributes:
        name: for the table.
        kind: of `child.load`.
        model: what it loads.
    """

    name: str
    kind: str
    model: Path


class Setup(NamedTuple):
    """What the courses need."""

    entries: list[Entry]
    workload: Path
    failures: dict[str, str]


def set_up(model: Path, python: Path, threads: int, say: Callable[[str], None]) -> Setup:
    """Make what is missing.

    Args:
        model: our model's folder.
        python: of the peers' environment.
        threads: CPU threads.
        say: told what is being done.
    """
    manifest = Manifest.read(model)
    # What the peers read depends on the weights alone, not on how our graph is written.
    home = cache_dir() / "bench-engine" / _weights_key(manifest)
    home.mkdir(parents=True, exist_ok=True)
    entries = [Entry(f"shelftalk {manifest.variant}", "ours", model)]
    failures: dict[str, str] = {}
    workload = home / f"workload-{manifest.model_id}-{_code_key()}.json"
    if not workload.exists():
        say("writing every text once, for its length")
        write_workload(model, workload, threads)
    folder = home / "hugging-face"
    ggufs = {kind: home / f"{kind}.gguf" for kind in GGUF_KINDS}
    if not all(path.exists() for path in [folder, *ggufs.values()]):
        say("exporting the weights for the peers")
        weights, head = load_reference(model)
        for kind, path in ggufs.items():
            write_gguf(path.with_suffix(".part"), weights, head, kind, MAX_POSITIONS)
            path.with_suffix(".part").rename(path)
        partial = home / "hugging-face.part"
        write_hugging_face(partial, weights, head, (model / "tokenizer.json").read_bytes(), MAX_POSITIONS)
        partial.rename(folder)
    for kind in GENAI_KINDS:
        name, out = f"onnxruntime-genai {kind}", home / f"genai-{kind}"
        if not out.exists():
            say(f"building {name}")
            problem = _build_genai(python, folder, out, kind)
            if problem:
                failures[name] = problem
                continue
        entries.append(Entry(name, "genai", out))
    whole = _whole_head(model, manifest, home, say)
    if whole:
        entries.append(Entry(f"shelftalk {manifest.variant}, whole head", "ours, whole head", whole))
    entries += [Entry(f"llama.cpp {kind}", "llama.cpp", path) for kind, path in ggufs.items()]
    entries.append(Entry("transformers fp32", "transformers", folder))
    return Setup(entries, workload, failures)


def _whole_head(model: Path, manifest: Manifest, home: Path, say: Callable[[str], None]) -> Path | None:
    """Our model with all words in its head, as the peers have it; None where it has them anyway."""
    if not (model / "head_ids.npy").exists() or manifest.adapter is None:
        return None
    say("building our model with the whole head")
    unpruned = home / "unpruned-adapter"
    without_pruning(models_dir() / manifest.adapter["name"], unpruned)
    return build(None, home / "whole-head", (manifest.variant,), unpruned)


def _code_key() -> str:
    """12 hex digits of what decides a text beside the model: once a changed rule of the fact lock left old lengths behind."""
    sources = sorted([*Path(engine.__file__).parent.glob("*.py"), Path(prompt.__file__)])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def _weights_key(manifest: Manifest) -> str:
    """12 hex digits of base and adapter."""
    weights = [manifest.base["hash"], manifest.adapter and manifest.adapter["digest"]]
    return hashlib.sha256(json.dumps(weights).encode()).hexdigest()[:12]


def _build_genai(python: Path, source: Path, out: Path, kind: str) -> str:
    """Run its model builder; why it failed, or nothing."""
    if not python.exists():
        return f"{python} is missing: `make bench-engine` sets it up"
    partial = out.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    command: list[str | Path] = [python, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", partial]
    command += ["-p", kind, "-e", "cpu", "-c", out.with_suffix(".cache"), "--extra_options", "int4_accuracy_level=4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 its documented command
    if done.returncode:
        return f"its builder failed: {' / '.join(done.stderr.splitlines()[-2:])}"
    partial.rename(out)
    return ""
