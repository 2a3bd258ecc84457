"""Sends planned records at the moment they are due, whatever becomes of the ones before them."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from shelftalk.demo.plan import Planned, Stream
from shelftalk.stream.login import KEYED, Kafka, confluent_config

#: The longest nap, so that a stop is heard.
_NAP_S = 0.05

_FLUSH_S = 15.0


class Player(threading.Thread):
    """Plays a piece in a thread of its own.

    The schedule is open-loop: a slow broker or worker does not slow the crowd down, as it would not slow down people.

    Args:
        kafka: where to.
        topics: full names by stream.
        piece: the records, by due time.
        until_ms: nothing that is due later is sent.

    Attributes:
        sent: records by topic; `confirmed` and `failed` likewise.
        poison: bad records sent, by the reason they must be refused for.
        behind_ms: how far behind its schedule it was at worst.
        error: what ended it early.
    """

    def __init__(self, kafka: Kafka, topics: Mapping[Stream, str], piece: Iterable[Planned], until_ms: int) -> None:
        super().__init__(name="player", daemon=True)
        config = confluent_config(kafka) | KEYED | {"linger.ms": 2, "log_level": 2}
        self._producer = Producer(config)
        self._topics = topics
        self._piece = piece
        self._until_ms = until_ms
        self._stop_asked = threading.Event()
        self.sent: Counter[str] = Counter()
        self.confirmed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.poison: Counter[str] = Counter()
        self.behind_ms = 0
        self.error: Exception | None = None

    def stop(self) -> None:
        """End early; what was sent is still confirmed."""
        self._stop_asked.set()

    def run(self) -> None:
        """Play to the end."""
        try:
            for record in self._piece:
                if record.due_ms > self._until_ms or not self._wait(record.due_ms):
                    break
                self._send(record)
            self._producer.flush(_FLUSH_S)
        except Exception as error:  # noqa: BLE001  the main thread reports it
            self.error = error

    def _wait(self, due_ms: int) -> bool:
        """Until the moment comes; False if we are to stop."""
        while not self._stop_asked.is_set():
            left_s = due_ms / 1000 - time.time()
            if left_s <= 0:
                self.behind_ms = max(self.behind_ms, round(-left_s * 1000))
                self._producer.poll(0)
                return True
            self._producer.poll(min(left_s, _NAP_S))
        return False

    def _send(self, record: Planned) -> None:
        topic = self._topics[record.stream]
        while True:
            try:
                self._producer.produce(topic, record.value, record.key, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(_NAP_S)
        self.sent[record.stream] += 1
        if record.poison is not None:
            self.poison[record.poison] += 1

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        counts: Any = self.failed if error is not None else self.confirmed
        counts[message.topic() or ""] += 1
