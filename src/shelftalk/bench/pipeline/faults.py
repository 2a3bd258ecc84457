"""What is wrong with the cards that a shopper sees in the end."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shelftalk.bench.pipeline.course import Seen
from shelftalk.bench.pipeline.naive import brief_for
from shelftalk.core.guard import Outcome
from shelftalk.core.money import format_money
from shelftalk.core.review import review


class Faults(msgspec.Struct, frozen=True):
    """Of the live cards.

    Attributes:
        priced: those that name a price.
        wrong_price: those of them that name another than the product has now.
        unfit: those whose words shelftalk would not have let pass: invented facts, broken sentences, what advertising law forbids.
    """

    cards: int
    priced: int
    wrong_price: int
    unfit: int

    def __str__(self) -> str:
        return (
            f"of {self.cards:,} live cards {self.priced:,} name a price, {self.wrong_price:,} of them a wrong one; "
            f"the words of {self.unfit:,} would not pass the review"
        )


def faults(cards: Iterable[Seen], products: Mapping[str, dict[str, Any]], variant: str | None) -> Faults:
    """Look at cards.

    Args:
        cards: those that are live.
        products: as they are now, by SKU.
        variant: the prompt's, of words that are to be reviewed; ``None`` where they were before they went out.
    """
    seen, priced, wrong_price, unfit = 0, 0, 0, 0
    verdicts: dict[tuple[str, str], bool] = {}
    for card in cards:
        product = products[card.sku]
        seen += 1
        if "{price}" in card.slotted:
            priced += 1
            wrong_price += format_money(product["price_minor"], product["currency"], "en-GB") not in card.text
        if variant is not None:
            key = card.sku, card.slotted
            if key not in verdicts:
                verdicts[key] = review(brief_for(product, variant), card.slotted).outcome is not Outcome.PASS
            unfit += verdicts[key]
    return Faults(seen, priced, wrong_price, unfit)
