"""What begins alike to a reader has the same opening."""

import pytest

from shelftalk.core.opening import opening


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Worth a look: the Kettle.", "worth a look"),
        ("Don't rush, it's early.", "don't rush it's"),
        ("货架上的Kettle，£4.00。", "货 架 上 的"),
        ("Kettle 很暖。", "kettle 很 暖"),
        ("Kettle.", "kettle"),
        ("…", ""),
        ("", ""),
    ],
)
def test_three_words_or_four_characters(text: str, expected: str) -> None:
    assert opening(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Montale, US$102.93.", "Montale. US$1,102.96."),
        ("5 left on the shelf.", "12 left on the shelf."),
        ("现价¥48，杯子。", "现价¥1,048.50，杯子。"),
    ],
)
def test_numbers_tell_nobody_apart(one: str, other: str) -> None:
    assert opening(one) == opening(other) != opening("Worth a look.")
