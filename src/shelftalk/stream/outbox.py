"""The outbox: everything the worker writes to Kafka, through one librdkafka producer.

Faust's own producer costs a service wait, a queue and several futures a message (about 1,000 awaited sends a second
were measured); librdkafka takes 300,000. So outputs and state changelogs go through here. What is posted in one turn of the
event loop is handed to librdkafka's thread together, and the delivery reports are fetched now and then, many at once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from shelftalk.errors import BadInputError, BrokerError, CancelledRequestError, DeliveryError, QueueFullError
from shelftalk.stream.login import KEYED, Kafka, confluent_config

log = structlog.get_logger(__name__)

Headers = Mapping[str, bytes] | Sequence[tuple[str, bytes]]

#: From here on `room` makes callers wait.
SOFT_LIMIT: Final = 10_000

#: librdkafka's own bound; `post` raises beyond it. The distance lets one event post all it has to without waiting.
HARD_LIMIT: Final = 100_000

#: How long messages wait for company. One event goes through some six stages, and each waits: 5 ms made half of a median of 42 ms,
#: and 1 ms costs nothing under load, where a turn of the event loop posts dozens at once.
LINGER_MS: Final = 1

#: A worker's largest message. Brokers take 1 MiB by default and say so themselves when it is too much.
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

#: ... of which librdkafka counts some for itself.
_MOST_BYTES: Final = MAX_MESSAGE_BYTES - 1024

#: State is written so often. Sparse messages cost twice as much as dense ones (14 microseconds each against 6: librdkafka's
#: thread wakes for a few at a time), and nobody waits for state but commits.
WRITE_EVERY_S: Final = 0.05

#: How long delivery reports are left to gather; nobody but commits waits for them.
_COLLECT_S: Final = 0.005

#: The same while nothing is in flight: what else librdkafka has to say (its log, a token that runs out) can wait.
_IDLE_S: Final = 0.02

#: `Outbox.drop` took it back.
_DROPPED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})  # noqa: SLF001

#: The message itself is at fault, and will be however often it is sent.
_BAD_MESSAGE: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._INVALID_ARG, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG_SIZE}  # noqa: SLF001
)


class Obligation(Protocol):
    """What a delivery is owed to: an entry of the ledger."""

    @property
    def forgotten(self) -> bool:
        """Whether its partition was taken away."""

    def hold(self) -> None:
        """One more to deliver."""

    def done(self) -> None:
        """Delivered."""

    def fail(self, error: Exception) -> None:
        """Cannot be delivered."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message lies."""

    topic: str
    partition: int
    offset: int


Outcome = Receipt | Exception
OnOutcome = Callable[[Outcome], None]


@dataclass(slots=True)
class Counts:
    """What went through. `posted` = `delivered` + `failed` + what is in flight."""

    posted: int = 0
    delivered: int = 0
    failed: int = 0
    bytes: int = 0

    @property
    def in_flight(self) -> int:
        """Posted, outcome unknown."""
        return self.posted - self.delivered - self.failed


