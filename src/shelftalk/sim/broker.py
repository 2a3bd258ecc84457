"""An in-memory Kafka: partitioned logs, committed offsets, and producers whose undelivered tail a crash may take."""

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from shelftalk.sim.world import World

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """What lies in a log.

    Attributes:
        epoch: of the writer of a changelog record.
        late: whether it was on the wire when its worker was cut off, and came after the partition had another owner.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    at_ms: int
    epoch: int = 0
    late: bool = False


class Broker:
    """The logs.

    Attributes:
        logs: records by topic and partition.
        committed: the next offset to read, by topic and partition.
        on_append: told of each new record.
    """

    def __init__(self, world: World, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[Record]] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.on_append: Callable[[Record], None] = lambda _: None
        self._world = world

    def partition_of(self, key: str) -> int:
        """The same for the same key, whoever asks."""
        return zlib.crc32(key.encode()) % self.partitions

    def append(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        partition: int | None = None,
        *,
        epoch: int = 0,
        late: bool = False,
    ) -> Record:
        """A record arrives."""
        place = self.partition_of(key) if partition is None else partition
        log = self.log(topic, place)
        record = Record(topic, place, len(log), key, value, self._world.now_ms, epoch, late)
        log.append(record)
        self.on_append(record)
        return record

    def log(self, topic: str, partition: int) -> list[Record]:
        """The records of a partition."""
        return self.logs.setdefault((topic, partition), [])

    def topic(self, name: str) -> list[Record]:
        """The records of a topic, partition after partition."""
        return [record for place in range(self.partitions) for record in self.log(name, place)]


@dataclass(slots=True)
class _Posted:
    topic: str
    key: str
    value: bytes | None
    partition: int
    delivered: Callable[[], None]
    epoch: int
    late: bool = False


@dataclass(slots=True)
class _Lane:
    """What is under way to one partition: in order, as an idempotent producer keeps it."""

    waiting: deque[_Posted] = field(default_factory=deque)
    free_ms: int = 0


class Producer:
    """One worker's way to the broker.

    Args:
        world: time and chance.
        broker: where records go.
        slowness: how many times slower than usual deliveries to a topic are at this moment.
        hasty: a planted bug: what is posted counts as delivered at once.
    """

    def __init__(self, world: World, broker: Broker, slowness: Callable[[str], float], *, hasty: bool = False) -> None:
        self._world = world
        self._broker = broker
        self._slowness = slowness
        self._hasty = hasty
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._alive = True
        self._cut = False

    @property
    def in_flight(self) -> int:
        """Posted and not delivered."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def post(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        delivered: Callable[[], None],
        partition: int | None = None,
        *,
        epoch: int = 0,
    ) -> None:
        """Send; `delivered` is called when the broker confirmed it."""
        place = self._broker.partition_of(key) if partition is None else partition
        lane = self._lanes.setdefault((topic, place), _Lane())
        lane.waiting.append(_Posted(topic, key, value, place, _nobody if self._hasty else delivered, epoch))
        if self._hasty:
            delivered()
        self._send(lane, topic)

    def _send(self, lane: _Lane, topic: str) -> None:
        delay_ms = round(self._world.rng.expovariate(1 / 8) * self._slowness(topic))
        lane.free_ms = max(lane.free_ms, self._world.now_ms + delay_ms)
        self._world.at(lane.free_ms, lambda: self._deliver(lane))

    def _deliver(self, lane: _Lane) -> None:
        if self._alive and not self._cut and lane.waiting:
            self._arrive(lane).delivered()

    def cut(self) -> None:
        """Nothing arrives any more until the network is back."""
        self._cut = True

    def back(self, *, late: bool) -> None:
        """The network is back, and what was on the wire arrives after all; `late` if somebody else has the partitions by now."""
        self._cut = False
        for lane in self._lanes.values():
            for posted in lane.waiting:
                posted.late = late
                self._send(lane, posted.topic)

    def _arrive(self, lane: _Lane) -> _Posted:
        posted = lane.waiting.popleft()
        where = posted.partition
        self._broker.append(posted.topic, posted.key, posted.value, where, epoch=posted.epoch, late=posted.late)
        return posted

    def flush(self) -> None:
        """Deliver everything at once: what a worker does before it lets go of a partition in good order."""
        for lane in list(self._lanes.values()):
            while lane.waiting:
                self._arrive(lane).delivered()

    def drop(self) -> None:
        """Send nothing more of what waits; whose it was is nobody's matter any more."""
        for lane in self._lanes.values():
            lane.waiting.clear()

    def crash(self) -> None:
        """The process is killed. Of each lane some may have arrived, unconfirmed; the rest never will."""
        self._alive = False
        for lane in self._lanes.values():
            for _ in range(self._world.rng.randint(0, len(lane.waiting))):
                self._arrive(lane)
            self._world.counts["lost_in_flight"] += len(lane.waiting)
            lane.waiting.clear()


def _nobody() -> None:
    """Whom a hasty producer tells of a delivery."""
