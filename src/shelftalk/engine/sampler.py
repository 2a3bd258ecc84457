"""Choosing the next token of each row from its likeliest ones. Pure: the same numbers give the same token."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

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


def draws(seed: int, count: int) -> npt.NDArray[np.float64]:
    """The uniform draws of a request, one a step: number k depends on the seed and k alone, not on the batch."""
    return np.random.Generator(np.random.Philox(seed)).random(count)


def faults(values: Values) -> dict[int, str]:
    """Rows of ``[B, K]`` values that can't be chosen from, with the reason."""
    found = {int(row): "NaN or infinity in the logits" for row in np.flatnonzero(~np.isfinite(values).all(axis=1))}
    for row in np.flatnonzero(values[:, 0] <= _BANNED_BELOW):
        found.setdefault(int(row), "the fact lock allows no token")
    return found


def choose(values: Values, ids: Ids, choices: Sequence[Choice]) -> list[int]:
    """The next token of every row. Rows with `faults` get a token without meaning.

    Args:
        values: float32 ``[B, K]``, the likeliest logits with their masks added, descending.
        ids: int64 ``[B, K]``, their tokens.
        choices: one a row.
    """
    tokens: list[int] = ids[:, 0].tolist()
    for row, choice in enumerate(choices):
        if choice.temperature > 0 or choice.penalty != 1:
            tokens[row] = choose_one(values[row].astype(np.float64), ids[row], choice)
    return tokens


def choose_one(values: npt.NDArray[np.float64], ids: Ids, choice: Choice) -> int:
    """The next token of one row: penalty, then top-k, temperature, top-p, and the inverse of the distribution."""
    allowed = values > _BANNED_BELOW
    values, ids = values[allowed], ids[allowed]
    if not len(values):
        return -1
    if choice.penalty != 1:
        values, ids = _penalised(values, ids, choice)
    if choice.temperature == 0:
        return int(ids[0])
    with np.errstate(over="ignore", under="ignore"):  # a tiny temperature: all but the likeliest weigh nothing
        weights = np.exp((values[: choice.top_k] - values[0]) / choice.temperature)
    cumulated = np.cumsum(weights)
    # The smallest set that covers top_p, at least the likeliest token.
    kept = int(np.searchsorted(cumulated, choice.top_p * cumulated[-1])) + 1
    kept = min(kept, len(cumulated))
    place = int(np.searchsorted(cumulated[:kept], choice.draw * cumulated[kept - 1], side="right"))
    return int(ids[min(place, kept - 1)])


def _penalised(values: npt.NDArray[np.float64], ids: Ids, choice: Choice) -> tuple[npt.NDArray[np.float64], Ids]:
    """Scores after the repetition penalty of Keskar et al. 2019 (CTRL), best first."""
    seen = np.fromiter((token in choice.seen for token in ids.tolist()), np.bool_, len(ids))
    lowered = np.where(values > 0, values / choice.penalty, values * choice.penalty)
    values = np.where(seen, lowered, values)
    order = np.argsort(-values, kind="stable")
    return values[order], ids[order]
