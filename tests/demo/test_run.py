"""The whole demo as a process of its own, against the embedded broker, as somebody would run it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shelftalk.demo.verify import verify_folder

pytestmark = pytest.mark.broker

COMMAND = [sys.executable, "-m", "shelftalk", "demo", "--phrasebook-only"]


@contextlib.contextmanager
def demo(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*COMMAND, "--out", str(folder), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_short_demo_is_true_to_its_word(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "9", "--seed", "5") as process:
        output, _ = process.communicate(timeout=120)
    *_, last = output.splitlines()
    figures = json.loads(last)
    assert process.returncode == 0, output
    assert figures["ok"]
    assert (figures["wrong_prices"], figures["lost_events"]) == (0, 0)
    assert figures["dead_letters"] == figures["poison_sent"]
    assert sum(figures["poison_sent"].values()) >= 1
    assert figures["answered"]["phrasebook"] > 20

    assert "</html>" in (tmp_path / "shop.html").read_text()

    # The files say the same, to whoever counts for himself.
    events, cards = lines_of(tmp_path / "events.jsonl"), lines_of(tmp_path / "cards.jsonl")
    assert len(events) == figures["events"] == figures["sent"]
    live = [line for line in cards if line["value"] and line["value"]["status"] == "live"]
    assert len(live) == figures["cards"] + figures["copy"]
    assert len(lines_of(tmp_path / "dead_letters.jsonl")) == sum(figures["dead_letters"].values())
    for lines in (events, cards):
        places: dict[tuple[str, int], int] = {}
        for line in lines:
            place = (line["topic"], line["partition"])
            assert line["offset"] == places.get(place, -1) + 1
            places[place] = line["offset"]
    assert verify_folder(tmp_path).clean


def test_an_interrupt_ends_it_with_what_there_is(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "300") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "events" in line and "cards" in line and "cards 0 " not in line:
                break
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    figures = json.loads(output.splitlines()[-1])
    assert figures["interrupted"]
    assert figures["events"] > 0
    assert figures["lost_events"] == 0
    assert len(children) == 2  # broker and worker
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a process that was killed")
def test_nobody_is_left_behind_when_it_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "300") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("worker: ready"))
        children = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert len(children) == 2
        deadline = time.monotonic() + 10
        while any(_alive(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(_alive(child) for child in children)


def _alive(pid: int) -> bool:
    """Not gone, and no zombie that an init process has yet to bury."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_broker_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    with demo(tmp_path, "--bootstrap", "127.0.0.1:1") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no broker at 127.0.0.1:1" in output
    assert "Traceback" not in output


def test_a_recorded_log_is_played(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    rows = [
        f"2020-01-01 00:{n // 60:02d}:{n % 60:02d} UTC,{'purchase' if n % 10 == 9 else 'view'},p{n % 7},1,"
        f"electronics.tablet,lg,{100 + n // 60}.50,u{n % 5},s{n % 5}"
        for n in range(240)
    ]
    log.write_text("\n".join([header, "broken", *rows]) + "\n")
    with demo(tmp_path / "out", "--seconds", "6", "--events", str(log), "--format", "rees46") as process:
        output, _ = process.communicate(timeout=120)
    figures = json.loads(output.splitlines()[-1])
    assert figures["ok"], output
    assert figures["events_by_type"]["product_upserted"] == 7
    assert figures["events_by_type"]["price_changed"] > 10
    assert figures["refreshed"] > 0
    assert "broken rows left out: event_time 1" in output
    texts = [line["value"]["text"] for line in lines_of(tmp_path / "out" / "cards.jsonl") if line["value"]]
    assert any("LG tablet" in text for text in texts)
    assert os.path.getsize(tmp_path / "out" / "dead_letters.jsonl") == 0  # noqa: PTH202


def test_a_rush_is_as_fast_as_the_worker_and_loses_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--rush", "--seconds", "8", "--seed", "5") as process:
        output, _ = process.communicate(timeout=120)
    figures = json.loads(output.splitlines()[-1])
    assert "1000 events a second, or as many as the worker takes" in output
    assert (figures["lost_events"], figures["poison_refused"]) == (0, True)
    assert figures["sent"] == figures["events"] > 300
