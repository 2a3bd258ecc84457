"""The dead-letter topic read back: what lies there, and how it is sent again.

Everything is read once from the beginning (or from a time on) to the end as of the start, in bounded memory. That a letter was
sent again is a record of the topic itself, a *mark* in the letter's own partition, so that everybody knows: the next re-drive
passes it over.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from shelftalk.errors import BrokerError, DeliveryError
from shelftalk.stream.dead_letters import CUT_HEADER, HEADER_PREFIX
from shelftalk.stream.login import Kafka, confluent_config
from shelftalk.stream.outbox import producer_config

#: On a mark: the offset of the letter that was sent again.
MARK_HEADER: Final = HEADER_PREFIX + "redriven"

#: On an event that was sent again: where its letter lies.
FROM_HEADER: Final = "redriven-from"

#: Letters in memory at one time, by number and by weight: each may be as large as a message may be, that is 1 MB.
_BATCH: Final = 500
_BATCH_BYTES: Final = 4_194_304
_TIMEOUT_S: Final = 15.0

_PAUSE_S: Final = 0.1
_PASSING: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as it lies in the topic.

    Attributes:
        partition, offset: of the letter itself.
        at_ms: when it was set aside.
        topic, source_partition, source_offset, source_ms: where the event stood, and its timestamp.
        reason: a short stable code, or the class of an error.
        key, value, headers: of the event; no value where it had none, or did not fit beside the headers.
        cut_bytes: the size of a value that did not fit.
    """

    partition: int
    offset: int
    at_ms: int
    topic: str
    source_partition: int
    source_offset: int
    source_ms: int
    reason: str
    detail: str
    attempts: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    cut_bytes: int | None = None

    @property
    def id(self) -> str:
        """Its name for a person: ``partition-offset``."""
        return f"{self.partition}-{self.offset}"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are meant; of what is not given, all."""

    ids: frozenset[str] = frozenset()
    topic: str | None = None
    reason: str | None = None
    key: bytes | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and self.topic in {None, letter.topic}
            and self.reason in {None, letter.reason}
            and self.key in {None, letter.key}
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )


class Marks:
    """Which letters were sent again: a bit for each offset, so that a hundred million letters take 12 MB."""

    def __init__(self) -> None:
        self._bits: dict[int, bytearray] = {}

    def add(self, partition: int, offset: int) -> None:
        """It was."""
        bits = self._bits.setdefault(partition, bytearray())
        if len(bits) <= offset >> 3:
            bits.extend(bytes((offset >> 3) + 1 - len(bits)))
        bits[offset >> 3] |= 1 << (offset & 7)

    def __contains__(self, letter: Letter) -> bool:
        bits, byte = self._bits.get(letter.partition, b""), letter.offset >> 3
        return byte < len(bits) and bool(bits[byte] >> (letter.offset & 7) & 1)


class DeadLetterTopic:
    """Reads the topic as it is now; every method starts anew, up to the same end.

    Args:
        kafka: where.
        name: of the topic.

    Raises:
        BrokerError: the broker does not answer, or has no such topic.
    """

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.name = name
        config = {"group.id": "shelftalk-dlq", "enable.auto.commit": False, "log_level": 2}
        # What is fetched ahead is bounded, too.
        config |= {
            "queued.max.messages.kbytes": 8_192,
            "fetch.message.max.bytes": 2_097_152,
            "fetch.max.bytes": 8_388_608,
        }
        config |= {"fetch.wait.max.ms": 50}
        self._consumer = Consumer(confluent_config(kafka) | config)
        try:
            partitions = self._consumer.list_topics(name, timeout=_TIMEOUT_S).topics[name].partitions
            self._ends = {number: self._watermarks(number) for number in partitions}
        except KafkaException as error:
            raise BrokerError(f"{name} cannot be read: {error.args[0].str()}") from error
        if not self._ends:
            raise BrokerError(f"there is no topic {name}; create it with `shelftalk topics create`")

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def marks(self) -> Marks:
        """Which letters were sent again; all of the topic is read."""
        marks = Marks()
        for message in self._messages(None):
            mark = _headers(message).get(MARK_HEADER)
            if mark is not None and mark.isdigit():
                marks.add(int(message.partition() or 0), int(mark))
        return marks

    def letters(self, wanted: Filter) -> Iterator[Letter]:
        """The letters that are meant, each partition in its order."""
        for message in self._messages(wanted.since_ms):
            if MARK_HEADER not in _headers(message):
                letter = letter_of(message)
                if wanted.takes(letter):
                    yield letter

    def find(self, partition: int, offset: int) -> Letter | None:
        """One letter by its place, or ``None``."""
        low, high = self._ends.get(partition, (0, 0))
        if not low <= offset < high:
            return None
        self._consumer.assign([TopicPartition(self.name, partition, offset)])
        for message in self._batches({partition: high}):
            if message.offset() != offset or MARK_HEADER in _headers(message):
                return None
            return letter_of(message)
        return None

    def _watermarks(self, partition: int) -> tuple[int, int]:
        """Its first offset and the one after its last. A partition may be about to get another leader."""
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(self.name, partition), timeout=_TIMEOUT_S
                )
            except KafkaException as error:
                if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return int(low), int(high)

    def _messages(self, since_ms: int | None) -> Iterator[Message]:
        places = [TopicPartition(self.name, number, OFFSET_BEGINNING) for number in self._ends]
        if since_ms is not None:
            asked = [TopicPartition(self.name, number, since_ms) for number in self._ends]
            places = self._consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
        later = {place.partition for place in places if place.offset == OFFSET_END}  # nothing since then
        self._consumer.assign(places)
        ends = {number: high for number, (low, high) in self._ends.items() if high > low and number not in later}
        yield from self._batches(ends)

    def _batches(self, ends: dict[int, int]) -> Iterator[Message]:
        """Up to these ends. Offsets may have gaps (transaction markers), so a position counts, too."""
        heard = time.monotonic()
        most = _fitting(_BATCH_BYTES)
        while ends:
            batch = self._consumer.consume(most, _PAUSE_S)  # which waits for all of them, or for so long
            if batch:
                heard = time.monotonic()
                most = _fitting(max(len(message.value() or b"") for message in batch))
            elif time.monotonic() > heard + _TIMEOUT_S:
                raise BrokerError(f"{self.name}: nothing came for {_TIMEOUT_S:g} s, and it is not read to its end")
            for message in batch:
                if message.error() is not None:
                    raise BrokerError(f"{self.name} cannot be read: {message.error().str()}")
                if int(message.offset() or 0) < ends.get(int(message.partition() or 0), 0):
                    yield message
            for place in self._consumer.position([TopicPartition(self.name, number) for number in ends]):
                if place.offset >= ends[place.partition]:
                    del ends[place.partition]


def _fitting(size: int) -> int:
    """How many messages of a size are taken at a time."""
    return max(1, min(_BATCH, _BATCH_BYTES // max(size, 1)))


def letter_of(message: Message) -> Letter:
    """A record of the topic as a letter; what a foreign writer left out reads as unknown."""
    ours = {name.removeprefix(HEADER_PREFIX): value for name, value in _headers(message).items()}

    def number(name: str) -> int:
        text = ours.get(name, b"")
        return int(text) if text.isdigit() and len(text) < 20 else -1  # noqa: PLR2004  no offset has more digits

    def text(name: str) -> str:
        return ours.get(name, b"").decode(errors="replace")

    return Letter(
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        at_ms=int(message.timestamp()[1]),
        topic=text("topic"),
        source_partition=number("partition"),
        source_offset=number("offset"),
        source_ms=number("timestamp-ms"),
        reason=text("reason") or "unknown",
        detail=text("detail"),
        attempts=number("attempts"),
        key=message.key(),
        value=message.value(),
        headers=tuple(
            (name, bytes(value or b"")) for name, value in message.headers() or () if not name.startswith(HEADER_PREFIX)
        ),
        cut_bytes=number(CUT_HEADER.removeprefix(HEADER_PREFIX)) if CUT_HEADER in _headers(message) else None,
    )


def _headers(message: Message) -> dict[str, bytes]:
    return {name: bytes(value or b"") for name, value in message.headers() or () if name.startswith(HEADER_PREFIX)}


class _Mark(NamedTuple):
    """What is to be said of a letter that was sent again."""

    partition: int
    offset: int
    key: bytes | None


class Redriven(msgspec.Struct):
    """What became of the letters that were meant.

    Attributes:
        matched: all of them.
        sent: delivered to the topics that they came from (in a dry run: would be).
        already: sent again before, and passed over.
        cut: without their value, which did not fit: only the shop has it.
        foreign: from a topic that no worker reads.
    """

    matched: int = 0
    sent: int = 0
    already: int = 0
    cut: int = 0
    foreign: int = 0


class Redriver:
    """Sends letters again, to the topic and partition that they came from, and marks them.

    A letter is marked when its event is delivered. A crash in between sends it once more next time, which changes nothing: events
    are known by their ids, facts by their times.

    Args:
        kafka: where.
        dead_letters: the topic's name.
        inputs: partitions of the topics that workers read; nothing is sent to any other.
        dry_run: only count.
    """

    def __init__(self, kafka: Kafka, dead_letters: str, inputs: Mapping[str, int], *, dry_run: bool) -> None:
        self.counts = Redriven()
        self._topic = dead_letters
        self._inputs = inputs
        self._dry_run = dry_run
        self._producer = Producer(producer_config(kafka, _TIMEOUT_S) | {"log_level": 2})
        self._delivered: list[_Mark] = []
        self._under_way = 0  # bytes
        self._error: str | None = None

    def send(self, letter: Letter, marks: Marks, *, again: bool) -> bool:
        """Send one, unless there is a reason not to.

        Returns:
            Whether it goes out.

        Raises:
            DeliveryError: the broker refuses; what was delivered before is marked.
        """
        self.counts.matched += 1
        if letter in marks and not again:
            self.counts.already += 1
        elif letter.topic not in self._inputs:
            self.counts.foreign += 1
        elif letter.cut_bytes is not None:
            self.counts.cut += 1
        else:
            if self._dry_run:
                self.counts.sent += 1
            else:
                self._produce(letter)
            return True
        return False

    def finish(self) -> None:
        """Wait for the deliveries, and mark what was delivered.

        Raises:
            DeliveryError: not everything was.
        """
        left = self._producer.flush(2 * _TIMEOUT_S)
        self._under_way = 0
        delivered, self._delivered = self._delivered, []
        for mark in delivered:
            headers = [(MARK_HEADER, str(mark.offset).encode())]
            self._producer.produce(self._topic, None, mark.key, partition=mark.partition, headers=headers)
        left += self._producer.flush(2 * _TIMEOUT_S)
        self.counts.sent += len(delivered)
        if left or self._error:
            raise DeliveryError(
                f"not everything was sent again: {self._error or 'no answer from the broker'}; try once more"
            )

    def _produce(self, letter: Letter) -> None:
        place: dict[str, Any] = {}
        if 0 <= letter.source_partition < self._inputs[letter.topic]:  # or its key decides: the topic was made anew
            place["partition"] = letter.source_partition
        headers = [*letter.headers, (FROM_HEADER, f"{self._topic}/{letter.id}".encode())]
        self._producer.produce(
            letter.topic, letter.value, letter.key, headers=headers, on_delivery=self._reported(letter), **place
        )
        self._under_way += len(letter.value or b"")
        if len(self._producer) >= _BATCH or self._under_way >= _BATCH_BYTES:
            self.finish()

    def _reported(self, letter: Letter) -> Callable[[Any, Message], None]:
        mark = _Mark(letter.partition, letter.offset, letter.key)

        def settle(error: Any, _message: Message) -> None:
            if error is None:
                self._delivered.append(mark)
            else:
                self._error = error.str()

        return settle
