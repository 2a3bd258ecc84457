"""The job in a plain loop around confluent-kafka: what a good engineer writes in a day.

It promises at-least-once (flush, then commit), and state that survives: dicts in memory, every change written to a changelog topic
partitioned as the inputs, read back when partitions are assigned. It does not promise: offsets behind an event that is still at
work (each event is finished at once, so nothing may ever wait for a model), a retry, back-pressure other than by waiting for the
flush, metrics.
"""

import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from shelftalk.bench.pipeline.job import LINGER_MS, TABLES, In, Job
from shelftalk.core.state import LiveCard, Shelf

_BATCH = 500


class Dicts:
    """The state of one partition."""

    def __init__(
        self, producer: Producer, changelog: str, partition: int, at_hand: Callable[[str], Shelf | None]
    ) -> None:
        self._producer = producer
        self._changelog = changelog
        self._partition = partition
        self.at_hand = at_hand
        self._tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
        self._live: dict[str, dict[str, LiveCard]] = {}

    def get(self, table: str, key: str) -> Any:
        """A value."""
        return self._tables[table].get(key)

    def put(self, table: str, key: str, value: msgspec.Struct | None) -> None:
        """To the dict and to the changelog."""
        raw = None if value is None else msgspec.msgpack.encode(value)
        produce(self._producer, self._changelog, raw, f"{table}/{key}", partition=self._partition)
        self.set(table, key, value)

    def set(self, table: str, key: str, value: Any) -> None:
        """To the dict alone."""
        if value is None:
            self._tables[table].pop(key, None)
        else:
            self._tables[table][key] = value

    def live(self, sku: str) -> dict[str, LiveCard]:
        """Live cards."""
        return self._live.setdefault(sku, {})

    def restored(self) -> None:
        """Arrange what the changelog gave."""
        for key, card in self._tables["live"].items():
            sku, audience = key.split("/", 1)
            self.live(sku)[audience] = card


def produce(producer: Producer, topic: str, value: bytes | None, key: str, **where: int) -> None:
    """Produce, waiting for room if there is none."""
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=_delivered, **where)
        except BufferError:
            producer.poll(0.05)
        else:
            return


def _delivered(error: Any, _message: Message) -> None:
    if error is not None:
        sys.exit(f"not delivered: {error}")  # a restart does it again


class Loop:
    """Consume, work, flush, commit.

    Args:
        servers: ``host:port``.
        name: of the group.
        prefix: of the topics.
        commit_s: how often to commit.
    """

    def __init__(self, servers: str, name: str, prefix: str, commit_s: float) -> None:
        self._servers = servers
        self._topics = {
            topic: f"{prefix}{topic}"
            for topic in ("behaviour", "inventory", "asks", "offers", "cards", "copy", "dead_letters")
        }
        self._topics["dead_letters"] = f"{prefix}dead-letters"
        self._names = {full: topic for topic, full in self._topics.items()}
        self._changelog = f"{name}-state-changelog"
        self._commit_s = commit_s
        common = {"bootstrap.servers": servers, "log_level": 3}
        self._producer = Producer(
            common
            | {
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": LINGER_MS,
                "compression.type": "lz4",
            }
        )
        self._consumer = Consumer(
            common
            | {
                "group.id": name,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        self._state: dict[int, Dicts] = {}
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        inputs = [self._topics[topic] for topic in ("behaviour", "inventory", "asks", "offers")]
        self._consumer.subscribe(inputs, on_assign=self._assigned, on_revoke=self._revoked)
        job, commit_at = Job(), time.monotonic() + self._commit_s
        while not self._stopping:
            # Waiting for a full batch would cost 50 ms a stage: wait for the first only, then take what is there.
            messages = self._consumer.consume(1, 0.05)
            messages += self._consumer.consume(_BATCH, 0)
            now_ms = time.time_ns() // 1_000_000
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
                partition = message.partition()
                record = In(message.topic(), partition, message.offset(), message.key(), message.value())
                for out in job.handle(self._names[record.topic], record, self._state[partition], now_ms):
                    produce(self._producer, self._topics[out.topic], out.value, out.key)
            self._producer.poll(0)
            if time.monotonic() >= commit_at:
                self._commit()
                commit_at = time.monotonic() + self._commit_s
        self._commit()
        self._consumer.close()

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _commit(self) -> None:
        """Everything is delivered first; so a crash repeats, and loses nothing."""
        if self._producer.flush(60):
            sys.exit("not delivered within a minute")
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].name() != "_NO_OFFSET":
                raise

    def _assigned(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        for partition in {place.partition for place in places} - self._state.keys():
            self._state[partition] = self._restored(partition)

    def _revoked(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        self._commit()
        for place in places:
            self._state.pop(place.partition, None)

    def _shelf(self, sku: str) -> Shelf | None:
        """Of any partition that is ours."""
        found = (state.get("shelves", sku) for state in self._state.values())
        return next((shelf for shelf in found if shelf is not None), None)

    def _restored(self, partition: int) -> Dicts:
        """Read a partition's changelog to its end."""
        state = Dicts(self._producer, self._changelog, partition, self._shelf)
        place = TopicPartition(self._changelog, partition, OFFSET_BEGINNING)
        reader = Consumer({"bootstrap.servers": self._servers, "group.id": "none", "enable.auto.commit": False})
        _, end = reader.get_watermark_offsets(place, timeout=10)
        reader.assign([place])
        position = 0
        decoders = {table: msgspec.msgpack.Decoder(kind) for table, kind in TABLES.items()}
        while position < end:
            for message in reader.consume(1000, 1.0):
                table, key = message.key().decode().split("/", 1)
                raw = message.value()
                state.set(table, key, None if raw is None else decoders[table].decode(raw))
                position = message.offset() + 1
        reader.close()
        state.restored()
        return state


if __name__ == "__main__":
    Loop(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])).run()
