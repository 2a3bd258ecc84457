"""Reads the output topics as a storefront would, and finds for each card the send that caused it."""

import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from confluent_kafka import OFFSET_END, Consumer, Message, TopicPartition

from shelftalk.errors import BrokerError
from shelftalk.replay.marking import HEADER, seq_of
from shelftalk.replay.measure import Latencies
from shelftalk.replay.partitions import partitions_of
from shelftalk.replay.sender import Clock
from shelftalk.replay.texts import Said
from shelftalk.stream.login import Kafka, confluent_config

#: What comes out, by the names of the settings.
OUTPUTS = ("cards", "copy", "review", "dead_letters")

_BATCH = 500
_POLL_S = 0.1
_TIMEOUT_S = 10.0


class Counts:
    """What came out so far, of this run.

    Attributes:
        records: by stream, others' included.
        answers: first answers to what shoppers did, by rung; after the warm-up.
        rungs: all live cards, by rung.
        refreshed: live cards because a price, the stock or another fact moved.
        rewritten: live cards because better words became ready.
        dead_letters: by reason.
    """

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.rungs: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.cards = self.refreshed = self.rewritten = self.withdrawn = self.passed_on = 0


class Follower(threading.Thread):
    """Follows in a thread of its own, from the present end of the topics.

    Args:
        kafka: where.
        topics: full names by stream.
        run: the run's name, as its sends are marked.
        clock: the run's.
        dues: due times by number of the send, which the sender writes.
        from_s: what was due earlier is warm-up.
        keep: told of each live card of this run.

    Attributes:
        answers: latency from a shopper's event to each of its cards.
        refreshes: latency from a price, stock or other fact to each card that it changed.
        promised_ms: by number of the send, when a price ends by itself; its end is then what a card waited for.
        busy_s: spent on what was read, rather than waiting for it.
        error: what ended it early.

    Raises:
        BrokerError: the brokers do not answer, or a topic is not there.
    """

    def __init__(
        self,
        kafka: Kafka,
        topics: Mapping[str, str],
        *,
        run: str,
        clock: Clock,
        dues: "array[float]",
        from_s: float,
        keep: Callable[[Said], None],
    ) -> None:
        super().__init__(name="follower", daemon=True)
        config = confluent_config(kafka) | {
            "group.id": f"{run}-follower",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
        self._run, self._clock, self._dues, self._from_s, self._keep = run, clock, dues, from_s, keep
        self._streams = {topic: stream for stream, topic in topics.items()}
        self._answered: dict[tuple[str, str], int] = {}
        self._stop_asked = threading.Event()
        self._positions: dict[tuple[str, int], int] = {}
        self.counts = Counts()
        self.answers, self.refreshes = Latencies(from_s), Latencies(from_s)
        self.promised_ms: Mapping[int, int] = {}
        self.busy_s = 0.0
        self.error: Exception | None = None
        self._consumer = Consumer(config)
        try:
            partitions = partitions_of(self._consumer, list(self._streams), kafka.bootstrap_servers)
            self._places = [TopicPartition(topic, n, OFFSET_END) for topic, ns in partitions.items() for n in ns]
            self._start()
        except BaseException:
            self._consumer.close()
            raise

    def stop(self) -> None:
        """End after what has come."""
        self._stop_asked.set()

    def run(self) -> None:
        """Read until `stop`."""
        try:
            while not self._stop_asked.is_set():
                self._read(_POLL_S)
        except Exception as error:  # noqa: BLE001  the main thread reports it
            self.error = error

    def finish(self, timeout_s: float) -> bool:
        """Read up to the present end of every topic and close; call it when `run` has ended.

        Returns:
            Whether everything was read.
        """
        try:
            if self.error is not None:
                return False
            ends = {place: high for place, (_, high) in self._watermarks().items()}
            deadline_s = time.monotonic() + timeout_s
            while any(self._positions[place] < end for place, end in ends.items()):
                if time.monotonic() > deadline_s:
                    return False
                self._read(_POLL_S)
            return True
        finally:
            self._consumer.close()

    def _start(self) -> None:
        """From the present end, asked for by number: what comes while librdkafka looks the end up must not be missed."""
        for (topic, partition), (_, high) in self._watermarks().items():
            self._positions[topic, partition] = high
        self._consumer.assign([TopicPartition(*place, high) for place, high in self._positions.items()])

    def _watermarks(self) -> dict[tuple[str, int], tuple[int, int]]:
        return {
            (place.topic, place.partition): self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            for place in self._places
        }

    def _read(self, timeout_s: float) -> None:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        # `consume` with a timeout would wait for the batch to fill, and that wait would be counted as the system's.
        now_s = self._clock.now_s()
        messages = [first, *self._consumer.consume(_BATCH, 0)]
        for message in messages:
            if message.error() is not None:
                raise BrokerError(f"reading the output topics failed: {message.error()}")
            self._positions[message.topic(), message.partition()] = message.offset() + 1
            self._note(message, now_s)
        self.busy_s += self._clock.now_s() - now_s

    def _note(self, message: Message, now_s: float) -> None:
        stream = self._streams[message.topic()]
        self.counts.records[stream] += 1
        if stream in {"cards", "copy"}:
            self._card(stream, message, now_s)
        elif stream == "dead_letters":
            headers = dict(message.headers() or ())
            if seq_of(headers.get(HEADER), self._run) is not None:
                self.counts.dead_letters[
                    (headers.get("dead-letter-reason") or b"unknown").decode(errors="replace")
                ] += 1

    def _card(self, stream: str, message: Message, now_s: float) -> None:
        value, key = message.value(), (message.key() or b"").decode(errors="replace")
        if value is None:
            self._answered.pop((stream, key), None)
            return
        card = orjson.loads(value)
        provenance = card["provenance"]
        trigger = provenance["trigger"]
        seq = seq_of(provenance["origin" if trigger == "ask" else "cause"]["event_id"], self._run)
        if seq is None or seq >= len(self._dues):
            return
        live = card["status"] == "live"
        if live:
            self.counts.cards += 1
            self.counts.rungs[provenance["rung"]] += 1
            self._keep(_said(card, seq, trigger))
        else:
            self.counts.withdrawn += 1
        if trigger == "ask":
            self._answer((stream, key), provenance["rung"], seq, now_s)
        elif trigger == "facts":
            self._refresh(seq, now_s, live=live)
        else:
            self.counts.rewritten += live

    def _answer(self, audience: tuple[str, str], rung: str, seq: int, now_s: float) -> None:
        if self._answered.get(audience) == seq:
            # The placement had its answer; its product was withdrawn since, and this is the next best one.
            self.counts.passed_on += 1
            return
        self._answered[audience] = seq
        due_s = self._dues[seq]
        if due_s >= 0:
            self.answers.add(due_s, now_s - due_s)
            self.counts.answers[rung] += due_s >= self._from_s

    def _refresh(self, seq: int, now_s: float, *, live: bool) -> None:
        self.counts.refreshed += live
        due_s = self._dues[seq]
        ends_ms = self.promised_ms.get(seq)
        if ends_ms is not None and ends_ms <= self._clock.wall_ms(now_s):
            return  # time itself was the cause; the event is only where it was written down
        if due_s >= 0:
            self.refreshes.add(due_s, now_s - due_s)


def _said(card: dict[str, Any], seq: int, trigger: str) -> Said:
    provenance, facts = card["provenance"], card["facts"]
    return Said(
        seq=seq,
        trigger=trigger,
        placement=card["placement"],
        sku=card["sku"],
        name=facts["name"],
        channel=card["channel"],
        locale=card["locale"],
        angle=provenance["angle"],
        promotion=facts["promotion"],
        tone=provenance["tone"],
        rung=provenance["rung"],
        brief_id=provenance["brief_id"],
        model=provenance["model"],
        variant=provenance["variant"],
        slotted=card["slotted"],
        text=card["text"],
        reworded=provenance.get("reworded", False),
    )
