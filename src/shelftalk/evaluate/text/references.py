"""Test sets of people's own copy, made of catalogues that are here to measure by: never learned from, never committed."""

import json
import re
from pathlib import Path
from typing import Any

from shelftalk.core.kinds import end_of

#: A clause of a slogan that may be said again as a selling point.
_CLAUSE = re.compile(r"[\u4e00-\u9fff]{2,10}")
_STOPS = re.compile(r"[，。、；！ ]+")  # noqa: RUF001 - typographic signs are meant


def litemall(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``{"attributes": ..., "reference": ...}`` from the set litemall-zh: a shop's slogans for its products.

    Its attributes are sizes and standards; what its slogans claim stands nowhere else. So their clauses are the selling points, and
    both sides know the same. The kind is the end of the name that `core.kinds` knows; products without one, or whose slogan says
    fewer than two things, are left out.
    """
    loaded: list[dict[str, Any]] = json.loads((folder / "goods.json").read_bytes())
    rows = []
    for goods in loaded:
        name, slogan = goods["name"].strip(), goods["brief"].strip()
        end = end_of(name)
        kind = end if len(end) > 1 else name[-3:]  # a quilt is a "蚕丝被", not a "被"
        clauses = [clause for clause in _STOPS.split(slogan) if clause]
        if end and len(clauses) > 1 and all(map(_CLAUSE.fullmatch, clauses)):
            points = {f"point {number}": clause for number, clause in enumerate(clauses, start=1)}
            facts = {"name": name, "kind": kind, "price": f"¥{goods['retail_price']}", **points}
            rows.append({"attributes": facts, "reference": slogan})
    return rows
