"""What will be played: the demo store's crowd, a crowd in another catalogue, or a recorded log."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from shelftalk.demo.catalogue import Product, load_catalogue, load_demo_store, load_searches
from shelftalk.demo.crowd import Crowd
from shelftalk.demo.log import LEAD_MS, Log, Plan, plan_log
from shelftalk.demo.mapping import Mapping
from shelftalk.demo.plan import Planned
from shelftalk.events.rees46 import describe

#: Events a second where nothing is said: a busy small shop, and what two cores answer at ease.
DEFAULT_RATE_PER_S = 25.0
DEFAULT_S = 60.0

#: The doors stay closed for a third of the time, and no longer than this, while the first words are written.
MAX_CLOSED_S = 20.0


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants played.

    Attributes:
        rate_per_s: events a second of the crowd; of a log, rows a second at most.
        events: a recorded log instead of the crowd.
        speed: of the log; ``None`` fits it into the seconds.
        writing: whether a model writes, so that a crowd waits outside until the first words are there.
        rush: whether records wait until the worker has room for them.
    """

    seconds: float = DEFAULT_S
    rate_per_s: float | None = None
    seed: int = 1
    events: Path | None = None
    catalog: Path | None = None
    speed: float | None = None
    writing: bool = False
    rush: bool = False


class Piece:
    """What was chosen, loaded and ready to be played.

    Attributes:
        about: what it is, in lines to read.
        seconds: how long it takes.
        held_back: whether the records wait until the worker has room for them.

    Raises:
        ConfigError: a file cannot be read, or holds nothing to play.
    """

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._products: Sequence[Product] = ()
        self._plan: Plan | None = None
        self._log: Log | None = None
        self.about: list[str] = []
        self.seconds = choice.seconds
        self.held_back = choice.rush
        if choice.catalog is not None:
            catalogue = load_catalogue(choice.catalog)
            self._products = catalogue.products
            left_out = f"; {catalogue.skipped} entries are no products" if catalogue.skipped else ""
            self.about.append(f"{choice.catalog.name}: {len(self._products):,} products{left_out}")
        if choice.events is not None:
            self._plan = plan_log(choice.events, choice.seconds, choice.rate_per_s, choice.speed)
            self.seconds = choice.seconds + LEAD_MS / 1000
            gap_ms = self._plan.longest_gap_ms
            cut = "" if gap_ms is None else f"; silences over {gap_ms / 1000:.3g} s are cut to that"
            much = "all" if self._plan.whole else "the first"
            self.about.append(
                f"{choice.events.name}: {much} {self._plan.rows:,} rows, {self._plan.speed:.4g} times as fast as they happened{cut}"
            )
        else:
            self._products = self._products or (*load_demo_store().products, *load_demo_store("zh").products)
            at_most = ", or as many as the worker takes" if choice.rush else ""
            categories = len({product.category for product in self._products})
            self.about.append(
                f"{len(self._products):,} products in {categories} categories, "
                f"{choice.rate_per_s or DEFAULT_RATE_PER_S:g} events a second{at_most}, seed {choice.seed}"
            )

    def records(self, start_ms: int) -> Iterable[Planned]:
        """The records from a start, UTC milliseconds."""
        choice = self._choice
        if choice.events is not None and self._plan is not None:
            names = Mapping(self._products) if self._products else describe
            self._log = Log(choice.events, self._plan, start_ms, names)
            return self._log
        searches = {} if choice.catalog is not None else load_searches()
        rate_per_s = choice.rate_per_s or DEFAULT_RATE_PER_S
        closed_ms = round(min(MAX_CLOSED_S, choice.seconds / 3) * 1000) if choice.writing else 0
        return Crowd(self._products, searches, choice.seed, rate_per_s, start_ms, closed_ms=closed_ms)

    def remarks(self) -> list[str]:
        """What is to be said about the input once it was played."""
        if self._log is None:
            return []
        tally = self._log.adapter.tally
        said = [f"the log: {tally.rows:,} rows, {tally.products:,} products"]
        if tally.nameless:
            said.append(f"{tally.nameless:,} products have neither brand nor category: nothing can be said about them")
        if tally.priceless:
            said.append(f"{tally.priceless:,} products have no price")
        if tally.broken:
            said.append("broken rows left out: " + ", ".join(f"{why} {count:,}" for why, count in tally.broken.items()))
        return ["; ".join(said)]
