"""Refreshing: a live card is brought up to the facts of this moment, or taken back."""

from collections.abc import Mapping

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Rung, Trigger
from shelftalk.core.effects import Publish, Step, Write
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import showable
from shelftalk.core.messages import Bought
from shelftalk.core.passing import as_ask, nothing, pass_on
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
    if not facts.complete or (again and facts.version < card.facts_version):
        # The shelf lost what the card was made from: those events were never committed, and come again.
        return Step()
    if not for_everybody and now_ms >= card.valid_until_ms:
        return Step(live={card.audience.key: None})
    if card.stage is Stage.PASSED:
        return _withdraw_again(state, card, now_ms, rules) if again and card.trigger is Trigger.FACTS else Step()
    if not showable(facts, now_ms):
        return _withdraw(state, card, now_ms, rules, again=again)
    brief = brief_for(facts, card, now_ms, rules)
    if card.stage is Stage.AWAITING and not for_everybody:
        # Its first words are still being written: now for the new brief. The ask's own deadline goes on.
        return find_words(state, card, brief, now_ms, rules, wait=True)
    same_words = card.brief_id in {brief.brief_id, brief.first.brief_id} and bool(card.slotted)
    if same_words and card.facts_version == facts.version and not is_due(card, now_ms, rules):
        return publish(facts, card, now_ms, rules) if again else _rewrite(state, card, brief, now_ms, rules)
    card = msgspec.structs.replace(card, revision=card.raised(now_ms), cause=facts.cause, trigger=Trigger.FACTS)
    if same_words:
        rung = card.rung if card.rung is Rung.PHRASEBOOK else Rung.CACHED
        return publish(facts, msgspec.structs.replace(card, rung=rung), now_ms, rules)
    return find_words(state, card, brief, now_ms, rules, wait=False)


def is_due(card: LiveCard, now_ms: int, rules: ShelfRules) -> bool:
    """Whether a copy for everybody should be sent anew because half its time is over; a shopper's card just expires."""
    return not card.audience.shopper_id and now_ms >= card.valid_until_ms - rules.copy_ttl_ms // 2


def _rewrite(state: ShelfState, card: LiveCard, brief: Brief, now_ms: int, rules: ShelfRules) -> Step:
    """A card that is up to date but has only a phrase gets its words after all: a crash may have taken who was writing them."""
    if card.rung is not Rung.PHRASEBOOK or brief.model == PHRASEBOOK:
        return Step()
    text = state.copybook.texts.get(brief.brief_id) or state.copybook.texts.get(brief.first.brief_id)
    if text is None:
        write = Write(brief.first, urgent=False, earn=brief.particular)
        return Step(live={card.audience.key: card}, effects=[write])
    if text.model == PHRASEBOOK:
        return Step()
    better = msgspec.structs.replace(
        card,
        slotted=text.slotted,
        model=text.model,
        rung=Rung.CACHED,
        revision=card.raised(now_ms),
        trigger=Trigger.REWRITE,
    )
    return publish(state.shelf.facts, better, now_ms, rules)


def _withdraw(state: ShelfState, card: LiveCard, now_ms: int, rules: ShelfRules, *, again: bool) -> Step:
    """Take a card back; a shopper's placement is passed on to the next best product.

    Where there is none, the record stays: the card comes back when the product does.
    """
    key = card.audience.key
    if card.stage is Stage.AWAITING:
        if card.audience.shopper_id:
            # After a crash it may have been shown, and only the record of that is lost: what takes its place must be above it.
            revision = card.raised(now_ms) if again else card.revision
            return pass_on(state, msgspec.structs.replace(as_ask(card), revision=revision), now_ms, rules)
        # Even a copy that never went out, as far as is known here: a crash may have taken the knowledge.
        return take_back(state.shelf.facts, msgspec.structs.replace(card, stage=Stage.SHOWN), now_ms, rules)
    if not card.slotted and not again:
        return Step()
    step = take_back(state.shelf.facts, card, now_ms, rules)
    back = step.live[key]
    if back is None or not back.audience.shopper_id:
        return step
    passed = pass_on(state, as_ask(back), now_ms, rules)
    step.effects += [effect for effect in passed.effects if not isinstance(effect, Publish)]  # it is empty already
    pointer = passed.live.get(key)
    if pointer is not None:
        # What a repeat of both needs, the withdrawal and the ask, is kept with the pointer.
        step.live[key] = msgspec.structs.replace(
            back,
            stage=Stage.PASSED,
            asked_revision=pointer.asked_revision,
            revision=pointer.revision,
            passed_to=pointer.passed_to,
            valid_until_ms=pointer.valid_until_ms,
        )
    return step


