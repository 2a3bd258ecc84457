"""Taps topics of a live broker and writes what comes to a recording."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, TopicPartition

from shelftalk.errors import BrokerError, ConfigError
from shelftalk.replay.partitions import partitions_of
from shelftalk.replay.pseudonyms import Rename, pseudonymise
from shelftalk.replay.recording import About, Recorded, Recording, Writer, next_part
from shelftalk.stream.login import Kafka, confluent_config

_BATCH = 1_000
_POLL_S = 0.2
_TIMEOUT_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to record.

    Attributes:
        topics: full names, and what each is to shelftalk (``None``: of another system).
        from_beginning: all that is still in the topics, rather than what comes from now on.
        until_end: stop where the topics ended when it began.
        seconds: stop after so long.
        records: stop after so many.
        rotate_bytes: a file is finished when so much of keys and values is in it (before compression),
        rotate_s: or when it is so old; what is in a finished file cannot be lost.
    """

    topics: Mapping[str, str | None]
    from_beginning: bool = False
    until_end: bool = False
    seconds: float | None = None
    records: int | None = None
    rotate_bytes: int = 256 * 1024 * 1024
    rotate_s: float = 300.0


class Recorder:
    """Records until told to stop, or until the plan is fulfilled.

    Args:
        kafka: the brokers.
        plan: what.
        out: a folder; one that holds a recording is gone on with.
        rename: gives shoppers their pseudonyms; ``None`` records them as they are.

    Attributes:
        records: so far, by topic.
        resumed: whether `out` held a recording already.

    Raises:
        BrokerError: the brokers do not answer, a topic is not there, or what would come next was deleted meanwhile.
        ConfigError: `out` holds something that cannot be gone on with.
    """

    def __init__(self, kafka: Kafka, plan: Plan, out: Path, rename: Rename | None) -> None:
        self.records: Counter[str] = Counter()
        self._plan, self._out, self._rename = plan, out, rename
        self._about = self._before()
        self.resumed = bool(self._about.next_offsets)
        self._errors: list[str] = []
        self._unfinished_bytes = 0
        config = confluent_config(kafka) | {
            "group.id": "shelftalk-replay-record",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",  # a gap must not pass quietly
            "enable.partition.eof": False,
            "error_cb": lambda error: self._errors.append(error.str()),
            "log_level": 0,
        }
        self._servers = kafka.bootstrap_servers
        self._consumer = Consumer(config)
        try:
            places = self._places()
            self._ends = self._watermarks(places) if plan.until_end else {}
            self._consumer.assign(places)
        except BaseException:
            self._consumer.close()
            raise

    def run(self, progress: Callable[[], None], stop: threading.Event) -> None:
        """Record.

        Args:
            progress: told a few times a second.
            stop: ends it, with what there is.
        """
        plan = self._plan
        began_s = finished_s = time.monotonic()
        try:
            with Writer(self._out, self._about, next_part(self._out)) as writer:
                while not stop.is_set() and not self._enough(time.monotonic() - began_s):
                    progress()
                    for message in self._consumer.consume(_BATCH, _POLL_S):
                        self._take(message, writer)
                    now_s = time.monotonic()
                    self._unfinished_bytes = writer.unfinished_bytes
                    if writer.unfinished_bytes >= plan.rotate_bytes or now_s - finished_s >= plan.rotate_s:
                        writer.rotate()
                        finished_s = now_s
        finally:
            self._consumer.close()

    def words(self) -> str:
        """How it goes."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.records.items()) or "nothing yet"
        return f"{counts}; {self._unfinished_bytes / 1e6:.1f} MB in the unfinished file"

    def _before(self) -> About:
        """What is to be known of the recording, if need be from its last whole file."""
        renamed_as = None if self._rename is None else self._rename("whose key is it?")
        about = About(source="kafka", streams={t: s for t, s in self._plan.topics.items() if s}, pseudonyms=renamed_as)
        if self._out.suffix == ".parquet":
            raise ConfigError(f"--out {self._out}: a live recording needs a folder, for it is written in parts")
        if next_part(self._out) == 0:
            return about
        before = Recording(self._out).about
        if before.source != "kafka":
            raise ConfigError(f"{self._out}: was imported from {before.source}; give a folder of its own")
        if before.pseudonyms != renamed_as:
            raise ConfigError(
                f"{self._out}: was recorded with another pseudonym key, so the same shopper would be two; set "
                "SHELFTALK_PRIVACY__PSEUDONYM_KEY to the key of then, or give another folder"
            )
        return msgspec.structs.replace(about, next_offsets=before.next_offsets)

    def _enough(self, seconds: float) -> bool:
        plan = self._plan
        return (
            (plan.seconds is not None and seconds >= plan.seconds)
            or (plan.records is not None and self.records.total() >= plan.records)
            or (plan.until_end and not self._ends)
        )

    def _take(self, message: Message, writer: Writer) -> None:
        error = message.error()
        if error is not None:
            raise BrokerError(f"recording stopped: {self._told(error)}")
        topic = message.topic()
        row = recorded(message)
        end = self._ends.get((row.topic, row.partition))
        if end is not None and row.offset + 1 >= end:
            del self._ends[row.topic, row.partition]
        if end is not None and row.offset >= end:
            return  # came after we began
        if self._plan.records is not None and self.records.total() >= self._plan.records:
            return
        if self._rename is not None:
            row = pseudonymise(row, self._plan.topics[topic], self._rename)
        writer.add(row)
        self.records[topic] += 1

    def _told(self, error: KafkaError) -> str:
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
            return (
                f"what comes next ({error.str()}) is no longer on the broker: retention was faster, or the topic was made "
                "anew; record into another folder"
            )
        return str(error.str())

    def _places(self) -> list[TopicPartition]:
        partitions = partitions_of(self._consumer, list(self._plan.topics), self._servers, self._errors)
        start = OFFSET_BEGINNING if self._plan.from_beginning else OFFSET_END
        places = []
        for topic, numbers in partitions.items():
            known = self._about.next_offsets.get(topic, {})
            # A partition that had nothing yet when the recording began is read from its beginning: whatever is in it came since.
            other = OFFSET_BEGINNING if known else start
            places += [TopicPartition(topic, number, known.get(number, other)) for number in numbers]
        return places

    def _watermarks(self, places: Sequence[TopicPartition]) -> dict[tuple[str, int], int]:
        ends = {}
        for place in places:
            low, high = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            start = low if place.offset == OFFSET_BEGINNING else high if place.offset == OFFSET_END else place.offset
            if start < high:
                ends[place.topic, place.partition] = high
        return ends


def recorded(message: Message) -> Recorded:
    """What Kafka delivered."""
    headers: Any = message.headers() or []
    return Recorded(
        message.topic(),
        message.partition(),
        message.offset(),
        max(0, int(message.timestamp()[1])),
        message.key(),
        message.value(),
        tuple((name, value) for name, value in headers),
    )
