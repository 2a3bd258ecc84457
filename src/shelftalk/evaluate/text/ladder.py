"""Who writes: the winner of each rung of the ladder, as the figures have it."""

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import msgspec

from shelftalk.evaluate.text.evaluation import PHRASEBOOK, Result
from shelftalk.modelling.build import DEFAULT_MODEL

#: Judges who see no difference.
_EVEN = 0.5

#: Less probable than this, a difference of chrF is none of chance.
_CHANCE = 0.05

#: Shares of texts that pass in three tries differ by chance; within so much of the best, the most varied wins.
_ALIKE = 0.05


class Rung(NamedTuple):
    """Who writes a group of texts.

    Attributes:
        generated: the model that wins; None where the phrasebook is better, or no model writes them.
        otherwise: who answers when there is no time, or the model's text was refused.
        why: for people.
        is_default: whether that model is the one that runs when nobody chooses.
    """

    generated: str | None
    otherwise: str
    why: str
    is_default: bool


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a judge said of one sheet of blind pairs (`evaluate blind`, `evaluate tally`).

    Attributes:
        group: of briefs.
        first, second: whose texts.
        ratings: pairs.
        rate, low, high: how often the first was preferred, ties as half, with its 95 % interval.
        judge: who that was.
    """

    group: str
    first: str
    second: str
    ratings: int
    rate: float
    low: float
    high: float
    judge: str

    @property
    def decides(self) -> bool:
        """Whether chance alone would not have it so."""
        return not self.low <= _EVEN <= self.high


def read_judged() -> list[Judged]:
    """The verdicts that come with shelftalk (``judged.json``)."""
    return msgspec.json.decode(
        (resources.files("shelftalk.evaluate.text") / "judged.json").read_bytes(), type=list[Judged]
    )


def rung_of(results: Sequence[Result], judged: Sequence[Judged] = ()) -> Rung:
    """The ladder for one group of briefs.

    A model takes its rung by what it gets printed: of those that pass about as often as the best does in three tries, the one whose
    texts are least alike. There is no use in asking it where the phrasebook is better: what judges preferred blind stands. Where
    nobody judged, it is the one nearer to what people wrote for the products (chrF), or, where chance may be all that tells the two
    apart in that, the one whose texts are less alike.
    """
    models = [result for result in results if result.contestant.folder is not None]
    if not models:
        return Rung(None, PHRASEBOOK, "no model writes these", is_default=True)
    best = max(result.figures["passed"] for result in models)
    close = [result for result in models if result.figures["passed"] >= best - _ALIKE]
    winner = min(close, key=lambda result: result.figures["self_bleu"])
    book = next((result for result in results if result.contestant.name == PHRASEBOOK), None)
    figures, name = winner.figures, winner.contestant.name
    why = f"{name}: {figures['passed']:.0%} pass in three tries, chrF {figures['chrf']:.1f}, self-BLEU {figures['self_bleu']:.1f}"
    if book is not None:
        verdict = next(
            (one for one in judged if (one.group, one.first, one.second) == (winner.group, name, PHRASEBOOK)), None
        )
        if verdict is not None and verdict.decides:
            why += (
                f"; blind, preferred to the phrasebook in {verdict.rate:.0%} ({verdict.low:.0%} to {verdict.high:.0%})"
            )
            if verdict.rate > _EVEN:
                return Rung(name, PHRASEBOOK, why, is_default=name == DEFAULT_MODEL)
            return Rung(None, PHRASEBOOK, why, is_default=False)
        chance = figures.get("chrf_chance", 0.0)
        why += f"; phrasebook: chrF {book.figures['chrf']:.1f}, self-BLEU {book.figures['self_bleu']:.1f}"
        why += f"; by chance, of chrF: {chance:.1%}"
        measure, sign = ("chrf", 1) if chance < _CHANCE else ("self_bleu", -1)
        if sign * (figures[measure] - book.figures[measure]) <= 0:
            return Rung(None, PHRASEBOOK, why, is_default=False)
    return Rung(name, PHRASEBOOK, why, is_default=name == DEFAULT_MODEL)
