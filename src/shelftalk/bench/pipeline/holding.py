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

import msgspec
import numpy as np

from shelftalk.bench.pipeline.contestants import Entrant, naive, say, worker
from shelftalk.bench.pipeline.course import Answers
from shelftalk.bench.pipeline.workload import Shop
from shelftalk.replay.capacity.search import Outcome, Search

#: Within this a card must be read to be of use: what a storefront waits for.
DEADLINE_MS = 1_000

#: A rate is held if at most such a share of the cards is late.
LATE_SHARE = 0.02

#: ... and if cards come later by at most so many seconds each second.
GROWTH = 0.05

#: How near the result is to what is held.
WITHIN = 0.25

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
    slope_ms = float(np.polyfit(np.arange(len(tenths)), tenths, 1)[0]) if len(tenths) > 2 else 0.0  # noqa: PLR2004
    return slope_ms * len(tenths) / answers.seconds <= GROWTH * 1_000


def against_naive(
    bootstrap: str, folder: Path, model: Path, *, name: str, products: int, seconds: float
) -> tuple[Held, Held]:
    """The naive form, then the worker, with the same model.

    The naive form is given what suits it best: of a backlog written without a pause, and of all rates, held or not, the best.

    Returns:
        What each held.
    """
    shop = Shop(products)
    with naive(bootstrap, folder, model, name=f"naive-{name}") as entrant:
        course, process = _taught(entrant, shop)
        course.send(shop.view(_now_ms()) for _ in range(_BACKLOG + 1))
        at_ms = course.wait_for_cards(process, _BACKLOG, 120)[:_BACKLOG]
        course.settle(process, _LEARN_S)
        took_ms = [after - before for before, after in pairwise(at_ms)]
        backlog_per_s = sum(took <= DEADLINE_MS for took in took_ms) / max(sum(took_ms) / 1000, 1e-3)
        say(f"naive with {name}: {backlog_per_s:.1f} cards/s of a backlog, {statistics.median(took_ms):.0f} ms each")
        by_naive = held(lambda rate: _play(entrant, shop, rate, seconds), backlog_per_s / 2)
        by_naive = msgspec.structs.replace(by_naive, best_per_s=max(by_naive.best_per_s, backlog_per_s))
    with worker(bootstrap, folder, name=f"shelftalk-{name}", model=model) as entrant:
        course, process = _taught(entrant, shop)
        course.pace(process, shop.event, 50, _WARM_UP_S)  # the first texts are written
        by_us = held(lambda rate: _play(entrant, shop, rate, seconds), 100)
        rungs = ", ".join(f"{rung} {count:,}" for rung, count in sorted(course.rungs().items()))
    say(
        f"with {name}: naive {by_naive.best_per_s:.1f} cards/s in time at best, {by_naive.events_per_s:.0f} events/s held; "
        f"shelftalk {by_us.best_per_s:.1f}, {by_us.events_per_s:.0f} events/s held; answered by {rungs}"
    )
    return by_naive, by_us


def _taught(entrant: Entrant, shop: Shop) -> Entrant:
    """One that knows the catalogue."""
    course, process = entrant
    course.send(shop.catalogue(_now_ms() - 3_600_000))
    course.settle(process, _READY_S)
    return entrant


def _play(entrant: Entrant, shop: Shop, rate_per_s: float, seconds: float) -> Answers:
    """Events at a rate, of as many visitors as that takes."""
    course, process = entrant
    shop.crowd(rate_per_s)
    return course.pace(process, shop.event, rate_per_s, seconds)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
