"""The second course: plain, grounded pairs, after the hand-written lines have taught form and slots.

Imitating wit, a small model makes nonsense. So it ends its training on texts that say only what their brief holds: the hand-written
lines that pass the grounding rule, and the phrasebook's lines for the same products.
"""

import random
from collections.abc import Iterable, Sequence

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.phrasebook import phrase
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.train.dataset import Pair, augmented
from shelftalk.train.lines import Product

#: Files of lines that were written to be plain: they count twice.
PLAIN = "en-plain"

#: Phrasebook texts a product. Too many and the model is the phrasebook again; none and it forgets what plain is.
PHRASES = 3

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
    return pairs + list(_phrases(products, rng))


def _plain(pair: Pair) -> bool:
    return judge(pair.brief, pair.text).outcome is Outcome.PASS and not ungrounded(pair.brief, pair.text)


def _phrases(products: Sequence[Product], rng: random.Random) -> Iterable[Pair]:
    kinds = [product.kind for product in products]
    for product in products:
        for _ in range(PHRASES):
            brief = _draw(product, kinds, rng)
            text = phrase(brief)
            if judge(brief, text).outcome is Outcome.PASS:
                yield Pair(brief, text)


def _draw(product: Product, kinds: Sequence[str], rng: random.Random) -> Brief:
    channel = rng.choices(list(Channel), [7, 1, 1, 1])[0]
    angle = rng.choice(list(Angle)) if channel is Channel.CARD else Angle.INTRODUCE
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
