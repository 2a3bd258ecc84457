"""The verdict: what was lost, or wrong."""

from collections import Counter
from dataclasses import dataclass, field

MAX_EXAMPLES = 5


@dataclass
class Verdict:
    """What was found.

    Attributes:
        losses: by kind; empty is good.
        wrong: cards that could have shown a shopper a wrong amount or an offer that is none, by kind; empty is good.
        examples: some of each kind.
        answer_ms: how long each of the shoppers' events waited for its first card, by the broker's clock, with when it came.
        stale_ms: how long a shown price stood after the shop had moved it, at most.
        late_facts: cards from facts that were more than a second old by the topic: their worker was dead, away or behind.
        late_on_the_wire: cards of a worker that was cut off which arrived after its successor's; their revision gives them away.
    """

    inputs: Counter[str] = field(default_factory=Counter)
    cards: int = 0
    copy: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    dead_letter_repeats: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    answer_ms: list[tuple[int, int]] = field(default_factory=list)
    stale_ms: int = 0
    late_facts: int = 0
    late_on_the_wire: int = 0
    poison_kinds: int = 0

    def lose(self, kind: str, detail: str) -> None:
        """Note a loss."""
        self.losses[kind] += 1
        self._example(kind, detail)

    def err(self, kind: str, detail: str) -> None:
        """Note something wrong."""
        self.wrong[kind] += 1
        self._example(kind, detail)

    def _example(self, kind: str, detail: str) -> None:
        kept = self.examples.setdefault(kind, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(detail)
