"""The scene: what one product's facts read as at one moment, made once for all the cards that are rendered from it.

A price change re-renders every live card of a product; a hundred thousand of them share a few texts, two or three locales and
one set of facts. So the words are filled in once for each text and locale, and a card costs little more than its id and revision.
"""

from functools import cached_property
from typing import TypeAlias

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.card import CardFacts
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import percent_off, prior_price_minor, promotion
from shelftalk.core.messages import Origin
from shelftalk.core.render import fill, slot_values, slots_in
from shelftalk.core.reword import Ingredients
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.state import LiveCard
from shelftalk.core.wording import clean_kind, clean_points

#: What of a card decides its words, beside the facts.
_Key: TypeAlias = tuple[Channel, Angle, str | None, Tone, str, int]


class Scene:
    """Facts at a moment, under rules. Nothing of it changes; what was asked for once is remembered."""

    def __init__(self, facts: Facts, now_ms: int, rules: ShelfRules) -> None:
        self.facts, self.now_ms, self.rules = facts, now_ms, rules
        self._values: dict[str, dict[str, str]] = {}
        self._texts: dict[tuple[str, str], str | None] = {}
        self._briefs: dict[_Key, Brief] = {}
        self._ingredients: dict[_Key, Ingredients] = {}
        self._shown: dict[tuple[int, int], CardFacts] = {}

    @cached_property
    def promotion(self) -> Promotion:
        """What the facts mean."""
        return promotion(self.facts, self.now_ms, self.rules.facts)

    @cached_property
    def kind(self) -> str:
        """As it may stand in a sentence."""
        return clean_kind(self.facts.kind)

    def values(self, locale: str) -> dict[str, str]:
        """What each slot reads as; not to be changed."""
        if locale not in self._values:
            self._values[locale] = slot_values(self.facts, clean_points(self.facts.points), locale)
        return self._values[locale]

    def text(self, slotted: str, locale: str) -> str | None:
        """A text with its slots filled; ``None`` where it has a slot without a value."""
        key = (slotted, locale)
        if key not in self._texts:
            values = self.values(locale)
            self._texts[key] = None if slots_in(slotted) - values.keys() else fill(slotted, values)
        return self._texts[key]

    def brief(self, card: LiveCard) -> Brief:
        """What the words of a card depend on."""
        key = self._key(card)
        found = self._briefs.get(key)
        if found is None:
            found = self._briefs[key] = self._brief(card, key[-1])
        return found

    def _key(self, card: LiveCard) -> _Key:
        take = self.rules.take(card.audience.shopper_id, self.facts.sku)
        return card.channel, card.angle, card.anchor, card.tone, card.locale, take

    def _brief(self, card: LiveCard, take: int) -> Brief:
        facts, rules = self.facts, self.rules
        language = card.locale.split("-", 1)[0].lower()
        # Of a product that has not even a kind the model knows nothing to say.
        writes = bool(self.kind) and language in rules.languages and card.channel in rules.written
        return Brief(
            sku=facts.sku,
            kind=self.kind,
            points=clean_points(facts.points),
            channel=card.channel,
            angle=card.angle.worded,
            anchor=clean_kind(card.anchor or "") or None,
            promotion=self.promotion,
            tone=card.tone,
            branded=_brand_adds(facts, card.angle),
            locale=language,  # how words are spelled; amounts and days follow the card's own locale
            variant=rules.variant,
            model=rules.model if writes else PHRASEBOOK,
            take=take,
        )

    def ingredients(self, card: LiveCard) -> Ingredients:
        """What the words of a card are made of."""
        key = self._key(card)
        found = self._ingredients.get(key)
        if found is None:
            found = self._ingredients[key] = Ingredients(self.brief(card), self.values(card.locale))
        return found

    def shown(self, source: Origin) -> CardFacts:
        """The facts as a card states them.

        Args:
            source: the input that they are from.
        """
        key = (source.partition, source.offset)
        if key not in self._shown:
            self._shown[key] = self._card_facts(source)
        return self._shown[key]

    def _card_facts(self, source: Origin) -> CardFacts:
        facts = self.facts
        return CardFacts(
            version=facts.version,
            source_partition=source.partition,
            source_offset=source.offset,
            name=facts.name or "",
            brand=facts.brand,
            price_minor=facts.price_minor if facts.prices else 0,
            currency=facts.currency,
            was_price_minor=prior_price_minor(facts) if facts.prices else None,
            percent_off=percent_off(facts) if facts.prices else None,
            stock=facts.stock or 0,
            promotion=self.promotion,
        )


def _brand_adds(facts: Facts, angle: Angle) -> bool:
    """Whether the words may name the brand: not beside a name that says it already, unless the brand is the reason."""
    if facts.brand is None:
        return False
    return angle is Angle.YOUR_BRAND or facts.brand.casefold() not in (facts.name or "").casefold()


#: The last scene. One is enough: the cards of a product are looked at one after the other.
_last: list[Scene] = []


def scene_of(facts: Facts, now_ms: int, rules: ShelfRules) -> Scene:
    """The scene of these very facts: the last one again where it is the same."""
    last = _last[0] if _last else None
    if last is None or last.facts is not facts or last.now_ms != now_ms or last.rules is not rules:
        last = Scene(facts, now_ms, rules)
        _last[:] = [last]
    return last
