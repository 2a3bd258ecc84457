"""A log told in the words of another catalogue: the log says what shoppers did and paid, the catalogue what it was about."""

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b

from shelftalk.demo.catalogue import Product
from shelftalk.events.log_events import Facts, Row
from shelftalk.events.rees46_names import kind_of

#: Among the products of the closest kind, one of this many whose price is nearest.
NEAREST = 8


def facts_of(product: Product) -> Facts:
    """What is said about a product of the catalogue."""
    return Facts(
        name=product.name,
        category=product.category,
        brand=product.brand,
        kind=product.kind,
        points=product.points,
        description=product.description,
        consumable=product.consumable,
    )


class Mapping:
    """Gives each product of a log the facts of a product of the catalogue.

    The same row always maps the same way: by words shared between the category codes, then by price, then by a hash of the product
    id. The log's product keeps its own id and price, so two of the log may carry the same name, as two offers of one thing do.

    Args:
        products: the catalogue.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self._everything = sorted(products, key=lambda product: (product.price_minor, product.sku))
        self._words: dict[tuple[str, str], frozenset[str]] = {}
        self._groups: dict[tuple[str, str], list[Product]] = {}
        for product in self._everything:
            key = (product.category, product.kind or "")
            self._groups.setdefault(key, []).append(product)
            self._words[key] = _words(f"{product.category} {product.kind or ''}")
        self._choices: dict[str, list[Product]] = {}

    def __call__(self, row: Row) -> Facts:
        """The facts of the product that a row is about."""
        return facts_of(self.product(row))

    def product(self, row: Row) -> Product:
        """The catalogue's product for a row."""
        among = self._choices.get(row.category_code)
        if among is None:
            among = self._choices[row.category_code] = self._closest(row.category_code)
        at = bisect_left(among, row.price_minor or 0, key=lambda product: product.price_minor)
        first = max(0, min(at - NEAREST // 2, len(among) - NEAREST))
        near = among[first : first + NEAREST]
        return near[int.from_bytes(blake2b(row.product_id.encode(), digest_size=4).digest()) % len(near)]

    def _closest(self, category_code: str) -> list[Product]:
        """The products of the kinds whose words are closest to a category code, by price; all of them if none is close."""
        wanted = _words(f"{category_code} {kind_of(category_code) or ''}")
        noun = _words(f"{category_code.rsplit('.', 1)[-1]} {kind_of(category_code) or ''}")
        scores = {
            key: sum(3 if word in noun else 1 for word in words & wanted) / math.sqrt(len(words) or 1)
            for key, words in self._words.items()
        }
        best = max(scores.values(), default=0.0)
        if best <= 0:
            return self._everything
        close = [product for key, group in self._groups.items() if scores[key] == best for product in group]
        return sorted(close, key=lambda product: (product.price_minor, product.sku))


def _words(text: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z]{2,}", text.lower()))
