"""A shopper's page as it was: whether two cards on it ever began alike."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

Record = Mapping[str, Any]

#: Words, and Chinese characters one by one.
_WORDS = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def begins(text: str) -> str:
    """The first three words of a text, in Chinese the first four characters; numbers are all alike."""
    words = _WORDS.findall(_NUMBER.sub("0", text.lower()))
    return " ".join(words[:4] if words and "\u4e00" <= words[0] <= "\u9fff" else words[:3])


def alike(published: Iterable[Record]) -> Iterator[tuple[Record, str]]:
    """Cards that came onto a page where another visible card begins with the same words, each with what they say.

    A page is looked at when a millisecond is over: its placements lie in several partitions, and within a millisecond nobody
    can tell which came first.

    Args:
        published: records of the cards topic, those of a placement in order; those without a shopper are passed over.
    """
    pages: dict[str, dict[str, Record]] = defaultdict(dict)
    ordered = sorted(
        (record for record in published if _is_shoppers(record)), key=lambda record: record["timestamp_ms"]
    )
    for at_ms, moment in groupby(ordered, key=lambda record: record["timestamp_ms"]):
        came = list(moment)
        for record in came:
            _turn(pages[str(record["key"]).partition("|")[0]], record)
        for record in came:
            shopper, _, placement = str(record["key"]).partition("|")
            page = pages[shopper]
            if page.get(placement) is not record or not _visible(record, at_ms):
                continue
            text = record["value"]["text"]
            for place, other in page.items():
                if place != placement and _visible(other, at_ms) and begins(other["value"]["text"]) == begins(text):
                    yield record, f"{text!r} beside {other['value']['text']!r}"


def _is_shoppers(record: Record) -> bool:
    card = record["value"]
    return "|" in str(record["key"]) and (not isinstance(card, dict) or card.get("shopper_id") is not None)


def _turn(page: dict[str, Record], record: Record) -> None:
    """A consumer takes a card unless it has a newer one; a tombstone takes the card away."""
    placement, card = str(record["key"]).partition("|")[2], record["value"]
    shown = page.get(placement)
    if not isinstance(card, dict):
        page.pop(placement, None)
    elif shown is None or shown["value"]["revision"] <= card["revision"]:
        page[placement] = record


def _visible(record: Record, at_ms: int) -> bool:
    return bool(record["value"]["status"] == "live" and record["value"]["valid_until_ms"] > at_ms)
