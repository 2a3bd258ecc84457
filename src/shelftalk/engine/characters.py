"""Which characters a generated text may not have, and which beginnings of UTF-8 could become one."""

import enum
import re
import unicodedata
from functools import cache

#: Digits and other numbers of every script, currency signs, control, format, private and unassigned characters.
_CATEGORIES = frozenset({"Nd", "Nl", "No", "Sc", "Cc", "Cf", "Co", "Cs", "Cn"})

#: Percent and permille signs of every script; braces, which only a slot may write; the replacement character.
_SIGNS = frozenset("%٪؉؊‰‱﹪％{}﹛﹜｛｝\ufffd")  # noqa: RUF001

#: The lowest lead bytes of UTF-8 sequences of 3 and of 4 bytes. Leads above the second are for planes without letters.
_LEAD_OF_3, _LEAD_OF_4 = 0xE0, 0xF0


class Script(enum.StrEnum):
    """What a text is written in. A small bilingual model slips into its other language now and then."""

    LATIN = "latin"
    HAN = "han"


#: Letters and signs of the other script: Chinese characters, kana and full-width signs; Latin letters, full-width ones too.
_FOREIGN = {
    Script.LATIN: re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"),
    Script.HAN: re.compile(r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\uff21-\uff3a\uff41-\uff5a]"),
}


def foreign(text: str, script: Script | None) -> bool:
    """Whether a text has something of another script; nothing is foreign where none is said."""
    return script is not None and _FOREIGN[script].search(text) is not None


@cache
def only_foreign(fragment: bytes, script: Script | None) -> bool:
    """Whether an unfinished UTF-8 sequence can become nothing but characters of another script."""
    if script is None:
        return False
    size = 2 + (fragment[0] >= _LEAD_OF_3) + (fragment[0] >= _LEAD_OF_4)
    missing = size - len(fragment)
    if missing > 2:  # noqa: PLR2004 - four bytes: no letter of everyday's is among them
        return True
    first = _first_code_point(fragment, size)
    return all(foreign(chr(first + offset), script) for offset in range(1 << 6 * missing))


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
