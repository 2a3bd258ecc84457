"""Worker processes, and a look at topics that does not trust them."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from shelftalk.stream.login import KEYED
from shelftalk.stream.settings import Settings, load
from shelftalk.stream.topics import TopicAdmin, topic_specs

ROOT = Path(__file__).resolve().parents[2]


def wait_for(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Poll something that no event tells of; fails the test at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)
    return value


@dataclass
class WorkerProcess:
    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.log.read_text()[-3000:]}") from None


class Site:
    """One test's topics on a broker."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.folder = folder
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.workers: list[WorkerProcess] = []
        self.partitions = 4
        self._consumer_config = {"bootstrap.servers": bootstrap, "fetch.wait.max.ms": 20, "log_level": 2}
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 2} | KEYED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        for worker in self.workers:
            print(f"--- {worker.log.name}\n{worker.log.read_text()[-4000:]}")  # noqa: T201  pytest shows it if the test failed

    def settings(self, **overrides: Any) -> Settings:
        defaults: dict[str, Any] = {
            "app_id": self.name,
            "data_dir": str(self.folder / "state"),
            "kafka": {"bootstrap_servers": self.bootstrap, "commit_interval_s": 0.2, "session_timeout_s": 6},
            "topics": {"prefix": f"{self.name}.", "partitions": self.partitions},
            "web": {"enabled": False, "port": 0},
            "log": {"form": "json"},
            "retry": {"attempts": 3, "first_backoff_ms": 5},
        }
        for name, value in overrides.items():
            defaults[name] = {**defaults[name], **value} if isinstance(value, dict) and name in defaults else value
        return load(**defaults)

    def create_topics(self, *tables: str) -> None:
        settings = self.settings()
        TopicAdmin(settings.kafka).ensure(topic_specs(settings, tables))

    def topic(self, name: str) -> str:
        return self.settings().topics.name(name)

    def start(
        self,
        program: str = "counting",
        *,
        instance_id: str | None = None,
        deadlines: dict[str, float] | None = None,
        settings: Settings | None = None,
        **environment: str,
    ) -> WorkerProcess:
        """A worker in a process of its own; it creates the topics."""
        chosen = settings or self.settings(instance_id=instance_id, deadlines=deadlines or {})
        given = chosen.model_dump(mode="json", by_alias=True)
        if settings is not None:  # the dump masks it
            given["kafka"]["sasl_password"] = settings.kafka.sasl_password.get_secret_value()
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.stream.program", program, json.dumps(given)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": f"{ROOT}/src:{ROOT}"} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(WorkerProcess(process, log))
        return self.workers[-1]

    def produce(self, topic: str, events: Iterable[tuple[str, Any]], partition: int | None = None) -> None:
        """Keys and values; a value that is not bytes goes as JSON."""
        where = {} if partition is None else {"partition": partition}
        for key, value in events:
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            self._producer.produce(self.topic(topic), raw, key, **where)
        assert self._producer.flush(60) == 0

    def read(self, topic: str, timeout_s: float = 60) -> Iterator[Message]:
        """Every record of a topic from its beginning, as they come, until the deadline."""
        consumer = Consumer(self._consumer_config | {"group.id": uuid.uuid4().hex, "enable.auto.commit": False})
        deadline = time.monotonic() + timeout_s
        try:
            name = self.topic(topic)
            there = wait_for(
                lambda: consumer.list_topics(timeout=5).topics.get(name), timeout_s, f"topic {name} is created"
            )
            consumer.assign([TopicPartition(name, number, 0) for number in there.partitions])
            while time.monotonic() < deadline:
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    yield message
        finally:
            consumer.close()

    def until(self, topic: str, enough: Callable[["Seen"], bool], timeout_s: float = 60) -> "Seen":
        """Read until it is enough; fails the test at the deadline."""
        seen = Seen()
        for message in self.read(topic, timeout_s):
            seen.add(message)
            if enough(seen):
                return seen
        raise AssertionError(f"{topic}: not enough within {timeout_s:g} s, saw {len(seen.messages)}")

    def everything(self, name: str) -> list[Message]:
        """Every record that a topic, by its full name, holds at this moment, each partition in its order."""
        config = {"group.id": uuid.uuid4().hex, "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer(self._consumer_config | config)
        try:
            left = set(consumer.list_topics(name, timeout=10).topics[name].partitions)
            consumer.assign([TopicPartition(name, number, 0) for number in left])
            found: list[Message] = []
            deadline = time.monotonic() + 30
            while left:
                assert time.monotonic() < deadline, f"{name} cannot be read to its end"
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    found.append(message)
                elif message is not None and message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
            return found
        finally:
            consumer.close()

    def settled(self) -> bool:
        """Whether the workers have done and committed all that their topics hold."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name, "log_level": 2})
        try:
            for topic in ("behaviour", "inventory", "asks", "offers"):
                places = [TopicPartition(self.topic(topic), number) for number in range(self.partitions)]
                for place in consumer.committed(places, timeout=10):
                    low, high = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=10)
                    if max(place.offset, low) < high:
                        return False
        finally:
            consumer.close()
        return True

    def committed(self, topic: str) -> dict[int, int]:
        """Committed offsets of the workers' group; partitions without one are left out."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name, "log_level": 2})
        try:
            asked = [TopicPartition(self.topic(topic), number) for number in range(self.partitions)]
            return {
                found.partition: found.offset for found in consumer.committed(asked, timeout=10) if found.offset >= 0
            }
        finally:
            consumer.close()


class Seen:
    """Records of a topic so far.

    Attributes:
        numbers: the ``i`` of each.
        pids: of the workers that wrote them.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.numbers: set[int] = set()
        self.pids: set[int] = set()

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Self:
        seen = cls()
        for message in messages:
            seen.add(message)
        return seen

    def add(self, message: Message) -> None:
        self.messages.append(message)
        if (message.value() or b"").startswith(b'{"i"'):
            event = json.loads(message.value())
            self.numbers.add(event["i"])
            self.pids.add(event.get("pid", 0))

    def highest(self) -> dict[str, int]:
        """By key, the highest ``n``."""
        found: dict[str, int] = {}
        for message in self.messages:
            key = message.key().decode()
            found[key] = max(found.get(key, 0), json.loads(message.value())["n"])
        return found
