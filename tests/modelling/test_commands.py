import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shelftalk.commands.model import app
from shelftalk.modelling.build import SMALL_MODEL, build
from shelftalk.modelling.tiny import build_tiny, tiny_config, tiny_weights
from shelftalk.resources import models_dir
from shelftalk.stream.settings import Engine
from tests.modelling.made import write_hugging_face

runner = CliRunner()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_hugging_face(tmp_path / "base", tiny_weights(tiny_config()))


def test_build_then_check(tmp_path: Path, source: Path) -> None:
    built = runner.invoke(app, ["build", "--source", str(source), "--out", str(tmp_path / "out"), "--variant", "w8a8"])
    assert built.exit_code == 0, built.output
    assert "model_id" in built.output
    folder = str(tmp_path / "out" / "w8a8")
    checked = runner.invoke(app, ["check", folder, "--source", str(source)])
    assert checked.exit_code == 0, checked.output
    assert "the same tokens, the same bits" in checked.output


def test_bench_ends_with_json(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m", variant="w8a8")
    timed = runner.invoke(app, ["bench", str(folder), "--rows", "1,4", "--requests", "8", "--threads", "1"])
    assert timed.exit_code == 0, timed.output
    figures = json.loads(timed.stdout.splitlines()[-1])
    assert figures["rows"].keys() == {"1", "4"}
    assert all(row["tokens_per_s"] > 0 for row in figures["rows"].values())


def test_chat_writes_as_many_as_asked_for(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    said = runner.invoke(app, ["chat", "kettle", "holds heat", "900 ml", "--model", str(folder), "--count", "2"])
    assert said.exit_code == 0, said.output
    assert said.stdout.count(" tokens, ") == 2


def test_chat_asks_the_small_model_as_the_worker_does(tmp_path: Path) -> None:
    folder = build(models_dir() / SMALL_MODEL, tmp_path)
    points = ["holds its heat", "zigzag rim"]  # nobody wrote a remark on them
    told = ""
    for kind in ("glass contraption", "tin contraption", "paper contraption"):  # each has a voice of its own
        said = runner.invoke(app, ["chat", kind, *points, "--model", str(folder), "--count", "4"])
        assert said.exit_code == 0, said.output
        told += said.stdout
    assert any(word in told for word in ("contraption", *points)), "its own slots for words were offered"
    assert "{w1}" not in told, "and are filled in"


@pytest.mark.parametrize("command", ["chat", "bench", "check"])
def test_who_names_no_model_gets_the_workers(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path))
    options = {"chat": ["kettle", "--count", "1"], "bench": ["--rows", "1", "--requests", "2"], "check": []}[command]
    done = runner.invoke(app, [command, *options])
    assert done.exit_code == 0, done.output
    default = Engine().model
    assert [folder.name for folder in (tmp_path / "models").iterdir()] == [default]
    help_text = runner.invoke(app, [command, "--help"]).output
    assert default in help_text


def test_an_unknown_model_to_build_is_refused() -> None:
    refused = runner.invoke(app, ["build", "gpt"])
    assert refused.exit_code == 2
    assert "smollm2-135m-line" in refused.output


def test_chat_about_nothing_is_refused(tmp_path: Path) -> None:
    said = runner.invoke(app, ["chat", " ", "--model", str(tmp_path)])
    assert said.exit_code == 2
    assert "empty brief" in said.output