def _withdraw_again(state: ShelfState, pointer: LiveCard, now_ms: int, rules: ShelfRules) -> Step:
    """A card was withdrawn and its placement passed on, but neither may have been delivered: both again, the same."""
    back = msgspec.structs.replace(pointer, stage=Stage.SHOWN, revision=pointer.revision - 1)
    return _withdraw(state, back, now_ms, rules, again=True)


def take_back(facts: Facts, card: LiveCard, now_ms: int, rules: ShelfRules) -> Step:
    """Publish a shown card as withdrawn; again, and the same, if it was withdrawn before and nothing moved since."""
    if card.slotted or card.facts_version != facts.version:
        card = msgspec.structs.replace(
            card,
            revision=card.raised(now_ms),
            slotted="",
            brief_id="",
            trigger=Trigger.FACTS,
            cause=facts.cause,
            facts_version=facts.version,
        )
    card = msgspec.structs.replace(card, published_at_ms=now_ms)
    return Step(
        live={card.audience.key: card}, effects=[Publish(card.audience, card_from(facts, card, "", now_ms, rules))]
    )


def let_go(state: ShelfState, card: LiveCard, reason: str, now_ms: int, rules: ShelfRules) -> Step:
    """Forget a live card, for want of room say. Shown, it is taken back, for nobody would refresh it."""
    step = Step()
    if card.stage is Stage.AWAITING:
        step = nothing(state, as_ask(card), reason, now_ms, rules)
    elif card.stage is Stage.SHOWN and card.slotted:
        step = take_back(state.shelf.facts, card, now_ms, rules)
    step.live[card.audience.key] = None
    return step


def bought_cards(live: Mapping[str, LiveCard], message: Bought) -> list[LiveCard]:
    """The cards of this product that its shopper is shown, or waits for: they have it now, so each is to be let go.

    A release would not do: it says that another card has the placement, and nothing has.
    """
    held = (live.get(f"{message.shopper_id}|{placement}") for placement in message.placements)
    return [
        card
        for card in held
        if card is not None and card.stage is not Stage.PASSED and card.asked_revision <= message.revision
    ]


def find_words(state: ShelfState, card: LiveCard, brief: Brief, now_ms: int, rules: ShelfRules, *, wait: bool) -> Step:
    """From the copybook; else have them written, and answer with the phrasebook meanwhile unless the card may wait."""
    facts = state.shelf.facts
    text = state.copybook.texts.get(brief.brief_id)
    card = msgspec.structs.replace(card, brief_id=brief.brief_id)
    if text is not None and text.model != PHRASEBOOK:
        card = msgspec.structs.replace(card, slotted=text.slotted, model=text.model, rung=Rung.CACHED)
        return publish(facts, card, now_ms, rules)
    if text is not None or brief.model == PHRASEBOOK:  # what the model wrote for it was refused, or there is no model
        return publish(facts, phrased(card, brief), now_ms, rules)
    if brief.take:
        step = find_words(state, card, brief.first, now_ms, rules, wait=wait)
        if wait:
            step.effects.append(Write(brief, urgent=False, earn=True))
        return step
    if brief.particular:
        step = find_words(state, card, brief.general, now_ms, rules, wait=wait)
        if wait:  # a shopper's wish counts, a refresh of what they were shown does not
            step.effects.append(Write(brief, urgent=False, earn=True))
        return step
    if wait:
        return Step(live={card.audience.key: card}, effects=[Write(brief, urgent=True)])
    step = publish(facts, phrased(card, brief), now_ms, rules)
    step.effects.append(Write(brief, urgent=False))
    return step


def phrased(card: LiveCard, brief: Brief) -> LiveCard:
    """The card with words from the phrasebook; the first wording of its brief will better it."""
    return msgspec.structs.replace(
        card, slotted=phrase(brief), model=PHRASEBOOK, rung=Rung.PHRASEBOOK, brief_id=brief.first.brief_id
    )
