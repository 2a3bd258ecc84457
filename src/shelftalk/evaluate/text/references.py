"""Test sets of people's own copy, made of catalogues that are here to measure by: never learned from, never committed."""

import json
import re
from pathlib import Path
from typing import Any

from shelftalk.core.kinds import end_of

#: Attributes that say something to a shopper; of the others, sizes and standards, a card says nothing.
_TELLING = re.compile("材质|面料|填充|工艺|风格|功能|款式|口味|成分|成份")
_ALL_OF_IT = re.compile(r"^100% ?(?:全)?")
_PLAIN = re.compile(r"[\u4e00-\u9fff]{2,8}")


def litemall(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``{"attributes": ..., "reference": ...}`` from the set litemall-zh: a shop's slogans for its products.

    The kind is the end of the name that `core.kinds` knows; products without one, or without a slogan, are left out.
    """

    def table(name: str) -> list[dict[str, Any]]:
        loaded: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_bytes())
        return loaded

    attributes: dict[str, dict[str, str]] = {}
    for row in table("goods_attribute"):
        value = _ALL_OF_IT.sub("纯", row["value"].strip())
        if _TELLING.search(row["attribute"]) and _PLAIN.fullmatch(value):
            attributes.setdefault(row["goods_id"], {})[row["attribute"]] = value
    rows = []
    for goods in table("goods"):
        name, slogan = goods["name"].strip(), goods["brief"].strip()
        end = end_of(name)
        kind = end if len(end) > 1 else name[-3:]  # a quilt is a "蚕丝被", not a "被"
        if end and slogan:
            facts = {
                "name": name,
                "kind": kind,
                "price": f"¥{goods['retail_price']}",
                **attributes.get(goods["id"], {}),
            }
            rows.append({"attributes": facts, "reference": slogan})
    return rows
