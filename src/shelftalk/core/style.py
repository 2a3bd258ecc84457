"""House style: turns of phrase that are no lie and no fault of grammar, and that no copywriter would let stand.

Each entry of ``style.json`` was named by judges who compared our texts with people's and did not know which was which
(`shelftalk evaluate blind`). People's own lines are not held to it: a model says in every third text what a person says once.
"""

import json
import re
from functools import cache
from importlib import resources

from shelftalk.core.brief import Brief


@cache
def _tics(language: str) -> re.Pattern[str] | None:
    lists: dict[str, list[str]] = json.loads(
        (resources.files("shelftalk.core") / "style.json").read_text(encoding="utf-8")
    )
    entries = lists.get(language)
    return re.compile("|".join(f"(?:{entry})" for entry in entries), re.IGNORECASE) if entries else None


def tics(brief: Brief, text: str) -> list[str]:
    """The turns of phrase of a text that are against house style."""
    pattern = _tics(brief.language)
    return [f"style: {match[0]}" for match in pattern.finditer(text)] if pattern else []
