"""A model that answers late, never, or with what may not be said."""

from collections.abc import Callable

from shelftalk.core.brief import Brief
from shelftalk.core.effects import Write
from shelftalk.core.phrasebook import phrase
from shelftalk.core.shelf import Words
from shelftalk.sim.world import World
from shelftalk.stream.letterbox import Reader

_BAD = (
    "",
    "Only {price} today, 50% off!",
    "The best {nonsense} in the world.",
    "It is, it is, it is, it is, it is, it is.",
)


class SimDesk:
    """The keeper's `Desk`.

    Args:
        world: time and chance.
        is_up: whether the model answers at all at this moment.
        is_alive: whether the worker still lives.
    """

    reader: Reader

    def __init__(self, world: World, is_up: Callable[[], bool], is_alive: Callable[[], bool]) -> None:
        self._world = world
        self._is_up = is_up
        self._is_alive = is_alive

    def write(self, effect: Write) -> None:
        """Answer later, perhaps. The words depend on brief and attempt alone, as the engine's do."""
        brief = effect.brief
        if not self._is_up() or self._world.chance(0.05):
            return
        delay_ms = self._world.rng.choice((20, 100, 400, 2_500))
        if self._world.chance(0.1):
            self._world.after(delay_ms, lambda: self._fail(brief))
            return
        taste = int(brief.brief_id, 16) + effect.attempt
        slotted = _BAD[taste % len(_BAD)] if taste % 3 == 0 else phrase(brief)
        self._world.after(delay_ms, lambda: self._answer(Words(brief, (slotted,), effect.attempt)))

    def _answer(self, words: Words) -> None:
        if self._is_alive():
            self.reader.words(words, self._world.now_ms)

    def _fail(self, brief: Brief) -> None:
        if self._is_alive():
            self.reader.failed(brief, self._world.now_ms)
