"""What is typed, and what is meant by it."""

from pathlib import Path
from typing import Any

import pytest

from shelftalk.commands import replay as commands
from shelftalk.replay import run as running
from shelftalk.replay.run import Options
from tests.replay.commands import called


@pytest.mark.parametrize(
    ("typed", "ramp_s", "loop"),
    [("--ramp", 10.0, False), ("--ramp --loop", 10.0, True), ("--loop --ramp 5s", 5.0, True), ("", 0.0, False)],
)
def test_a_ramp_may_be_asked_for_without_saying_how_long(
    typed: str,
    ramp_s: float,
    loop: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[Options] = []

    def run(options: Options, *_: Any) -> int:
        told.append(options)
        return 0

    monkeypatch.setattr(running, "run", run)
    monkeypatch.setattr(commands, "_look_first", lambda *_: None)  # there is no such recording
    line = ("--speed", "10", "--rate", "5000", "--for", "60s", *typed.split())
    assert called(capsys, "run", Path("day.parquet"), "--phrasebook-only", *line)[0] == 0
    (options,) = told
    assert (options.pace.ramp_s, options.pace.loop) == (ramp_s, loop)
    assert (options.pace.speed, options.pace.rate_per_s, options.pace.seconds) == (10.0, 5_000.0, 60.0)


@pytest.mark.parametrize("slo", ["", "p99<fast"])
def test_mistakes_are_told_before_a_model_is_looked_for(
    slo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find_model(*_: Any, **__: Any) -> None:
        pytest.fail("a model may take minutes to build")

    monkeypatch.setattr("shelftalk.demo.words.find_model", find_model)
    for command in ("run", "capacity"):
        assert called(capsys, command, tmp_path / "none.parquet", "--slo", slo or "lost=0")[0] == 2
