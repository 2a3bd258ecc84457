"""The crowd: a simulated shop in full swing, for ever, from one seed.

The seed decides everything but the moment it starts: who comes, what they do, what is bought, which prices move, and what
goes wrong.
"""

from collections.abc import Iterator, Sequence

from shelftalk.demo.catalogue import Product
from shelftalk.demo.dice import Dice
from shelftalk.demo.merchant import Merchant
from shelftalk.demo.plan import Planned
from shelftalk.demo.poison import Poisoner
from shelftalk.demo.shoppers import Shoppers
from shelftalk.demo.stage import Stage
from shelftalk.demo.store import Store

#: Of all events after the opening: what shoppers do, what the merchant does of its own accord (sales end and purchases lower the
#: stock beyond that), and what is broken.
BEHAVIOUR_SHARE, MERCHANT_SHARE, POISON_SHARE = 0.85, 0.09, 0.003

#: The catalogue goes out in about this time, and the doors open when the worker has had as long again to write about it.
OPENING_MS = 1_500
DOORS_MS = 3_000

#: A product takes no less than this, so that a large catalogue is no burst of thousands.
MIN_STEP_MS = 1.0


class Crowd:
    """Every record of the demo, in the order it is due. It never ends; whoever plays it stops.

    Args:
        products: the catalogue.
        searches: queries by category; without them shoppers search for kinds of things.
        seed: decides everything.
        rate_per_s: events a second after the opening, on average.
        start_ms: when the shop opens, UTC milliseconds.
        closed_ms: for how long after that its doors stay closed at least, so that the first words are written.

    Attributes:
        doors_ms: when they open, after the start.
    """

    def __init__(
        self,
        products: Sequence[Product],
        searches: dict[str, list[str]],
        seed: int,
        rate_per_s: float,
        start_ms: int,
        *,
        closed_ms: int = 0,
    ) -> None:
        self._stage = Stage(seed, start_ms)
        store = Store(products, searches, Dice(seed, "store"))
        merchant = Merchant(self._stage, store, Dice(seed, "merchant"), rate_per_s * MERCHANT_SHARE)
        shoppers = Shoppers(self._stage, store, Dice(seed, "shoppers"), rate_per_s * BEHAVIOUR_SHARE)
        poisoner = Poisoner(self._stage, store, Dice(seed, "poison"), rate_per_s * POISON_SHARE)
        step_ms = max(MIN_STEP_MS, OPENING_MS / len(products))
        self.doors_ms = doors_ms = max(DOORS_MS, closed_ms, step_ms * len(products) * DOORS_MS / OPENING_MS)
        merchant.open(step_ms)
        self._stage.start(shoppers.arrivals(), doors_ms)
        self._stage.start(merchant.business(), doors_ms)
        self._stage.start(poisoner.mischief(), doors_ms)

    def __iter__(self) -> Iterator[Planned]:
        return self._stage.play()
