"""With a model: the naive form and the worker, each driven to the rate at which it still answers in time.

In time means: a card was read within the deadline from when its event was due (open loop, the same events and the same reader for
both). A rate is held if nearly all cards are in time and do not come later and later; the search for the highest such rate drives
both to their limit. What is compared is the most cards in time a second at any rate on the way, held or not: late ones count as
none, and on a busy machine a few late ones at every rate do not void the rest.
"""

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shelftalk.bench.pipeline.contestants import Entrant, naive, say, worker
from shelftalk.bench.pipeline.course import Answers
from shelftalk.bench.pipeline.faults import Faults, faults
from shelftalk.bench.pipeline.workload import Shop
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.replay.capacity.search import Outcome, Search

#: Within this a card must be read to be of use: what a storefront waits for.
DEADLINE_MS = 1_000

#: A rate is held if at most such a share of the cards is late.
LATE_SHARE = 0.02

#: ... and if cards come later by at most so many seconds each second.
GROWTH = 0.05

#: How near the result is to what is held.
WITHIN = 0.25

#: How the naive form calls its model.
FORMS = ("loop", "engine")

_READY_S, _LEARN_S, _WARM_UP_S = 120.0, 120.0, 8.0

#: Cards that the naive form writes from a backlog; each takes it up to half a second.
_BACKLOG = 24


class Held(msgspec.Struct, frozen=True):
    """What a contestant held.

    Attributes:
        events_per_s: the highest rate that was held; 0 if none was.
        cards_per_s: cards in time a second at that rate.
        best_per_s: the most that were seen at any rate, held or not.
    """

    events_per_s: float
    cards_per_s: float
    best_per_s: float


def held(rate: Callable[[float], Answers], first_per_s: float) -> Held:
    """Search for the highest rate.

    Args:
        rate: plays one.
        first_per_s: the first.
    """
    search, best = Search(first_per_s, WITHIN), 0.0
    in_time: dict[float, float] = {}
    while (tried := search.next()) is not None:
        if tried.longer:  # a second look costs more here than it tells
            search.note(tried, Outcome.KEPT)
            continue
        answers = rate(tried.rate_per_s)
        kept = keeps(answers)
        in_time[tried.rate_per_s] = answers.in_time_per_s(DEADLINE_MS)
        best = max(best, in_time[tried.rate_per_s])
        say(
            f"  {tried.rate_per_s:.0f} events/s: {in_time[tried.rate_per_s]:.1f} cards/s in time, "
            f"{answers.late_share(DEADLINE_MS):.1%} late: {'held' if kept else 'not held'}"
        )
        search.note(tried, Outcome.KEPT if kept else Outcome.BROKEN)
    if search.confirmed is None:
        return Held(0.0, 0.0, best)
    return Held(search.confirmed, in_time[search.confirmed], best)


def keeps(answers: Answers) -> bool:
    """Whether a rate is held: nearly all in time, and no backlog that grows."""
    first_ms = answers.first_ms
    if not first_ms or answers.late_share(DEADLINE_MS) > LATE_SHARE:
        return False
    # Events are in the order they were due, evenly: the slope over their numbers is the slope over time.
    tenths = [statistics.median(part) for part in np.array_split(np.asarray(first_ms), min(10, len(first_ms)))]
    if max(tenths) < DEADLINE_MS / 5:  # a few seconds are short: among small delays any slope is noise
        return True
    slope_ms = float(np.polyfit(np.arange(len(tenths)), tenths, 1)[0]) if len(tenths) > 2 else 0.0  # noqa: PLR2004
    return slope_ms * len(tenths) / answers.seconds <= GROWTH * 1_000


class Compared(msgspec.Struct, frozen=True):
    """The same model, three ways.

    Attributes:
        loop: the naive form, as its users would write it.
        engine: the naive form, were it handed our engine.
        ours: the worker.
        wrong_prices: cards that say a wrong price in the end, of the first and of the last.
    """

    loop: Held
    engine: Held
    ours: Held
    wrong_prices: tuple[int, int]

    @property
    def vs_loop(self) -> float:
        """Cards in time of the worker to those of the loop."""
        return self.ours.best_per_s / max(self.loop.best_per_s, 1e-3)

    @property
    def vs_engine(self) -> float:
        """The same, to those of the naive form with our engine."""
        return self.ours.best_per_s / max(self.engine.best_per_s, 1e-3)


