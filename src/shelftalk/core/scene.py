"""The scene: what one product's facts read as at one moment, made once for all the cards that are rendered from it.

A price change re-renders every live card of a product; a hundred thousand of them share a few texts, two or three locales and
one set of facts. So the words are filled in once for each text and locale, and a card costs little more than its id and revision.
"""

from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.card import Card, CardFacts, Provenance, Rung, Status, Trigger
from shelftalk.core.explain import because, because_everybody
from shelftalk.core.facts import Facts
from shelftalk.core.interest import Band
from shelftalk.core.meaning import percent_off, prior_price_minor, promotion, showable
from shelftalk.core.messages import Origin
from shelftalk.core.plate import Plate
from shelftalk.core.render import fill, slot_values, slots_in
from shelftalk.core.reword import Ingredients
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.state import LiveCard, Stage
from shelftalk.core.substance import things_to_say
from shelftalk.core.wording import beside_name, clean_kind, clean_points

#: What of a card decides its words, beside the facts; the last is its wording.
_Words: TypeAlias = tuple[Channel, Angle, str | None, Tone, str, int]


class Moved(NamedTuple):
    """What becomes of all cards that say the same when the facts have moved and their words may stay.

    Attributes:
        changes: of each card's record, beside its revision.
        plate: of what goes out.
    """

    changes: dict[str, Any]
    plate: Plate


