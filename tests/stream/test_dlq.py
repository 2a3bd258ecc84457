"""Dead letters on a real Kafka: looked at, and sent again, once and twice."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from shelftalk import cli
from shelftalk.commands.dlq import moment_ms
from shelftalk.errors import ConfigError
from shelftalk.events.codec import encode
from shelftalk.stream.dead_letters import HEADER_PREFIX, DeadLetter
from shelftalk.stream.dlq import FROM_HEADER, Letter, Marks
from shelftalk.stream.record import Record
from shelftalk.stream.store import TABLES
from tests.stream.harness import Site, wait_for
from tests.stream.test_pipeline import Shop

Command = Callable[..., str]

EVIL = b'{"sku": "\x1b[2J\x1b]0;owned\x07", "name": "\xe2\x80\xaeevil"}'


@pytest.fixture
def site(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Site]:
    with Site(kafka_bootstrap, tmp_path) as site:
        site.create_topics(*TABLES)
        yield site


@pytest.fixture
def dlq(site: Site, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """`shelftalk dlq ...`: what it prints, on standard error too."""
    monkeypatch.setenv("SHELFTALK_KAFKA__BOOTSTRAP_SERVERS", site.bootstrap)
    monkeypatch.setenv("SHELFTALK_TOPICS__PREFIX", f"{site.name}.")

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["shelftalk", "dlq", *arguments])
        with contextlib.suppress(SystemExit):
            cli.main()
        sys.stdout.flush()
        printed = capfdbinary.readouterr()
        return (printed.out + printed.err).decode()

    return run


def lies_there(site: Site, *letters: tuple[Record, str], partition: int = 0) -> None:
    """Letters, as a worker would have written them."""
    producer = Producer({"bootstrap.servers": site.bootstrap})
    for record, reason in letters:
        headers = DeadLetter(record, reason, "a detail", 3).headers()
        producer.produce(site.topic("dead_letters"), record.value, record.key, headers=headers, partition=partition)
        assert producer.flush(10) == 0


def record(site: Site, topic: str, offset: int, key: bytes = b"k", value: bytes = b"{}", **fields: Any) -> Record:
    return Record(site.topic(topic), 1, offset, key, value, **fields)


@pytest.mark.kafka
def test_letters_are_listed_shown_and_sent_again(site: Site, dlq: Command) -> None:
    own = (("trace", b"1"), ("trace", b"2"), (f"{HEADER_PREFIX}topic", b"forged"))
    lies_there(
        site,
        (record(site, "behaviour", 5, headers=own, value=b"\xff\xfe"), "not_json"),
        (record(site, "inventory", 6, key=b"\x1b[31msku", value=EVIL), "schema"),
        (record(site, "inventory", 7, key=b"sku-7"), "schema"),
        (Record("elsewhere", 0, 8, b"k", b"{}"), "schema"),
    )
    page = dlq("list")
    assert "4 letters" in page
    assert page.index("schema") < page.index("not_json")  # the most frequent kind first
    assert "0-3" in page.split("detail")[1].split("\n")[1]  # the newest first
    for shown in (page, dlq("show", "0-1")):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\\x1b[31msku" in shown

    rows = [json.loads(line) for line in dlq("list", "--json", "--topic", "inventory").splitlines()]
    assert [(row["id"], row["offset"], row["reason"], row["attempts"]) for row in rows] == [
        ("0-1", 6, "schema", 3),
        ("0-2", 7, "schema", 3),
    ]
    for arguments, expected in {
        ("--reason", "not_json"): ["0-0"],
        ("--key", "sku-7"): ["0-2"],
        ("--since", "1h"): ["0-0", "0-1", "0-2", "0-3"],
        ("--until", "1h"): [],
        ("--topic", f"{site.name}.behaviour"): ["0-0"],
        ("--limit", "1"): ["0-3"],
        ("--reason", "schema", "--topic", "elsewhere"): ["0-3"],
    }.items():
        assert [json.loads(line)["id"] for line in dlq("list", "--json", *arguments).splitlines()] == expected

    whole = json.loads(dlq("show", "0-0", "--json"))
    assert base64.b64decode(whole["value_base64"]) == b"\xff\xfe"
    assert [name for name, _ in whole["headers"]] == ["trace", "trace"]
    assert "there is no letter 0-99" in dlq("show", "0-99")
    assert "is no id of a letter" in dlq("show", "99")

    assert "say which letters" in dlq("redrive")
    dry = dlq("redrive", "--all", "--dry-run")
    assert "4 letters, 3 would be sent; 1 of other topics, passed over" in dry
    assert site.everything(site.topic("behaviour")) + site.everything(site.topic("inventory")) == []
    assert json.loads(dlq("redrive", "--all", "--json")) == {
        "matched": 4, "sent": 3, "already": 0, "cut": 0, "foreign": 1, "dry_run": False,
    }  # fmt: skip
    (back,) = site.everything(site.topic("behaviour"))
    assert (back.partition(), back.key(), back.value()) == (1, b"k", b"\xff\xfe")
    assert back.headers() == [
        ("trace", b"1"),
        ("trace", b"2"),
        (FROM_HEADER, f"{site.topic('dead_letters')}/0-0".encode()),
    ]

    assert "4 letters, 0 sent; 3 sent again before, passed over; 1 of other topics, passed over" in dlq(
        "redrive", "--all"
    )
    assert "3 of them sent again" in dlq("list")
    assert ", sent again since" in dlq("show", "0-1")
    assert len(site.everything(site.topic("inventory"))) == 2
    assert "sent 0-2" in dlq("redrive", "0-2", "--again")
    assert len(site.everything(site.topic("inventory"))) == 3


@pytest.mark.kafka
def test_what_did_not_fit_and_what_no_worker_wrote_is_no_riddle(site: Site, dlq: Command) -> None:
    producer = Producer({"bootstrap.servers": site.bootstrap})
    topic = site.topic("dead_letters")
    cut = [
        *DeadLetter(record(site, "behaviour", 1), "RetryableError", "", 1).headers(),
        (f"{HEADER_PREFIX}value-bytes", b"999"),
    ]
    producer.produce(topic, None, b"k", headers=cut, partition=2)
    strange = [
        (f"{HEADER_PREFIX}offset", b"9" * 5000),
        (f"{HEADER_PREFIX}detail", b"\xff"),
        (f"{HEADER_PREFIX}attempts", b"-1"),
    ]
    producer.produce(topic, None, None, headers=strange, partition=3)
    producer.produce(topic, None, None, headers=[(f"{HEADER_PREFIX}redriven", b"x")], partition=3)
    assert producer.flush(10) == 0
    assert "999 bytes, which did not fit" in dlq("show", "2-0")
    assert "unknown" in dlq("show", "3-0")
    assert "there is no letter 3-1" in dlq("show", "3-1")
    assert "2 letters, 0 sent; 1 without their value, passed over; 1 of other topics" in dlq("redrive", "--all")


#: In a process of its own; what `getrusage` says would count what we had when we forked.
_MEASURED = """
import atexit, pathlib, re, sys
from shelftalk import cli
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1], file=sys.stderr))
sys.argv = ["shelftalk", "dlq", *sys.argv[1:]]
cli.main()
"""


def peak_mb(site: Site, *arguments: str) -> float:
    """The most memory that `shelftalk dlq ...` ever had."""
    environment = {"SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": site.bootstrap, "SHELFTALK_TOPICS__PREFIX": f"{site.name}."}
    command = [sys.executable, "-c", _MEASURED, *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stderr.split()[-1]) / 1024


@pytest.mark.kafka
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked how much memory there was")
def test_a_large_topic_is_not_held_in_memory(site: Site) -> None:
    """180 MB, listed to the last letter and sent again, in the memory of an empty topic and half of that; seen was a quarter."""
    empty = peak_mb(site, "list")
    producer = Producer({"bootstrap.servers": site.bootstrap})
    for number in range(200):
        whole = record(site, "behaviour", number, value=os.urandom(900_000))
        headers = DeadLetter(whole, "not_json", "a detail", 1).headers()
        producer.produce(site.topic("dead_letters"), whole.value, whole.key, headers=headers, partition=number % 4)
    assert producer.flush(60) == 0
    for arguments in (("list", "--limit", "100000"), ("redrive", "--all"), ("list", "--limit", "100000", "--json")):
        assert peak_mb(site, *arguments) < empty + 90, arguments


@pytest.mark.kafka
def test_sent_again_twice_a_shoppers_event_is_answered_once(site: Site, dlq: Command) -> None:
    """A worker with a bug sets it aside; one without takes it when it comes again. And then it comes once more."""
    shop = Shop(site)
    broken = site.start("raising")
    view = json.loads(encode(shop.view("shopper-1", "A", brand="Harbour"))) | {"raise": "bug"}
    site.produce("behaviour", [("shopper-1", view)])
    (letter,) = site.until("dead_letters", lambda seen: len(seen.messages) == 1).messages
    assert dict(letter.headers())[f"{HEADER_PREFIX}reason"] == b"KeyError"
    broken.terminate()
    assert broken.wait(30) == 0

    shop.start()
    shop.opens("A", "B")
    assert "sent" in dlq("redrive", "--reason", "KeyError", "--key", "shopper-1")
    first = shop.cards(lambda cards: len(cards) >= 1)
    wait_for(site.settled, 30, "all is done")
    dlq("redrive", "--all", "--again")
    assert len(site.everything(site.topic("behaviour"))) == 3
    wait_for(site.settled, 30, "all is done again")
    asked = [message.value() for message in site.everything(site.topic("asks")) if b'"type":"ask"' in message.value()]
    assert len({json.loads(ask)["origin"]["offset"] for ask in asked}) == 1
    cards = [json.loads(message.value()) for message in site.everything(site.topic("cards")) if message.value()]
    assert {card["card_id"] for card in cards} == {card["card_id"] for card in first}
    assert len(site.everything(site.topic("dead_letters"))) == 3  # the letter, and a mark for each time


def letter(partition: int, offset: int) -> Letter:
    return Letter(
        partition=partition, offset=offset, at_ms=0, topic="", source_partition=0, source_offset=0, source_ms=0, reason="",
        detail="", attempts=1, key=None, value=None, headers=(),
    )  # fmt: skip


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 100))), st.tuples(st.integers(0, 3), st.integers(0, 100)))
def test_marks_are_a_set(marked: set[tuple[int, int]], asked: tuple[int, int]) -> None:
    marks = Marks()
    for partition, offset in marked:
        marks.add(partition, offset)
    assert (letter(*asked) in marks) == (asked in marked)


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("90m", 1_764_000_000_000 - 5_400_000),
        ("7d", 1_764_000_000_000 - 7 * 86_400_000),
        ("2026-11-27", 1_795_737_600_000),
        ("2026-11-27T08:00", 1_795_766_400_000),
        ("2026-11-27T08:00+08:00", 1_795_737_600_000),
    ],
)
def test_a_time_is_so_long_ago_or_a_date(text: str, at_ms: int) -> None:
    assert moment_ms(text, 1_764_000_000_000) == at_ms


@pytest.mark.parametrize("text", ["", "soon", "-1h", "1y", "2026-13-01", "\x1b[2J"])
def test_what_is_no_time_is_said_so(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time; write 90m") as caught:
        moment_ms(text, 0)
    assert "\x1b" not in str(caught.value)
