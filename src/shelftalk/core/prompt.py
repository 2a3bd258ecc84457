"""From a brief to the prompt's words.

Only what a shopper could read on the product page reaches the model: never an identity, never free text of a shopper.
"""

from collections.abc import Callable

from shelftalk.core.brief import Brief, point_slots

#: Tokens that the fine-tuned model may write for one text of each channel, its end token included.
#: The longest hand-written line of each channel, with a margin of a fifth.
MAX_NEW_TOKENS = {"card": 48, "ad": 36, "social": 72, "copy": 110}


def _line_v1(brief: Brief) -> str:
    """The compact form that the fine-tuned model was trained on: two or three short lines, no instruction."""
    numeric = {point: slot for slot, point in point_slots(brief.points).items()}
    points = "; ".join(f"{{{numeric[point]}}} = {point}" if point in numeric else point for point in brief.points)
    anchor = f" {brief.anchor}" if brief.anchor else ""
    brand = ", branded" if brief.branded else ""
    head = f"{brief.channel}, {brief.angle.replace('_', ' ')}{anchor}, {brief.promotion.replace('_', ' ')}, {brief.tone}{brand}"
    return f"<|im_start|>user\n{head}\n{brief.kind}\n{points or '-'}<|im_end|>\n<|im_start|>assistant\n"


_VARIANTS: dict[str, Callable[[Brief], str]] = {"line-v1": _line_v1}

DEFAULT_VARIANT = "line-v1"


def prompt_for(brief: Brief) -> str:
    """The prompt of the brief's variant.

    Raises:
        KeyError: no variant has this name; settings check it at start.
    """
    return _VARIANTS[brief.variant](brief)


def variants() -> tuple[str, ...]:
    """The names that settings may choose from."""
    return tuple(_VARIANTS)
