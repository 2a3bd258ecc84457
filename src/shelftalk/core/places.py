"""Places: which of the products of its kind a product is, so that those that stand beside each other are told differently.

A category's page shows two dozen mugs, and of mugs there are as many remarks (`core.remarks`). Drawn by a hash, nine of the mugs
would say what another one says; numbered, none does. The number is the product's own for as long as it is what it is: it is kept
with its facts. Those of different partitions, which know nothing of each other, lie between each other.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from shelftalk.core.facts import Facts
from shelftalk.core.remarks import family


class Places:
    """Numbers the products of a partition, those of each kind for themselves.

    Args:
        known: facts of products that have their numbers.
        partition: whose they are.
        partitions: of the whole deployment.
    """

    def __init__(self, known: Iterable[Facts] = (), partition: int = 0, partitions: int = 1) -> None:
        self._partitions = max(partitions, 1)
        self._partition = partition % self._partitions  # 0 where there is only one
        self._next: Counter[str] = Counter()
        for facts in known:
            if facts.place is not None:
                of = family(facts.kind)
                self._next[of] = max(self._next[of], facts.place // self._partitions + 1)

    def placed(self, facts: Facts, before: Facts) -> Facts:
        """The facts with a number: a new one where the product was none of its kind before.

        Args:
            facts: after an event.
            before: ahead of it.
        """
        if not facts.kind or (facts.place is not None and family(facts.kind) == family(before.kind)):
            return facts
        return msgspec.structs.replace(facts, place=self.number(facts.kind))

    def number(self, kind: str) -> int:
        """The next number of a kind, which is taken then."""
        of = family(kind)
        number = self._next[of]
        self._next[of] += 1
        return number * self._partitions + self._partition
