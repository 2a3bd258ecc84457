"""How far behind a worker's consumer group is, and when everything that was sent is done with."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from shelftalk.errors import BrokerError
from shelftalk.replay.partitions import partitions_of
from shelftalk.stream.login import Kafka, confluent_config
from shelftalk.stream.settings import Topics

#: Topics a worker reads, in the order an event travels: an input is committed when what it caused is in the next topic.
STAGES = (("behaviour", "inventory"), ("asks",), ("offers",))

_TIMEOUT_S = 10.0
_POLL_S = 0.2

Place = tuple[str, int]


class Lag:
    """Asks the broker; one thread at a time.

    Args:
        kafka: where.
        topics: names.
        group: the workers'.

    Raises:
        BrokerError: the brokers do not answer, or a topic is not there.
    """

    def __init__(self, kafka: Kafka, topics: Topics, group: str) -> None:
        self._consumer = Consumer(
            confluent_config(kafka) | {"group.id": group, "enable.auto.commit": False, "log_level": 0}
        )
        self._stages: list[list[TopicPartition]] = []
        try:
            for stage in STAGES:
                found = partitions_of(self._consumer, [topics.name(name) for name in stage], kafka.bootstrap_servers)
                self._stages.append([TopicPartition(topic, n) for topic, ns in found.items() for n in ns])
        except BrokerError:
            self._consumer.close()
            raise

    def close(self) -> None:
        """Leave the broker alone."""
        self._consumer.close()

    def now(self) -> int | None:
        """Records that wait to be done with, in all stages; ``None`` if the broker does not say, or the group never committed."""
        try:
            places = [place for stage in self._stages for place in stage]
            committed = self._committed(places)
            ends = self._ends(places)
        except KafkaException:
            return None
        if not committed:
            return None
        return sum(max(0, end - committed.get(place, low)) for place, (low, end) in ends.items())

    def drain(self, timeout_s: float, go_on: Callable[[], bool]) -> int | None:
        """Wait until everything that is in the topics now, and what it causes, is done with.

        What others send meanwhile is not waited for.

        Args:
            timeout_s: at most so long.
            go_on: asked now and then; ``False`` gives up.

        Returns:
            Records that are still open; ``None`` if the broker does not say, or the group never committed.
        """
        deadline_s = time.monotonic() + timeout_s
        left: int | None = 0
        for stage in self._stages:
            ends = self._ends(stage)
            while (left := self._left(stage, ends)) and time.monotonic() < deadline_s and go_on():
                time.sleep(_POLL_S)
            if left is None or left > 0:
                return left
        return left

    def _left(self, stage: Sequence[TopicPartition], ends: dict[Place, tuple[int, int]]) -> int | None:
        try:
            committed = self._committed(stage)
        except KafkaException:
            return None
        return sum(max(0, end - committed.get(place, low)) for place, (low, end) in ends.items())

    def _committed(self, places: Sequence[TopicPartition]) -> dict[Place, int]:
        """Committed offsets; partitions of which nothing was ever committed are not in it."""
        asked = [TopicPartition(place.topic, place.partition) for place in places]
        found = self._consumer.committed(asked, timeout=_TIMEOUT_S)
        return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}

    def _ends(self, places: Sequence[TopicPartition]) -> dict[Place, tuple[int, int]]:
        return {
            (place.topic, place.partition): self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            for place in places
        }
