"""Who writes: the winner of each rung of the ladder, as the figures have it."""

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import msgspec

from shelftalk.evaluate.text.evaluation import PHRASEBOOK, Result
from shelftalk.evaluate.text.rate import EVEN, Verdict, wilson
from shelftalk.modelling.build import DEFAULT_MODEL

#: Less probable than this, a difference of chrF is none of chance.
_CHANCE = 0.05

#: Shares of texts that pass in three tries differ by chance; within so much of the best, the most varied wins.
_ALIKE = 0.05

#: Points of self-BLEU, likewise: within so much of the most varied, the one whose first drafts pass oftenest wins.
_AS_VARIED = 2.0


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


class Judged(Verdict, frozen=True, forbid_unknown_fields=True):
    """What a judge said of one sheet of blind pairs (`evaluate blind`, `evaluate tally`).

    Attributes:
        group: of briefs.
        judge: who that was.
    """

    group: str
    judge: str


def read_judged() -> list[Judged]:
    """The verdicts that come with shelftalk (``judged.json``)."""
    return msgspec.json.decode(
        (resources.files("shelftalk.evaluate.text") / "judged.json").read_bytes(), type=list[Judged]
    )


def pooled(judged: Sequence[Judged]) -> Verdict | None:
    """What several judges said of the same two writers, as one: none who sees chance alone decides, and none is left out."""
    if not judged:
        return None
    ratings = sum(one.ratings for one in judged)
    wins = sum(one.rate * one.ratings for one in judged)
    return Verdict(judged[0].first, judged[0].second, ratings, wins / ratings, *wilson(wins, ratings))


def rung_of(results: Sequence[Result], judged: Sequence[Judged] = ()) -> Rung:
    """The ladder for one group of briefs.

    A model takes its rung by what it gets printed: of those that pass about as often as the best does in three tries, the one whose
    texts are least alike; of those that are about as varied, the one that needs the fewest drafts. There is no use in asking it
    where the phrasebook is better: what judges preferred blind stands. Where nobody judged, it is the one nearer to what people
    wrote for the products (chrF), or, where chance may be all that tells the two apart in that, the one whose texts are less alike.
    """
    models = [result for result in results if result.contestant.folder is not None]
    if not models:
        return Rung(None, PHRASEBOOK, "no model writes these", is_default=True)
    best = max(result.figures["passed"] for result in models)
    close = [result for result in models if result.figures["passed"] >= best - _ALIKE]
    least = min(result.figures["self_bleu"] for result in close)
    varied = [result for result in close if result.figures["self_bleu"] <= least + _AS_VARIED]
    winner = max(varied, key=lambda result: (result.figures["passed_first_draft"], -result.figures["self_bleu"]))
    book = next((result for result in results if result.contestant.name == PHRASEBOOK), None)
    figures, name = winner.figures, winner.contestant.name
    why = f"{name}: {figures['passed']:.0%} pass in three tries, chrF {figures['chrf']:.1f}, self-BLEU {figures['self_bleu']:.1f}"
    if book is not None:
        verdict = pooled(
            [one for one in judged if (one.group, one.first, one.second) == (winner.group, name, PHRASEBOOK)]
        )
        if verdict is not None and verdict.decides:
            why += (
                f"; blind, preferred to the phrasebook in {verdict.rate:.0%} ({verdict.low:.0%} to {verdict.high:.0%})"
            )
            if verdict.rate > EVEN:
                return Rung(name, PHRASEBOOK, why, is_default=name == DEFAULT_MODEL)
            return Rung(None, PHRASEBOOK, why, is_default=False)
        chance = figures.get("chrf_chance", 0.0)
        why += f"; phrasebook: chrF {book.figures['chrf']:.1f}, self-BLEU {book.figures['self_bleu']:.1f}"
        why += f"; by chance, of chrF: {chance:.1%}"
        measure, sign = ("chrf", 1) if chance < _CHANCE else ("self_bleu", -1)
        if sign * (figures[measure] - book.figures[measure]) <= 0:
            return Rung(None, PHRASEBOOK, why, is_default=False)
    return Rung(name, PHRASEBOOK, why, is_default=name == DEFAULT_MODEL)
