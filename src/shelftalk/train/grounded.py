"""The second course: plain, grounded pairs, after the hand-written lines have taught form and slots.

Imitating wit, a small model makes nonsense. So it ends its training on texts that say only what their brief holds: the hand-written
lines that pass the grounding rule, and the phrasebook's lines for the same products.
"""

import random
import re
from collections.abc import Iterable, Sequence

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.train.dataset import Pair, augmented
from shelftalk.train.lines import Product

#: Files of lines that were written to be plain: they count twice.
PLAIN = "en-plain"

#: Phrasebook texts a product. Too many and the model is the phrasebook again; none and it forgets what plain is.
PHRASES = 1

#: Texts that only join points, in forms whose grammar holds whatever the points are: where there is no other reason, what a product
#: is and has must do. ``[a]`` and ``[b]`` are points; at a sentence's beginning they get a capital.
_JOINED: dict[Angle, tuple[str, ...]] = {
    Angle.INTRODUCE: (
        "[a]. [b]. {name}, {price}.",
        "[a], [b]: {name}.",
        "{name}: [a], [b].",
        "{name}, {price}: [a], [b].",
        "{name}. [a], [b], {price}.",
        "Noted on the card for {name}: [a].",
        "Worth knowing about {name}: [a], [b].",
        "[a], for a start. {name}, {price}.",
        "On the label: [a]. {name}, {price}.",
        "A reason to open the page: [a]. {name}.",
        "The details of {name}, in short: [a], [b].",
        "[kind], [a], [b]. {price}.",
        "By {brand}: {name}. [a], [b].",
        "What stands out about {name}: [a].",
    ),
    Angle.POPULAR: (
        "Many people are looking at {name} now. [a], [b].",
        "Being looked at a lot: {name}. [a].",
        "[a], [b]: {name} has many people looking.",
    ),
    Angle.YOUR_BRAND: (
        "{brand} again: {name}. [a], [b].",
        "More from {brand}: {name}. [a].",
        "[a], [b]. {name}, by {brand}.",
    ),
    Angle.SEARCH_MATCH: (
        "For your search: {name}. [a], [b].",
        "It fits your search: [kind], [a]. {price}.",
        "[a], [b]: a match for your search.",
    ),
}

#: Such texts a product.
JOINED = 4

_PROMOTIONS = (
    [Promotion.NONE] * 4
    + [Promotion.SALE] * 2
    + [Promotion.LOW_STOCK, Promotion.NEW, Promotion.ENDING_SOON, Promotion.BACK_IN_STOCK]
)


def grounded_pairs(products: Sequence[Product], seed: int, version: int) -> list[Pair]:
    """One version of the course.

    Args:
        products: with their lines.
        seed: of the run.
        version: another one draws other phrases and, beyond 0, shuffles points.
    """
    pairs = [pair for pair in augmented(products, seed, version) if _plain(pair)]
    plain = [product for product in products if product.source.startswith(PLAIN)]
    pairs += [pair for pair in augmented(plain, seed, version + 1) if _plain(pair)]
    rng = random.Random(f"{seed}:{version}:phrases")
    return [*pairs, *_phrases(products, rng), *_joined(products, rng)]


def _plain(pair: Pair) -> bool:
    return judge(pair.brief, pair.text).outcome is Outcome.PASS and not ungrounded(pair.brief, pair.text)


def _phrases(products: Sequence[Product], rng: random.Random) -> Iterable[Pair]:
    kinds = [product.kind for product in products]
    for product in products:
        for _ in range(PHRASES):
            brief = _draw(product, kinds, rng)
            text = phrase(brief)
            pair = Pair(brief, text)
            if _plain(pair):
                yield pair


def _joined(products: Sequence[Product], rng: random.Random) -> Iterable[Pair]:
    for product in products:
        if not product.points:
            continue
        slots = {point: f"{{{slot}}}" for slot, point in point_slots(product.points).items()}
        for _ in range(JOINED):
            angle = rng.choices(list(_JOINED), [5, 1, 1, 1])[0]
            form = rng.choice(_JOINED[angle])
            first, second = rng.choices(product.points, k=2)
            if "[b]" in form and first == second:
                continue
            text = form.replace("[kind]", product.kind)
            text = text.replace("[a]", slots.get(first, first)).replace("[b]", slots.get(second, second))
            text = _SENTENCE.sub(lambda match: match[0].upper(), text)
            brief = _draw(product, [""], rng)
            brief = msgspec.structs.replace(
                brief,
                channel=Channel.CARD,
                angle=angle,
                anchor=None,
                promotion=Promotion.NONE,
                branded=brief.branded or "{brand}" in text,
            )
            pair = Pair(brief, text)
            if _plain(pair):
                yield pair


#: A letter that begins a sentence.
_SENTENCE = re.compile(r"(?:^|[.] )[a-z]")


def _draw(product: Product, kinds: Sequence[str], rng: random.Random) -> Brief:
    channel = rng.choices(list(Channel), [7, 1, 1, 1])[0]
    angle = (
        rng.choice([angle for angle in Angle if angle.worded is angle]) if channel is Channel.CARD else Angle.INTRODUCE
    )
    promotion = rng.choice(_PROMOTIONS)
    if angle is Angle.PRICE_DROPPED and promotion not in {Promotion.SALE, Promotion.ENDING_SOON}:
        promotion = Promotion.SALE
    return Brief(
        sku=f"{product.kind}{rng.random()}",  # decides which phrase; it is not in the prompt
        kind=product.kind,
        points=product.points,
        channel=channel,
        angle=angle,
        anchor=rng.choice(kinds) if angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED} else None,
        promotion=promotion,
        tone=rng.choice(list(Tone)),
        branded=angle is Angle.YOUR_BRAND or rng.random() < 0.5,  # noqa: PLR2004
        locale="en-GB",
        variant=DEFAULT_VARIANT,
        model="",
    )
