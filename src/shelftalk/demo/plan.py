"""What will be played: records with the moment they are due."""

import enum

import msgspec

from shelftalk.events.codec import encode
from shelftalk.events.types import Behaviour, Inventory


class Stream(enum.StrEnum):
    """Which of the two input topics."""

    BEHAVIOUR = "behaviour"
    INVENTORY = "inventory"


class Planned(msgspec.Struct, frozen=True):
    """One record of an input topic.

    Attributes:
        due_ms: when it is to be sent, UTC milliseconds; never when the one before it was confirmed (open loop).
        event: what the value says; ``None`` where it says nothing that the contract allows.
        poison: why the worker must refuse the record; ``None`` for good ones.
    """

    due_ms: int
    stream: Stream
    key: str
    value: bytes
    event: Behaviour | Inventory | None = None
    poison: str | None = None


def planned(due_ms: int, event: Behaviour | Inventory) -> Planned:
    """The record of an event, keyed as the contract says."""
    if isinstance(event, Inventory):
        return Planned(due_ms, Stream.INVENTORY, event.sku, encode(event), event)
    return Planned(due_ms, Stream.BEHAVIOUR, event.shopper_id, encode(event), event)
