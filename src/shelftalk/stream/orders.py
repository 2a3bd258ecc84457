"""Orders: the texts that cards want; which of them are earned and paid for, and which are being written."""

import enum
from collections.abc import Container, Iterable, Sequence
from typing import Final

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.budget import Budget
from shelftalk.core.effects import Write
from shelftalk.core.rules import ShelfRules

#: Briefs whose wishes are counted at one time; the longest unwished for is forgotten, with the cards that want it.
MOST_WISHES: Final = 100_000


class Answer(enum.Enum):
    """What becomes of an order."""

    WRITE = enum.auto()  # it is to be written
    HURRY = enum.auto()  # it is being written, and now a shopper waits for it
    UNDER_WAY = enum.auto()  # it is being written
    NOT_EARNED = enum.auto()  # it was not wished for often enough; the cards that want it stay noted
    UNAFFORDABLE = enum.auto()  # the budget does not pay for it; nobody may wait for it


class Wanted(msgspec.Struct, gc=False):
    """A text that somebody wants: of which product, and the keys of the live cards, in order."""

    sku: str
    cards: dict[str, None]


class Orders:
    """One text answers all cards of its brief, and is written once.

    Args:
        rules: when a text is earned, and what there is to spend.
        give_up_ms: after so long a text that never came is forgotten, and ordered anew when it is next wanted.

    Attributes:
        budget: what texts are paid from.
    """

    def __init__(self, rules: ShelfRules, give_up_ms: int) -> None:
        self.budget = Budget(rules.texts_per_event, rules.texts_per_s, rules.texts_at_once)
        self._earned_at = rules.earned_at
        self._give_up_ms = give_up_ms
        self._wanted: dict[str, Wanted] = {}  # by brief: of what is being written or wished for
        self._wishes: dict[str, int] = {}  # by brief that has to be earned; the latest last
        self._writing: dict[str, int] = {}  # by brief: since when; the oldest first

    def __len__(self) -> int:
        """Texts that are being written."""
        return len(self._writing)

    def want(self, brief: Brief, cards: Iterable[str]) -> None:
        """These live cards want the text."""
        wanted = self._wanted.setdefault(brief.brief_id, Wanted(brief.sku, {}))
        wanted.cards.update(dict.fromkeys(cards))

    def wanted_by(self, brief: Brief) -> Sequence[str]:
        """The cards that want the text."""
        wanted = self._wanted.get(brief.brief_id)
        return () if wanted is None else tuple(wanted.cards)

    def place(self, effect: Write, now_ms: int) -> Answer:
        """Order a text, if it is earned and paid for."""
        brief_id = effect.brief.brief_id
        if effect.earn and not self._earned(brief_id):
            return Answer.NOT_EARNED
        if brief_id not in self._writing:
            if not self._afford(effect, now_ms):
                return Answer.UNAFFORDABLE
            self._writing[brief_id] = now_ms
            return Answer.WRITE
        return Answer.HURRY if effect.urgent else Answer.UNDER_WAY

    def done(self, brief: Brief) -> Sequence[str]:
        """It was written, could not be, or nobody may wait for it.

        Returns:
            The cards that wanted it.
        """
        found = self.wanted_by(brief)
        self._forget(brief.brief_id)
        return found

    def give_up(self, now_ms: int) -> int:
        """Forget what was to be written and never came; how many texts that is."""
        found = 0
        while self._writing and (oldest := next(iter(self._writing.items())))[1] + self._give_up_ms <= now_ms:
            self._forget(oldest[0])
            found += 1
        return found

    def forget(self, gone: Container[str]) -> None:
        """These products are another worker's."""
        for brief_id in [brief_id for brief_id, wanted in self._wanted.items() if wanted.sku in gone]:
            self._forget(brief_id)

    def _forget(self, brief_id: str) -> None:
        self._writing.pop(brief_id, None)
        self._wanted.pop(brief_id, None)

    def _earned(self, brief_id: str) -> bool:
        """Count a wish for a text, and say whether there were enough."""
        wishes = self._wishes.pop(brief_id, 0) + 1
        self._wishes[brief_id] = wishes
        if len(self._wishes) > MOST_WISHES:
            longest = next(iter(self._wishes))
            del self._wishes[longest]
            if longest not in self._writing:
                self._wanted.pop(longest, None)
        return wishes >= self._earned_at

    def _afford(self, effect: Write, now_ms: int) -> bool:
        if effect.attempt:
            self.budget.charge()
            return True
        return self.budget.spend(now_ms, urgent=effect.urgent, ahead=effect.ahead)
