"""From a live card and the facts of this moment to the card that goes out."""

from typing import Any

import msgspec

from shelftalk.core.card import Audience, Rung, Status
from shelftalk.core.effects import Publish, Step
from shelftalk.core.messages import Ask
from shelftalk.core.plate import Plate
from shelftalk.core.rules import PHRASEBOOK
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, Stage


def publish(scene: Scene, card: LiveCard, **changes: Any) -> Step:
    """Render a card's words from the facts of this moment, and send it.

    Args:
        scene: of this moment.
        card: as it is.
        changes: of the card, beside what comes of being published.
    """
    card = msgspec.structs.replace(card, **scene.published(card), **changes)
    if card.cause is None:
        card = msgspec.structs.replace(card, cause=card.origin)
    plate = scene.plate(card, Status.LIVE)
    if not plate.common.text:
        # Cannot happen while the words fit their brief; should it, a plain card is better than a wrong one or none.
        card = msgspec.structs.replace(card, slotted="{name}.", rung=Rung.PHRASEBOOK, model=PHRASEBOOK)
        plate = scene.plate(card, Status.LIVE)
    return Step(live={card.audience.key: card}, effects=[sent(scene, card, plate)])


def withdrawn(scene: Scene, card: LiveCard) -> Publish:
    """The order to take a card off its placement."""
    return sent(scene, card, scene.plate(card, Status.WITHDRAWN))


def emptied(scene: Scene, ask: Ask, placement: str) -> Publish:
    """A withdrawn card for a placement whose ask found nothing: what was there before is not fed any more.

    Args:
        scene: with the facts of the shelf where the ask ended, complete or not.
        ask: what was asked.
        placement: one of its placements.
    """
    card = LiveCard(
        audience=Audience(ask.shopper_id, placement),
        stage=Stage.SHOWN,
        asked_revision=ask.revision,
        revision=ask.revision,
        origin=ask.origin,
        locale=ask.locale,
        valid_until_ms=scene.now_ms + scene.rules.card_ttl_ms,
    )
    return withdrawn(scene, card)


def sent(scene: Scene, card: LiveCard, plate: Plate) -> Publish:
    """The outgoing form of a card. A price that ends is never promised beyond its end."""
    ends_ms = scene.price_ends_ms
    valid_until_ms = card.valid_until_ms if ends_ms is None else min(ends_ms, card.valid_until_ms)
    return Publish(card.audience, plate, card.revision, valid_until_ms, card.origin)
