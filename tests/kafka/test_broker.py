"""The test broker is a real Apache Kafka, and does what the tests that lean on it take for granted."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from tests.kafka import broker as kafka

pytestmark = pytest.mark.kafka

DEADLINE_S = 30


@pytest.fixture
def admin(kafka_bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap})


def create(admin: AdminClient, partitions: int = 1, **config: str) -> str:
    """Create a topic that no other test knows, and return its name."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    options = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(name, partitions, 1, config=options)])[name].result(DEADLINE_S)
    return name


@contextlib.contextmanager
def producer(bootstrap: str) -> Iterator[Producer]:
    made = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    yield made
    assert made.flush(DEADLINE_S) == 0


@contextlib.contextmanager
def consumer(bootstrap: str, group: str) -> Iterator[Consumer]:
    made = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 3000,
            "heartbeat.interval.ms": 500,
        }
    )
    try:
        yield made
    finally:
        made.close()


def read(source: Consumer, count: int) -> list[Message]:
    messages: list[Message] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(messages) < count and time.monotonic() < deadline:
        message = source.poll(0.5)
        if message is not None:
            assert message.error() is None
            messages.append(message)
    return messages


def test_topics_are_created_with_their_partitions(admin: AdminClient) -> None:
    name = create(admin, partitions=3)
    assert len(admin.list_topics(name, timeout=DEADLINE_S).topics[name].partitions) == 3


def test_an_undeclared_topic_is_not_made_by_asking_for_it(admin: AdminClient) -> None:
    assert admin.list_topics("never-declared", timeout=DEADLINE_S).topics["never-declared"].error is not None
    assert "never-declared" not in admin.list_topics(timeout=DEADLINE_S).topics


def test_a_second_creation_is_refused(admin: AdminClient) -> None:
    name = create(admin)
    with pytest.raises(KafkaException, match="already exists"):
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(DEADLINE_S)


def test_compaction_is_accepted_and_reported(admin: AdminClient) -> None:
    name = create(admin, cleanup_policy="compact", min_cleanable_dirty_ratio="0.01")
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    config = admin.describe_configs([resource])[resource].result(DEADLINE_S)
    assert config["cleanup.policy"].value == "compact"


def test_an_absurd_config_is_refused(admin: AdminClient) -> None:
    with pytest.raises(KafkaException, match="INVALID_CONFIG"):
        create(admin, cleanup_policy="shred")


def test_a_record_keeps_key_value_headers_and_time(kafka_bootstrap: str, admin: AdminClient) -> None:
    topic = create(admin)
    with producer(kafka_bootstrap) as out:
        out.produce(topic, b"value", b"key", timestamp=1_789_000_000_000, headers=[("why", b"because")])
        out.produce(topic, None, b"key")
    with consumer(kafka_bootstrap, topic) as source:
        source.assign([TopicPartition(topic, 0, 0)])
        record, tombstone = read(source, 2)
    assert (record.key(), record.value(), record.headers()) == (b"key", b"value", [("why", b"because")])
    assert record.timestamp()[1] == 1_789_000_000_000
    assert tombstone.value() is None
    assert [record.offset(), tombstone.offset()] == [0, 1]


def test_a_group_goes_on_from_what_it_committed(kafka_bootstrap: str, admin: AdminClient) -> None:
    topic = create(admin)
    with producer(kafka_bootstrap) as out:
        for number in range(6):
            out.produce(topic, str(number), "k")
    with consumer(kafka_bootstrap, topic) as first:
        first.subscribe([topic])
        first.commit(read(first, 4)[-1], asynchronous=False)
    with consumer(kafka_bootstrap, topic) as second:
        second.subscribe([topic])
        assert [message.value() for message in read(second, 2)] == [b"4", b"5"]


def test_data_survives_a_kill_and_a_restart(tmp_path: Path) -> None:
    """A broker of its own: nobody else's tests should lose theirs."""
    try:
        server = kafka.KafkaBroker(tmp_path)
        server.start()
    except kafka.KafkaUnavailableError as error:
        pytest.skip(f"no Apache Kafka: {error}")
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(server.stop)
        bootstrap = server.bootstrap
        topic = create(AdminClient({"bootstrap.servers": bootstrap}))
        with producer(bootstrap) as out:
            out.produce(topic, b"kept", b"key")
        server.kill()
        server.start()
        assert server.bootstrap == bootstrap
        with consumer(bootstrap, topic) as source:
            source.assign([TopicPartition(topic, 0, 0)])
            assert [message.value() for message in read(source, 1)] == [b"kept"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_the_foreground_broker_says_when_it_is_ready_and_dies_with_its_parent(kafka_bootstrap: str) -> None:
    del kafka_bootstrap  # only so that this is skipped where no Kafka can be had
    (port,) = kafka._free_ports(1)
    command = [sys.executable, kafka.__file__, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(line for line in lines if "Ready" in line).split()[1] == f"127.0.0.1:{port}"
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.05)
    pytest.fail("the broker outlived its parent")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(kafka.KafkaUnavailableError, match=r"java is not on the PATH.*Java 17"):
        kafka.KafkaBroker(tmp_path).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(kafka.KafkaUnavailableError, match=r"mvn is not on the PATH.*Maven"):
        kafka.class_path()
