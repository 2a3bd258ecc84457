"""What takes bytes or text from outside, and what each may raise. Anything else is a crash."""

import contextlib
from collections.abc import Callable

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import judge
from shelftalk.core.labels import clean_label, clean_noun
from shelftalk.core.messages import decode_message
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import prompt_for
from shelftalk.core.render import fill, slots_in
from shelftalk.core.wording import clean_points
from shelftalk.errors import BadInputError
from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.stream.privacy import shoppers_in
from shelftalk.stream.record import Record
from shelftalk.terminal import safe

_NOW_MS = 1_790_000_000_000


def behaviour(data: bytes) -> None:
    """A record of the behaviour topic."""
    with contextlib.suppress(BadInputError):
        decode_behaviour(data, _NOW_MS)


def inventory(data: bytes) -> None:
    """A record of the inventory topic."""
    with contextlib.suppress(BadInputError):
        decode_inventory(data, _NOW_MS)


def message(data: bytes) -> None:
    """A record of the asks topic."""
    with contextlib.suppress(msgspec.DecodeError):  # and its child, ValidationError
        decode_message(data)


def log_line(data: bytes) -> None:
    """The record that a log line is about."""
    shoppers_in(Record("t", 0, 0, data, data))


def words(data: bytes) -> None:
    """A product's texts on their way to a card, and what a model may write."""
    text = data.decode(errors="replace")
    kind, _, rest = text.partition("\n")
    points = clean_points(tuple(rest.split("\n")))
    assert clean_label(clean_label(text, 120), 120) == clean_label(text, 120)
    for language in ("en", "zh"):
        brief = Brief(
            sku="s", kind=clean_noun(kind), points=points, channel=Channel.CARD, angle=Angle.INTRODUCE, anchor=None,
            promotion=Promotion.NONE, tone=Tone.PLAIN, branded=False, locale=language, variant="line-v2", model="m",
        )  # fmt: skip
        prompt_for(brief)
        judge(brief, text)
        ungrounded(brief, text)
        line = phrase(brief)
        assert judge(brief, line) is not None
        fill(line, dict.fromkeys(slots_in(line), "x"))
    assert "\x1b" not in safe(text)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (behaviour, inventory, message, log_line, words)
}
