"""Whom a log line is about: shoppers' ids are replaced by pseudonyms before anything is written.

Our own lines name no shopper. What can is the text of an error, which may quote what could not be handled. Two nets catch it: the
ids of the record that is being handled, and anything of the form of an audience's key (``shopper|placement``).
"""

import json
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.stream.record import Record

_ids: ContextVar[frozenset[str]] = ContextVar("ids", default=frozenset())

_SHOPPER = re.compile(rb'"shopper_id"\s*:\s*("(?:[^"\\]|\\.){1,1000}")')

#: The schemas keep ``|`` and blanks out of ids.
_AUDIENCE = re.compile(r"[^\s'\"|()\[\]{}=,]+(?=\|[A-Za-z])")

#: Shorter ids are not looked for in free text: "7" stands in every line. They are still caught in an audience's key.
_SHORTEST = 3


@contextmanager
def speaking_of(record: Record) -> Iterator[None]:
    """Lines logged meanwhile may quote this record."""
    token = _ids.set(_ids.get() | shoppers_in(record))
    try:
        yield
    finally:
        _ids.reset(token)


def shoppers_in(record: Record) -> frozenset[str]:
    """The shoppers whom a record names; it need not be whole."""
    found = set()
    for quoted in _SHOPPER.findall(record.value or b""):
        try:
            found.add(json.loads(quoted))
        except ValueError:  # no JSON string, bad UTF-8
            found.add(quoted[1:-1].decode(errors="replace"))
    return frozenset(found)


class Scrubber:
    """A processor of structlog: the last but the renderer, when tracebacks are text already."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Every text of the line without shoppers' ids."""
        ids = sorted((each for each in _ids.get() if len(each) >= _SHORTEST), key=len, reverse=True)
        for name, value in line.items():
            if isinstance(value, str):
                line[name] = self._scrubbed(value, ids)
        return line

    def _scrubbed(self, text: str, ids: list[str]) -> str:
        if "|" in text:  # first, or it would take a pseudonym for an id
            text = _AUDIENCE.sub(lambda match: self._pseudonyms.of(match[0]), text)
        for each in ids:
            if each in text:
                text = text.replace(each, self._pseudonyms.of(each))
        return text
