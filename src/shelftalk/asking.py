"""From a brief to a request of the engine: whoever times or tries a model asks it as the worker does."""

import dataclasses

from shelftalk.core.brief import Brief
from shelftalk.core.prompt import MAX_NEW_TOKENS, drafts_of, is_framed, prompt_for, slots_of, temperature_of
from shelftalk.engine import Priority, Request
from shelftalk.engine.characters import Script, foreign

#: Of sampling, as a worker asks.
TOP_P = 0.92


def drafts_for(
    brief: Brief,
    key: str,
    *,
    count: int | None = None,
    attempt: int = 0,
    priority: Priority = Priority.SHOPPER,
    deadline_s: float | None = None,
    seed: int = 0,
    temperature: float | None = None,
    top_p: float = TOP_P,
) -> list[Request]:
    """Several drafts of one text: the same prompt, other draws. `core.choice` takes the best.

    Args:
        brief: as for `request_for`, like all that is not named here.
        key: of the text; each draft has its own.
        count: drafts; what suits the brief's variant if left out.
        attempt: which try it is; another one draws anew.
        priority: who waits.
        deadline_s: see `Request`.
        seed: added to the brief's own, so that the same brief gives the same drafts.
        temperature: of the draws.
        top_p: see `Request`.
    """
    count = drafts_of(brief.variant) if count is None else count
    first = int(brief.brief_id, 16) + 1_000_003 * seed + attempt * count
    asked = request_for(
        brief, key, attempt=attempt, priority=priority, deadline_s=deadline_s, temperature=temperature, top_p=top_p
    )
    return [dataclasses.replace(asked, key=f"{key}/{draft}", seed=(first + draft) % 2**31) for draft in range(count)]


def request_for(
    brief: Brief,
    key: str,
    *,
    attempt: int = 0,
    priority: Priority = Priority.SHOPPER,
    deadline_s: float | None = None,
    seed: int = 0,
    temperature: float | None = None,
    top_p: float = 0.9,
) -> Request:
    """What the engine is to write for a brief; `core.prompt.text_of` reads the answer.

    Args:
        brief: its variant decides the prompt and the slots.
        key: the single-flight key.
        attempt: which try it is, as in `Write`.
        priority: who waits.
        deadline_s: see `Request`.
        seed: of the draws.
        temperature: of the draws; what suits the brief's variant if left out.
        top_p: see `Request`.
    """
    return Request(
        key=key,
        prompt=prompt_for(brief, attempt),
        slots=slots_of(brief),
        max_new_tokens=MAX_NEW_TOKENS[brief.channel],
        priority=priority,
        deadline_s=deadline_s,
        seed=seed,
        temperature=temperature_of(brief.variant) if temperature is None else temperature,
        top_p=top_p,
        script=_script_of(brief),
    )


def _script_of(brief: Brief) -> Script | None:
    """Of the text's own letters; none where the model spells the brief's words itself and they are of two: "USB 接口"."""
    script = _SCRIPTS.get(brief.language)
    words = "" if is_framed(brief.variant) else " ".join((brief.kind, brief.anchor or "", *brief.points))
    return None if foreign(words, script) else script


_SCRIPTS = {"en": Script.LATIN, "zh": Script.HAN}
