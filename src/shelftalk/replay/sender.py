"""The generator of load: sends each record when it is due, whatever becomes of the ones before it, and notes its own lateness."""

import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

import orjson
from confluent_kafka import KafkaError, Message, Producer

from shelftalk.replay.marking import marked
from shelftalk.replay.measure import Latencies
from shelftalk.replay.schedule import Send
from shelftalk.stream.login import KEYED, Kafka, confluent_config

#: The longest nap, so that a stop is heard.
_NAP_S = 0.05

#: Delivery reports are collected at least once in so many sends.
_POLL_EVERY = 64

#: Records that librdkafka holds for the broker; beyond that the generator waits, and its lateness tells.
_QUEUED = 200_000

FLUSH_S = 20.0


class Clock:
    """The run's clock: seconds since the start, which may lie ahead."""

    def __init__(self) -> None:
        self._zero_s = time.monotonic()
        self._zero_ms = time.time_ns() / 1e6

    def start_in(self, seconds: float) -> None:
        """The clock shows 0 in so many seconds from now."""
        self._zero_s = time.monotonic() + seconds
        self._zero_ms = time.time_ns() / 1e6 + seconds * 1000

    def now_s(self) -> float:
        """What it shows."""
        return time.monotonic() - self._zero_s

    def wall_ms(self, at_s: float) -> int:
        """UTC milliseconds at a moment of it."""
        return round(self._zero_ms + at_s * 1000)


class Sender(threading.Thread):
    """Sends in a thread of its own, by librdkafka.

    Args:
        kafka: where to.
        topics: full names by stream.
        sends: by due time; what is due before 0 is sent at once.
        run: the run's name, for the marks.
        clock: the run's.
        dues: gets each send's due time, at the place of its number.
        from_s: lateness counts from here on.

    Attributes:
        lateness: how long after its due time each record was handed over.
        promised_ms: by number, when the price of an event will end by itself, as the shop promised.
        sent: records handed over; `delivered` and `failed` are what the broker made of them.
        reasons: of failures.
        overdue: records that were due when it was stopped, and not sent.
        error: what ended it early.
    """

    def __init__(
        self,
        kafka: Kafka,
        topics: Mapping[str, str],
        sends: Iterable[Send],
        *,
        run: str,
        clock: Clock,
        dues: "array[float]",
        from_s: float,
    ) -> None:
        super().__init__(name="sender", daemon=True)
        config = confluent_config(kafka) | KEYED
        config |= {
            "linger.ms": 1,
            "compression.type": "lz4",
            "queue.buffering.max.messages": _QUEUED,
            "message.timeout.ms": round(FLUSH_S * 1000),
            "allow.auto.create.topics": False,
            "on_delivery": self._reported,
            "log_level": 0,
        }
        self._producer = Producer(config)
        self._topics, self._run, self._sends = topics, run, sends
        self._clock, self._dues, self._from_s = clock, dues, from_s
        self._stop_asked = threading.Event()
        self.lateness = Latencies(from_s)
        self.promised_ms: dict[int, int] = {}
        self.sent = self.sent_measured = self.delivered = self.failed = self.overdue = 0
        self.reasons: Counter[str] = Counter()
        self.error: Exception | None = None

    def stop(self) -> None:
        """End early; what was sent is still confirmed."""
        self._stop_asked.set()

    def run(self) -> None:
        """Send to the end."""
        try:
            for send in self._sends:
                if not self._wait(send.due_s):
                    self.overdue += send.due_s < self._clock.now_s()
                    break
                self._send(send)
            self._producer.flush(FLUSH_S)
        except Exception as error:  # noqa: BLE001  the main thread reports it
            self.error = error

    def _wait(self, due_s: float) -> bool:
        """Until it is due; False if we are to stop."""
        while not self._stop_asked.is_set():
            left_s = due_s - self._clock.now_s()
            if left_s <= 0 or due_s < 0:
                return True
            self._producer.poll(min(left_s, _NAP_S))
        return False

    def _send(self, send: Send) -> None:
        due_s = send.due_s
        at_ms = self._clock.wall_ms(due_s) if due_s >= 0 else time.time_ns() // 1_000_000
        key, value, headers = marked(send, self._run, at_ms)
        self._dues.append(due_s)  # before it is out: its card may be quicker than our next line
        if value is not None and b"sale_ends_at_ms" in value:
            self._remember(send.seq, value)
        topic = self._topics[send.stream]
        while True:
            try:
                self._producer.produce(topic, value, key, headers=headers)
                break
            except BufferError:
                self._producer.poll(_NAP_S)
                if self._stop_asked.is_set():
                    self.overdue += 1
                    return
        self.sent += 1
        if due_s >= 0:
            self.lateness.add(due_s, max(0.0, self._clock.now_s() - due_s))
            self.sent_measured += due_s >= self._from_s
        if self.sent % _POLL_EVERY == 0:
            self._producer.poll(0)

    def _remember(self, seq: int, value: bytes) -> None:
        try:
            fields = orjson.loads(value)
        except orjson.JSONDecodeError:
            return
        ends_ms = fields.get("sale_ends_at_ms") if isinstance(fields, dict) else None
        if isinstance(ends_ms, int):
            self.promised_ms[seq] = ends_ms

    def _reported(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
            self.reasons[error.str()] += 1