class Outbox:
    """The one producer of a worker. All methods belong to the event loop's thread.

    Args:
        kafka: the brokers.
        delivery_timeout_s: librdkafka retries for so long; then the delivery failed.
        soft_limit: messages in flight from which on `room` waits.

    Attributes:
        counts: what went through.
        roomy: whether `room` would return at once.
    """

    def __init__(self, kafka: Kafka, *, delivery_timeout_s: float = 60.0, soft_limit: int = SOFT_LIMIT) -> None:
        self.counts = Counts()
        self.roomy = True
        self._soft_limit = soft_limit
        self._config = producer_config(kafka, delivery_timeout_s)
        self._asks_for_tokens = kafka.sasl_mechanism == "OAUTHBEARER"
        self._reports: list[_Delivery] = []
        self._idle = asyncio.Event()
        self._roomy = asyncio.Event()
        self._idle.set()
        self._roomy.set()
        self._posted: list[_Message] = []
        self._later: list[Callable[[], None]] = []
        self._producer: Producer = None
        self._collecting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the producer; call it on the event loop.

        Raises:
            BrokerError: librdkafka refuses the settings.
        """
        try:
            self._producer = Producer(self._config, logger=logging.getLogger("librdkafka"))
        except KafkaException as error:
            raise BrokerError(f"kafka: librdkafka refuses the settings: {error}") from error
        self._collecting = asyncio.get_running_loop().create_task(self._collect(), name="outbox")

    def post(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes | None,
        *,
        headers: Headers | None = None,
        partition: int | None = None,
        entry: Obligation | None = None,
        on_outcome: OnOutcome | None = None,
    ) -> None:
        """Send a message; it does not wait.

        Args:
            topic: its full name.
            key: decides the partition (murmur2, as in Java and Faust) unless `partition` does.
            value: ``None`` is a tombstone.
            headers: in this order; names may repeat.
            partition: explicit, for changelogs.
            entry: gets one obligation more, which is done or failed with the delivery.
            on_outcome: called on the event loop with the receipt or the error, before the entry learns of it.

        Raises:
            QueueFullError: `HARD_LIMIT` messages are in flight; await `room` between events.
            BadInputError: the message is larger than `MAX_MESSAGE_BYTES`. What else is wrong with it, its entry learns.
            CancelledRequestError: the entry's partition was taken away; another worker does this event again, so what this
                one still has to say is not said.
        """
        if entry is not None and entry.forgotten:
            raise CancelledRequestError(f"{topic}: the partition of the event behind this was taken away")
        counts = self.counts
        if counts.in_flight >= HARD_LIMIT:
            raise QueueFullError(f"outbox: {counts.in_flight} messages are in flight")
        where: dict[str, Any] = {} if partition is None else {"partition": partition}
        size = (len(value) if value else 0) + (len(key) if key else 0)
        if headers:
            where["headers"] = list(headers.items() if isinstance(headers, Mapping) else headers)
            size += sum(len(name) + len(what) for name, what in where["headers"])
        if size > _MOST_BYTES:
            raise BadInputError("output_refused", f"{topic}: {size} bytes are more than a message may have")
        if not self._posted:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._posted.append(_Message(topic, key, value, where, _Delivery(self._reports, entry, on_outcome)))
        if entry is not None:
            entry.hold()
        counts.posted += 1
        counts.bytes += len(value) if value else 0
        self._idle.clear()
        if self.roomy and counts.in_flight >= self._soft_limit:
            self.roomy = False
            self._roomy.clear()

    def _hand_over(self) -> None:
        """All that was posted, to librdkafka at once: one by one, nearly each would wake its thread, and travel with few others."""
        posted, self._posted = self._posted, []
        if not posted:
            return
        produce = self._producer.produce
        for place, message in enumerate(posted):
            try:
                produce(
                    message.topic, message.value, message.key, on_delivery=message.delivery.reported, **message.where
                )
            except BufferError:  # by their bytes; they stay in order, and what has been sent meanwhile makes room
                self._posted = posted[place:]
                asyncio.get_running_loop().call_later(_COLLECT_S, self._hand_over)
                return
            except KafkaException as error:
                message.delivery.refused(_error(error.args[0], message.topic))

    def later(self, write: Callable[[], None]) -> None:
        """Have something written when others write as well, within `WRITE_EVERY_S`: `write` is called then, once."""
        if not self._later:
            asyncio.get_running_loop().call_later(WRITE_EVERY_S, self._write_later)
        self._later.append(write)

    def _write_later(self) -> None:
        writes, self._later = self._later, []
        for write in writes:
            try:
                write()
            except Exception:
                log.exception("what was to be written later failed")

    def send(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes | None,
        *,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> "asyncio.Future[Receipt]":
        """Like `post`, for who wants to await the delivery.

        Returns:
            A future of the receipt; it raises `DeliveryError` (or `BadInputError`) if there is none.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.post(topic, key, value, headers=headers, partition=partition, on_outcome=partial(_resolve, future))
        return future

    async def room(self) -> None:
        """Wait while too much is in flight."""
        await self._roomy.wait()

    async def flush(self, timeout_s: float) -> bool:
        """Wait until all that was posted has its outcome.

        Returns:
            Whether it has; ``False`` when the deadline came first.
        """
        self._write_later()
        self._hand_over()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def drop(self) -> int:
        """Send nothing more of what was posted; its entries fail with `CancelledRequestError`. What is on the wire may arrive.

        Returns:
            How many messages had no outcome yet.
        """
        in_flight = self.counts.in_flight
        posted, self._posted = self._posted, []
        for message in posted:
            message.delivery.refused(CancelledRequestError(f"{message.topic}: dropped"))
        if in_flight:
            # In confluent-kafka 2.16.1 the flag has it the wrong way round: with True a later message was purged, too.
            self._producer.purge(blocking=False)
        return in_flight

    async def close(self, timeout_s: float) -> bool:
        """Flush, and collect no more.

        Returns:
            Whether everything had its outcome.
        """
        flushed = await self.flush(timeout_s)
        if self._collecting is not None:
            self._collecting.cancel()
        if not flushed and self._producer is not None:
            self._producer.purge()  # nobody waits for them any more; without this the destructor would
        return flushed

    async def _collect(self) -> None:
        """Fetch delivery reports, for ever.

        A thread of its own did this: for each single report it took Python's lock from the event loop, and gave it back.
        """
        while True:
            if self._asks_for_tokens:  # which may take as long as the endpoint that gives them
                await asyncio.to_thread(self._producer.poll, 0)
            else:
                self._producer.poll(0)
            if self._reports:
                batch, self._reports[:] = self._reports[:], []
                self._settle(batch)
            await asyncio.sleep(_COLLECT_S if self.counts.in_flight else _IDLE_S)

    def _settle(self, batch: "list[_Delivery]") -> None:
        """Tell who wanted to know, once a batch."""
        counts = self.counts
        for delivery in batch:
            if delivery.error is None:
                counts.delivered += 1
            else:
                counts.failed += 1
            try:
                delivery.settle()
            except Exception:
                log.exception("a delivery callback failed")
        if not self.roomy and counts.in_flight < self._soft_limit:
            self.roomy = True
            self._roomy.set()
        if counts.in_flight == 0:
            self._idle.set()


