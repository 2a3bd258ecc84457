"""Who writes: the texts of a family for a list of briefs, with the second tries that a shelf gives."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from shelftalk.asking import drafts_for
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.choice import choose
from shelftalk.core.guard import Outcome
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import text_of
from shelftalk.core.review import review
from shelftalk.core.rules import ShelfRules
from shelftalk.engine import Completion, Priority, Writer


class Written(NamedTuple):
    """A text and how it came about.

    Attributes:
        text: slots unfilled; the best draft of the last try.
        first: the first draft of the first try: what the family writes when nobody sorts.
        tries: how often it was asked.
        passed: whether the review lets the text through; otherwise the phrasebook would answer.
        ms: from asking to the drafts of the first try, waiting included.
        first_passed: whether the first draft is let through.
    """

    text: str
    first: str
    tries: int
    passed: bool
    ms: float
    first_passed: bool


def example_brief(variant: str = "slots-v5") -> Brief:
    """A brief to try a model with."""
    return Brief(
        sku="example", kind="electric kettle", points=("gooseneck spout", "holds 900 ml"), channel=Channel.CARD,
        angle=Angle.INTRODUCE, anchor=None, promotion=Promotion.NONE, tone=Tone.PLAIN, branded=True, locale="en",
        variant=variant, model="",
    )  # fmt: skip


def acceptable(brief: Brief, text: str) -> bool:
    """Whether a shelf would keep a generated text."""
    return review(brief, text).outcome is Outcome.PASS


def write_all(
    writer: Writer,
    briefs: Sequence[Brief],
    *,
    seed: int = 0,
    tries: int = ShelfRules().max_attempts,
    drafts: int | None = None,
    temperature: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Written]:
    """The texts of a model, asked as the desk asks, the best draft chosen as a shelf does; where all are refused it is asked again.

    Args:
        writer: the model.
        briefs: whatever their variant, the model is asked in its own.
        seed: of all draws.
        tries: how often a brief is asked for at most.
        drafts: of each try; None for what suits the model.
        temperature: None for what suits the model.
        progress: told how many are done.
    """
    briefs = [msgspec.structs.replace(brief, variant=writer.prompt_variant or brief.variant) for brief in briefs]
    written: dict[int, Written] = {}
    todo = list(range(len(briefs)))
    for attempt in range(tries):
        asked = [
            (
                place,
                drafts_for(
                    briefs[place],
                    f"{briefs[place].brief_id}/{seed}/{attempt}/{place}",
                    count=drafts,
                    attempt=attempt,
                    priority=Priority.REFRESH,
                    seed=seed,
                    temperature=temperature,
                ),
            )
            for place in todo
        ]
        sent = [(place, [writer.submit(request) for request in requests]) for place, requests in asked]
        todo = []
        for place, futures in sent:
            one = _judged(briefs[place], [future.result() for future in futures], attempt + 1)
            earlier = written.get(place)
            if earlier is not None:
                one = one._replace(first=earlier.first, first_passed=earlier.first_passed, ms=earlier.ms)
            written[place] = one
            if not one.passed:
                todo.append(place)
            progress(len(briefs) - len(todo), len(briefs))
    return [written[place] for place in range(len(briefs))]


def _judged(brief: Brief, completions: Sequence[Completion], tries: int) -> Written:
    """What a shelf takes of the drafts of one try."""
    texts = [text_of(brief, completion.text) for completion in completions]
    whole = [text for text, one in zip(texts, completions, strict=True) if one.finish_reason == "stop"]
    text, verdict = choose(brief, whole) if whole else (texts[0], None)
    return Written(
        text,
        texts[0],
        tries,
        verdict is not None and verdict.outcome is Outcome.PASS,
        max(one.total_ms for one in completions),
        completions[0].finish_reason == "stop" and acceptable(brief, texts[0]),
    )


def write_phrases(briefs: Sequence[Brief]) -> list[Written]:
    """The phrasebook's texts."""
    written = []
    for brief in briefs:
        started = time.perf_counter()
        text = phrase(brief)
        ms = (time.perf_counter() - started) * 1000
        written.append(_as_is(brief, text, ms))
    return written


def as_written(briefs: Sequence[Brief], texts: Sequence[str]) -> list[Written]:
    """Texts that people wrote before."""
    return [_as_is(brief, text, 0.0) for brief, text in zip(briefs, texts, strict=True)]


def _as_is(brief: Brief, text: str, ms: float) -> Written:
    passed = acceptable(brief, text)
    return Written(text, text, 1, passed, ms, passed)
