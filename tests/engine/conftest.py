"""Models of every kind that the engine loads."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from shelftalk.engine import Engine
from shelftalk.modelling.tiny import build_tiny
from tests.engine.genai_model import build_genai

#: How the tiny model is offered, and how genai's builder would give it.
KINDS = ("fp32", "fp16", "w8a8", "w8a8-kv8", "pruned", "genai", "genai-positions")


@pytest.fixture(scope="session")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a kind of the tiny model once."""
    root = tmp_path_factory.mktemp("kinds")

    @cache
    def build(kind: str) -> Path:
        if kind.startswith("genai"):
            return build_genai(root / kind, position_ids=kind.endswith("positions"))
        return build_tiny(root / kind, variant="fp32" if kind == "pruned" else kind, pruned=kind == "pruned")

    return build


@pytest.fixture(scope="session")
def nan_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every prompt with the word ``mug`` makes NaN."""
    folder = build_tiny(tmp_path_factory.mktemp("nan") / "tiny")
    model = onnx.load(folder / "model.onnx")
    (table,) = [tensor for tensor in model.graph.initializer if tensor.name == "embedding"]
    values = numpy_helper.to_array(table).copy()
    with Engine(folder, rows=1, threads=1) as engine:
        word = engine._encode(" mug")[-1]
    values[word] = np.nan
    table.CopyFrom(numpy_helper.from_array(values, table.name))
    onnx.save(model, folder / "model.onnx")
    (folder / "manifest.json").unlink()
    return folder
