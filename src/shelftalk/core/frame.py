"""A frame: a text with word slots, as a row of words, signs and slots. What counts frames and sorts them looks at those."""

import re

_POINT = re.compile(r"\{[pw]\d\}")
_ENGLISH = re.compile(r"\{[a-z_]+\}|[a-z']+(?:-[a-z']+)*|[^\sa-z]")
_CHINESE = re.compile(r"\{[a-z_]+\}|\S")

START, END = "<", ">"


def tokens(frame: str, language: str) -> list[str]:
    """The tokens of a text with word slots, between marks of its beginning (two) and end; every point is ``{w}``."""
    pattern = _CHINESE if language == "zh" else _ENGLISH
    return [START, START, *pattern.findall(_POINT.sub("{w}", frame.lower())), END]
