"""From a brief to a request of the engine: whoever times or tries a model asks it as the worker does."""

from shelftalk.core.brief import Brief
from shelftalk.core.prompt import MAX_NEW_TOKENS, prompt_for, slots_of, temperature_of
from shelftalk.engine import Priority, Request


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
    )
