"""Seeded chance."""

import random


class Dice(random.Random):
    """Random numbers that one seed decides; each actor has its own, so that one's whims do not change another's."""

    def __init__(self, seed: int, actor: str) -> None:
        super().__init__(f"{seed}/{actor}")

    def chance(self, probability: float) -> bool:
        """Whether something happens that happens this often."""
        return self.random() < probability
