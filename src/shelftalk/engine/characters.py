"""Which characters a generated text may not have, and which beginnings of UTF-8 could become one."""

import unicodedata
from functools import cache

#: Digits and other numbers of every script, currency signs, control, format, private and unassigned characters.
_CATEGORIES = frozenset({"Nd", "Nl", "No", "Sc", "Cc", "Cf", "Co", "Cs", "Cn"})

#: Percent and permille signs of every script; braces, which only a slot may write; the replacement character.
_SIGNS = frozenset("%٪؉؊‰‱﹪％{}﹛﹜｛｝\ufffd")  # noqa: RUF001

#: The lowest lead bytes of UTF-8 sequences of 3 and of 4 bytes. Leads above the second are for planes without letters.
_LEAD_OF_3, _LEAD_OF_4 = 0xE0, 0xF0


@cache
def forbidden(char: str) -> bool:
    """Whether a text may not have this character.

    A character that only looks new counts as what it stands for: U+33E0 (ideographic telegraph symbol for day one)
    is a symbol to Unicode, but its compatibility form begins with a digit.
    """
    return any(
        part in _SIGNS or unicodedata.category(part) in _CATEGORIES
        for part in {char, *unicodedata.normalize("NFKC", char)}
    )


@cache
def risky(fragment: bytes) -> bool:
    """Whether an unfinished UTF-8 sequence can still become a forbidden character.

    Byte-level tokenizers cut rare characters into fragments. A fragment from which only allowed characters can grow
    (most Chinese characters: leads E4 to E9) is let through; the others are banned, which is the simplest sound rule:
    a forbidden character then exists only whole inside one token, where it is seen. Nothing common is lost, because
    such tokenizers have tokens of their own for frequent signs as the full-width comma.
    """
    lead = fragment[0]
    if lead > _LEAD_OF_4:
        return True
    size = 2 + (lead >= _LEAD_OF_3) + (lead >= _LEAD_OF_4)
    missing = size - len(fragment)
    first = _first_code_point(fragment, size)
    return any(_forbidden_code_point(first + offset, fragment) for offset in range(1 << 6 * missing))


def _first_code_point(fragment: bytes, size: int) -> int:
    """The lowest code point whose encoding would begin with these bytes."""
    code = fragment[0] & (0x7F >> size)
    for byte in fragment[1:]:
        code = code << 6 | byte & 0x3F
    return code << 6 * (size - len(fragment))


def _forbidden_code_point(code: int, fragment: bytes) -> bool:
    try:
        begins = chr(code).encode().startswith(fragment)
    except UnicodeEncodeError:  # a surrogate: UTF-8 has no encoding for it
        return False
    # Overlong encodings begin with bytes that no valid character has. Unassigned characters state no fact; were they
    # counted here, the gaps at the end of the Chinese block would ban its leads. They are still forbidden when whole.
    return begins and unicodedata.category(chr(code)) != "Cn" and forbidden(chr(code))
