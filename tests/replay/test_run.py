"""`shelftalk replay run` as somebody would run it: with everything of its own, and against workers that run already."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from shelftalk.demo.child import worker_environment, worker_process
from shelftalk.demo.observer import topic_names
from shelftalk.replay.importing import import_demo
from shelftalk.replay.recording import Recording
from shelftalk.replay.texts import read_texts
from shelftalk.stream.login import Kafka
from shelftalk.stream.settings import Topics
from tests.replay.commands import called, replay
from tests.replay.making import repriced, upserted, viewed, written


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of the crowd, its doors open after three."""
    path = tmp_path_factory.mktemp("recordings") / "crowd.parquet"
    import_demo(path, seed=3, seconds=20, rate_per_s=40, catalogue=None)
    return path


@pytest.mark.broker
def test_one_command_plays_measures_and_writes_a_page(recording: Path, tmp_path: Path) -> None:
    arguments = (
        "run",
        recording,
        "--speed",
        "4",
        "--phrasebook-only",
        "--out",
        tmp_path / "a",
        "--slo",
        "lost=0,p99<60s",
    )
    with replay(*arguments) as process:
        output, _ = process.communicate(timeout=150)
    # A busy machine may make the generator late: then there is no verdict on latency, and all the rest must hold.
    assert process.returncode in {0, 3}, output
    found = result(tmp_path / "a")
    assert bool(found["doubts"]) == (process.returncode == 3) == (found["answers"] is None)
    assert found["lost"] == 0
    assert found["sent"] == found["delivered"]
    opening = found["keys"]["products"]
    assert found["sent"] + opening >= Recording(recording).records - 1
    assert found["cards"] > 50
    assert found["by_rung"]["phrasebook"] > 10
    assert found["samples"][-1]["memory_mb"] > 50
    assert found["verdicts"][0]["kept"] is True
    cards = read_texts(tmp_path / "a")
    assert len(cards) == found["cards"]
    page = (tmp_path / "a" / "report.html").read_text()
    assert page.count("<svg") >= 6
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is fetched
    assert "Traceback" not in output


@pytest.mark.kafka
def test_workers_that_run_already_are_driven_and_left_alone(
    kafka_bootstrap: str, recording: Path, tmp_path: Path
) -> None:
    kafka, topics = Kafka(bootstrap_servers=kafka_bootstrap), Topics(prefix="drive.")
    environment = worker_environment(kafka, topics, "drive", tmp_path, None, embedded=False)
    with worker_process(["--create-topics", "--phrasebook-only"], environment, tmp_path) as worker:
        worker.wait_until_ready(90, lambda _: None)
        common = ("--bootstrap-servers", kafka_bootstrap)
        run = ("run", recording, *common, "--speed", "4", "--metrics", worker.metrics_url, "--out", tmp_path / "run")
        with replay(*run, environment=environment) as process:
            output, _ = process.communicate(timeout=150)
        assert process.returncode in {0, 3}, output
        assert worker.running
        # What it sent is still in the topics, and can be recorded: with it a circle closes.
        tap = ("record", *common, "--out", tmp_path / "tapped", "--from-beginning", "--until-end")
        with replay(*tap, environment=environment) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    found = result(tmp_path / "run")
    assert found["lost"] == 0
    assert found["cards"] > 50
    assert found["samples"][-1]["memory_mb"] > 50
    assert "drive.behaviour" in topic_names(kafka)
    tapped = Recording(tmp_path / "tapped")
    assert tapped.records == found["sent"] + found["keys"]["products"]
    assert tapped.about.pseudonyms is not None


@pytest.mark.kafka
def test_several_workers_of_our_own_on_somebodys_broker_leave_nothing(kafka_bootstrap: str, tmp_path: Path) -> None:
    rows = [
        upserted("A"),
        upserted("B"),
        *(viewed(f"s{n}", n * 20, "AB"[n % 2]) for n in range(100)),
        repriced("A", 2_000, 900),
    ]
    recording = written(tmp_path / "small.parquet", rows)
    run = ("run", recording, "--bootstrap-servers", kafka_bootstrap, "--workers", "2", "--phrasebook-only")
    with replay(*run, "--users", "2", "--speed", "30", "--out", tmp_path / "run") as process:
        output, _ = process.communicate(timeout=150)
    assert process.returncode in {0, 3}, output
    found = result(tmp_path / "run")
    assert (found["sent"], found["lost"]) == (201, 0)
    assert found["keys"] == {"shoppers": 200, "products": 2}
    assert (tmp_path / "run" / "worker-1" / "worker.log").exists()
    assert not [name for name in topic_names(Kafka(bootstrap_servers=kafka_bootstrap)) if "shelftalk-replay" in name]


@pytest.mark.broker
def test_an_interrupt_ends_it_with_what_there_is(recording: Path, tmp_path: Path) -> None:
    with replay("run", recording, "--loop", "--phrasebook-only", "--out", tmp_path / "a") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("playing 0:0") and "cards 0/s" not in line)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    found = result(tmp_path / "a")
    assert found["interrupted"]
    assert found["sent"] > 0
    assert (tmp_path / "a" / "report.html").exists()
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("RECORDING", "--workers", "2", "--phrasebook-only"), "serves one worker only"),
        (("RECORDING", "--slo", "fast"), "no objective"),
        (("RECORDING", "--for", "2s", "--warm-up", "3s"), "leaves nothing"),
        (("RECORDING", "--for", "soon"), "no duration"),
        (("RECORDING", "--rate", "100000000"), "copies of each shopper"),
        (("RECORDING", "--bootstrap-servers", "127.0.0.1:1", "--metrics", "worker:6066"), "give whole addresses"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    named = [str(recording) if each == "RECORDING" else each for each in arguments]
    code, output = called(capsys, "run", *named, "--out", tmp_path / "out")
    assert code == 2, output
    assert says in output


@pytest.mark.broker
def test_capacity_ends_at_an_interrupt_with_what_it_has(recording: Path, tmp_path: Path) -> None:
    options = ("--phrasebook-only", "--from-rate", "20", "--step", "4s", "--slo", "p99<60s,lost=0")
    with replay("capacity", recording, *options, "--out", tmp_path / "c") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("step: 40"))  # so 20 a second were held
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    found = json.loads((tmp_path / "c" / "capacity.json").read_text())
    [ladder] = found["ladders"]
    assert found["interrupted"]
    assert ladder["capacity_per_s"] is None  # held once is not found
    assert (ladder["steps"][0]["rate_per_s"], ladder["steps"][0]["outcome"]) == (20.0, "kept")
    assert ladder["steps"][0]["shoppers"] > 10
    assert "20/s was held once" in output
    assert "20/s was held once" in (tmp_path / "c" / "capacity.html").read_text()
    assert "Traceback" not in output
