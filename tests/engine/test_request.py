from typing import Any

import pytest

from shelftalk.engine import Priority, Request


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "key": "k",
        "prompt": "words",
        "slots": ("price",),
        "max_new_tokens": 8,
        "priority": Priority.SHOPPER,
        "deadline_s": None,
    }
    return Request(**fields | changes)


def test_a_plain_request_is_accepted() -> None:
    assert request().temperature == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""},
        {"slots": ("{price}",)},
        {"slots": ("Price",)},
        {"slots": ("",)},
        {"max_new_tokens": 0},
        {"deadline_s": float("nan")},
        {"seed": -1},
        {"temperature": -0.1},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"repetition_penalty": 0.0},
    ],
    ids=str,
)
def test_a_field_out_of_range_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        request(**changes)


def test_a_shopper_comes_before_a_refresh_before_a_warm_up() -> None:
    assert Priority.SHOPPER < Priority.REFRESH < Priority.WARM_UP
