"""What is wrong with a file or a broker is said in a line, the exit code is 2, and nothing is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shelftalk.replay.run import about, load
from shelftalk.replay.schedule import Pace, Schedule
from tests.replay.commands import called
from tests.replay.making import upserted, viewed, written
from tests.replay.test_recording import cut_off, empty


def only_a_catalogue(path: Path) -> None:
    written(path, [upserted("A"), upserted("B")])


@pytest.mark.parametrize("command", ["run", "capacity"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (cut_off, "not a whole Parquet file (cut off?)"),
        (empty, "empty"),
        (only_a_catalogue, "nothing to play"),
        (lambda _: None, "no such file"),
    ],
)
def test_a_recording_that_cannot_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, make: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "r.parquet"
    make(path)
    code, output = called(capsys, command, path, "--phrasebook-only", "--out", tmp_path / "out")
    assert code == 2, output
    assert says in output
    assert not (tmp_path / "out").exists()


def test_broken_rows_of_a_csv_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    row = "2019-10-01 00:00:00 UTC,view,1,7,electronics.tablet,lg,9.99,u1,s\n"
    (tmp_path / "log.csv").write_text(f"{head}{row}half a row\n{row.replace('9.99', 'cheap')}{row[:40]}")
    code, output = called(capsys, "import", tmp_path / "log.csv", "--format", "rees46", "--out", tmp_path / "r.parquet")
    assert code == 0, output
    assert "2 records: 1 of shoppers, 1 of products" in output
    assert "left out: " in output
    (tmp_path / "broken.csv").write_text(f"{head}x\ny\n")
    code, output = called(
        capsys, "import", tmp_path / "broken.csv", "--format", "rees46", "--out", tmp_path / "b.parquet"
    )
    assert code == 2, output
    assert "no good row in it" in output
    assert not (tmp_path / "b.parquet").exists()


def test_times_that_run_backwards_are_said_before_it_is_played(tmp_path: Path) -> None:
    rows = [upserted("A"), *(viewed(f"s{n}", 1_000 - n * 10) for n in range(5))]
    source = load(written(tmp_path / "r.parquet", rows), 100)
    said = about(source, Schedule(source.rows, source.streams, Pace()))
    assert any("4 timestamps ran backwards" in line for line in said)


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_named(
    embedded_bootstrap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELFTALK_TOPICS__PREFIX", "nowhere.")
    recording = written(tmp_path / "r.parquet", [upserted("A"), viewed("ann", 0), viewed("ann", 1_000)])
    for command in ("run", "capacity"):
        code, output = called(
            capsys, command, recording, "--bootstrap-servers", embedded_bootstrap, "--out", tmp_path / "out"
        )
        assert code == 2, output
        assert "there is no topic nowhere." in output


@pytest.mark.parametrize("command", ["run", "capacity"])
def test_a_broker_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("shelftalk.replay.recorder._TIMEOUT_S", 0.3)
    recording = written(tmp_path / "r.parquet", [upserted("A"), viewed("ann", 0), viewed("ann", 1_000)])
    code, output = called(capsys, command, recording, "--bootstrap-servers", "127.0.0.1:1", "--out", tmp_path / "out")
    assert code == 2, output
    assert "no broker at 127.0.0.1:1" in output


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--workers", "1,two", "write numbers of workers"),
        ("--workers", "2", "serves one worker only"),
        ("--slo", " ", "without an objective every rate is held"),
    ],
)
def test_a_capacity_that_cannot_be_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    recording = written(tmp_path / "r.parquet", [upserted("A"), viewed("ann", 0), viewed("ann", 1_000)])
    code, output = called(capsys, "capacity", recording, option, value, "--phrasebook-only", "--out", tmp_path / "out")
    assert code == 2, output
    assert says in output
