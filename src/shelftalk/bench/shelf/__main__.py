"""What a shelf costs: time per event as cards, products and profiles grow, memory per product and shopper, a render and a text.

Everything runs in one process on the rules of production (`shelftalk.evaluate.small_world`), without Kafka. Each figure is the
median of a few rounds; time is the process's own CPU time, which a busy machine hardly moves. The texts are the real models'.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from shelftalk.bench.shelf.growth import cards, copies, products, shoppers
from shelftalk.bench.shelf.texts import texts

Found = TypeVar("Found")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table as it goes, and one JSON object at the end."""
    parser = argparse.ArgumentParser(prog="python -m shelftalk.bench.shelf", description=__doc__)
    parser.add_argument("--cards", type=int, default=100_000, help="live cards of one product at most (%(default)s)")
    parser.add_argument("--products", type=int, default=100_000, help="products at most (%(default)s)")
    parser.add_argument(
        "--big", action="store_true", help="1,000,000 products: some ten minutes more, and 3 GB of memory"
    )
    parser.add_argument("--memory-rows", type=int, default=20_000, help="of the store on disk (%(default)s)")
    parser.add_argument("--shoppers", type=int, default=10_000, help="shoppers with full profiles (%(default)s)")
    parser.add_argument(
        "--texts",
        type=int,
        default=96,
        help="products to have words written for; 0 leaves the models out (%(default)s)",
    )
    parser.add_argument("--views", type=int, default=100, help="views before the one that is measured (%(default)s)")
    given = parser.parse_args(arguments)
    most = 1_000_000 if given.big else given.products
    found: dict[str, Any] = {
        "inventory_by_cards": cards(given.cards),
        "inventory_by_products": _alone(products, most, None),
        "inventory_by_products_on_disk": _alone(products, most, given.memory_rows),
        **_alone(copies, min(most, 20_000)),
        **_alone(shoppers, given.shoppers, given.views),
    }
    if given.texts:
        row = found["inventory_by_cards"][-1]
        found |= texts(given.texts, row["us_per_card"], row["us_per_card_fence"])
    print(json.dumps(found))
    return 0


def _alone(measure: Callable[..., Found], *given: object) -> Found:
    """In a process of its own: memory that another measurement has given back is not counted as free."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *given).result()


if __name__ == "__main__":
    sys.exit(main())
