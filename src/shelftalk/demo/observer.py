"""Reads everything back from the broker, input and output alike, as any consumer would."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from shelftalk.demo.records import Seen
from shelftalk.errors import BrokerError
from shelftalk.stream.login import Kafka, confluent_config

_BATCH = 500
_POLL_S = 0.1
_TIMEOUT_S = 10.0


class Observer(threading.Thread):
    """Reads the topics in a thread of its own, from their beginning.

    Args:
        kafka: where.
        group: consumer group, for the broker's books; nothing is committed.
        topics: full names by stream.
        note: told of each record, on this thread.

    Attributes:
        last_output: `time.monotonic` when a record of an output topic last came.
        error: what ended it early.
    """

    def __init__(self, kafka: Kafka, group: str, topics: Mapping[str, str], note: Callable[[Seen], None]) -> None:
        super().__init__(name="observer", daemon=True)
        config = confluent_config(kafka) | {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 2,
        }
        self._consumer = Consumer(config)
        self._streams = {topic: stream for stream, topic in topics.items()}
        self._note = note
        self._stop_asked = threading.Event()
        self._positions: dict[tuple[str, int], int] = {}
        self.seen = 0
        self.error: Exception | None = None

    def stop(self) -> None:
        """End after what has come."""
        self._stop_asked.set()

    def run(self) -> None:
        """Read until `stop`."""
        try:
            self._consumer.assign(self._everything())
            while not self._stop_asked.is_set():
                self._read(_POLL_S)
        except Exception as error:  # noqa: BLE001  the main thread reports it
            self.error = error

    def finish(self, timeout_s: float) -> bool:
        """Read up to the present end of every topic and close; call it when `run` has ended and nobody writes any more.

        Returns:
            Whether everything was read.
        """
        try:
            return self._read_to_end(timeout_s)
        finally:
            self._consumer.close()

    def _read_to_end(self, timeout_s: float) -> bool:
        ends: dict[tuple[str, int], int] = {}
        for place in self._everything():
            low, high = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            if high > low:
                ends[place.topic, place.partition] = high
        for _ in range(max(1, int(timeout_s / _POLL_S))):
            if all(self._positions.get(place, 0) >= end for place, end in ends.items()):
                return True
            self._read(_POLL_S)
        return False

    def _read(self, timeout_s: float) -> None:
        for message in self._consumer.consume(_BATCH, timeout_s):
            if message.error() is not None:
                raise BrokerError(f"reading back failed: {message.error()}")
            seen = self._seen(message)
            self._positions[seen.topic, seen.partition] = seen.offset + 1
            self.seen += 1
            self._note(seen)

    def _everything(self) -> list[TopicPartition]:
        try:
            metadata = self._consumer.list_topics(timeout=_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(f"the broker does not list its topics: {error}") from error
        missing = [topic for topic in self._streams if topic not in metadata.topics]
        if missing:
            raise BrokerError(f"topics are missing: {', '.join(missing)}")
        return [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in self._streams
            for partition in metadata.topics[topic].partitions
        ]

    def _seen(self, message: Message) -> Seen:
        raw, key = message.value(), message.key()
        topic = message.topic() or ""
        headers: Any = message.headers() or []
        return Seen(
            stream=self._streams[topic],
            topic=topic,
            partition=int(message.partition() or 0),
            offset=int(message.offset() or 0),
            timestamp_ms=int(message.timestamp()[1]),
            key=None if key is None else bytes(key).decode(errors="replace"),
            value=_parsed(raw),
            raw=None if raw is None else bytes(raw),
            headers={name: bytes(value or b"").decode(errors="replace") for name, value in headers},
        )


def _parsed(raw: Any) -> Any:
    if raw is None:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def uncommitted(kafka: Kafka, group: str, topics: list[str]) -> int | None:
    """Input records that the worker's group has not committed; ``None`` if the broker does not say."""
    consumer = Consumer(confluent_config(kafka) | {"group.id": group, "enable.auto.commit": False, "log_level": 2})
    left = 0
    try:
        metadata = consumer.list_topics(timeout=_TIMEOUT_S)
        places = [
            TopicPartition(topic, partition) for topic in topics for partition in metadata.topics[topic].partitions
        ]
        for place in consumer.committed(places, timeout=_TIMEOUT_S):
            low, high = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=_TIMEOUT_S)
            left += max(0, high - max(place.offset, low))
    except (KafkaException, KeyError):
        return None
    finally:
        consumer.close()
    return left


def topic_names(kafka: Kafka) -> list[str]:
    """Every topic of the broker.

    Raises:
        BrokerError: it does not answer.
    """
    consumer = Consumer(confluent_config(kafka) | {"group.id": "shelftalk-demo", "log_level": 2})
    try:
        return sorted(consumer.list_topics(timeout=_TIMEOUT_S).topics)
    except KafkaException as error:
        raise BrokerError(f"no broker at {kafka.bootstrap_servers} answered within {_TIMEOUT_S:g} s") from error
    finally:
        consumer.close()
