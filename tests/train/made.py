"""A product made for the tests."""

from shelftalk.core.brief import Angle, Channel, Promotion, Tone
from shelftalk.train.lines import Line, Product


def line(text: str, **changes: object) -> Line:
    fields: dict[str, object] = {
        "channel": Channel.CARD,
        "angle": Angle.INTRODUCE,
        "promo": Promotion.NONE,
        "tone": Tone.PLAIN,
        "text": text,
        "anchor": None,
    }
    return Line(**(fields | changes))  # type: ignore[arg-type]


def product(*lines: Line) -> Product:
    return Product("pour-over kettle", ("900 ml", "gooseneck spout", "1200 W", "steel"), lines)
