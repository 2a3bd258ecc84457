"""The overrides of Faust's private methods, one by one: should Faust change under them, these fail first."""

import asyncio
import time
import uuid
from collections import deque
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from shelftalk.core.ledger import Ledger
from shelftalk.stream.lease import Lease
from shelftalk.stream.settings import load
from shelftalk.stream.topics import TopicAdmin, topic_specs
from shelftalk.stream.transport import Consumer, ConsumerThread, Transport, fetch_only, forget_changelogs

T = TP("t", 0)


class Rig:
    """A consumer without its services."""

    def __init__(self) -> None:
        self.ledger: Ledger[TP] = Ledger()
        self.consumer = Consumer.__new__(Consumer)
        self.lease = Lease(60)
        self.lease.joined(1, time.monotonic())
        self.lease.take(1)
        self.expelled = 0
        self.consumer.transport = SimpleNamespace(
            ledger=self.ledger, drain=self.drain, lease=self.lease, on_expelled=self.on_expelled
        )
        self.coordinator = SimpleNamespace(member_id="me")
        self.consumer._thread = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_coordinator=self.coordinator))
        self.flowing = True
        self.consumer.app = SimpleNamespace(
            tables=SimpleNamespace(changelog_topics={"changelog"}),
            flow_control=SimpleNamespace(is_active=lambda: self.flowing),
            consumer_generation_id=1,
            rebalancing=False,
            should_stop=False,
        )
        self.consumer._acked, self.consumer._acked_index = {T: [1, 2]}, {T: {1, 2}}
        self.consumer.confirmed = {}
        self.consumer.not_fetching = asyncio.Event()
        self.consumer.not_fetching.set()
        self.consumer.last_fetched = {}
        self.consumer.assignment = lambda: {T}
        self.consumer._unacked_messages = set()
        self.drained = 0

    async def drain(self) -> None:
        self.drained += 1

    def on_expelled(self) -> None:
        assert self.ledger.heads() == {}, "what fails now is nobody's matter"
        self.expelled += 1

    def record(self, offset: int, topic: str = "t") -> Any:
        fields = {"timestamp_type": 0, "headers": (), "key": b"", "value": b"", "checksum": None}
        sizes = {"serialized_key_size": 0, "serialized_value_size": 0}
        return SimpleNamespace(topic=topic, partition=0, offset=offset, timestamp=1, **fields, **sizes)


def test_the_versions_are_those_it_was_written_for() -> None:
    assert (version("faust-streaming"), version("aiokafka")) == ("0.15.3", "0.14.0")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Consumer, "_to_message"),
        (Consumer, "ack"),
        (Consumer, "_add_gap"),
        (Consumer, "_filter_tps_with_pending_acks"),
        (Consumer, "_new_offset"),
        (Consumer, "_should_commit"),
        (Consumer, "_commit"),
        (Consumer, "perform_seek"),
        (Consumer, "seek_wait"),
        (Consumer, "wait_empty"),
        (Consumer, "on_partitions_revoked"),
        (Consumer, "on_partitions_assigned"),
        (Consumer, "_new_consumer_thread"),
        (Consumer, "_wait_next_records"),
        (ConsumerThread, "getmany"),
        (ConsumerThread, "_fetch_records"),
        (ConsumerThread, "seek_to_committed"),
        (ConsumerThread, "_create_worker_consumer"),
    ],
)
def test_what_is_overridden_is_still_there(owner: type, name: str) -> None:
    assert name in vars(owner)
    assert any(name in vars(base) for base in owner.__mro__[1:])
    assert issubclass(Transport, driver.Transport)


def test_a_fetched_record_holds_the_commit_until_it_is_handled() -> None:
    rig = Rig()
    message = rig.consumer._to_message(T, [rig.record(5), rig.record(6)])
    assert (message.offset, message.tp, [record.offset for record in message.value.records]) == (6, T, [5, 6])
    changelog = rig.consumer._to_message(TP("changelog", 0), [rig.record(7, "changelog")])
    assert (changelog.offset, changelog.value.records[0].topic) == (7, "changelog")
    assert list(rig.ledger.heads()) == [T]
    entry = rig.ledger.open(T, 6)
    assert entry is not None
    entry.done()
    assert rig.consumer._new_offset(T) is None
    first = rig.ledger.open(T, 5)
    assert first is not None
    first.done()
    assert rig.consumer._new_offset(T) == 7
    assert list(rig.consumer._filter_tps_with_pending_acks()) == [T]
    assert list(rig.consumer._filter_tps_with_pending_acks({"other"})) == []


def test_an_ack_of_fausts_commits_nothing() -> None:
    rig = Rig()
    message = rig.consumer._to_message(T, [rig.record(0)])
    rig.consumer._unacked_messages = {message}
    assert rig.consumer.ack(message)
    assert not rig.consumer.ack(message)
    assert rig.consumer._unacked_messages == set()
    assert rig.consumer._new_offset(T) is None


