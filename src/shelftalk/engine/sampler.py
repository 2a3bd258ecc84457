"""Choosing the next token of each row from its likeliest ones. Pure: the same numbers give the same token."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from shelftalk.engine.fact_lock import BANNED

Values = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

#: Below this a token was banned, whatever its logit: half of `BANNED`, far beyond any logit.
_BANNED_BELOW = float(BANNED) / 2


@dataclass(frozen=True, slots=True)
class Choice:
    """How one row chooses.

    Attributes:
        temperature: 0 is greedy.
        top_k: the most tokens a draw may take.
        top_p: the share of probability that they cover.
        penalty: divides the score of tokens in `seen`; 1 leaves them alone.
        draw: uniform in [0, 1); unused when greedy.
        seen: tokens that the text has already.
    """

    temperature: float = 0.0
    top_k: int = 32
    top_p: float = 0.9
    penalty: float = 1.0
    draw: float = 0.0
    seen: Collection[int] = ()


def draws(seed: int, count: int) -> list[float]:
    """The uniform draws of a request, one a step: number k depends on the seed and k alone, not on the batch.

    One by one: to fill an array NumPy lets go of the interpreter's lock, and the caller, an event loop, waits behind the engine's
    Python to have it back, eight times as long as this takes.
    """
    draw = np.random.Generator(np.random.Philox(seed)).random
    return [draw() for _ in range(count)]


def faults(values: Values) -> dict[int, str]:
    """Rows of ``[B, K]`` values that can't be chosen from, with the reason."""
    if np.isfinite(values).all() and values[:, 0].min() > _BANNED_BELOW:  # nearly always
        return {}
    found = {int(row): "NaN or infinity in the logits" for row in np.flatnonzero(~np.isfinite(values).all(axis=1))}
    for row in np.flatnonzero(values[:, 0] <= _BANNED_BELOW):
        found.setdefault(int(row), "the fact lock allows no token")
    return found


def choose(values: Values, ids: Ids, choices: Sequence[Choice]) -> tuple[list[int], dict[int, str]]:
    """The next token of every row, and the `faults`; rows with one get a token without meaning.

    Args:
        values: float32 ``[B, K]``, the likeliest logits with their masks added, descending.
        ids: int64 ``[B, K]``, their tokens.
        choices: one for each of the first rows.
    """
    tokens: list[int] = ids[:, 0].tolist()
    for row, choice in enumerate(choices):
        if choice.temperature > 0 or choice.penalty != 1:
            tokens[row] = choose_one(values[row].tolist(), ids[row].tolist(), choice)
    return tokens[: len(choices)], faults(values[: len(choices)])


def choose_one(values: Sequence[float], ids: Sequence[int], choice: Choice) -> int:
    """The next token of one row: penalty, then top-k, temperature, top-p, and the inverse of the distribution.

    Plain Python on purpose: at 32 candidates it takes less time than the dozen calls of numpy that it needs otherwise,
    and no vector width can make a row's sum depend on the rows beside it.
    """
    values = [value for value in values if value > _BANNED_BELOW]  # banned ones are the last
    if not values:
        return -1
    if choice.penalty != 1:
        values, ids = _penalised(values, ids, choice)
    if choice.temperature == 0:
        return ids[0]
    best = values[0]
    temperature, exp = choice.temperature, math.exp
    weights = [exp((value - best) / temperature) for value in values[: choice.top_k]]
    # The smallest set that covers top_p, at least the likeliest token.
    enough = choice.top_p * sum(weights)
    covered, kept = 0.0, 0
    while kept < len(weights) and (covered < enough or not kept):
        covered += weights[kept]
        kept += 1
    target, passed = choice.draw * covered, 0.0
    for place in range(kept):
        passed += weights[place]
        if passed > target:
            return ids[place]
    return ids[kept - 1]


def _penalised(values: Sequence[float], ids: Sequence[int], choice: Choice) -> tuple[list[float], list[int]]:
    """Scores after the repetition penalty of Keskar et al. 2019 (CTRL), best first, and their tokens."""
    lowered = [
        ((value / choice.penalty if value > 0 else value * choice.penalty) if token in choice.seen else value, token)
        for value, token in zip(values, ids, strict=False)
    ]
    lowered.sort(key=itemgetter(0), reverse=True)  # stable, also in reverse
    return [value for value, _ in lowered], [token for _, token in lowered]
