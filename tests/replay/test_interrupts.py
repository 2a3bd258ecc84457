"""Ctrl-C, as a real signal to a real process: it ends with what it has, and leaves nothing half-written."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shelftalk.replay.recording import Recording
from tests.replay.commands import process, replay
from tests.replay.making import repriced, upserted, viewed, written
from tests.stream.harness import Site

LONG = 400_000


def interrupted(running: "subprocess.Popen[str]", at: str) -> str:
    """Send it once a line shows that it is under way; returns the rest of what it says."""
    assert running.stdout is not None
    seen = []
    for line in iter(running.stdout.readline, ""):
        seen.append(line)
        if at in line:
            running.send_signal(signal.SIGINT)
            rest, _ = running.communicate(timeout=60)
            assert "Traceback" not in rest
            return rest
    raise AssertionError(f"it ended without saying {at!r}:\n{''.join(seen)}")


def unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if "unfinished" in path.name]


def test_an_import_is_whole_and_ends_where_reading_ended(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    head = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    row = "2019-10-01 00:00:00 UTC,view,{0},7,electronics.tablet,lg,9.99,u{0},s\n"
    log.write_text(head + "".join(row.format(number % 5_000) for number in range(LONG)))
    with replay("import", log, "--format", "rees46", "--out", tmp_path / "r.parquet") as running:
        said = interrupted(running, "events read")
        assert running.returncode == 130
    assert "interrupted: the recording is whole" in said
    assert 10_000 <= Recording(tmp_path / "r.parquet").records < LONG
    assert not unfinished(tmp_path)


@pytest.mark.broker
def test_a_recording_from_a_broker_is_whole(site: Site, tmp_path: Path) -> None:
    site.create_topics()
    site.produce("behaviour", ((f"shopper-{n}", {"shopper_id": f"shopper-{n}"}) for n in range(50)))
    servers = site.settings().kafka.bootstrap_servers
    options = ("--bootstrap-servers", servers, "--from-beginning", "--topic", site.topic("behaviour"))
    with replay("record", "--out", tmp_path / "r", *options) as running:
        said = interrupted(running, f"{site.topic('behaviour')} 50")
        assert running.returncode == 0
    assert "50 records" in said
    assert Recording(tmp_path / "r").records == 50
    assert not unfinished(tmp_path)


@pytest.mark.broker
def test_a_run_that_has_not_begun_says_so(tmp_path: Path) -> None:
    rows = [upserted("A"), *(viewed(f"s{n}", n * 20, "A") for n in range(100)), repriced("A", 2_000, 900)]
    recording = written(tmp_path / "small.parquet", rows)
    with replay("run", recording, "--phrasebook-only", "--out", tmp_path / "run") as running:
        said = interrupted(running, "starting worker 1")
        assert running.returncode == 130
    assert "ended before the workers were ready" in said
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_page_is_whole_or_not_there(tmp_path: Path) -> None:
    program = """
import signal, sys
from pathlib import Path
from shelftalk.replay import files
def interrupted(self, target):
    signal.raise_signal(signal.SIGINT)
Path.replace = interrupted
files.write_whole(Path(sys.argv[1]), "whole")
"""
    page = tmp_path / "page.html"
    page.write_text("before")
    with process(sys.executable, "-c", program, page) as running:
        assert running.wait(30) != 0
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert page.read_text() == "before"


@pytest.mark.broker
def test_the_benchmark_ends_its_contestants(embedded_bootstrap: str) -> None:
    command = (sys.executable, "-m", "shelftalk.bench.pipeline", "--only", "model", "--bootstrap", embedded_bootstrap)
    with process(*command) as running:
        said = interrupted(running, "broker:")
        assert running.returncode == 130
    assert "interrupted" in said
    assert said.splitlines()[-1] == "{}"