def test_a_batch_ends_with_its_term_and_with_the_flow() -> None:
    rig = Rig()
    batch = rig.consumer._to_message(T, [rig.record(0)]).value
    assert batch.current()
    rig.flowing = False
    assert not batch.current()
    rig.flowing, rig.consumer.terms = True, 1
    assert not batch.current(), "also where the group gives us the same generation again"


async def test_the_rest_of_a_fetch_that_partitions_were_given_up_under_is_of_no_assignment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It came first in the next one, and offset 0 after it: the ledger stopped the worker."""
    rig, fetching, arrive = Rig(), asyncio.Event(), asyncio.Event()

    async def getmany(_active: set[TP] | None, _timeout: float) -> Any:
        fetching.set()
        await arrive.wait()
        return {T: [rig.record(0)]}

    async def nothing(_self: Any, _revoked: Any) -> None: ...

    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", nothing)
    monkeypatch.setattr(Consumer, "flow_active", True)
    rig.consumer._getmany = getmany
    rig.consumer._get_active_partitions = lambda: {T}
    arrive.set()
    records, _ = await rig.consumer._wait_next_records(1.0)
    assert list(records) == [T]
    assert rig.consumer._to_message(T, records[T]).value.current()
    await rig.consumer.on_partitions_revoked({T})
    rest = rig.consumer._to_message(T, [rig.record(147)])
    assert not rest.value.current()
    assert rig.ledger.heads() == {}
    arrive.clear()
    fetching.clear()
    waiting = asyncio.ensure_future(rig.consumer._wait_next_records(1.0))
    await fetching.wait()
    await rig.consumer.on_partitions_revoked({T})
    arrive.set()
    assert await waiting == ({}, {T})
    rig.consumer.fetch_term = rig.consumer.terms
    rig.consumer._to_message(T, [rig.record(0)])
    assert rig.ledger.heads()[T].offset == 0


async def test_only_what_the_broker_took_counts_as_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, answers = Rig(), [False, True]

    async def commit(_self: Any, _offsets: Any) -> bool:
        return answers.pop(0)

    monkeypatch.setattr(driver.Consumer, "_commit", commit)
    assert rig.consumer._should_commit(T, 0)
    assert not await rig.consumer._commit({T: 3})
    assert rig.consumer._should_commit(T, 3)
    assert await rig.consumer._commit({T: 3})
    assert (rig.consumer._acked, rig.consumer._acked_index) == ({T: []}, {T: set()}), (
        "Faust's own books would only grow"
    )
    assert not rig.consumer._should_commit(T, 3)
    assert rig.consumer._should_commit(T, 4)


async def test_revoked_partitions_are_forgotten_after_the_last_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, order = Rig(), []
    rig.ledger.expect(T, 0)

    async def revoke(_self: Any, _revoked: Any) -> None:
        order.append(list(rig.ledger.heads()))
        assert rig.lease.valid, "what is open may be finished"

    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", revoke)
    rig.consumer.confirmed[T] = 9
    await rig.consumer.on_partitions_revoked({T})
    assert order == [[T]]
    assert (rig.ledger.heads(), rig.consumer.confirmed) == ({}, {})
    assert (rig.lease.valid, rig.consumer.terms, rig.expelled) == (False, 1, 0)


async def test_who_was_expelled_forgets_before_it_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, order = Rig(), []
    rig.ledger.expect(T, 0)
    rig.coordinator.member_id = ""

    async def revoke(_self: Any, _revoked: Any) -> None:
        order.append((list(rig.ledger.heads()), rig.expelled))

    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", revoke)
    await rig.consumer.on_partitions_revoked({T})
    assert order == [([], 1)]
    await rig.consumer.on_partitions_revoked(set())
    assert rig.expelled == 1, "who joins for the first time has lost nothing"


async def test_the_lease_begins_when_the_partitions_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.lease.joined(2, time.monotonic())

    async def assign(_self: Any, _assigned: Any, _generation: int) -> None:
        assert not rig.lease.valid, "what went elsewhere is still in memory"

    monkeypatch.setattr(driver.Consumer, "on_partitions_assigned", assign)
    rig.consumer.app.should_stop = True
    await rig.consumer.on_partitions_assigned({T}, 2)
    assert not rig.lease.valid
    rig.consumer.app.should_stop = False
    await rig.consumer.on_partitions_assigned({T}, 2)
    assert rig.lease.valid


async def test_nothing_is_fetched_with_an_empty_set_or_during_a_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Any] = []

    async def getmany(_self: Any, active: Any, _timeout: float) -> dict[TP, list[Any]]:
        fetched.append(active)
        return {T: [rig.record(1)]}

    rig = Rig()
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "getmany", getmany)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = SimpleNamespace(seeking=0, not_fetching=asyncio.Event(), last_fetched={})
    live = {T}
    assert await thread.getmany(set(), 1.0) == {}
    assert [record.offset for record in (await thread.getmany(live, 1.0))[T]] == [1]
    assert fetched == [live]
    assert fetched[0] is not live
    thread.consumer.seeking = 1
    assert await thread.getmany(live, 1.0) == {}
    assert len(fetched) == 1


@pytest.mark.kafka
async def test_where_nothing_was_committed_a_seek_goes_to_the_beginning(kafka_bootstrap: str) -> None:
    """Else what was fetched and dropped before it never came, and was committed past: a catalogue was gone."""
    settings = load(kafka={"bootstrap_servers": kafka_bootstrap}, topics={"prefix": f"{uuid.uuid4().hex[:8]}."})
    topic = settings.topics.name("inventory")
    TopicAdmin(settings.kafka).ensure(topic_specs(settings, ()))
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 2})
    for partition in (0, 1):
        for number in range(3):
            producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(10) == 0
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka_bootstrap,
        group_id=topic,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.app = SimpleNamespace(tables=SimpleNamespace(changelog_topics={"of-a-table"}))
    thread._consumer = consumer
    thread.call_thread = lambda method: method()
    await consumer.start()
    try:
        dropped = 0
        while dropped < 6:
            dropped += sum(map(len, (await consumer.getmany(timeout_ms=1_000)).values()))
        await consumer.commit({TopicPartition(topic, 1): 2})
        committed = await thread.seek_to_committed()
        assert [committed[TopicPartition(topic, partition)] for partition in (0, 1)] == [None, 2]
        assert [await consumer.position(TopicPartition(topic, partition)) for partition in (0, 1)] == [0, 2]
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_a_partition_that_is_not_read_is_not_fetched_until_it_is(kafka_bootstrap: str) -> None:
    """Changelogs: what we had written came back, nobody took it, and meanwhile nothing else of that broker was fetched."""
    settings = load(kafka={"bootstrap_servers": kafka_bootstrap}, topics={"prefix": f"{uuid.uuid4().hex[:8]}."})
    topic = settings.topics.name("inventory")
    TopicAdmin(settings.kafka).ensure(topic_specs(settings, ()))
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 2})
    for partition in (0, 1):
        producer.produce(topic, b"1", partition=partition)
    assert producer.flush(10) == 0
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    read, other = TP(topic, 0), TP(topic, 1)
    consumer.assign([TopicPartition(*read), TopicPartition(*other)])
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = SimpleNamespace(flow_active=True)

    async def fetched(active: set[TP]) -> set[TP]:
        found: set[TP] = set()
        while active - found:  # a broker's first answers may be empty
            found |= {TP(*place) for place in await thread._fetch_records(consumer, active, timeout=5.0)}
        return found

    await consumer.start()
    try:
        fetch_only(consumer._fetcher, {read})
        assert await asyncio.wait_for(fetched({read}), 10) == {read}
        producer.produce(topic, b"2", partition=0)
        assert producer.flush(10) == 0
        assert await asyncio.wait_for(fetched({read}), 10) == {read}
        assert other not in {TP(*place) for place in consumer._fetcher._records}, "it was fetched and not taken"
        assert await consumer.position(TopicPartition(*other)) == 0, "its position is known all the same"
        assert await asyncio.wait_for(fetched({other}), 10) == {other}
    finally:
        await consumer.stop()


async def test_how_far_a_partition_was_fetched_is_known_when_its_records_have_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka's position goes on before the event loop has the records."""
    rig, arrive = Rig(), asyncio.Event()

    async def getmany(_self: Any, _active: set[TP] | None, _timeout: float) -> Any:
        await arrive.wait()
        return {T: [rig.record(4), rig.record(6)]}  # and 7 is a transaction's marker

    async def position(_tp: TP) -> int:
        return 8

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "getmany", getmany)
    rig.consumer.position = position
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = rig.consumer
    assert await rig.consumer.handed_on(T, 8) == -1, "nothing to read"
    fetching = asyncio.ensure_future(thread.getmany({T}, 1.0))
    await asyncio.sleep(0)
    asking = asyncio.ensure_future(rig.consumer.handed_on(T, 8))
    await asyncio.sleep(0)
    assert not asking.done(), "a fetch is under way"
    arrive.set()
    assert await asyncio.wait_for(asking, 1) == 6
    await fetching
    assert await rig.consumer.handed_on(T, 9) is None, "there is more to fetch"
    rig.consumer.app.rebalancing = True
    assert await rig.consumer.handed_on(T, 8) is None, "it will seek"


