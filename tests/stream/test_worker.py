"""What a worker promises, read off the topics alone: nothing lost, whatever the order and however it dies."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from shelftalk.stream.dead_letters import HEADER_PREFIX
from tests.stream.harness import Seen, Site, WorkerProcess, wait_for

KEYS = [f"k{number}" for number in range(25)]


def all_of(count: int) -> Callable[[Seen], bool]:
    return lambda seen: len(seen.numbers) == count


def running(worker: WorkerProcess) -> None:
    wait_for(lambda: b'"running"' in worker.log.read_bytes(), 60, "the worker has partitions")


def test_out_of_order_work_is_not_lost_by_a_kill(site: Site) -> None:
    """Faust 0.15.3 committed 60 here with events 0 and 20 in flight, and never delivered them again."""
    site.partitions = 1
    site.create_topics()
    pick = random.Random(1)
    events = [("k", {"i": i, "sleep_s": 3600 if i in {0, 20} else pick.random() * 0.1}) for i in range(60)]
    worker = site.start("sleeping", instance_id="w")
    site.produce("behaviour", events)
    site.until("cards", lambda seen: seen.numbers == set(range(60)) - {0, 20})
    assert site.committed("behaviour").get(0, 0) == 0
    worker.kill()
    site.start("sleeping", instance_id="w", MAX_SLEEP_S="0")
    seen = site.until("cards", all_of(60))
    assert len(seen.messages) <= 120
    wait_for(lambda: site.committed("behaviour") == {0: 60}, 30, "all is committed")


def test_commits_advance_to_the_stuck_event_and_no_further(site: Site) -> None:
    site.partitions = 1
    site.create_topics()
    site.start("sleeping", instance_id="w")
    site.produce("behaviour", [("k", {"i": i, "sleep_s": 3600 if i == 7 else 0}) for i in range(30)])
    site.until("cards", all_of(29))
    wait_for(lambda: site.committed("behaviour") == {0: 7}, 30, "committed up to the stuck event")


def test_state_and_events_survive_kills(site: Site) -> None:
    """With Faust's transport 5 of 18 such restarts skipped 255-533 events for good."""
    site.create_topics("counts")
    total = 0
    for _ in range(2):
        worker = site.start("counting", instance_id="w")
        running(worker)
        site.produce("behaviour", [(KEYS[i % 25], {"i": i}) for i in range(total, total + 1000)])
        total += 1000
        halfway = total - 700
        site.until("cards", lambda seen, halfway=halfway: len(seen.numbers) > halfway)  # type: ignore[misc]
        worker.kill()
    site.start("counting", instance_id="w")
    seen = site.until("cards", all_of(total))
    assert seen.highest() == dict.fromkeys(KEYS, total // 25)


def test_deletes_survive_a_kill(site: Site) -> None:
    site.create_topics("counts")
    worker = site.start("counting", instance_id="w")
    events = [("gone", {"i": 0}), ("kept", {"i": 1}), ("gone", {"i": 2, "delete": True})]
    site.produce("behaviour", events, partition=2)  # not where their keys' hash would put them
    site.until("cards", all_of(3))
    wait_for(lambda: sum(site.committed("behaviour").values()) == 3, 30, "all is committed")
    worker.kill()
    site.start("counting", instance_id="w")
    site.produce("behaviour", [("gone", {"i": 3}), ("kept", {"i": 4})], partition=2)
    seen = site.until("cards", all_of(5))
    cards = [json.loads(message.value()) for message in seen.messages]
    assert {card["i"]: card["n"] for card in cards if card["i"] > 2} == {3: 1, 4: 2}


@pytest.mark.kafka
def test_partitions_move_between_workers_without_loss(kafka_bootstrap: str, tmp_path: Path) -> None:
    """A second worker joins while events flow, then the first is asked to go.

    Not on the embedded broker: noida-db refuses commits while a group rebalances, and then waits for ever for the member that
    aiokafka gave up because of it.
    """
    with Site(kafka_bootstrap, tmp_path) as site:
        move(site)


def move(site: Site) -> None:
    site.create_topics("counts")

    def produce(start: int) -> None:
        site.produce("behaviour", [(KEYS[i % 25], {"i": i}) for i in range(start, start + 500)])

    first = site.start("counting")
    produce(0)
    site.until("cards", all_of(500))
    second = site.start("counting")
    produce(500)
    running(second)
    produce(1000)
    site.until("cards", lambda seen: len(seen.numbers) == 1500 and second.process.pid in seen.pids)
    first.terminate()
    assert first.wait(30) == 0
    produce(1500)
    seen = site.until("cards", all_of(2000))
    assert seen.highest() == dict.fromkeys(KEYS, 2000 // 25)


def test_sigterm_finishes_what_is_in_flight_and_commits_it(site: Site) -> None:
    site.partitions = 1
    site.create_topics()
    worker = site.start("sleeping", instance_id="w")
    site.produce("behaviour", [("k", {"i": 0})])
    site.until("cards", all_of(1))
    site.produce("behaviour", [("k", {"i": i, "sleep_s": 1.0}) for i in range(1, 20)])
    wait_for(lambda: site.committed("behaviour") == {0: 1}, 30, "the first is committed")
    worker.terminate()
    assert worker.wait(20) == 0
    committed = site.committed("behaviour")[0]
    assert committed > 1
    seen = site.until("cards", all_of(committed))
    assert seen.numbers == set(range(committed))


def test_what_handlers_raise_is_sorted(site: Site) -> None:
    site.partitions = 1
    site.create_topics()
    worker = site.start("raising", instance_id="w")
    events = [{"i": 0}, {"i": 1, "raise": "bad"}, {"i": 2, "raise": "retry"}, {"i": 3, "raise": "bug"}, {"i": 4}]
    site.produce("behaviour", [("k", event) for event in events] + [("k", b"\xff{not json"), ("k", {"i": 5})])
    assert site.until("cards", lambda seen: len(seen.messages) == 3).numbers == {0, 4, 5}
    letters = site.until("dead_letters", lambda seen: len(seen.messages) == 4).messages
    headers = [dict(letter.headers()) for letter in letters]
    found = {
        int(header[HEADER_PREFIX + "offset"]): (
            header[HEADER_PREFIX + "reason"].decode(),
            int(header[HEADER_PREFIX + "attempts"]),
        )
        for header in headers
    }
    assert found == {
        1: ("not_json", 1),
        2: ("RetryableError", 3),
        3: ("KeyError", 1),
        5: ("UnicodeDecodeError", 1),
    }
    assert {letter.value() for letter in letters} == {
        b"\xff{not json",
        *(json.dumps(event).encode() for event in events[1:4]),
    }
    assert {header[HEADER_PREFIX + "topic"].decode() for header in headers} == {site.topic("behaviour")}
    wait_for(lambda: site.committed("behaviour") == {0: 7}, 30, "dead letters are committed")
    site.produce("behaviour", [("k", {"i": 6, "raise": "fatal"}), ("k", {"i": 7})])
    assert worker.wait(20) == 1
    assert site.committed("behaviour") == {0: 7}
