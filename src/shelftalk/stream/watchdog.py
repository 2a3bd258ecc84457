"""The watchdog: a worker that has lag and makes no progress ends, non-zero, so that whoever started it starts another.

Faust's and aiokafka's own recoveries have open bugs that end in a silent stall (faust-streaming issues 523, 532, 602): the process
lives, its probes answer, and its partitions stand still. What counts here is what the broker says: the ends of our partitions, and
what was committed. It is asked by a client of its own in a thread of its own, so that a blocked event loop is noticed, too.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from faust.types import TP

from shelftalk.errors import FatalError
from shelftalk.stream.login import Kafka, confluent_config

log = structlog.get_logger(__name__)

Partition = TypeVar("Partition", bound=Hashable)

#: Between two looks, at most; with a short limit, looks are closer.
LOOK_S: Final = 5.0

#: A worker that was told to end, and has not after so long, is ended.
GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition, as the broker has it.

    Attributes:
        committed: the next offset that the group wants.
        end: the next offset that the topic will have.
    """

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records that are not done with."""
        return max(self.end - self.committed, 0)


class StalledError(FatalError):
    """There is work, and none was done for too long."""


class Watch(Generic[Partition]):
    """Decides; it knows no Kafka, no threads and no clock.

    Args:
        limit_s: a partition with lag may stand still for so long.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._stood: dict[Partition, tuple[int, float]] = {}  # committed, and since when it has been that
        self._recovered = -1

    def look(self, now_s: float, standing: Mapping[Partition, Standing] | None, recovered: int) -> str | None:
        """Take in what is seen.

        Args:
            now_s: of a clock that never goes back.
            standing: of the partitions that are ours; ``None`` while the broker does not say, which counts as no time at all.
            recovered: a count that grows while state is being recovered.

        Returns:
            What stands still, or ``None``.
        """
        if standing is None or recovered != self._recovered:
            self._recovered = recovered
            self._stood = {}
        for partition in self._stood.keys() - (standing or {}).keys():
            del self._stood[partition]  # it is another's
        for partition, seen in (standing or {}).items():
            before = self._stood.get(partition)
            if not seen.lag:
                self._stood.pop(partition, None)
            elif before is None or before[0] != seen.committed:
                self._stood[partition] = (seen.committed, now_s)
            elif now_s - before[1] >= self._limit_s:
                return f"{partition}: {seen.lag} records behind, and none done for {now_s - before[1]:.0f} s"
        return None


class Broker:
    """What the broker says of some partitions of a consumer group, without being a member of it.

    By a consumer that never subscribes: librdkafka's admin client aborted the process where a broker went away during the same
    questions (2.16: ``rd_kafka_enq_once_del_source_return: Assertion `eonce->refcnt > 0' failed``, seen under chaos).

    Args:
        kafka: the brokers.
        group: the group.
        timeout_s: of a request.
    """

    def __init__(self, kafka: Kafka, group: str, timeout_s: float = 10.0) -> None:
        self._client = Consumer(
            confluent_config(kafka) | {"group.id": group, "enable.auto.commit": False, "log_level": 0}
        )
        self._timeout_s = timeout_s

    def standing(self, places: Iterable[TP]) -> dict[TP, Standing] | None:
        """How each stands; ``None`` if the broker does not answer."""
        asked = [TopicPartition(place.topic, place.partition) for place in places]
        if not asked:
            return {}
        try:
            committed = self._client.committed(asked, timeout=self._timeout_s)
            return {
                TP(each.topic, each.partition): Standing(
                    max(each.offset, 0), self._client.get_watermark_offsets(each, timeout=self._timeout_s)[1]
                )
                for each in committed
            }
        except KafkaException:
            return None


class Watchdog:
    """Looks now and then, and tells when it is enough.

    Args:
        broker: who is asked.
        limit_s: how long a partition with lag may stand still.
        places: the partitions to look at, asked for each time; from any thread.
        recovered: see `Watch.look`.
        on_stalled: told once, in this thread.

    Attributes:
        standing: what was seen last; ``None`` while the broker does not answer, or before the first look.
        looked_s: when the broker last answered, by `time.monotonic`; ``None`` before it first did.
    """

    def __init__(
        self,
        broker: Broker,
        limit_s: float,
        places: Callable[[], Iterable[TP]],
        recovered: Callable[[], int],
        on_stalled: Callable[[StalledError], None],
    ) -> None:
        self.standing: Mapping[TP, Standing] | None = None
        self.looked_s: float | None = None
        self.every_s = min(LOOK_S, limit_s / 4)
        self._broker = broker
        self._watch: Watch[TP] = Watch(limit_s)
        self._places = places
        self._recovered = recovered
        self._on_stalled = on_stalled
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; it does not wait for a look that is under way."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self.every_s):
            self.standing = self._broker.standing(self._places())
            now_s = time.monotonic()
            if self.standing is not None:
                self.looked_s = now_s
            stalled = self._watch.look(now_s, self.standing, self._recovered())
            if stalled is not None and not self._stop.is_set():
                self._on_stalled(StalledError(f"no progress: {stalled}"))
                return