async def test_what_was_fetched_before_a_seek_says_nothing_of_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, sought = Rig(), asyncio.Event()

    async def position(_tp: TP) -> int:
        await sought.wait()  # it was asked for before the seek
        return 8

    async def seek(_self: Any) -> None:
        sought.set()

    monkeypatch.setattr(driver.Consumer, "perform_seek", seek)
    rig.consumer.position = position
    rig.consumer.last_fetched[T] = 7
    asking = asyncio.ensure_future(rig.consumer.handed_on(T, 8))
    await asyncio.sleep(0)
    await rig.consumer.perform_seek()
    assert await asyncio.wait_for(asking, 1) is None
    assert rig.consumer.last_fetched == {}


async def test_a_seek_holds_fetches_off_even_if_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, seen = Rig(), []

    async def seek(_self: Any) -> None:
        seen.append(rig.consumer.seeking)
        raise OSError

    monkeypatch.setattr(driver.Consumer, "perform_seek", seek)
    with pytest.raises(OSError):  # noqa: PT011
        await rig.consumer.perform_seek()
    assert (seen, rig.consumer.seeking) == ([1], 0)


async def test_what_was_being_fetched_when_a_seek_began_is_not_seen_and_the_ledger_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Offset 43 of before a rebalance came first; then 39 to 42 were repeats to the ledger, and 44 was committed."""
    rig, arrive = Rig(), asyncio.Event()

    async def getmany(_self: Any, _active: set[TP] | None, _timeout: float) -> Any:
        await arrive.wait()
        return {T: [rig.record(43)]}

    async def seek(_self: Any) -> None:
        assert arrive.is_set(), "not while a fetch is under way"

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "getmany", getmany)
    monkeypatch.setattr(driver.Consumer, "perform_seek", seek)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread.consumer = rig.consumer
    fetching = asyncio.ensure_future(thread.getmany({T}, 1.0))
    await asyncio.sleep(0)
    rig.ledger.expect(T, 43)  # or it was already on its way
    seeking = asyncio.ensure_future(rig.consumer.perform_seek())
    await asyncio.sleep(0)
    arrive.set()
    await asyncio.wait_for(seeking, 1)
    assert await fetching == {}
    for offset in range(39, 44):
        entry = rig.ledger.open(T, offset)
        assert entry is not None
        entry.done()
    assert rig.ledger.committable() == {T: 44}


async def test_before_giving_up_partitions_it_drains_then_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, order = Rig(), []

    async def commit(_self: Any) -> None:
        order.append(rig.drained)

    monkeypatch.setattr(driver.Consumer, "commit_and_end_transactions", commit)
    await asyncio.wait_for(rig.consumer.wait_empty(), 1)
    assert order == [1]


async def test_a_recovery_sees_nothing_of_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event left over in a queue made Faust skip all before it: a table was recovered without its first 900 records."""
    rig, changelog, other = Rig(), TP("app-t-changelog", 0), TP("app-t-changelog", 1)

    def event(tp: TP, offset: int) -> Any:
        return SimpleNamespace(message=SimpleNamespace(tp=tp, offset=offset))

    dropped: list[int] = []
    table = SimpleNamespace(data=SimpleNamespace(drop=dropped.extend))
    recovery = SimpleNamespace(
        buffers={table.data.drop: [event(changelog, 899), event(other, 3)]},
        tp_to_table={changelog: table, other: table},
        active_tps={changelog, other},
        active_offsets={changelog: 900, other: 7},
    )
    queue = SimpleNamespace(_queue=deque([event(changelog, 900), event(other, 4)]))
    rig.consumer.app.tables = SimpleNamespace(recovery=recovery, changelog_queue=queue)
    sought: list[Any] = []

    async def seek_wait(_self: Any, partitions: Any) -> None:
        sought.append((dict(partitions), rig.consumer.seeking))

    monkeypatch.setattr(driver.Consumer, "seek_wait", seek_wait)
    rig.consumer.not_fetching.clear()
    seeking = asyncio.ensure_future(rig.consumer.seek_wait({changelog: 0}))
    await asyncio.sleep(0)
    assert not sought, "not while a fetch is under way"
    rig.consumer.not_fetching.set()
    await asyncio.wait_for(seeking, 1)
    assert sought == [({changelog: 0}, 1)]
    assert [left.message.offset for left in queue._queue] == [4]
    assert [left.message.offset for buffer in recovery.buffers.values() for left in buffer] == [3]
    assert recovery.active_offsets == {changelog: -1, other: 7}
    assert dropped == [0]
    forget_changelogs(rig.consumer.app.tables, {other: 7})
    assert dropped == [0], "what is read on from where it was keeps what it has"
    assert recovery.active_offsets[other] == 7
