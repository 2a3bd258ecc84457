"""Models of every kind that the engine loads."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

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
