"""Catalogues with their licences: what `shelftalk train corpus` may learn from.

A folder a set, each with a ``SOURCE.txt`` whose ``licence:`` line decides. Sets under share-alike terms, or under none that is
known to be permissive, are refused for training; they may only be measured on.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shelftalk.errors import ConfigError

_PERMISSIVE = re.compile(r"\b(?:MIT(?:-0)?|Apache-2\.0|AFL-3\.0|BSD|CC0|CC BY 4\.0)\b")
_SHARE_ALIKE = re.compile(r"share-?alike|\bBY-SA\b|\bGPL\b|\bODbL\b", re.IGNORECASE)


class Entry(NamedTuple):
    """A product as its catalogue has it.

    Attributes:
        source: the set's name.
        language: of the texts.
        kind: the plain noun where the catalogue gives one, such as a style or a sub-category.
        attributes: name and value.
        text: the description, markup and all.
        price: as written, such as ``"34.00"``.
        pairs: sentences that people wrote for just these attributes.
    """

    source: str
    language: str
    key: str
    name: str
    brand: str
    kind: str
    attributes: Mapping[str, str]
    text: str
    price: str = ""
    pairs: tuple[str, ...] = ()


def licence_of(folder: Path) -> str:
    """The licence line of a set.

    Raises:
        ConfigError: there is none.
    """
    try:
        lines = (folder / "SOURCE.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{folder} has no SOURCE.txt: say there where it comes from and `licence: ...`") from error
    line = next((line for line in lines if line.lower().startswith("licence:")), "")
    if not line:
        raise ConfigError(f"{folder}/SOURCE.txt has no line `licence: ...`")
    return line.partition(":")[2].strip()


def may_train_on(licence: str) -> bool:
    """Whether texts under this licence may go into a model that is given away."""
    return bool(_PERMISSIVE.search(licence)) and not _SHARE_ALIKE.search(licence)


def read_catalogue(folder: Path) -> Iterator[Entry]:
    """Every product of a set, by the reader for its name.

    Raises:
        ConfigError: no reader has this name, or a file is missing or broken.
    """
    reader = READERS.get(folder.name)
    if reader is None:
        raise ConfigError(f"no reader for {folder.name}; there are {', '.join(READERS)}")
    try:
        yield from reader(folder)
    except (OSError, KeyError, ValueError, msgspec.DecodeError) as error:
        raise ConfigError(f"{folder}: {error!r}") from error


def _aws(folder: Path) -> Iterator[Entry]:
    for product in msgspec.yaml.decode((folder / "products.yaml").read_bytes()):
        yield Entry(
            folder.name, "en", str(product["id"]), product["name"], "", str(product.get("style", "")), {},
            product["description"], str(product["price"]),
        )  # fmt: skip


def _dummyjson(folder: Path) -> Iterator[Entry]:
    products = json.loads((folder / "products.json").read_bytes())
    for product in products if isinstance(products, list) else products["products"]:
        kind = (product.get("tags") or [""])[-1]
        yield Entry(
            folder.name, "en", str(product["id"]), product["title"], product.get("brand") or "", kind, {},
            product["description"], str(product["price"]),
        )  # fmt: skip


def _eshop(folder: Path) -> Iterator[Entry]:
    for product in json.loads((folder / "catalog.json").read_bytes()):
        yield Entry(
            folder.name, "en", str(product["Id"]), product["Name"], product["Brand"], "", {},
            product["Description"], str(product["Price"]),
        )  # fmt: skip


#: Categories that name a shelf, not a thing.
_NO_KIND = re.compile(r"Collection|Recommend")


def _luma(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.glob("*products*.csv")):
        if "reviews" in path.name:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                name = re.sub(r"-(?:XS|S|M|L|XL|\d+)-[\w ]+$", "", row["name"])
                attributes = dict(
                    part.split("=", 1) for part in (row.get("additional_attributes") or "").split(",") if "=" in part
                )
                kept: dict[str, str] = {
                    key: attributes[key]
                    for key in ("material", "pattern", "climate", "style_general")
                    if key in attributes
                }
                categories = re.split(r"[\n,/]", row.get("categories") or row.get("category") or "")
                kind = next((part for part in reversed(categories) if part.strip() and not _NO_KIND.search(part)), "")
                yield Entry(
                    folder.name, "en", row["sku"], name, "", singular(kind), kept, row["description"], row["price"]
                )


def _adventureworks(folder: Path) -> Iterator[Entry]:
    def rows(name: str) -> list[list[str]]:
        raw = (folder / name).read_bytes()
        text = raw.decode("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", errors="replace")
        return [line.split("\t") for line in text.splitlines() if line]

    texts = {row[0]: row[1] for row in rows("ProductDescription.csv")}
    for _number, _model, text, culture, *_ in rows("ProductModelProductDescriptionCulture.csv"):
        if culture.strip() == "en" and text in texts:  # the Chinese ones are in traditional characters
            yield Entry(folder.name, "en", text, "", "", "", {}, texts[text])


def _litemall(folder: Path) -> Iterator[Entry]:
    def table(name: str) -> list[dict[str, Any]]:
        loaded: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_bytes())
        return loaded

    attributes: dict[str, dict[str, str]] = {}
    for row in table("goods_attribute"):
        attributes.setdefault(str(row["goods_id"]), {})[row["attribute"]] = row["value"]
    categories = {str(row["id"]): row["name"] for row in table("category")}
    for goods in table("goods"):
        # The slogans are a shop's own, and the set does not say that the shop agreed: only names and attributes are read.
        yield Entry(
            folder.name, "zh", str(goods["id"]), goods["name"], "", categories.get(str(goods["category_id"]), ""),
            attributes.get(str(goods["id"]), {}), "", str(goods["retail_price"]),
        )  # fmt: skip


_ACT = re.compile(r"^\w+\((.*)\)$")


def _rnnlg(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.glob("*-train.json")):
        for number, (act, text, _) in enumerate(json.loads(path.read_bytes())):
            inside = _ACT.match(act)
            facts = dict(part.split("=", 1) for part in inside[1].split(";") if "=" in part) if inside else {}
            facts = {key: value.strip("' ") for key, value in facts.items()}
            if not act.startswith(("recommend(", "inform(")) or "name" not in facts or "type" not in facts:
                continue
            name, kind, price = facts.pop("name"), facts.pop("type"), facts.pop("price", "")
            yield Entry(folder.name, "en", f"{path.stem}:{number}", name, "", kind, facts, "", price, (text,))


def singular(word: str) -> str:
    """A category ("Watches") as the kind of a thing in it ("watch")."""
    word = word.strip().lower().partition(" & ")[0]
    if word.endswith(("ss", "pants", "shorts", "tights")):
        return word
    return word.removesuffix("es") if word.endswith(("ches", "shes", "xes")) else word.removesuffix("s")


READERS: dict[str, Callable[[Path], Iterator[Entry]]] = {
    "aws-retail-demo-store": _aws,
    "dummyjson": _dummyjson,
    "dotnet-eshop": _eshop,
    "magento-luma": _luma,
    "adventureworks": _adventureworks,
    "litemall-zh": _litemall,
    "rnnlg-laptop-tv": _rnnlg,
}