class Scene:
    """Facts at a moment, under rules. Nothing of it changes; what was asked for once is remembered.

    What it makes does not know it: that would be a cycle, and each card's garbage the collector's to find. There were so many once
    that it stopped the worker for 100 ms at a time, a third of what the rules cost.
    """

    def __init__(self, facts: Facts, now_ms: int, rules: ShelfRules) -> None:
        self.facts, self.now_ms, self.rules = facts, now_ms, rules
        self._values: dict[str, dict[str, str]] = {}
        self._texts: dict[tuple[str, str], str | None] = {}
        self._briefs: dict[_Words, Brief] = {}
        self._holding: dict[tuple[object, ...], bool] = {}
        self._moved: dict[tuple[object, ...], Moved | None] = {}
        self._plates: dict[tuple[object, ...], Plate] = {}

    @cached_property
    def showable(self) -> bool:
        """Whether a card may be shown at all."""
        return showable(self.facts, self.now_ms)

    @cached_property
    def promotion(self) -> Promotion:
        """What the facts mean."""
        return promotion(self.facts, self.now_ms, self.rules.facts)

    @cached_property
    def price_ends_ms(self) -> int | None:
        """When the present price ends, if that is still to come."""
        ends_ms = self.facts.sale_ends_at_ms
        return ends_ms if ends_ms is not None and ends_ms > self.now_ms else None

    @cached_property
    def kind(self) -> str:
        """As it may stand in a sentence."""
        return clean_kind(self.facts.kind)

    @cached_property
    def points(self) -> tuple[str, ...]:
        """What may be said of the product beside its name."""
        return beside_name(clean_points(self.facts.points), self.facts.name or "")

    def fills(self, channel: Channel, promotion: Promotion | None = None) -> bool:
        """Whether there is enough to say for what a channel tells everybody.

        Args:
            channel: where it would go.
            promotion: under another promotion than the present one.
        """
        things = things_to_say(self.kind, self.points, promotion or self.promotion, channel)
        return things >= self.rules.least.get(channel, 0)

    def values(self, locale: str) -> dict[str, str]:
        """What each slot reads as; not to be changed."""
        if locale not in self._values:
            self._values[locale] = slot_values(self.facts, self.points, locale)
        return self._values[locale]

    def text(self, slotted: str, locale: str) -> str | None:
        """A text with its slots filled; ``None`` where it has a slot without a value."""
        key = (slotted, locale)
        if key not in self._texts:
            values = self.values(locale)
            self._texts[key] = None if slots_in(slotted) - values.keys() else fill(slotted, values)
        return self._texts[key]

    def brief(self, card: LiveCard) -> Brief:
        """What the words of a card depend on, in the wording that is its shopper's."""
        take = self.rules.take(card.audience.shopper_id, self.facts.sku)
        key = (card.channel, card.angle, card.anchor, card.tone, card.locale, take)
        found = self._briefs.get(key)
        if found is None:
            found = self._briefs[key] = self._brief(card, take)
        return found

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
            place=facts.place,
        )

    def holds(self, card: LiveCard) -> bool:
        """Whether a card's words are still those of its brief, in whichever wording: a move of the price alone changes no words."""
        key = (card.brief_id, card.channel, card.angle, card.anchor, card.tone, card.locale)
        found = self._holding.get(key)
        if found is None:
            wordings = self.brief(card).wordings(self.rules.takes)
            found = self._holding[key] = any(brief.brief_id == card.brief_id for brief in wordings)
        return found

    def published(self, card: LiveCard) -> dict[str, Any]:
        """What a card's record has once it is published now."""
        now = {"stage": Stage.SHOWN, "facts_version": self.facts.version, "published_at_ms": self.now_ms}
        if not card.audience.shopper_id:
            now["valid_until_ms"] = self.now_ms + self.rules.copy_ttl_ms
        return now

    def moved(self, card: LiveCard) -> Moved | None:
        """What becomes of a card, and of every other one that says the same; ``None`` where it needs other words.

        A price change asks this of a hundred thousand cards, and all but a few have been answered.
        """
        band = card.taste.band
        key = (
            card.slotted, card.brief_id, card.rung, card.model, card.angle, card.anchor, card.locale, card.tone, card.channel,
            band is not None and self._in(band), not card.audience.shopper_id,
        )  # fmt: skip
        try:
            return self._moved[key]
        except KeyError:
            found = self._moved[key] = self._move(card)
            return found

    def _move(self, card: LiveCard) -> Moved | None:
        if not (card.slotted and self.holds(card)):
            return None
        rung = card.rung if card.rung is Rung.PHRASEBOOK else Rung.CACHED
        changes = self.published(card) | {"cause": self.facts.cause, "trigger": Trigger.FACTS, "rung": rung}
        plate = self.plate(msgspec.structs.replace(card, **changes), Status.LIVE)
        return Moved(changes, plate) if plate.common.text else None

    def plate(self, card: LiveCard, status: Status) -> Plate:
        """What a card has in common with others; without a text where its words have a slot without a value."""
        band, cause = card.taste.band, card.cause or card.origin
        in_band = band is not None and self._in(band)
        everybody = not card.audience.shopper_id
        key = (
            card.slotted, card.brief_id, cause, card.trigger, card.rung, card.model, card.angle, card.anchor, card.locale,
            card.tone, card.channel, in_band, everybody, status,
        )  # fmt: skip
        found = self._plates.get(key)
        if found is None:
            found = self._plates[key] = self._plate(card, cause, status, in_band=in_band)
        return found

    def _in(self, band: Band) -> bool:
        facts = self.facts
        return bool(facts.prices) and band.holds(facts.category, facts.currency, facts.price_minor)

    def _plate(self, card: LiveCard, cause: Origin, status: Status, *, in_band: bool) -> Plate:
        live, everybody = status is Status.LIVE, not card.audience.shopper_id
        common = Card(
            card_id="",
            revision=card.revision,
            status=status,
            channel=card.channel,
            sku=self.facts.sku,
            shopper_id=card.audience.shopper_id or None,
            placement=card.audience.placement,
            locale=card.locale,
            text=(self.text(card.slotted, card.locale) or "") if live else "",
            slotted=card.slotted,
            facts=self._shown(self.facts.cause or card.origin),
            valid_until_ms=card.valid_until_ms,
            published_at_ms=self.now_ms,
            ai_generated=live and card.rung is not Rung.PHRASEBOOK,
            provenance=Provenance(
                rung=card.rung,
                trigger=card.trigger,
                angle=card.angle,
                because=self._because(card, in_band=in_band),
                brief_id=card.brief_id,
                model=card.model,
                variant=self.rules.variant,
                tone=card.tone,
                origin=card.origin,
                cause=cause,
            ),
        )
        made_of = Ingredients(self.brief(card).first, self.values(card.locale)) if live and not everybody else None
        return Plate(common, made_of)

    def _because(self, card: LiveCard, *, in_band: bool) -> str:
        if card.audience.shopper_id:
            return because(card.angle, card.anchor, card.locale, in_band=in_band)
        return because_everybody(card.locale, told=self.fills(card.channel) or not self.showable)

    def _shown(self, source: Origin) -> CardFacts:
        """The facts as a card states them, and the input that they are from."""
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
