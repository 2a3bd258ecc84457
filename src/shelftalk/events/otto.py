"""OTTO's session log: a session a line, as JSON, plain or gzipped, with clicks, carts and orders of article numbers.

It knows neither names nor prices. So that there is something to say, each article borrows the facts of a product from a catalogue,
always the same one; there are as many articles as in the log, and their names repeat.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from shelftalk.errors import ConfigError
from shelftalk.events.log_events import Row, Tally, counted, reading

TYPES = {"clicks": "view", "carts": "cart", "orders": "purchase"}

#: What an article costs, in minor units: the log does not say.
PriceMinor = Callable[[str], int]


def read_rows(path: Path, tally: Tally, price_minor: PriceMinor) -> Iterator[Row]:
    """The rows of all sessions, one session after the other, each in its order; broken ones are counted and left out.

    Raises:
        ConfigError: the file cannot be read, or its first line is no session.
    """
    with reading(path, tally) as file:
        yield from counted(_rows(file, path, price_minor), tally)


def _rows(file: IO[str], path: Path, price_minor: PriceMinor) -> Iterator[Row | str]:
    number = 0
    for line in file:
        session, events = _session(line)
        if session is None:
            if number == 0:
                raise ConfigError(f"{path}: no OTTO log: its first line is no session with events")
            yield "session"
            continue
        for event in events:
            number += 1
            yield _row(number, session, event, price_minor)


def _session(line: str) -> tuple[str | None, list[Any]]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None, []
    if not isinstance(fields, dict) or not isinstance(fields.get("events"), list) or "session" not in fields:
        return None, []
    return str(fields["session"]), fields["events"]


def _row(number: int, session: str, event: Any, price_minor: PriceMinor) -> Row | str:
    """The row, or why it is broken."""
    if not isinstance(event, dict):
        return "event"
    article, at_ms, kind = event.get("aid"), event.get("ts"), event.get("type")
    if not isinstance(article, int):
        return "aid"
    if not isinstance(at_ms, int) or at_ms < 0:
        return "ts"
    if kind not in TYPES:
        return "type"
    return Row(
        number=number,
        at_ms=at_ms,
        type=TYPES[kind],
        product_id=str(article),
        category_id="",
        category_code="",
        brand="",
        price_minor=price_minor(str(article)),
        user_id=f"otto-{session}",
        session=session,
    )
