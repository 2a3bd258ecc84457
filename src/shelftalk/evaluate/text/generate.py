"""Who writes: the texts of a family for a list of briefs, with the second tries that a shelf gives."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import msgspec

from shelftalk.asking import request_for
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.guard import Outcome
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import text_of
from shelftalk.core.review import review
from shelftalk.core.rules import ShelfRules
from shelftalk.engine import Completion, Priority, Writer

#: Of sampling, as the desk asks.
TOP_P = 0.92


class Written(NamedTuple):
    """A text and how it came about.

    Attributes:
        text: slots unfilled; of the last try.
        first: of the first try: what the family writes when nobody sorts.
        tries: how many texts were written.
        passed: whether the guard and the grounding rule let the last one through; otherwise the phrasebook would answer.
        ms: from asking to the first text, waiting included.
    """

    text: str
    first: str
    tries: int
    passed: bool
    ms: float


def example_brief(variant: str = "slots-v3") -> Brief:
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
    temperature: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Written]:
    """The texts of a model, asked as the desk asks: each refused text is tried again with another seed.

    Args:
        writer: the model.
        briefs: whatever their variant, the model is asked in its own.
        seed: of all draws.
        tries: texts a brief at most.
        temperature: None for what suits the model.
        progress: told how many are done.
    """
    briefs = [msgspec.structs.replace(brief, variant=writer.prompt_variant or brief.variant) for brief in briefs]
    written: dict[int, Written] = {}
    todo = list(range(len(briefs)))
    for attempt in range(1, tries + 1):
        asked = [(place, time.monotonic(), _ask(writer, briefs[place], seed, attempt, temperature)) for place in todo]
        todo = []
        for place, _, future in asked:
            completion = future.result()
            text = text_of(briefs[place], completion.text)
            passed = completion.finish_reason == "stop" and acceptable(briefs[place], text)
            earlier = written.get(place)
            written[place] = Written(
                text,
                earlier.first if earlier else text,
                attempt,
                passed,
                earlier.ms if earlier else completion.total_ms,
            )
            if not passed:
                todo.append(place)
            progress(len(briefs) - len(todo), len(briefs))
    return [written[place] for place in range(len(briefs))]


def _ask(writer: Writer, brief: Brief, seed: int, attempt: int, temperature: float | None) -> "Future[Completion]":
    return writer.submit(
        request_for(
            brief,
            f"{brief.brief_id}/{seed}/{attempt}/{id(brief)}",
            attempt=attempt - 1,
            priority=Priority.REFRESH,
            seed=(int(brief.brief_id, 16) + 1_000_003 * seed) % 2**31 + attempt,
            temperature=temperature,
            top_p=TOP_P,
        )
    )


def write_phrases(briefs: Sequence[Brief]) -> list[Written]:
    """The phrasebook's texts."""
    written = []
    for brief in briefs:
        started = time.perf_counter()
        text = phrase(brief)
        ms = (time.perf_counter() - started) * 1000
        written.append(Written(text, text, 1, acceptable(brief, text), ms))
    return written


def as_written(briefs: Sequence[Brief], texts: Sequence[str]) -> list[Written]:
    """Texts that people wrote before."""
    return [Written(text, text, 1, acceptable(brief, text), 0.0) for brief, text in zip(briefs, texts, strict=True)]
