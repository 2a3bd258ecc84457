"""Records as they lie in the topics, and the files that they are written to."""

import base64
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import orjson


class Seen(msgspec.Struct, frozen=True):
    """One record that was read back from the broker.

    Attributes:
        stream: which of our topics it is: ``"behaviour"``, ``"inventory"``, ``"cards"``, ``"copy"``, ``"review"`` or
            ``"dead_letters"``.
        value: the parsed JSON; ``None`` for a tombstone and for what is no JSON.
        raw: the bytes themselves; ``None`` for a tombstone.
    """

    stream: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: str | None
    value: Any
    raw: bytes | None
    headers: Mapping[str, str] = {}


def line_of(seen: Seen) -> bytes:
    """A record as one line of JSON: its place, then its key and value."""
    line: dict[str, Any] = {
        "topic": seen.topic,
        "partition": seen.partition,
        "offset": seen.offset,
        "timestamp_ms": seen.timestamp_ms,
        "key": seen.key,
        "value": seen.value,
    }
    if seen.value is None and seen.raw is not None and seen.raw.strip() != b"null":
        line["value"] = seen.raw.decode(errors="replace")
        line["raw_base64"] = base64.b64encode(seen.raw).decode()
    if seen.headers:
        line["headers"] = seen.headers
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


_FILES = {
    "behaviour": "events.jsonl",
    "inventory": "events.jsonl",
    "cards": "cards.jsonl",
    "copy": "cards.jsonl",
    "dead_letters": "dead_letters.jsonl",
}


class Writer:
    """Writes records into ``events.jsonl``, ``cards.jsonl`` and ``dead_letters.jsonl``, each partition in its order.

    Args:
        folder: where; it is made if need be.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._files = {name: (folder / name).open("wb") for name in sorted(set(_FILES.values()))}

    def write(self, seen: Seen) -> None:
        """Append a record; those of the review topic have no file."""
        name = _FILES.get(seen.stream)
        if name is not None:
            self._files[name].write(line_of(seen))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Everything is on disk afterwards; a second call does nothing."""
        for file in self._files.values():
            file.close()
