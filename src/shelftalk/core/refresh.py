"""Refreshing: a live card is brought up to the facts of this moment, or taken back."""

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Rung, Trigger
from shelftalk.core.effects import Publish, Step, Write
from shelftalk.core.facts import showable
from shelftalk.core.passing import as_ask, pass_on
from shelftalk.core.phrasebook import phrase
from shelftalk.core.publish import brief_for, card_from, publish
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.state import LiveCard, ShelfState, Stage


def refresh(state: ShelfState, card: LiveCard, now_ms: int, rules: ShelfRules, *, again: bool = False) -> Step:
    """Bring one live card up to the facts of this moment, if it is behind them.

    Args:
        state: with the newest facts.
        card: the card as it was last published.
        now_ms: the time, for what ends by itself.
        rules: how to decide.
        again: publish even if nothing moved, under the same revision and id: after a crash the last publication may be lost.
    """
    facts = state.shelf.facts
    for_everybody = not card.audience.shopper_id
    if card.stage is Stage.PASSED or not facts.complete:
        return Step()
    if not for_everybody and now_ms >= card.valid_until_ms:
        return Step(live={card.audience.key: None})
    if not showable(facts, now_ms):
        return _withdraw(state, card, now_ms, rules, again=again)
    brief = brief_for(facts, card, now_ms, rules)
    same_words = brief.brief_id == card.brief_id and bool(card.slotted)
    if same_words and card.facts_version == facts.version and now_ms < card.valid_until_ms:
        return publish(facts, card, now_ms, rules) if again else Step()
    if card.stage is Stage.AWAITING and not for_everybody:
        # Its first words are still being written: now for the new brief. The ask's own deadline goes on.
        return find_words(state, card, brief, now_ms, rules, wait=True)
    card = msgspec.structs.replace(card, revision=card.revision + 1, cause=facts.cause, trigger=Trigger.FACTS)
    if same_words:
        rung = card.rung if card.rung is Rung.PHRASEBOOK else Rung.CACHED
        return publish(facts, msgspec.structs.replace(card, rung=rung), now_ms, rules)
    return find_words(state, card, brief, now_ms, rules, wait=False)


def _withdraw(state: ShelfState, card: LiveCard, now_ms: int, rules: ShelfRules, *, again: bool) -> Step:
    """Take a card back; a shopper's placement is passed on to the next best product."""
    facts, key = state.shelf.facts, card.audience.key
    step = Step()
    if card.stage is Stage.SHOWN and (again or card.slotted):
        card = msgspec.structs.replace(
            card,
            revision=card.revision + 1 if card.slotted else card.revision,
            slotted="",
            brief_id="",
            trigger=Trigger.FACTS,
            cause=facts.cause,
            facts_version=facts.version,
        )
        step.effects.append(Publish(card.audience, card_from(facts, card, "", now_ms, rules)))
    if card.audience.shopper_id:
        passed = pass_on(state, as_ask(card), now_ms, rules)
        step.effects += passed.effects
        step.live = {**passed.live} or {key: None}
    else:
        step.live[key] = card
    return step


def find_words(state: ShelfState, card: LiveCard, brief: Brief, now_ms: int, rules: ShelfRules, *, wait: bool) -> Step:
    """From the copybook; else have them written, and answer with the phrasebook meanwhile unless the card may wait."""
    facts = state.shelf.facts
    text = state.copybook.texts.get(brief.brief_id)
    card = msgspec.structs.replace(card, brief_id=brief.brief_id)
    if text is not None:
        card = msgspec.structs.replace(card, slotted=text.slotted, model=text.model, rung=Rung.CACHED)
        return publish(facts, card, now_ms, rules)
    if brief.model == PHRASEBOOK:
        return publish(facts, phrased(card, brief), now_ms, rules)
    if wait:
        return Step(live={card.audience.key: card}, effects=[Write(brief, urgent=True)])
    step = publish(facts, phrased(card, brief), now_ms, rules)
    step.effects.append(Write(brief, urgent=False))
    return step


def phrased(card: LiveCard, brief: Brief) -> LiveCard:
    """The card with words from the phrasebook."""
    return msgspec.structs.replace(
        card, slotted=phrase(brief), model=PHRASEBOOK, rung=Rung.PHRASEBOOK, brief_id=brief.brief_id
    )
