"""Hit rate and mean reciprocal rank of ranked lists against what really came next."""

from collections.abc import Sequence

import msgspec

#: The lengths of the list at which hits are counted.
CUTS = (10, 20)


class Score(msgspec.Struct):
    """The figures of one method, as they add up.

    Attributes:
        count: lists judged.
        hits: of those, how many held the target among the first 10 and the first 20.
        reciprocal: the sum of 1/rank of the targets found there.
    """

    count: int = 0
    hits: list[int] = msgspec.field(default_factory=lambda: [0] * len(CUTS))
    reciprocal: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(CUTS))

    def add(self, ranked: Sequence[str], target: str) -> None:
        """Judge one list, best first."""
        self.count += 1
        try:
            rank = ranked.index(target, 0, CUTS[-1]) + 1
        except ValueError:
            return
        for place, cut in enumerate(CUTS):
            if rank <= cut:
                self.hits[place] += 1
                self.reciprocal[place] += 1 / rank

    def figures(self) -> dict[str, float]:
        """``{"hr@10": ..., "mrr@10": ..., "hr@20": ..., "mrr@20": ...}``, shares of 1."""
        of = max(self.count, 1)
        found: dict[str, float] = {}
        for place, cut in enumerate(CUTS):
            found[f"hr@{cut}"] = round(self.hits[place] / of, 4)
            found[f"mrr@{cut}"] = round(self.reciprocal[place] / of, 4)
        return found
