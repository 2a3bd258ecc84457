"""Bytes to events: the one door through which the outside world comes in.

Order of the checks: size, JSON, object, type, schema, clock. Each failure is a `BadInputError` with a stable reason, and the
caller sends the original bytes to the dead-letter topic.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import orjson

from shelftalk.errors import BadInputError
from shelftalk.events.types import BEHAVIOUR_TYPES, INVENTORY_TYPES, BehaviourEvent, InventoryEvent
from shelftalk.resources import schemas_dir

#: A product with twenty points and a long description stays under 20 kB; ten times that is a mistake or an attack.
MAX_EVENT_BYTES = 200_000

#: No type has a longer name.
_LONGEST_TYPE = 40

#: How far a producer's clock may run ahead of ours.
MAX_CLOCK_SKEW_MS = 5 * 60 * 1000


@cache
def _validator(event_type: str) -> jsonschema_rs.Validator:
    schema = orjson.loads((schemas_dir() / f"{event_type}.schema.json").read_bytes())
    return jsonschema_rs.validator_for(
        schema, mask="the value"
    )  # what it is may be private, and stands in the dead letter


def _parse(raw: bytes | None, types: frozenset[str], now_ms: int) -> dict[str, Any]:
    if raw is None:
        raise BadInputError("empty", "the record has no value")
    if len(raw) > MAX_EVENT_BYTES:
        raise BadInputError("too_large", f"{len(raw)} bytes; at most {MAX_EVENT_BYTES}")
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInputError("not_json", str(error)) from None
    if not isinstance(fields, dict):
        raise BadInputError("not_an_object", f"a JSON {type(fields).__name__}")
    event_type = fields.get("type")
    if not isinstance(event_type, str) or event_type not in types:
        raise BadInputError(
            "unknown_type", f"type is {_short(event_type)}; this topic takes {', '.join(sorted(types))}"
        )
    problem = next(_validator(event_type).iter_errors(fields), None)
    if problem is not None:
        where = "/".join(str(part) for part in problem.instance_path) or "the event"
        raise BadInputError("schema", f"{event_type}: {where}: {problem.message[:300]}")
    if fields["occurred_at_ms"] > now_ms + MAX_CLOCK_SKEW_MS:
        raise BadInputError(
            "time_in_future", f"occurred_at_ms is {fields['occurred_at_ms'] - now_ms} ms ahead of this clock"
        )
    return fields


def _short(value: Any) -> str:
    """A name to read, or what stands in its place: it may be anything."""
    return repr(value[:_LONGEST_TYPE]) if isinstance(value, str) else f"a JSON {type(value).__name__}"


def _decoder(types: frozenset[str], union: Any) -> Callable[[bytes | None, int], Any]:
    def decode(raw: bytes | None, now_ms: int) -> Any:
        fields = {name: value for name, value in _parse(raw, types, now_ms).items() if value is not None}
        try:
            # Not strict: to JSON Schema 8900.0 is an integer. Everything else that laxness lets through, the schema stopped.
            return msgspec.convert(fields, union, strict=False)
        except msgspec.ValidationError as error:  # the schema let through what the struct does not take: our own bug
            raise BadInputError("schema", str(error)) from None

    return decode


_decode_behaviour = _decoder(BEHAVIOUR_TYPES, BehaviourEvent)
_decode_inventory = _decoder(INVENTORY_TYPES, InventoryEvent)


def decode_behaviour(raw: bytes | None, now_ms: int) -> BehaviourEvent:
    """Decode a record of the behaviour topic.

    Raises:
        BadInputError: it is not a behaviour event that the schemas allow.
    """
    event: BehaviourEvent = _decode_behaviour(raw, now_ms)
    return event


def decode_inventory(raw: bytes | None, now_ms: int) -> InventoryEvent:
    """Decode a record of the inventory topic.

    Raises:
        BadInputError: it is not an inventory event that the schemas allow.
    """
    event: InventoryEvent = _decode_inventory(raw, now_ms)
    return event


def encode(event: msgspec.Struct) -> bytes:
    """The wire form of an event, for producers of our own (demo, replay, tests)."""
    return msgspec.json.encode(event)
