"""``shelftalk evaluate crowd``: what the demo's crowd costs in generations, played in simulated time.

The crowd of the demo store comes at a steady rate; react, shelves and fence are those of production; the model is one that writes
so many texts a second. What is counted is how many texts are begun for each event: texts are shared by brief, so the share falls
while the copybooks fill, and stays where the shop's own changes (sales, stock, new products) and rare briefs keep it.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from shelftalk.core.policy import Policy
from shelftalk.core.rules import ShelfRules
from shelftalk.demo.catalogue import load_demo_store, load_searches
from shelftalk.demo.crowd import Crowd
from shelftalk.demo.plan import Stream
from shelftalk.evaluate.small_world import SmallWorld

_START_MS: Final = 1_800_000_000_000

#: How often the keeper has a turn, in simulated time.
_TURN_MS: Final = 50


#: The default model's way of being asked; its texts are simulated.
_RULES: Final = ShelfRules(channel_locales=("en-GB", "zh-CN")).for_model("simulated", "slots-v5")


class Window(msgspec.Struct):
    """Some seconds of the crowd.

    Attributes:
        phrased: cards and copies in the phrasebook's words.
        refused: texts that the budget did not pay for.
    """

    until_s: int
    events: int = 0
    shoppers_events: int = 0
    asked: int = 0
    generations: int = 0
    cards: int = 0
    phrased: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """Generations an event."""
        return self.generations / max(self.events, 1)


def play(
    *,
    seconds: int,
    window_s: int,
    rate_per_s: float,
    seed: int = 1,
    texts_per_s: float = 40.0,
    rules: ShelfRules = _RULES,
    on_window: Callable[[Window], None] = lambda _: None,
) -> list[Window]:
    """Play the crowd.

    Args:
        seconds: of simulated time, after the doors open.
        window_s: how many make a window.
        rate_per_s: events a second.
        seed: decides what the crowd does.
        texts_per_s: what the model writes.
        rules: of the shelves.
        on_window: told of each that is over.
    """
    crowd = Crowd(load_demo_store().products, load_searches(), seed, rate_per_s, _START_MS)
    world = SmallWorld(rules, Policy(), texts_per_s=texts_per_s)
    windows: list[Window] = []
    window, turned_ms, began = Window(window_s), _START_MS, _so_far(world)
    for planned in crowd:
        while turned_ms + _TURN_MS <= planned.due_ms:
            turned_ms += _TURN_MS
            world.turn(turned_ms)
        if planned.due_ms >= _START_MS + window.until_s * 1000:
            now = _so_far(world)
            grown = {name: now[name] - began[name] for name in now}
            window = msgspec.structs.replace(window, **grown)
            windows.append(window)
            on_window(window)
            began, window = now, Window(window.until_s + window_s)
            if windows[-1].until_s >= seconds:
                return windows
        window.events += 1
        window.shoppers_events += planned.stream is Stream.BEHAVIOUR
        world.take(planned.stream.value, planned.key, planned.value, planned.due_ms)
    return windows


def _so_far(world: SmallWorld) -> dict[str, int]:
    """The counts of a `Window`, since the beginning."""
    shelf = world.keeper.counts
    return {
        "asked": sum(count for what, count in world.react.counts.items() if what.endswith("_asked")),
        "generations": world.writer.generations,
        "cards": world.tray.counts["cards"],
        "phrased": sum(
            count for what, count in shelf.items() if what.startswith("card_") and "_phrasebook_live" in what
        ),
        "refused": shelf["over_budget"],
    }


def warm_of(windows: Sequence[Window]) -> tuple[int, int]:
    """Events and generations of the last third, when what was saved up for words is spent."""
    warm = _warm(windows)
    return sum(window.events for window in warm), sum(window.generations for window in warm)


def _warm(windows: Sequence[Window]) -> Sequence[Window]:
    return windows[-max(len(windows) // 3, 1) :]


def evaluate_crowd(*, seconds: int, rate_per_s: float, seed: int, texts_per_s: float) -> dict[str, Any]:
    """Play, print a row a window, and return the figures; warm is the last third."""
    window_s = max(seconds // 12, 1)
    print(f"{'until':>8}{'events':>10}{'asked':>9}{'cards':>9}{'phrased':>9}{'refused':>9}{'texts':>8}{'an event':>10}")

    def say(window: Window) -> None:
        print(
            f"{window.until_s:>6} s{window.events:>10,}{window.asked:>9,}{window.cards:>9,}"
            f"{window.phrased:>9,}{window.refused:>9,}{window.generations:>8,}{window.share:>10.2%}"
        )
        sys.stdout.flush()

    windows = play(
        seconds=seconds, window_s=window_s, rate_per_s=rate_per_s, seed=seed, texts_per_s=texts_per_s, on_window=say
    )
    warm = _warm(windows)
    events, generations = warm_of(windows)
    share = generations / max(events, 1)
    print(
        f"warm is the last {len(warm) * window_s} s, when what was saved up is spent: {share:.2%} of the events cost a text"
    )
    return {
        "seconds": seconds,
        "events_per_s": rate_per_s,
        "events": sum(window.events for window in windows),
        "phrased_warm": round(sum(w.phrased for w in warm) / max(sum(w.cards for w in warm), 1), 4),
        "generations": sum(window.generations for window in windows),
        "generations_per_event": round(sum(w.generations for w in windows) / sum(w.events for w in windows), 5),
        "generations_per_event_warm": round(share, 5),
    }
