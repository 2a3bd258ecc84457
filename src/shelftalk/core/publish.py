"""From a live card and the facts of this moment to the card that goes out."""

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Audience, Card, Provenance, Rung, Status, identified
from shelftalk.core.effects import Publish, Step
from shelftalk.core.explain import because
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.scene import scene_of
from shelftalk.core.state import LiveCard, Stage


def brief_for(facts: Facts, card: LiveCard, now_ms: int, rules: ShelfRules) -> Brief:
    """What the words of a card depend on, as of this moment."""
    return scene_of(facts, now_ms, rules).brief(card)


def publish(facts: Facts, card: LiveCard, now_ms: int, rules: ShelfRules) -> Step:
    """Render a card's words from the facts of this moment, and send it."""
    scene = scene_of(facts, now_ms, rules)
    text = scene.text(card.slotted, card.locale)
    if text is None:
        # Cannot happen while the words fit their brief; should it, a plain card is better than a wrong one or none.
        card = msgspec.structs.replace(card, slotted="{name}.", rung=Rung.PHRASEBOOK, model=PHRASEBOOK)
        text = scene.text(card.slotted, card.locale) or ""
    valid_until_ms = card.valid_until_ms if card.audience.shopper_id else now_ms + rules.copy_ttl_ms
    card = msgspec.structs.replace(
        card,
        stage=Stage.SHOWN,
        facts_version=facts.version,
        valid_until_ms=valid_until_ms,
        cause=card.cause or card.origin,
        published_at_ms=now_ms,
    )
    out = card_from(facts, card, text, now_ms, rules)
    made_of = scene.ingredients(card) if card.audience.shopper_id else None
    return Step(live={card.audience.key: card}, effects=[Publish(card.audience, out, made_of)])


def card_from(facts: Facts, card: LiveCard, text: str, now_ms: int, rules: ShelfRules) -> Card:
    """The outgoing form of a live card; withdrawn without a text. A price that ends is never promised beyond its end."""
    status = Status.LIVE if text else Status.WITHDRAWN
    cause, source, audience = card.cause or card.origin, facts.cause or card.origin, card.audience
    ends_ms = facts.sale_ends_at_ms
    ends_first = ends_ms is not None and now_ms < ends_ms < card.valid_until_ms
    shown = scene_of(facts, now_ms, rules).shown(source)
    made = Card(
        card_id="",
        revision=card.revision,
        status=status,
        channel=card.channel,
        sku=facts.sku,
        shopper_id=audience.shopper_id or None,
        placement=audience.placement,
        locale=card.locale,
        text=text,
        slotted=card.slotted,
        facts=shown,
        valid_until_ms=ends_ms if ends_first and ends_ms is not None else card.valid_until_ms,
        published_at_ms=now_ms,
        ai_generated=status is Status.LIVE and card.rung is not Rung.PHRASEBOOK,
        provenance=Provenance(
            rung=card.rung,
            trigger=card.trigger,
            angle=card.angle,
            because=because(
                card.angle,
                card.anchor,
                card.locale,
                in_band=_in_band(facts, card),
                for_everybody=not audience.shopper_id,
            ),
            brief_id=card.brief_id,
            model=card.model,
            variant=rules.variant,
            tone=card.tone,
            origin=card.origin,
            cause=cause,
        ),
    )
    return identified(made)


def _in_band(facts: Facts, card: LiveCard) -> bool:
    band = card.taste.band
    return band is not None and bool(facts.prices) and band.holds(facts.category, facts.currency, facts.price_minor)


def emptied(facts: Facts, ask: Ask, placement: str, now_ms: int, rules: ShelfRules) -> Publish:
    """A withdrawn card for a placement whose ask found nothing: what was there before is not fed any more.

    Args:
        facts: of the shelf where the ask ended, complete or not.
        ask: what was asked.
        placement: one of its placements.
        now_ms: the time.
        rules: how to decide.
    """
    card = LiveCard(
        audience=Audience(ask.shopper_id, placement),
        stage=Stage.SHOWN,
        asked_revision=ask.revision,
        revision=ask.revision,
        origin=ask.origin,
        locale=ask.locale,
        valid_until_ms=now_ms + rules.card_ttl_ms,
    )
    return Publish(card.audience, card_from(facts, card, "", now_ms, rules))
