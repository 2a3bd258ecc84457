"""What a caller asks of the engine and what comes back."""

import enum
import math
import re
from dataclasses import dataclass
from typing import Literal

from shelftalk.engine.characters import Script

#: What a slot may be called: ``price`` in ``{price}``.
SLOT_NAME = re.compile(r"[a-z][a-z0-9_]*")

FinishReason = Literal["stop", "length"]


class Priority(enum.IntEnum):
    """Who waits; the smaller number is served first."""

    SHOPPER = 0
    REFRESH = 1
    WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Request:
    """One text to write.

    Attributes:
        key: the single-flight key. A request whose key is queued or running already joins that generation.
        prompt: the whole prompt, its special tokens spelled out; none are added.
        slots: names of the slots that the text may use, without braces.
        max_new_tokens: the most tokens to write, the end token included.
        priority: of this caller; a shared generation has the highest of its callers.
        deadline_s: `time.monotonic` seconds after which this caller wants nothing any more, or None.
        seed: of the draws; the same request gives the same text whoever shares the batch.
        temperature: 0 takes the likeliest token and draws nothing.
        top_k: how many of the likeliest tokens a draw may take; the engine sees 32 at the most.
        top_p: the share of probability that those tokens must cover.
        script: letters of another script are not written, except by slots; None leaves all to the model.
        repetition_penalty: divides the score of tokens that the text has already; 1 leaves them alone.

    Raises:
        ValueError: a field is out of its range: a mistake in the calling code.
    """

    key: str
    prompt: str
    slots: tuple[str, ...]
    max_new_tokens: int
    priority: Priority
    deadline_s: float | None
    seed: int = 0
    temperature: float = 0.0
    top_k: int = 32
    top_p: float = 0.9
    repetition_penalty: float = 1.0
    script: Script | None = None

    def __post_init__(self) -> None:
        in_range = {
            "key": bool(self.key),
            "slots": all(SLOT_NAME.fullmatch(slot) for slot in self.slots),
            "max_new_tokens": self.max_new_tokens >= 1,
            "deadline_s": self.deadline_s is None or not math.isnan(self.deadline_s),
            "seed": self.seed >= 0,
            "temperature": 0 <= self.temperature < math.inf,
            "top_k": self.top_k >= 1,
            "top_p": 0 < self.top_p <= 1,
            "repetition_penalty": 0 < self.repetition_penalty < math.inf,
        }
        wrong = [f"{name}={getattr(self, name)!r}" for name, right in in_range.items() if not right]
        if wrong:
            raise ValueError(f"request out of range: {', '.join(wrong)}")


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished text.

    Attributes:
        text: the words with their slots, blank ends removed.
        finish_reason: ``stop`` when the model ended the text itself, ``length`` when it ran out of tokens.
        prompt_tokens: tokens of the prompt.
        new_tokens: tokens written, the end token included.
        queued_ms: from this caller's submit until the generation got a row; 0 for one that joined later.
        total_ms: from this caller's submit until now.
        model_id: names the model, for provenance.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    new_tokens: int
    queued_ms: float
    total_ms: float
    model_id: str
