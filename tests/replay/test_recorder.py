"""Recording from a broker: all of it, once, gone on with, and pseudonymous unless told otherwise."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.errors import BrokerError, ConfigError
from shelftalk.replay.recorder import Plan, Recorder
from shelftalk.replay.recording import Recorded, Recording
from shelftalk.stream.login import Kafka
from tests.replay.making import written
from tests.stream.harness import Site

rename = Pseudonyms(b"k" * 32).of


def record(site: Site, out: Path, *, names: Any = rename, **plan: Any) -> Recorder:
    topics = {site.topic("behaviour"): "behaviour", site.topic("inventory"): "inventory"}
    options = {"from_beginning": True, "until_end": True} | plan
    recorder = Recorder(site.settings().kafka, Plan(topics=topics, **options), out, names)
    recorder.run(lambda: None, threading.Event())
    return recorder


def send(site: Site, numbers: range) -> None:
    site.produce("behaviour", ((f"shopper-{n % 7}", {"shopper_id": f"shopper-{n % 7}", "n": n}) for n in numbers))
    site.produce("inventory", ((f"sku-{n % 3}", {"sku": f"sku-{n % 3}", "n": n}) for n in numbers))


def numbers(rows: list[Recorded], topic: str) -> list[int]:
    return sorted(json.loads(row.value or b"")["n"] for row in rows if row.topic == topic)


def test_a_recording_is_gone_on_with_where_it_ended(site: Site, tmp_path: Path) -> None:
    site.create_topics()
    out = tmp_path / "recording"
    send(site, range(50))
    first = record(site, out)
    assert not first.resumed
    # What a crash would leave of the second part must not count.
    (out / ".part-000001.parquet.unfinished").write_bytes(b"half")
    send(site, range(50, 80))
    again = record(site, out)
    assert again.resumed
    assert again.records.total() == 60
    rows = list(Recording(out).rows())
    for stream in ("behaviour", "inventory"):
        assert numbers(rows, site.topic(stream)) == list(range(80))
    places = [(row.topic, row.partition, row.offset) for row in rows]
    assert len(set(places)) == len(places)
    assert record(site, out).records.total() == 0  # nothing came since

    assert b"shopper" not in b"".join((row.key or b"") for row in rows)
    assert {row.key for row in rows if row.topic == site.topic("behaviour")} == {
        rename(f"shopper-{n}").encode() for n in range(7)
    }
    with pytest.raises(ConfigError, match="another pseudonym key"):
        record(site, out, names=None)


def test_parts_are_finished_by_size_and_the_count_is_kept_to(site: Site, tmp_path: Path) -> None:
    site.create_topics()
    send(site, range(400))
    record(site, tmp_path / "r", rotate_bytes=1, names=None)
    assert len(Recording(tmp_path / "r").files) >= 1
    assert record(site, tmp_path / "few", records=10).records.total() == 10
    assert Recording(tmp_path / "few").records == 10


def test_a_topic_that_is_not_there_is_named(site: Site, tmp_path: Path) -> None:
    site.create_topics()
    with pytest.raises(BrokerError, match=r"there is no topic missing.*there are: .*behaviour"):
        Recorder(site.settings().kafka, Plan(topics={"missing": None}), tmp_path / "r", None)
    assert not (tmp_path / "r").exists()


def test_a_broker_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelftalk.replay.recorder._TIMEOUT_S", 0.3)
    with pytest.raises(BrokerError, match=r"no broker at 127\.0\.0\.1:1 answered"):
        Recorder(Kafka(bootstrap_servers="127.0.0.1:1"), Plan(topics={"t": None}), tmp_path / "r", None)


def test_only_recordings_of_brokers_are_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path / "r", [Recorded("t", 0, 0, 0, None, None)])
    with pytest.raises(ConfigError, match="imported from test"):
        Recorder(Kafka(), Plan(topics={"t": None}), tmp_path / "r", None)
    with pytest.raises(ConfigError, match="needs a folder"):
        Recorder(Kafka(), Plan(topics={"t": None}), tmp_path / "r.parquet", None)
