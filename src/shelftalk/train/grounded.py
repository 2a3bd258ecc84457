"""The second course: plain, grounded pairs, after the hand-written lines have taught form and slots.

Imitating wit, a small model makes nonsense. So it ends its training on texts that say only what their brief holds: the hand-written
lines that pass the grounding rule, the phrasebook's lines for the same products, and the small models' frames with their remarks.
"""

import random
from collections.abc import Iterable, Sequence

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import DEFAULT_VARIANT, channels_of
from shelftalk.core.remarks import remarks_for
from shelftalk.core.word_slots import take_remarks
from shelftalk.train.dataset import Pair, augmented
from shelftalk.train.lines import Product
from shelftalk.train.mixture import draw, gather
from shelftalk.train.skeletons import Goods

#: Files of lines that were written to be plain: they count twice.
PLAIN = "en-plain"

#: Phrasebook texts a product. Too many and the model is the phrasebook again; none and it forgets what plain is.
PHRASES = 1

#: Texts of the small models a product, which tell remarks and are written to be true of whatever they are written for.
FRAMES = 4

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
    plain = [product for product in products if product.source.startswith(PLAIN)]
    written = [*augmented(products, seed, version), *augmented(plain, seed, version + 1)]
    pairs = [_untold(pair) for pair in written if _plain(pair) and pair.brief.channel in channels_of(DEFAULT_VARIANT)]
    rng = random.Random(f"{seed}:{version}:phrases")
    return [*(pair for pair in pairs if pair), *_phrases(products, rng), *_framed(products, rng)]


def _plain(pair: Pair) -> bool:
    return judge(pair.brief, pair.text).outcome is Outcome.PASS and not ungrounded(pair.brief, pair.text)


#: Products tried, whose hash decides what a remark tells, until it tells none of the points that the text tells.
_SKUS = 8


def _untold(pair: Pair) -> Pair | None:
    """The pair with a product whose remark tells no point that the text tells itself."""
    briefs = (msgspec.structs.replace(pair.brief, sku=f"{pair.brief.sku}{number}") for number in range(_SKUS))
    return next((one for brief in briefs if not _told_twice(one := Pair(brief, pair.text))), None)


def _told_twice(pair: Pair) -> bool:
    """Whether a text tells the point that a remark of its brief tells, so that its prompt does not hold it."""
    told = remarks_for(pair.brief).point
    slots = {point: f"{{{slot}}}" for slot, point in point_slots(pair.brief.points).items()}
    return bool(told) and slots.get(told, told).casefold() in take_remarks(pair.brief, pair.text).casefold()


def _phrases(products: Sequence[Product], rng: random.Random) -> Iterable[Pair]:
    kinds = [product.kind for product in products]
    for product in products:
        for _ in range(PHRASES):
            brief = _draw(product, kinds, rng)
            text = phrase(brief)
            pair = Pair(brief, text)
            if _plain(pair) and not _told_twice(pair):
                yield pair


def _framed(products: Sequence[Product], rng: random.Random) -> Iterable[Pair]:
    goods = [Goods(product.kind, product.points) for product in products]
    material = gather(languages=("en",))._replace(goods={"en": goods})
    for pair in draw(material, FRAMES * len(products), f"{rng.random()}", ("en",)):
        brief = msgspec.structs.replace(pair.brief, variant=DEFAULT_VARIANT, locale="en-GB")
        yield Pair(brief, pair.text)


def _draw(product: Product, kinds: Sequence[str], rng: random.Random) -> Brief:
    channel = rng.choices([Channel.CARD, Channel.AD], [7, 1])[0]
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
