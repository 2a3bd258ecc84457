"""Dead letters: events that no handler could take, as the original bytes with headers that say where from and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from shelftalk.core.ledger import Entry
from shelftalk.errors import BadInputError, DeliveryError, FatalError
from shelftalk.stream.outbox import Headers, Outbox, Outcome, Receipt
from shelftalk.stream.record import Record

log = structlog.get_logger(__name__)

#: Before the names of our headers, so that the event's own stay distinct.
HEADER_PREFIX: Final = "dead-letter-"

#: There instead of a value that does not fit beside our headers: its size.
CUT_HEADER: Final = HEADER_PREFIX + "value-bytes"

#: A header is for reading; the event itself holds the rest.
_MAX_DETAIL: Final = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event and why nobody could take it.

    Attributes:
        reason: a short stable code.
        attempts: how often it was tried.
    """

    record: Record
    reason: str
    detail: str
    attempts: int

    @classmethod
    def of(cls, record: Record, error: Exception, attempts: int) -> "DeadLetter":
        """A `BadInputError` brings its reason; of any other error it is the class."""
        if isinstance(error, BadInputError):
            return cls(record, error.reason, error.detail, attempts)
        return cls(record, type(error).__name__, str(error), attempts)

    def headers(self) -> list[tuple[str, bytes]]:
        """The event's own headers, then ours. Names of ours that it brings itself were put there by somebody else, and go."""
        record = self.record
        ours = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp-ms": record.timestamp_ms,
            "reason": self.reason,
            "detail": self.detail[:_MAX_DETAIL],
            "attempts": self.attempts,
        }
        own = [(name, value) for name, value in record.headers if not name.startswith(HEADER_PREFIX)]
        return own + [(HEADER_PREFIX + name, str(value).encode()) for name, value in ours.items()]


class DeadLetters:
    """Publishes dead letters.

    Args:
        outbox: they go out through it.
        topic: its full name.
        on_fatal: told when a dead letter cannot be delivered: the event would be lost, so the worker must stop.
    """

    def __init__(self, outbox: Outbox, topic: str, on_fatal: Callable[[Exception], None]) -> None:
        self._outbox = outbox
        self._topic = topic
        self._on_fatal = on_fatal

    def publish(self, letter: DeadLetter, entry: Entry) -> None:
        """Send it; one of the entry's obligations is done when the topic has it.

        Only the original bytes or, where they do not fit beside the headers, no value and a header that says so.
        """
        record = letter.record
        log.warning(
            "dead letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=letter.reason,
            detail=letter.detail[:_MAX_DETAIL],
            attempts=letter.attempts,
        )
        self._post(letter.headers(), record.value, record.key, entry)

    def _post(self, headers: Headers, value: bytes | None, key: bytes | None, entry: Entry) -> None:
        def settle(outcome: Outcome) -> None:
            if isinstance(outcome, Receipt) or entry.forgotten:  # another worker has the event, and writes its own
                entry.done()
            else:
                self._refused(outcome, headers, value, key, entry)

        try:
            self._outbox.post(self._topic, key, value, headers=headers, on_outcome=settle)
        except BadInputError as error:
            self._refused(error, headers, value, key, entry)
        except Exception as error:
            log.exception("a dead letter cannot be sent")
            self._on_fatal(error)

    def _refused(
        self, error: Exception, headers: Headers, value: bytes | None, key: bytes | None, entry: Entry
    ) -> None:
        """Too large with our headers on it: say so instead. Anything else would lose the event."""
        if isinstance(error, BadInputError) and value is not None:
            self._post([*headers, (CUT_HEADER, str(len(value)).encode())], None, key, entry)
            return
        fatal = (
            error
            if isinstance(error, FatalError | DeliveryError)
            else FatalError(f"a dead letter was refused: {error}")
        )
        self._on_fatal(fatal)
