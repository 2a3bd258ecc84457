"""What lies in the topics, read by a plain consumer that shares nothing with the workers."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        timestamp_ms: when the broker appended it.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: str | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


class Topics:
    """Looks at some topics of a broker.

    Args:
        bootstrap: ``host:port``.
        group: the workers' consumer group, whose commits are looked up.
        partitions: of each topic.
    """

    def __init__(self, bootstrap: str, group: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._partitions = range(partitions)
        self._watcher = self._consumer(group)

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
                "log_level": 0,
            }
        )

    def close(self) -> None:
        """Let go."""
        self._watcher.close()

    def ends(self, topic: str, timeout_s: float = _TIMEOUT_S) -> dict[int, int]:
        """The next offset of each partition.

        Raises:
            KafkaException: the broker does not answer.
        """
        return {number: self._end(TopicPartition(topic, number), timeout_s) for number in self._partitions}

    def _end(self, place: TopicPartition, timeout_s: float) -> int:
        """What we know of leaders may be of before the broker was away; asking for it anew takes a moment."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return int(self._watcher.get_watermark_offsets(place, timeout=timeout_s)[1])
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                    raise
                self._watcher.list_topics(place.topic, timeout=timeout_s)
                time.sleep(0.05)

    def committed(self, topic: str, timeout_s: float = _TIMEOUT_S) -> dict[int, int]:
        """What the group committed; 0 where it never did.

        Raises:
            KafkaException: the broker does not answer.
        """
        asked = [TopicPartition(topic, number) for number in self._partitions]
        found = self._watcher.committed(asked, timeout=timeout_s)
        return {each.partition: max(each.offset, 0) for each in found}

    def lag(self, topics: Sequence[str], timeout_s: float = 1.0) -> int | None:
        """Records that are not committed, over all partitions; ``None`` while the broker does not answer."""
        try:
            return sum(
                end - self.committed(topic, timeout_s)[number]
                for topic in topics
                for number, end in self.ends(topic, timeout_s).items()
            )
        except KafkaException:
            return None

    def read(self, topic: str) -> list[Record]:
        """Everything up to now, partition after partition.

        Raises:
            KafkaException: the broker does not answer.
            TimeoutError: the end does not come.
        """
        ends = {number: end for number, end in self.ends(topic).items() if end > 0}
        consumer = self._consumer(uuid.uuid4().hex)
        consumer.assign([TopicPartition(topic, number, 0) for number in ends])
        found: list[Record] = []
        deadline = time.monotonic() + 60
        try:
            while ends:
                for message in consumer.consume(1000, 0.2):
                    if message.error():
                        continue
                    found.append(_record(message))
                    if message.offset() + 1 >= ends.get(message.partition(), 1 << 62):
                        del ends[message.partition()]
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic}: the end of {sorted(ends)} does not come")
        finally:
            consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))


def _record(message: object) -> Record:
    key = message.key()  # type: ignore[attr-defined]
    headers = {name: bytes(value or b"") for name, value in message.headers() or ()}  # type: ignore[attr-defined]
    return Record(
        message.topic(),  # type: ignore[attr-defined]
        message.partition(),  # type: ignore[attr-defined]
        message.offset(),  # type: ignore[attr-defined]
        message.timestamp()[1],  # type: ignore[attr-defined]
        None if key is None else key.decode(errors="replace"),
        message.value(),  # type: ignore[attr-defined]
        headers,
    )
