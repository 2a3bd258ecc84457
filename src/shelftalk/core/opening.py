"""How a text begins, as a shopper reads it: no two cards beside each other should begin alike.

Numbers tell openings apart for nobody: "5 left on the shelf" beside "7 left on the shelf" is the same sentence twice.
"""

import re

#: Units: a Chinese character, or a word (a number too).
_UNIT = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+(?:['\u2019.,-][^\W_\u3400-\u4dbf\u4e00-\u9fff]+)*"
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")

#: Four characters or three words make an opening, or a mixture of both that is as long.
_CHARACTER, _WORD, _LONG = 3, 4, 12


def opening(text: str) -> str:
    """The first three words of a rendered text, or its first four Chinese characters: lower case, without signs, a number as 0.

    Empty for a text without words; that one begins like no other.
    """
    units: list[str] = []
    length = 0
    for match in _UNIT.finditer(text):
        units.append("0" if match[0][0].isdigit() else match[0].lower())
        length += _CHARACTER if _HAN.match(match[0]) else _WORD
        if length >= _LONG:
            break
    return " ".join(units)
