"""A short chaos on a real Kafka; and what it recorded, tampered with, is found out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.chaos.__main__ import chaos, summary
from tests.chaos.evidence import Evidence
from tests.chaos.faults import WEIGHTS, Fault, Options, plan
from tests.chaos.judge import judge
from tests.chaos.poison import KINDS
from tests.chaos.run import Story
from tests.chaos.topics import Record
from tests.chaos.traffic import Traffic
from tests.kafka.broker import KafkaUnavailableError

#: A dozen faults in half a minute; with the start, the way to rest and the reading it takes a minute.
SHORT = Options(seed=4, seconds=30, every_s=2.5, broker_stop_s=0, rate_per_s=12)

Recorded = tuple[Story, Evidence]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    try:
        yield chaos(tmp_path_factory.mktemp("chaos"), SHORT)
    except KafkaUnavailableError as error:
        pytest.skip(f"no Apache Kafka: {error}")


@pytest.mark.kafka
def test_every_promise_holds_through_a_short_chaos(recorded: Recorded) -> None:
    story, evidence = recorded
    verdict = judge(evidence)
    figures = summary(SHORT, story, verdict)
    assert figures["kept"], json.dumps({"figures": figures, "examples": verdict.examples}, indent=1)
    assert sum(figures["faults"].values()) >= 8
    assert figures["cards"] > 100
    assert figures["dead_letters"] == figures["inputs_by_kind"]["poison"]


def without(topic: str, which: Callable[[list[Record]], int]) -> Callable[[Evidence], Evidence]:
    def tamper(evidence: Evidence) -> Evidence:
        records = list(evidence.topics[topic])
        del records[which(records)]
        return replace(evidence, topics={**evidence.topics, topic: records})

    return tamper


def altered(topic: str, which: Callable[[Record], bool], change: Callable[[bytes], bytes]) -> Callable[[Evidence], Any]:
    def tamper(evidence: Evidence) -> Evidence:
        records = list(evidence.topics[topic])
        at = max(index for index, record in enumerate(records) if which(record))
        records[at] = replace(records[at], value=change(records[at].value or b""))
        return replace(evidence, topics={**evidence.topics, topic: records})

    return tamper


def is_live(record: Record) -> bool:
    return record.value is not None and json.loads(record.value)["status"] == "live"


def dearer(raw: bytes) -> bytes:
    card = json.loads(raw)
    card["facts"]["price_minor"] += 100
    return json.dumps(card).encode()


def forgetful(raw: bytes) -> bytes:
    shelf = msgspec.msgpack.decode(raw)
    del shelf["facts"]["prices"][0]
    return bytes(msgspec.msgpack.encode(shelf))


def no_views(raw: bytes) -> bytes:
    profile = msgspec.msgpack.decode(raw)
    profile.pop("recent")
    return bytes(msgspec.msgpack.encode(profile))


def not_asked(evidence: Evidence) -> Evidence:
    """All asks of the newest event that has any, and its answers."""
    last = max(
        (
            json.loads(record.value or b"{}").get("origin") or {"occurred_at_ms": 0}
            for record in evidence.topics["asks"]
        ),
        key=lambda origin: int(origin["occurred_at_ms"]),
    )
    topics = {
        name: [record for record in evidence.topics[name] if last["event_id"].encode() not in (record.value or b"")]
        for name in ("asks", "offers")
    }
    return replace(evidence, topics={**evidence.topics, **topics})


def lost_card(evidence: Evidence) -> Evidence:
    """The last one that is shown, with what a crash repeated of it."""

    def place(record: Record) -> tuple[str | None, int]:
        return record.key, json.loads(record.value or b'{"revision": -1}')["revision"]

    records = evidence.topics["cards"]
    lost = place([record for record in records if is_live(record)][-1])
    return replace(
        evidence,
        topics={**evidence.topics, "cards": [record for record in records if place(record) != lost]},
    )


def behind(evidence: Evidence) -> Evidence:
    partition, offset = max(evidence.committed["inventory"].items())
    committed = {**evidence.committed, "inventory": {**evidence.committed["inventory"], partition: offset - 2}}
    return replace(evidence, committed=committed)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (without("dead_letters", lambda _: 0), "poison_vanished"),
        (altered("dead_letters", lambda record: bool(record.value), lambda raw: raw + b" "), "poison_altered"),
        (altered("cards", is_live, dearer), "price"),
        (altered("table shelves", lambda record: record.value is not None, forgetful), "price_lost"),
        (altered("table profiles", lambda record: b"recent" in (record.value or b""), no_views), "behaviour_lost"),
        (lost_card, "card_lost"),
        (not_asked, "not_asked"),
        (behind, "not_committed"),
    ],
)
def test_what_is_tampered_with_is_found_out(
    recorded: Recorded, tamper: Callable[[Evidence], Evidence], kind: str
) -> None:
    _, evidence = recorded
    before = judge(evidence)
    after = judge(tamper(evidence))
    assert (after.losses + after.wrong)[kind] > (before.losses + before.wrong)[kind]


def test_the_same_seed_draws_the_same_faults_and_the_same_traffic() -> None:
    assert plan(SHORT) == plan(SHORT) != plan(replace(SHORT, seed=5))
    one, other = (Traffic(3, lambda: 1_800_000_000_000) for _ in range(2))
    assert [one.next() for _ in range(500)] == [other.next() for _ in range(500)]


def test_a_full_run_has_dozens_of_kills_and_every_kind_of_fault_and_poison() -> None:
    options = Options()
    faults = [planned.fault for planned in plan(options)]
    assert set(faults) == set(WEIGHTS) | {Fault.BROKER_RESTART, Fault.BROKER_STOP}
    assert sum(fault in {Fault.KILL, Fault.WIPE} for fault in faults) >= 24
    traffic = Traffic(options.seed, lambda: 1_800_000_000_000)
    inputs = [traffic.next() for _ in range(int(options.seconds * options.rate_per_s))]
    kinds = {record.poison for record in inputs if record.poison}
    assert len(KINDS) == 20
    assert kinds == {poison.kind for poison in KINDS}


def test_thaws_are_freezes_that_end_while_the_broker_restarts() -> None:
    """It goes away before the frozen worker wakes, and after its session is over or nearly so."""
    options = replace(SHORT, seconds=240, thaws=True)
    planned = plan(options)
    assert planned == plan(options) != plan(replace(options, seed=5))
    frozen = [each for each in planned if each.fault is Fault.FREEZE]
    restarts = [each.at_s for each in planned if each.fault is Fault.BROKER_RESTART]
    assert len(frozen) == len(restarts) >= 8
    for each, at_s in zip(frozen, restarts, strict=True):
        assert each.at_s + 0.85 * options.session_s <= at_s <= each.at_s + each.lasts_s
        assert each.lasts_s > options.session_s
