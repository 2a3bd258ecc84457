"""The simulated shop: what is listed, at which price, and how many are left."""

import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from itertools import accumulate

from shelftalk.demo.catalogue import Product
from shelftalk.demo.dice import Dice

#: Exponent of the popularity of products where the catalogue gives none; shops see about 1 (Zipf's law).
ZIPF_EXPONENT = 1.0

#: Companions of a product whose catalogue names none.
COMPANIONS = 4


class Item:
    """A product as the shop has it at this moment.

    Attributes:
        usual_minor: the price outside of sales.
        busy: a process is moving its price or stock; others keep their hands off.
    """

    def __init__(self, product: Product, weight: float, companions: tuple[str, ...]) -> None:
        self.product = product
        self.weight = weight
        self.companions = companions
        self.usual_minor = product.price_minor
        self.price_minor = product.price_minor
        self.stock = product.stock
        self.listed = False
        self.busy = False

    @property
    def sku(self) -> str:
        """Its stock-keeping unit."""
        return self.product.sku


class Store:
    """All items, with the lookups that a crowd needs.

    Attributes:
        on_sold: told of each item and quantity that was bought; whoever runs the store takes it from there.
    """

    def __init__(self, products: Sequence[Product], searches: dict[str, list[str]], dice: Dice) -> None:
        weights = _weights(products, dice)
        self.on_sold: Callable[[Item, int], None] | None = None
        self.categories: dict[str, list[Item]] = {}
        self.items: dict[str, Item] = {}
        known = {product.sku for product in products}
        by_category: dict[str, list[str]] = {}
        for product in products:
            by_category.setdefault(product.category, []).append(product.sku)
        for product, weight in zip(products, weights, strict=True):
            companions = tuple(sku for sku in product.goes_with if sku in known and sku != product.sku)
            if not companions:
                others = [sku for sku in by_category[product.category] if sku != product.sku]
                companions = tuple(dice.sample(others, min(COMPANIONS, len(others))))
            item = Item(product, weight, companions)
            self.items[product.sku] = item
            self.categories.setdefault(product.category, []).append(item)
        self._searches = searches
        self._words = {item.sku: _words_of(item.product) for item in self.items.values()}

    def branch(self, locale: str) -> "Store":
        """What somebody who reads this language is shown around: the whole store, unless it has goods in that language."""
        language = locale.partition("-")[0]
        if all(item.product.language != language for item in self.items.values()):
            items = {sku: item for sku, item in self.items.items() if not item.product.language}
        else:
            items = {sku: item for sku, item in self.items.items() if item.product.language == language}
        part = copy(self)
        part.items = items or self.items
        part.categories = {}
        for item in part.items.values():
            part.categories.setdefault(item.product.category, []).append(item)
        return part

    def sold(self, item: Item, quantity: int) -> None:
        """Something was bought."""
        if self.on_sold is not None:
            self.on_sold(item, quantity)

    def listed(self, items: Iterable[Item] | None = None) -> list[Item]:
        """Those of the items that are on sale in the shop, sold out or not."""
        return [item for item in (self.items.values() if items is None else items) if item.listed]

    def pick(self, dice: Dice, items: Iterable[Item] | None = None) -> Item | None:
        """A listed item, popular ones more often."""
        among = self.listed(items)
        if not among:
            return None
        return dice.choices(among, cum_weights=list(accumulate(item.weight for item in among)))[0]

    def category(self, dice: Dice) -> str:
        """A category, by the popularity of what it holds."""
        names = list(self.categories)
        return dice.choices(names, [sum(item.weight for item in self.categories[name]) for name in names])[0]

    def query(self, dice: Dice, category: str) -> str:
        """Something that a shopper would type to find things of a category."""
        known = self._searches.get(category)
        if known:
            return dice.choice(known)
        item = dice.choice(self.categories[category])
        return item.product.kind or item.product.name.lower()

    def search(self, query: str, category: str, count: int) -> list[Item]:
        """What the shop's own search would list: the items that share most words with the query, popular ones first."""
        wanted = _words(query)
        listed = self.listed(self.categories[category])
        scored = sorted(listed, key=lambda item: (-len(wanted & self._words[item.sku]), -item.weight, item.sku))
        return scored[:count]


def _weights(products: Sequence[Product], dice: Dice) -> list[float]:
    if any(product.popularity > 0 for product in products):
        return [max(product.popularity, 0.01) for product in products]
    ranks = list(range(1, len(products) + 1))
    dice.shuffle(ranks)
    return [rank**-ZIPF_EXPONENT for rank in ranks]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in re.findall(r"[\w']+", text.lower()))


def _words_of(product: Product) -> frozenset[str]:
    return _words(" ".join((product.name, product.kind or "", *product.points)))
