"""The hand-written lines: one product a JSON line, several texts a product (see ``lines/GUIDE.md``).

A file's name begins with the language of its lines: ``en-home.jsonl``, ``zh-home.jsonl``.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.errors import ConfigError

LINES_DIR = Path(__file__).with_name("lines")

#: The locale of each language's lines; Chinese is written in simplified characters.
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text and what it answers."""

    channel: Channel
    angle: Angle
    promo: Promotion
    tone: Tone
    text: str
    anchor: str | None = None


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product that we made up, with the texts written for it.

    Attributes:
        source: where it was read, ``"en-home.jsonl:12"``; empty in a product made by hand.
        language: of its texts, from the file's name.
    """

    kind: str
    points: tuple[str, ...]
    lines: tuple[Line, ...]
    source: str = ""
    language: str = "en"


def read_products(path: Path) -> Iterator[Product]:
    """Read one file of products.

    Raises:
        ConfigError: a line of the file is not a product; the message names file, line and field.
    """
    decoder = msgspec.json.Decoder(Product)
    language = path.name.split("-", 1)[0]
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not row.strip():
            continue
        source = f"{path.name}:{number}"
        try:
            product = decoder.decode(row)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{source}: {error}") from error
        yield msgspec.structs.replace(product, source=source, language=language)


def load_products(folder: Path = LINES_DIR, language: str = "en") -> list[Product]:
    """Every product of one language (``"*"``: of all), in file order."""
    return [product for path in sorted(folder.glob(f"{language}-*.jsonl")) for product in read_products(path)]


def cells(language: str, folder: Path = LINES_DIR) -> Counter[tuple[Channel, Angle, Promotion]]:
    """How many lines each channel, angle and promotion has; those that have none are counted 0.

    No line is written about a price that dropped while it has not, nor about what is sold out.
    """
    possible = (
        (channel, angle, promotion)
        for channel in Channel
        for angle in Angle
        for promotion in Promotion
        if angle.worded is angle
        and promotion is not Promotion.SOLD_OUT
        and (angle is not Angle.PRICE_DROPPED or promotion in {Promotion.SALE, Promotion.ENDING_SOON})
    )
    found: Counter[tuple[Channel, Angle, Promotion]] = Counter(dict.fromkeys(possible, 0))
    for product in load_products(folder, language):
        found.update((line.channel, line.angle, line.promo) for line in product.lines)
    return found


def brief_for(product: Product, line: Line, *, branded: bool, variant: str = DEFAULT_VARIANT) -> Brief:
    """The brief that a line answers. SKU and model are empty: neither reaches the prompt."""
    return Brief(
        sku="",
        kind=product.kind,
        points=product.points,
        channel=line.channel,
        angle=line.angle,
        anchor=line.anchor,
        promotion=line.promo,
        tone=line.tone,
        branded=branded,
        locale=LOCALES[product.language],
        variant=variant,
        model="",
    )
