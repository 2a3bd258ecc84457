"""The shop's products: the demo store that ships with us, or a catalogue that somebody brings.

A brought catalogue is YAML, JSON or CSV. Columns go by their usual names; what a catalogue does not say is left out, because a
selling point is a claim, and a claim that nobody made must not reach a card.
"""

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import orjson
from babel.numbers import get_currency_precision

from shelftalk.core.facts import plain_kind
from shelftalk.errors import ConfigError
from shelftalk.events.types import ProductUpserted


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One product of the catalogue.

    Attributes:
        goes_with: SKUs that are bought together with it, best first.
        popularity: how often it is looked at, relative to the most popular one.
        language: of its name and points; those who read another are not shown around it in the demo. Empty where nobody said.
    """

    sku: str
    name: str
    category: str
    price_minor: int
    currency: str
    stock: int
    brand: str | None = None
    kind: str | None = None
    points: tuple[str, ...] = ()
    description: str | None = None
    consumable: bool = False
    goes_with: tuple[str, ...] = ()
    popularity: float = 0.0
    language: str = ""

    def upserted(
        self,
        event_id: str,
        at_ms: int,
        *,
        price_minor: int | None = None,
        stock: int | None = None,
        released_at_ms: int | None = None,
    ) -> ProductUpserted:
        """The event that makes it known, with the price and the stock of the moment."""
        return ProductUpserted(
            event_id=event_id,
            occurred_at_ms=at_ms,
            sku=self.sku,
            name=self.name,
            category=self.category,
            price_minor=self.price_minor if price_minor is None else price_minor,
            currency=self.currency,
            stock=self.stock if stock is None else stock,
            brand=self.brand,
            kind=self.kind,
            points=self.points,
            description=self.description,
            consumable=self.consumable,
            released_at_ms=released_at_ms,
        )


class Catalogue(msgspec.Struct, frozen=True):
    """Products, and how many entries of the file were none."""

    products: tuple[Product, ...]
    skipped: int = 0


def load_demo_store(language: str = "en") -> Catalogue:
    """The demo store, or its Chinese branch (``"zh"``)."""
    name = "catalogue.jsonl" if language == "en" else f"catalogue.{language}.jsonl"
    raw = (resources.files("shelftalk.demo") / name).read_bytes()
    products = tuple(msgspec.json.decode(line, type=Product) for line in raw.splitlines() if line.strip())
    return Catalogue(products)


def load_searches() -> dict[str, list[str]]:
    """What shoppers of the demo store search for, by category."""
    raw = (resources.files("shelftalk.demo") / "searches.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, list[str]])


def load_catalogue(path: Path, currency: str = "USD") -> Catalogue:
    """Load a catalogue that somebody brings.

    Args:
        path: ``.yaml``, ``.yml``, ``.json``, ``.jsonl``, ``.ndjson`` or ``.csv``.
        currency: of prices that do not say theirs.

    Raises:
        ConfigError: the file cannot be read, or there is no product in it.
    """
    try:
        entries = _entries(path)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    products: dict[str, Product] = {}
    seen = 0
    for entry in entries:
        seen += 1
        product = _product(entry, currency)
        if product is not None and product.sku not in products:
            products[product.sku] = product
    if not products:
        raise ConfigError(f"{path}: no product in {seen} entries; each needs an id or sku, a name, and a price above 0")
    return Catalogue(_with_nouns(list(products.values())), seen - len(products))


def _with_nouns(products: Sequence[Product]) -> tuple[Product, ...]:
    """Products that say no kind get what their name ends with, unless it ends so once only and the category knows better.

    "J'adore" is no noun, of "fragrances" it is one.
    """
    guesses = [_kind(product.name) for product in products]
    times = Counter(guesses)

    def with_noun(product: Product, guess: str | None) -> Product:
        known = times[guess] > 1 or (guess or "").rstrip("s") in product.category.lower()
        if product.kind is not None or guess is None or (not known and plain_kind(None, product.category)):
            return product
        return msgspec.structs.replace(product, kind=guess)

    return tuple(map(with_noun, products, guesses))


def _entries(path: Path) -> Iterable[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig", errors="replace"), newline=""))
    if suffix in {".jsonl", ".ndjson"}:
        loaded: Any = [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    elif suffix == ".json":
        loaded = orjson.loads(path.read_bytes())
    elif suffix in {".yaml", ".yml"}:
        loaded = msgspec.yaml.decode(path.read_bytes())
    else:
        raise ValueError(f"a catalogue is .yaml, .json, .jsonl or .csv, not {suffix or 'a file without an ending'}")
    if isinstance(loaded, dict):  # {"products": [...]}, or products by id
        lists = [value for value in loaded.values() if isinstance(value, list)]
        loaded = max(lists, key=len) if lists else list(loaded.values())
    return [entry for entry in loaded if isinstance(entry, dict)] if isinstance(loaded, list) else []


#: Column names in the wild, best first; compared in lower case without spaces, hyphens and underscores.
_COLUMNS = {
    "sku": ("sku", "id", "productid", "uniqid", "pid", "asin"),
    "name": ("name", "title", "productname"),
    "category": ("category", "categoryname", "productcategory", "categories", "type", "subcategory1"),
    "kind": ("kind",),
    "brand": ("brand", "brandname", "manufacturer", "vendor"),
    "price": ("price", "unitprice", "listprice", "discountedprice", "retailprice"),
    "currency": ("currency", "pricecurrency"),
    "stock": ("stock", "currentstock", "qty", "quantity", "numberavailableinstock"),
    "points": ("points", "features", "highlights", "bulletpoints", "keyfeatures"),
    "description": ("description", "shortdescription", "body"),
}

#: A catalogue without stock says nothing about scarcity; this many is far from any threshold at which a card would.
ASSUMED_STOCK = 50


def _product(entry: Mapping[str, Any], currency: str) -> Product | None:
    """The product of an entry, or ``None`` where it lacks what a card needs."""
    fields = {_plain(key): value for key, value in entry.items() if isinstance(key, str)}
    found = {name: _first(fields, columns) for name, columns in _COLUMNS.items()}
    sku, name = _text(found["sku"]).replace("|", "-"), _text(found["name"])
    price, currency = _money(found["price"], _text(found["currency"]).upper() or currency)
    if not sku or not name or price is None:
        return None
    category = "/".join(part.strip() for part in re.split(r"[\n>]+", str(found["category"] or "")) if part.strip())
    stock = _text(found["stock"])
    return Product(
        sku=re.sub(r"\s+", "-", sku)[:128],
        name=name[:200],
        category=category[:200] or "everything",
        price_minor=price,
        currency=currency,
        stock=int(float(stock)) if re.fullmatch(r"\d{1,8}(\.\d*)?", stock) else ASSUMED_STOCK,
        brand=_text(found["brand"])[:80] or None,
        kind=_text(found["kind"])[:80] or None,
        points=_points(found["points"]),
        description=_text(found["description"])[:5000] or None,
    )


#: Nouns that say nothing without the word before them, and endings that are no nouns at all.
_VAGUE = frozenset({"set", "kit", "collection", "pack", "bundle", "box", "case", "duo", "pair"})
_NO_NOUNS = frozenset({"plus", "pro", "max", "mini", "everything", "soft", "new"})
#: What stands behind the noun: a size or colour of it ("Racer Tank-XS-Purple", "Citrus Squeezer Yellow").
_VARIANT = re.compile(
    r"(?:[\s-]+(?:xxs|xs|s|m|l|xl|xxl|\d{2}|black|white|gr[ae]y|red|blue|green|gold|silver|pink|yellow|purple|orange|brown|beige|navy|cream"
    r"|multicolou?r))+$"
)


def _kind(name: str) -> str | None:
    """The plain noun of a product whose catalogue does not say it: what English names end with.

    Read before the first comma, bracket or preposition, "Mauve Leather Daypack with Straps" is a daypack. Columns such as
    "style" are no help: theirs are "formal" and "christmas" as often as "backpack".
    """
    head = re.split(r"[,(|/]| - | with | for | in | of | by | and | & ", name, maxsplit=1)[0].strip().lower()
    head = _VARIANT.sub("", head)
    words = re.search(r"(?:([a-z]{3,}) )?([a-z]{3,})$", head)
    if words is None or words[2] in _NO_NOUNS or _VARIANT.fullmatch(f" {words[2]}"):
        return None
    return words[0] if words[2] in _VAGUE else words[2]


def _plain(column: str) -> str:
    return re.sub(r"[\s_\-]", "", column).lower()


def _first(fields: Mapping[str, Any], columns: Iterable[str]) -> Any:
    return next((fields[column] for column in columns if fields.get(column) not in (None, "", [])), None)


def _text(value: Any) -> str:
    """One line of text, without markup."""
    if value is None or isinstance(value, dict | list):
        return ""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", str(value))).split())


_SIGNS = {"£": "GBP", "€": "EUR", "$": "USD", "₹": "INR", "¥": "JPY"}


def _money(value: Any, currency: str) -> tuple[int | None, str]:
    """An amount in major units, such as ``129.99`` or ``"£1,299.00"``, in minor units, with its currency."""
    text = _text(value)
    sign = next((sign for sign in _SIGNS if sign in text), None)
    if sign is not None:
        currency = _SIGNS[sign]
        text = text.replace(sign, "").strip()
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None, currency
    if not amount.is_finite() or not re.fullmatch(r"[A-Z]{3}", currency):
        return None, currency
    minor = int(amount.scaleb(get_currency_precision(currency)).to_integral_value(rounding="ROUND_HALF_UP"))
    return (minor if 0 < minor <= 10**12 else None), currency


#: A phrase longer than this is a sentence.
_MAX_POINT = 60


def _points(value: Any) -> tuple[str, ...]:
    """Selling points, only from a field that lists them.

    Prose is not taken apart: half a sentence may claim what the whole did not.
    """
    parts = [_text(part) for part in value] if isinstance(value, list) else re.split(r"[;,\n|]", _text(value))
    phrases = (part.strip(" .") for part in parts)
    return tuple(dict.fromkeys(phrase for phrase in phrases if 0 < len(phrase) <= _MAX_POINT))[:8]
