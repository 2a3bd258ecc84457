"""Fixtures that several packages' tests use."""

from pathlib import Path

import pytest

from shelftalk.modelling.tiny import build_tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer model in fp32 with slot tokens: real code, nonsense words, milliseconds a text."""
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")
