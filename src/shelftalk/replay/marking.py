"""What a send looks like on the wire: its record, happening now, and marked so that what it causes can be told from the rest.

The mark is the event's id and a header: ``<run>-<seq>``. Cards name the id of the event behind them; dead letters keep the headers.
"""

from typing import Any

import orjson

from shelftalk.replay.schedule import Send

HEADER = "shelftalk-replay"

#: The contract's longest id.
_MAX_ID = 128

Headers = list[tuple[str, bytes | None]]


def marked(send: Send, run: str, at_ms: int) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers.

    The event happens as long before it is sent as it was recorded to; other times of it (``..._at_ms``) keep their distance. What
    is no event stays as it is, for it must be refused as it was.

    Args:
        send: what is sent.
        run: the run's name.
        at_ms: when it is due, UTC milliseconds.
    """
    record = send.record
    mark = f"{run}-{send.seq}"
    headers: Headers = [*record.headers, (HEADER, mark.encode())]
    user = f"~{send.user}" if send.user else ""
    product = f"~{send.product}" if send.product else ""
    key = record.key
    suffix = user if send.stream == "behaviour" else product
    if key is not None and suffix:
        key = _suffixed(key.decode(errors="surrogateescape"), suffix).encode(errors="surrogateescape")
    fields = _object(record.value)
    if fields is None:
        return key, record.value, headers
    if isinstance(fields.get("event_id"), str) and fields["event_id"]:
        fields["event_id"] = mark
    _retime(fields, record.timestamp_ms, at_ms)
    if user:
        for name in ("shopper_id", "session_id"):
            if isinstance(fields.get(name), str):
                fields[name] = _suffixed(fields[name], user)
    if product:
        _other_products(fields, product)
    return key, orjson.dumps(fields), headers


def seq_of(mark: Any, run: str) -> int | None:
    """The number of the send behind an event id or a header of this run; ``None`` for what is not its own."""
    text = mark.decode(errors="replace") if isinstance(mark, bytes) else mark
    if not isinstance(text, str) or not text.startswith(run) or text[len(run) : len(run) + 1] != "-":
        return None
    number = text[len(run) + 1 :]
    return int(number) if number.isascii() and number.isdecimal() else None


def _retime(fields: dict[str, Any], recorded_ms: int, at_ms: int) -> None:
    occurred_ms = fields.get("occurred_at_ms")
    if not isinstance(occurred_ms, int) or isinstance(occurred_ms, bool):
        return
    for name, value in fields.items():
        if name.endswith("_at_ms") and isinstance(value, int) and not isinstance(value, bool):
            fields[name] = value + at_ms - recorded_ms


def _other_products(fields: dict[str, Any], suffix: str) -> None:
    if isinstance(fields.get("sku"), str):
        fields["sku"] = _suffixed(fields["sku"], suffix)
    for name in ("results", "candidates"):
        if isinstance(fields.get(name), list):
            fields[name] = [_suffixed(sku, suffix) if isinstance(sku, str) else sku for sku in fields[name]]
    for item in fields["items"] if isinstance(fields.get("items"), list) else ():
        if isinstance(item, dict) and isinstance(item.get("sku"), str):
            item["sku"] = _suffixed(item["sku"], suffix)


def _suffixed(name: str, suffix: str) -> str:
    return name[: _MAX_ID - len(suffix)] + suffix


def _object(raw: bytes | None) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None