@dataclass(frozen=True, slots=True)
class _Message:
    """What was posted, and is still to be handed over."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    where: dict[str, Any]
    delivery: "_Delivery"


class _Delivery:
    """One message on its way.

    Attributes:
        error: why it was not delivered.
    """

    __slots__ = ("_entry", "_on_outcome", "_receipt", "_reports", "error")

    def __init__(self, reports: "list[_Delivery]", entry: Obligation | None, on_outcome: OnOutcome | None) -> None:
        self._reports = reports
        self._entry = entry
        self._on_outcome = on_outcome
        self._receipt: Receipt | None = None
        self.error: Exception | None = None

    def reported(self, error: KafkaError | None, message: Message) -> None:
        """Called by librdkafka within `poll`, so no more is done here than must be."""
        if error is not None:
            self.error = _error(error, message.topic())
        elif self._on_outcome is not None:
            self._receipt = Receipt(message.topic(), message.partition(), message.offset())
        self._reports.append(self)

    def refused(self, error: Exception) -> None:
        """It never set out."""
        self.error = error
        self._reports.append(self)

    def settle(self) -> None:
        """Tell who wanted to know."""
        entry, error = self._entry, self.error
        try:
            if self._on_outcome is not None:
                outcome = error or self._receipt
                assert outcome is not None  # noqa: S101  set by `reported`
                self._on_outcome(outcome)
        finally:
            if entry is None:
                pass
            elif error is None:
                entry.done()
            else:
                entry.fail(error)


def producer_config(kafka: Kafka, delivery_timeout_s: float) -> dict[str, Any]:
    """Options of the worker's producer."""
    return (
        confluent_config(kafka)
        | KEYED
        | {
            "linger.ms": LINGER_MS,
            "compression.type": "lz4",
            "reconnect.backoff.max.ms": 1000,  # not 10 s: partitions that go wait for what is under way, and for no longer than 5
            "message.timeout.ms": int(delivery_timeout_s * 1000),
            "queue.buffering.max.messages": HARD_LIMIT,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "allow.auto.create.topics": False,
        }
    )


def _resolve(future: "asyncio.Future[Receipt]", outcome: Outcome) -> None:
    if future.cancelled():
        return
    if isinstance(outcome, Receipt):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)


def _error(error: KafkaError, topic: str) -> Exception:
    detail = f"{topic}: {error.str()}"
    if error.code() in _BAD_MESSAGE:
        return BadInputError("output_refused", detail)
    if error.code() in _DROPPED:
        return CancelledRequestError(detail)
    return DeliveryError(detail)
