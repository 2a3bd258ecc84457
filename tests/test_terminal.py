"""What a terminal is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.terminal import safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kettle £12.50", "Kettle £12.50"),
        ("12,50\u00a0€ 茶壶 Çay", "12,50\u00a0€ 茶壶 Çay"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\x9b31m", "\\x9b31m"),
        ("\udce9", "\\udce9"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_is_seen_stays_and_the_rest_is_spelled_out(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert all(char.isprintable() or char.isspace() for char in safe(text))
    assert not set(safe(text)) & set("\x1b\x07\x08\n\r\t\x9b\u202e\u2066\u200b")
