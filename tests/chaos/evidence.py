"""The evidence: everything that lies in the topics, read as anybody could read it.

The worker's own words are JSON, and the state tables' changelogs plain MessagePack; no code that made them is used.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.chaos.topics import Record
from tests.chaos.traffic import KIND_HEADER

#: An input by topic, partition and offset.
Place = tuple[str, int, int]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """Everything that lies in the topics.

    Attributes:
        topics: records by short name: ``"behaviour"``, ``"cards"``, ``"table shelves"`` ...
        ends: of the consumed topics, by short name and partition, the next offset.
        committed: likewise what the group committed.
    """

    topics: Mapping[str, list[Record]]
    ends: Mapping[str, Mapping[int, int]]
    committed: Mapping[str, Mapping[int, int]]


def told(records: Iterable[Record]) -> list[tuple[Record, Fields]]:
    """Shoppers' events that count: without what was sent twice, and what happened before its shopper was forgotten.

    Only an erasure that is sent again counts again: whoever asks twice is forgotten twice.
    """
    seen: set[str] = set()
    erased_ms: dict[str, int] = {}
    found = []
    for record, fields in good(records):
        shopper = fields["shopper_id"]
        if fields["type"] == "shopper_erased":
            erased_ms[shopper] = max(fields["occurred_at_ms"], erased_ms.get(shopper, 0))
        elif fields["event_id"] in seen or fields["occurred_at_ms"] <= erased_ms.get(shopper, 0):
            continue
        seen.add(fields["event_id"])
        found.append((record, fields))
    return found


def good(records: Iterable[Record]) -> list[tuple[Record, Fields]]:
    """Inputs that say something."""
    return [(record, json.loads(record.value or b"")) for record in records if KIND_HEADER not in record.headers]


def offered(value: bytes | None) -> Fields:
    """The card of an offer, which is its second line; or the order to leave a tombstone, which has one line alone."""
    lines = (value or b"{}").split(b"\n")
    fields: Fields = json.loads(lines[1] if len(lines) > 1 else lines[0])
    return fields


def newest(records: Iterable[Record]) -> dict[str, Any]:
    """A table as a new worker would find it.

    What comes after a record of a later epoch in its partition was on the wire when its worker was cut off or frozen: it counts
    for nothing, as every worker takes it.
    """
    found: dict[str, Any] = {}
    latest: dict[int, int] = {}
    for record in records:
        epoch = int(record.headers.get("epoch", b"0"))
        if epoch < latest.get(record.partition, 0):
            continue
        latest[record.partition] = epoch
        if record.value is None:
            found.pop(record.key or "", None)
        else:
            found[record.key or ""] = msgspec.msgpack.decode(record.value)
    return found


def place_of(origin: Fields) -> Place:
    """Where the input stood that something names as its cause."""
    return origin["topic"], origin["partition"], origin["offset"]
