"""How a text begins, as a shopper reads it: no two cards beside each other should begin alike."""

import re

#: Units: a Chinese character, or a word (a number too).
_UNIT = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+(?:['\u2019.,-][^\W_\u3400-\u4dbf\u4e00-\u9fff]+)*"
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")

#: Four characters or three words make an opening, or a mixture of both that is as long.
_CHARACTER, _WORD, _LONG = 3, 4, 12


def opening(text: str) -> str:
    """The first three words of a rendered text, or its first four Chinese characters: lower case, without signs.

    Empty for a text without words; that one begins like no other.
    """
    units: list[str] = []
    length = 0
    for match in _UNIT.finditer(text):
        units.append(match[0].lower())
        length += _CHARACTER if _HAN.match(match[0]) else _WORD
        if length >= _LONG:
            break
    return " ".join(units)
