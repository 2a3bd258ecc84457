"""One input record, as the handlers get it."""

from typing import Any

import msgspec

from shelftalk.core.messages import Origin
from shelftalk.errors import BadInputError


class Record(msgspec.Struct, frozen=True, gc=False):
    """What Kafka delivered, undecoded.

    Attributes:
        headers: in order; names may repeat.
        timestamp_ms: the broker's or producer's, in Unix milliseconds.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0

    @classmethod
    def of(cls, fetched: Any) -> "Record":
        """From a record of aiokafka's."""
        headers = tuple((name, bytes(value or b"")) for name, value in fetched.headers) if fetched.headers else ()
        return cls(
            fetched.topic,
            fetched.partition,
            fetched.offset,
            fetched.key,
            fetched.value,
            headers,
            max(fetched.timestamp or 0, 0),  # -1 is Kafka's "none"
        )


def origin_of(record: Record, event_id: str, occurred_at_ms: int) -> Origin:
    """Where an event stood, for ids and for cards that explain themselves."""
    return Origin(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_id=event_id,
        occurred_at_ms=occurred_at_ms,
    )


def require_key(record: Record, key: str) -> None:
    """The key decides the partition, and the partition is where the state is: a wrong one would split a shelf in two.

    Raises:
        BadInputError: the record's key is not what its event says.
    """
    if record.key is None or record.key.decode(errors="replace") != key:
        raise BadInputError(
            "key_mismatch", "the record's key is not whom or what its event is about"
        )  # neither is for the log
