"""What the engine has done so far."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot. Counts are of callers unless said otherwise, since the engine started.

    Attributes:
        queued: generations that wait for a row now.
        running: generations that have one now.
        submitted: callers taken in; = completed + failed + expired + cancelled + those still waiting.
        joined: callers that joined a generation instead of starting one (single flight).
        completed: callers that got a text.
        failed: callers whose forward pass failed.
        expired: callers whose deadline came first.
        cancelled: callers that took their request back.
        evicted: generations that were put back for a more urgent one.
        tokens: tokens written.
        prompt_tokens: tokens of prompts taken in.
        steps: turns run.
        batch_sizes: how many turns had how many rows.
        step_ms: sum of the turns' milliseconds, the model's and ours.
        drafted: tokens guessed ahead for a text that was written alone.
        confirmed: those of them that came true.
    """

    queued: int
    running: int
    submitted: int
    joined: int
    completed: int
    failed: int
    expired: int
    cancelled: int
    evicted: int
    tokens: int
    prompt_tokens: int
    steps: int
    batch_sizes: Mapping[int, int]
    step_ms: float
    drafted: int = 0
    confirmed: int = 0
