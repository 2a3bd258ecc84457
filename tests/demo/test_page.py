"""The page's auditor sees two cards that begin alike, and nothing else."""

from typing import Any

import pytest

from shelftalk.demo.page import Record, alike, begins


def shown(placement: str, text: str, revision: int = 1, **changes: Any) -> Record:
    card = {"shopper_id": "s", "revision": revision, "status": "live", "valid_until_ms": 100, "text": text}
    return {"key": f"s|{placement}", "timestamp_ms": 10 + revision, "value": card | changes}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Worth a look: the Kettle.", "worth a look"),
        ("货架上的Kettle，£4.00。", "货 架 上 的"),
        ("Kettle.", "kettle"),
        ("Kettle. US$1,102.96.", "kettle us 0"),
        ("", ""),
    ],
)
def test_openings(text: str, expected: str) -> None:
    assert begins(text) == expected


def test_two_that_begin_alike_are_found() -> None:
    page = [shown("next_1", "Worth a look: the Kettle."), shown("next_2", "Worth a look, perhaps: the Mug.", 2)]
    assert [record["key"] for record, _ in alike(page)] == ["s|next_2"]


@pytest.mark.parametrize(
    "before",
    [
        [shown("next_2", "Worth a look: the Kettle.")],  # replaced by itself
        [shown("next_1", "Worth a look: the Kettle.", valid_until_ms=9)],  # expired
        [shown("next_1", "Worth a look: the Kettle."), shown("next_1", "", 2, status="withdrawn")],
        [shown("next_1", "Worth a look: the Kettle."), {"key": "s|next_1", "timestamp_ms": 11, "value": None}],
        [shown("next_1", "Another Mug.", 2), shown("next_1", "Worth a look: the Kettle.")],  # overtaken
        [shown("next_1", "Worth a look: the Kettle.", shopper_id=None)],  # copy for everybody
        [shown("next_1", "Worth a glance: the Kettle.")],
    ],
)
def test_what_is_not_on_the_page_does_not_count(before: list[Record]) -> None:
    assert not list(alike([*before, shown("next_2", "Worth a look: the Mug.", 3)]))
