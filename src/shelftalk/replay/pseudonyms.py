"""Takes shoppers out of a record and leaves their behaviour in: the same shopper is the same stranger throughout a recording."""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from shelftalk.replay.recording import Recorded

Rename = Callable[[str], str]

#: Streams whose key is a shopper's id, alone or before ``|placement``.
_KEYED_BY_SHOPPER = frozenset({"behaviour", "cards", "offers"})

#: An id as short as this may stand in a text by chance; it is replaced only where it is the whole of a field.
_SHORT = 4


def pseudonymise(row: Recorded, stream: str | None, rename: Rename) -> Recorded:
    """A record with its shopper renamed, in key, value and headers.

    The fields ``shopper_id`` and ``session_id`` are renamed, and the id wherever else it stands in a text of the event. What a
    shopper typed (``query``) may name a person and decides nothing: it is replaced by its own pseudonym. A value of a shopper's
    topic that is no JSON object cannot be searched for names, so its bytes become question marks, as many as there were: as
    unreadable to a worker as before.

    Args:
        row: as Kafka had it.
        stream: what its topic is to shelftalk; ``None`` where it is of another system.
        rename: gives the pseudonym of an id.
    """
    fields = _object(row.value)
    ids = {name for name in (_key_shopper(row.key, stream), _text(fields, "shopper_id")) if name}
    names = {each: rename(each) for each in sorted(ids, key=len, reverse=True)}
    if fields is not None:
        value = _renamed_value(fields, names, rename) if _about_a_shopper(fields) else row.value
    else:
        value = b"?" * len(row.value) if row.value and stream in _KEYED_BY_SHOPPER else row.value
    return msgspec.structs.replace(
        row,
        key=_renamed_bytes(row.key, names),
        value=value,
        headers=tuple((name, _renamed_bytes(content, names)) for name, content in row.headers),
    )


def _about_a_shopper(fields: dict[str, Any]) -> bool:
    return any(name in fields for name in ("shopper_id", "session_id", "query"))


def _renamed_value(fields: dict[str, Any], names: dict[str, str], rename: Rename) -> bytes:
    renamed = {name: _renamed(value, names) for name, value in fields.items()}
    for field in ("session_id", "query"):
        if isinstance(fields.get(field), str) and fields[field]:
            renamed[field] = rename(fields[field])
    return orjson.dumps(renamed)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Anything within an event, with the shopper's id replaced."""
    if isinstance(value, str):
        return _renamed_text(value, names)
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    return value


def _renamed_text(text: str, names: dict[str, str]) -> str:
    for name, pseudonym in names.items():
        if text == name:
            return pseudonym
        if text.startswith(f"{name}|"):
            return pseudonym + text[len(name) :]
        if len(name) > _SHORT and name in text:
            text = text.replace(name, pseudonym)
    return text


def _renamed_bytes(raw: bytes | None, names: dict[str, str]) -> bytes | None:
    if raw is None or not names:
        return raw
    return _renamed_text(raw.decode(errors="surrogateescape"), names).encode(errors="surrogateescape")


def _key_shopper(key: bytes | None, stream: str | None) -> str | None:
    if key is None or stream not in _KEYED_BY_SHOPPER:
        return None
    return key.decode(errors="surrogateescape").split("|", 1)[0]


def _text(fields: dict[str, Any] | None, name: str) -> str | None:
    value = None if fields is None else fields.get(name)
    return value if isinstance(value, str) else None


def _object(raw: bytes | None) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None
