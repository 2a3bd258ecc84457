"""What is to be written: held-out products with what a person wrote for them, shoppers' pages, and test sets from elsewhere."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.places import Places
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.core.wording import clean_points
from shelftalk.demo.catalogue import load_demo_store
from shelftalk.errors import ConfigError
from shelftalk.train.dataset import split_by_product
from shelftalk.train.lines import LINES_DIR, brief_for, load_products

#: The split of every training in this repository: nothing of these products was learned from.
HELD_OUT, SEED = 0.08, 7

#: What a family of headline models is asked for.
HEADLINES = frozenset({Channel.CARD, Channel.AD})


class Case(NamedTuple):
    """A brief and what a person wrote for it."""

    brief: Brief
    reference: str


def held_out_cases(language: str, limit: int = 0) -> list[Case]:
    """The lines of held-out products; ``limit`` of them, or all."""
    _, products = split_by_product(load_products(LINES_DIR, language), HELD_OUT, SEED)
    cases: list[Case] = []
    takes: Counter[str] = Counter()
    places = Places()  # as a worker numbers what comes to it
    for product in products:
        place = places.number(product.kind)
        for line in product.lines:
            brief = brief_for(product, line, branded="{brand}" in line.text)
            brief = msgspec.structs.replace(brief, locale=language, sku=product.source, place=place)
            # What a person wrote twice for the same reason, a shop has in two wordings.
            take = takes[brief.brief_id]
            takes[brief.brief_id] += 1
            cases.append(Case(msgspec.structs.replace(brief, take=take), line.text))
    return _some(cases, limit)


def _some(cases: list[Case], limit: int) -> list[Case]:
    """So many, drawn by the seed, in their order; all where the limit is 0."""
    if not 0 < limit < len(cases):
        return cases
    return [cases[place] for place in sorted(random.Random(SEED).sample(range(len(cases)), limit))]


def shopper_pages(pages: int, cards: int = 6) -> list[list[Brief]]:
    """Pages of the demo store, which no training has seen: what a shopper has on one screen, each card with its own reason."""
    products = [product for product in load_demo_store().products if product.kind]
    places = Places()
    numbers = {product.sku: places.number(product.kind or "") for product in products}
    rng = random.Random(SEED)
    reasons = (
        [(Angle.GOES_WITH, Promotion.NONE)] * 4
        + [(Angle.LIKE_VIEWED, Promotion.NONE)] * 3
        + [(Angle.POPULAR, Promotion.NONE), (Angle.INTRODUCE, Promotion.NONE), (Angle.SEARCH_MATCH, Promotion.NONE)]
        + [(Angle.IN_CART, Promotion.NONE), (Angle.PRICE_DROPPED, Promotion.SALE), (Angle.INTRODUCE, Promotion.SALE)]
        + [
            (Angle.GOES_WITH, Promotion.SALE),
            (Angle.INTRODUCE, Promotion.LOW_STOCK),
            (Angle.YOUR_BRAND, Promotion.NONE),
        ]
    )
    made = []
    for _ in range(pages):
        anchor = rng.choice(products)
        page = []
        for product in rng.sample(products, cards):
            angle, promotion = rng.choice(reasons)
            page.append(
                Brief(
                    sku=product.sku,
                    kind=product.kind or "",
                    points=clean_points(product.points),
                    channel=Channel.CARD,
                    angle=angle,
                    anchor=anchor.kind if angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED} else None,
                    promotion=promotion,
                    tone=rng.choice([Tone.PLAIN, Tone.WARM]),
                    branded=product.brand is not None,
                    locale="en",
                    variant=DEFAULT_VARIANT,
                    model="evaluation",
                    place=numbers[product.sku],
                )
            )
        made.append(page)
    return made


#: How test sets call what a brief has places for.
_NAMES = {
    "name": ("name", "title", "product_name"),
    "brand": ("brand", "manufacturer", "developer"),
    "price": ("price", "list_price"),
    "kind": ("kind", "type", "category", "product_type", "style"),
}


def foreign_cases(path: Path, language: str = "en", limit: int = 0) -> list[Case]:
    """A test set of somebody else's: JSONL, each line ``{"attributes": {...}, "reference": "..."}``.

    Attributes called name, brand, price and kind (or type, category ...) take their places; all others are selling points. In the
    reference, the values of name, brand and price become slots, and so do points with a digit, so that both sides are alike.

    Raises:
        ConfigError: a line is something else.
    """
    cases = []
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not row.strip():
            continue
        try:
            loaded: Any = json.loads(row)
            attributes = {
                str(key): str(value) for key, value in loaded["attributes"].items() if value not in {None, ""}
            }
            reference = str(loaded["reference"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f'{path}:{number}: wants {{"attributes": {{...}}, "reference": "..."}}: {error!r}'
            ) from error
        cases.append(_foreign(attributes, reference, language))
    if not cases:
        raise ConfigError(f"{path} has no line")
    return _some(cases, limit)


def _foreign(attributes: Mapping[str, str], reference: str, language: str) -> Case:
    found = {
        place: next((attributes[name] for name in names if name in attributes), "") for place, names in _NAMES.items()
    }
    taken = {name for names in _NAMES.values() for name in names}
    points = clean_points(tuple(_point(key, value) for key, value in attributes.items() if key not in taken))
    kind = found["kind"].lower() or "product"
    text = " ".join(reference.split())
    for slot in ("name", "brand", "price"):
        if found[slot]:
            text = re.sub(rf"(?<!\w){re.escape(found[slot])}(?!\w)", f"{{{slot}}}", text, flags=re.IGNORECASE)
    channel = next(
        (channel for channel, most in ((Channel.CARD, 110), (Channel.SOCIAL, 220)) if len(text) <= most), Channel.COPY
    )
    digest = hashlib.blake2b(reference.encode(), digest_size=6).hexdigest()
    brief = Brief(
        sku=digest, kind=kind, points=points, channel=channel, angle=Angle.INTRODUCE, anchor=None, promotion=Promotion.NONE,
        tone=Tone.PLAIN, branded=bool(found["brand"]), locale=language, variant=DEFAULT_VARIANT, model="evaluation",
    )  # fmt: skip
    return Case(brief, text)


def _point(key: str, value: str) -> str:
    """A value that is clear by itself stands alone; a bare number or a yes needs its name."""
    key = key.replace("_", " ").lower()
    if value.lower() in {"yes", "true"}:
        return key
    return value if re.search(r"[^\W\d]{3}|[\u4e00-\u9fff]{2}", value) else f"{value} {key}"


def of_channels(cases: Sequence[Case], channels: frozenset[Channel]) -> list[Case]:
    """Those of some channels."""
    return [case for case in cases if case.brief.channel in channels]
