"""From a brief to the prompt's words, and from what a generator wrote back to a slotted text.

Only what a shopper could read on the product page reaches the model: never an identity, never free text of a shopper.
"""

from collections.abc import Callable
from typing import NamedTuple

from shelftalk.core.brief import Brief, Channel, point_slots
from shelftalk.core.grammar import classes
from shelftalk.core.remarks import REMARK_SLOTS, remarks_for
from shelftalk.core.typed_slots import typed, with_types, without_types
from shelftalk.core.voices import voice_for
from shelftalk.core.word_slots import WORD_SLOTS, offered_slots, put_words, take_remarks, word_values

#: Tokens that the fine-tuned model may write for one text of each channel, its end token included.
#: The longest hand-written line of each channel, with a margin of a fifth.
MAX_NEW_TOKENS = {"card": 48, "ad": 36, "social": 72, "copy": 110}


class Variant(NamedTuple):
    """How a kind of generator is asked and understood.

    Attributes:
        prompt: the words that it gets.
        slots: the slots that it may write, by the names that everybody else knows.
        text: its text with only the slots left that a card fills.
        spelled: a text with word slots as the generator is to learn it.
        languages: what models of this kind are trained to write.
        channels: where they write well enough to be printed; a small model's posts and descriptions fall apart half way.
        temperature: of sampling: where most texts pass within three tries, and few sound alike (`evaluate text`).
        framed: whether such a model has learned from frames alone, so that leaving them is leaving the language (`core.fluency`).
        typed: whether it writes slots by names that tell their grammar (`core.typed_slots`).
        drafts: asked for at once, of which the best is taken (`core.choice`): where one costs milliseconds, several are cheaper
            than a second try.
    """

    prompt: Callable[[Brief, str], str]
    slots: Callable[[Brief], tuple[str, ...]]
    text: Callable[[Brief, str], str]
    spelled: Callable[[Brief, str], str]
    languages: frozenset[str]
    channels: frozenset[Channel]
    temperature: float
    framed: bool
    typed: bool
    drafts: int


def _line_v2(brief: Brief, voice: str) -> str:
    """The compact form that the fine-tuned model was trained on: three short lines, no instruction."""
    told, numeric = remarks_for(brief).point, {point: slot for slot, point in point_slots(brief.points).items()}
    left = (point for point in brief.points if point != told)  # what a remark tells is not told again
    words = [f"{{{numeric[point]}}} = {point}" if point in numeric else point for point in left]
    points = "; ".join([*words, *(f"{{{slot}}}" for slot in _line_slots(brief) if slot in REMARK_SLOTS)])
    anchor = f" {brief.anchor}" if brief.anchor else ""
    brand = ", branded" if brief.branded else ""
    angle, promotion = (one.replace("_", " ") for one in (brief.angle, brief.promotion))
    head = f"{brief.channel}, {angle}{anchor}, {promotion}, {brief.tone}{brand}, {voice}"
    return f"<|im_start|>user\n{head}\n{brief.kind}\n{points or '-'}<|im_end|>\n<|im_start|>assistant\n"


def _line_slots(brief: Brief) -> tuple[str, ...]:
    """Of word slots only those of remarks: it spells the words itself."""
    return tuple(slot for slot in offered_slots(brief) if slot in REMARK_SLOTS or slot not in WORD_SLOTS)


def _line_text(brief: Brief, text: str) -> str:
    return take_remarks(brief, put_words(brief, text, but=REMARK_SLOTS))


def _slots_v5(brief: Brief, voice: str) -> str:
    """The form of the small models: a voice, and no words at all, only slots that are called after their grammar (`typed_slots`).

    Of a Chinese kind it tells the domain; the noun is the kind's, and says nothing new.
    """
    names, of = typed(brief), classes(brief)
    told = {*point_slots(brief.points), *word_values(brief)} - {"noun"}
    words = "".join(
        f"{{{names[slot]}}}" if slot in names else f"{{{slot}}} {of.get(slot, '')}".rstrip()
        for slot in offered_slots(brief)
        if slot in told
    )
    name = f"{{{names['name']}}}" if "name" in names else ""
    head = f"{brief.language} {brief.channel} {brief.angle} {brief.promotion} {brief.tone}".replace("_", "")
    branded = " branded" if brief.branded else ""
    return f"<|im_start|>{head}{branded} {voice}{name}{words}<|im_start|>"


def _text_typed(brief: Brief, written: str) -> str:
    return put_words(brief, without_types(brief, written))


_VARIANTS: dict[str, Variant] = {
    "line-v2": Variant(
        _line_v2,
        _line_slots,
        put_words,
        _line_text,
        frozenset({"en"}),
        frozenset({Channel.CARD, Channel.AD}),
        0.6,
        framed=False,
        typed=False,
        drafts=1,
    ),
    "slots-v5": Variant(
        _slots_v5,
        offered_slots,
        _text_typed,
        with_types,
        frozenset({"en", "zh"}),
        frozenset({Channel.CARD, Channel.AD}),
        1.0,
        framed=True,
        typed=True,
        drafts=3,
    ),
}

DEFAULT_VARIANT = "line-v2"


def prompt_for(brief: Brief, attempt: int = 0, *, voice: str | None = None) -> str:
    """The prompt of the brief's variant.

    Args:
        brief: what is to be written.
        attempt: which try it is: each has its own voice.
        voice: instead of the brief's own; training tells that of the text.

    Raises:
        KeyError: no variant has this name; settings check it at start.
    """
    variant = _VARIANTS[brief.variant]
    if voice is None:
        voice = voice_for(brief, attempt)
    return variant.prompt(brief, voice)


def slots_of(brief: Brief) -> tuple[str, ...]:
    """The slots that the generator of the brief's variant may write, as it writes them."""
    variant = _VARIANTS[brief.variant]
    slots = variant.slots(brief)
    if not variant.typed:
        return slots
    names = typed(brief)
    return tuple(names.get(slot, slot) for slot in slots)


def text_of(brief: Brief, written: str) -> str:
    """What the generator of the brief's variant wrote, as the guard and the card take it."""
    return _VARIANTS[brief.variant].text(brief, written)


def spelled_for(brief: Brief, text: str) -> str:
    """What the generator of the brief's variant is to learn: the inverse of `text_of`, for a text with word slots."""
    return _VARIANTS[brief.variant].spelled(brief, text)


def languages_of(variant: str) -> frozenset[str]:
    """What the models of a variant write."""
    return _VARIANTS[variant].languages


def channels_of(variant: str) -> frozenset[Channel]:
    """Where the models of a variant write well enough to be printed."""
    return _VARIANTS[variant].channels


def temperature_of(variant: str) -> float:
    """How boldly models of a variant are to draw."""
    return _VARIANTS[variant].temperature


def drafts_of(variant: str) -> int:
    """How many drafts of a text suit the models of a variant."""
    return _VARIANTS[variant].drafts


def is_framed(variant: str) -> bool:
    """Whether models of a variant have learned from frames alone."""
    return _VARIANTS[variant].framed


def variants() -> tuple[str, ...]:
    """The names that settings may choose from."""
    return tuple(_VARIANTS)
