"""The course that every contestant runs on: its own topics on the common broker, a load, and a look at what comes out."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from shelftalk.bench.pipeline.processes import Contestant, ContestantFailedError
from shelftalk.bench.pipeline.workload import Record
from shelftalk.stream.login import KEYED, confluent_config
from shelftalk.stream.settings import Settings, load
from shelftalk.stream.topics import TopicAdmin, topic_specs

#: All commit this often; what a crash repeats.
COMMIT_S: Final = 0.5

#: Topics with work in them; where their groups' lag is 0, everything is done.
WORK: Final = ("behaviour", "inventory", "asks", "offers")

_POLL_S = 0.1
_TIMEOUT_S = 10.0


class _Origin(msgspec.Struct):
    event_id: str


class _Provenance(msgspec.Struct):
    origin: _Origin
    rung: str
    trigger: str


class Seen(msgspec.Struct):
    """What is looked at of a card."""

    sku: str
    slotted: str
    text: str
    status: str
    revision: int
    provenance: _Provenance


class Spent(msgspec.Struct, frozen=True):
    """What a burst took.

    Attributes:
        wall_s: from the first event sent until the last card was read.
    """

    events: int
    cards: int
    wall_s: float
    cpu_s: float


class Answers(msgspec.Struct, frozen=True):
    """What came back at a fixed rate.

    Attributes:
        seconds: how long was sent.
        cards_ms: for each event that led to cards of its shopper, the milliseconds from when it was due until each was read.
    """

    seconds: float
    cards_ms: list[list[int]]

    @property
    def first_ms(self) -> list[int]:
        """For each of these events, when the first card came."""
        return [min(cards) for cards in self.cards_ms]

    def in_time_per_s(self, deadline_ms: int) -> float:
        """Cards a second that came within the deadline."""
        return sum(at_ms <= deadline_ms for cards in self.cards_ms for at_ms in cards) / self.seconds

    def late_share(self, deadline_ms: int) -> float:
        """The share of cards that did not."""
        cards = [at_ms for cards in self.cards_ms for at_ms in cards]
        return sum(at_ms > deadline_ms for at_ms in cards) / max(len(cards), 1)


def settings_for(name: str, bootstrap: str, folder: str, **others: Any) -> Settings:
    """Topics and group of one contestant."""
    return load(
        app_id=name,
        data_dir=f"{folder}/{name}",
        kafka={"bootstrap_servers": bootstrap, "commit_interval_s": COMMIT_S, "session_timeout_s": 30},
        topics={"prefix": f"{name}.", "partitions": 4},
        web={"enabled": False, "port": 0},
        log={"form": "json"},
        **others,
    )


class Course:
    """One contestant's topics.

    Args:
        settings: name them.
        tables: state tables, for their changelogs.
    """

    def __init__(self, settings: Settings, tables: Sequence[str] = ()) -> None:
        self.settings = settings
        self.cards: dict[bytes, Seen] = {}
        self._producer = Producer(confluent_config(settings.kafka) | KEYED | {"linger.ms": 2, "log_level": 2})
        admin = TopicAdmin(settings.kafka)
        admin.ensure(topic_specs(settings, tables))
        self._watch = _Watch(settings)

    def close(self) -> None:
        """End its thread."""
        self._watch.stop()

    def send(self, records: Iterable[Record]) -> int:
        """Publish as fast as possible.

        Returns:
            How many.
        """
        count = 0
        for record in records:
            self._send(record)
            count += 1
        if self._producer.flush(_TIMEOUT_S):
            raise ContestantFailedError("the broker does not take the load")
        return count

    def _send(self, record: Record) -> None:
        sent = False
        while not sent:
            try:
                self._producer.produce(self.settings.topics.name(record.topic), record.value, record.key)
                sent = True
            except BufferError:
                self._producer.poll(_POLL_S)
        self._producer.poll(0)

    def burst(self, contestant: Contestant, records: Sequence[Record], timeout_s: float) -> Spent:
        """Send all at once, and wait until everything that follows from it is done."""
        before_cards, before_s = self._watch.cards, contestant.cpu_s()
        began_ms = time.time_ns() // 1_000_000
        count = self.send(records)
        self.settle(contestant, timeout_s)
        last_ms = max(self._watch.last_ms, began_ms)
        return Spent(
            count, self._watch.cards - before_cards, (last_ms - began_ms) / 1000, contestant.cpu_s() - before_s
        )

    def pace(
        self, contestant: Contestant, make: Callable[[int], Record], rate_per_s: float, seconds: float
    ) -> "Answers":
        """Send at a fixed rate, whatever comes back (open loop), and wait until everything is done."""
        due: dict[str, int] = {}
        began_s = time.time() + 0.2
        for number in range(int(rate_per_s * seconds)):
            due_s = began_s + number / rate_per_s
            while (left_s := due_s - time.time()) > 0:
                self._producer.poll(min(left_s, 0.02))
            record = make(int(due_s * 1000))
            due[record.event_id] = int(due_s * 1000)
            self._send(record)
        self._producer.flush(_TIMEOUT_S)
        self.settle(contestant, 60)
        asked = self._watch.asked
        return Answers(
            seconds,
            [[at_ms - due_ms for at_ms in asked[event].values()] for event, due_ms in due.items() if event in asked],
        )

    def wait_for_cards(self, contestant: Contestant, count: int, timeout_s: float) -> list[int]:
        """Wait until so many cards have come since the course began.

        Returns:
            When each card was read, UTC milliseconds.
        """
        deadline = time.monotonic() + timeout_s
        while self._watch.cards < count:
            contestant.check()
            if time.monotonic() > deadline:
                raise ContestantFailedError(
                    f"{contestant.name}: {self._watch.cards} cards after {timeout_s:g} s, not {count}"
                )
            time.sleep(0.05)
        return sorted(at_ms for cards in self._watch.asked.values() for at_ms in cards.values())

    def settle(self, contestant: Contestant, timeout_s: float) -> None:
        """Wait until the group's lag is 0 on every topic with work in it, twice in a row.

        Raises:
            ContestantFailedError: not within the time.
        """
        deadline = time.monotonic() + timeout_s
        quiet = False, False
        while not all(quiet):
            contestant.check()
            quiet = quiet[1], self._watch.lag() == 0
            if time.monotonic() > deadline:
                raise ContestantFailedError(
                    f"{contestant.name} is not done after {timeout_s:g} s:\n{contestant.last_words()}"
                )
            time.sleep(_POLL_S)
        self._watch.catch_up(_TIMEOUT_S)

    def rungs(self) -> dict[str, int]:
        """Cards that were asked for so far, by the rung of the ladder that answered."""
        return dict(self._watch.rungs)

    def final_cards(self) -> dict[bytes, Seen]:
        """What a storefront would show now: the live cards by placement."""
        return self._watch.final()


class _Watch(threading.Thread):
    """Reads the cards as they come, and knows the group's lag."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name=f"watch-{settings.app_id}", daemon=True)
        servers = settings.kafka.bootstrap_servers
        self.cards = 0
        self.last_ms = 0
        self.asked: dict[str, dict[bytes, int]] = {}  # by event and placement: when its card was first read
        self.rungs: Counter[str] = Counter()
        self._newest: dict[bytes, tuple[int, bytes | None]] = {}
        self._decoder = msgspec.json.Decoder(Seen)
        self._stop_asked = threading.Event()
        self._topics = settings.topics
        self._group = Consumer(
            {"bootstrap.servers": servers, "group.id": settings.app_id, "enable.auto.commit": False, "log_level": 2}
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"watch-{settings.app_id}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "log_level": 2,
            }
        )
        cards = settings.topics.name("cards")
        self._places = [TopicPartition(cards, partition, 0) for partition in range(settings.topics.partitions)]
        self._positions = dict.fromkeys(range(settings.topics.partitions), 0)
        self._consumer.assign(self._places)
        self.start()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            messages = self._consumer.consume(500, 0.005)
            at_ms = time.time_ns() // 1_000_000  # some frameworks hand the timestamp of their input on
            for message in messages:
                if message.error() is None:
                    self._note(message, at_ms)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()
        self._consumer.close()
        self._group.close()

    def _note(self, message: Message, at_ms: int) -> None:
        value = message.value()
        self.cards += 1
        self.last_ms = max(self.last_ms, at_ms)
        if value is not None:
            provenance = self._decoder.decode(value).provenance
            if provenance.trigger == "ask":
                self.asked.setdefault(provenance.origin.event_id, {}).setdefault(message.key() or b"", at_ms)
                self.rungs[provenance.rung] += 1
        self._newest[message.key() or b""] = (at_ms, value)
        self._positions[message.partition() or 0] = (message.offset() or 0) + 1

    def lag(self) -> int:
        """Records that the group has still to commit."""
        places = [
            TopicPartition(self._topics.name(topic), partition)
            for topic in WORK
            for partition in range(self._topics.partitions)
        ]
        left = 0
        try:
            for place in self._group.committed(places, timeout=_TIMEOUT_S):
                _, high = self._group.get_watermark_offsets(place, timeout=_TIMEOUT_S)
                left += high - max(place.offset, 0)
        except KafkaException:  # the group's coordinator is still being chosen
            return 1
        return left

    def catch_up(self, timeout_s: float) -> None:
        """Wait until every card on the broker was read."""
        deadline = time.monotonic() + timeout_s
        ends = {p.partition: self._group.get_watermark_offsets(p, timeout=_TIMEOUT_S)[1] for p in self._places}
        while any(self._positions[partition] < end for partition, end in ends.items()):
            if time.monotonic() > deadline:
                raise ContestantFailedError("the cards cannot be read")
            time.sleep(0.02)

    def final(self) -> dict[bytes, Seen]:
        cards = {key: self._decoder.decode(value) for key, (_, value) in self._newest.items() if value is not None}
        return {key: card for key, card in cards.items() if card.status == "live"}