def against_naive(bootstrap: str, folder: Path, model: Path, *, name: str, products: int, seconds: float) -> Compared:
    """The naive form twice, then the worker, with the same model and the same events."""
    variant = open_model_folder(model).prompt_variant or DEFAULT_VARIANT
    found: dict[str, tuple[Held, Faults]] = {}
    for form in FORMS:
        with naive(bootstrap, folder, model, name=f"naive-{form}-{name}", form=form) as entrant:
            drive = _Drive(entrant, Shop(products), seconds)
            found[form] = _naive_held(drive, f"naive ({form}) with {name}"), drive.faults(variant)
    with worker(bootstrap, folder, name=f"shelftalk-{name}", model=model) as entrant:
        drive = _Drive(entrant, Shop(products), seconds)
        entrant[0].pace(entrant[1], drive.shop.event, 50, _WARM_UP_S)  # the first texts are written
        found["shelftalk"] = held(drive.rate, 100), drive.faults(None)
        rungs = ", ".join(f"{rung} {count:,}" for rung, count in sorted(entrant[0].rungs().items()))
    say(f"with {name}, cards/s in time at best (events/s held; what stands in the end); shelftalk answered by {rungs}")
    for who, (held_by, wrong) in found.items():
        say(f"  {who:9} {held_by.best_per_s:7.1f} ({held_by.events_per_s:.0f}; {wrong})")
    return Compared(
        loop=found["loop"][0],
        engine=found["engine"][0],
        ours=found["shelftalk"][0],
        wrong_prices=(found["loop"][1].wrong_price, found["shelftalk"][1].wrong_price),
    )


def _naive_held(drive: "_Drive", who: str) -> Held:
    """What suits it best: of a backlog written without a pause, and of all rates, held or not, the best."""
    backlog_per_s = drive.backlog(who)
    found = held(drive.rate, backlog_per_s / 2)
    return msgspec.structs.replace(found, best_per_s=max(found.best_per_s, backlog_per_s))


class _Drive:
    """A contestant who has learned a shop's catalogue, and plays its events at any rate."""

    def __init__(self, entrant: Entrant, shop: Shop, seconds: float) -> None:
        self._course, self._process = entrant
        self.shop = shop
        self._seconds = seconds
        catalogue = list(shop.catalogue(_now_ms() - 3_600_000))
        self._course.send(catalogue)
        self._course.settle(self._process, _READY_S)
        self._products: dict[str, dict[str, Any]] = {each.key: msgspec.json.decode(each.value) for each in catalogue}

    def backlog(self, who: str) -> float:
        """Cards in time a second of a backlog."""
        self._course.send(self.shop.view(_now_ms()) for _ in range(_BACKLOG + 1))
        at_ms = self._course.wait_for_cards(self._process, _BACKLOG, 120)[:_BACKLOG]
        self._course.settle(self._process, _LEARN_S)
        took_ms = [after - before for before, after in pairwise(at_ms)]
        per_s = sum(took <= DEADLINE_MS for took in took_ms) / max(sum(took_ms) / 1000, 1e-3)
        say(f"{who}: {per_s:.1f} cards/s of a backlog, {statistics.median(took_ms):.0f} ms each")
        return per_s

    def rate(self, rate_per_s: float) -> Answers:
        """Events at a rate, of as many visitors as that takes."""
        self.shop.crowd(rate_per_s)
        return self._course.pace(self._process, self.shop.event, rate_per_s, self._seconds)

    def faults(self, variant: str | None) -> Faults:
        """What is wrong with the cards that stand now, when everything is done."""
        prices = self.shop.prices_minor
        products = {sku: product | {"price_minor": prices[sku]} for sku, product in self._products.items()}
        return faults(self._course.final_cards().values(), products, variant)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
