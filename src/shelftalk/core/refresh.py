"""Refreshing: a live card is brought up to the facts of this moment, or taken back."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Rung, Trigger
from shelftalk.core.effects import Drop, Publish, Step, Write
from shelftalk.core.messages import Bought
from shelftalk.core.passing import as_ask, merge, pass_on
from shelftalk.core.phrasebook import phrase
from shelftalk.core.publish import emptied, publish, sent, withdrawn
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import Copybook, LiveCard, ShelfState, Stage


def refresh(state: ShelfState, card: LiveCard, now_ms: int, rules: ShelfRules, *, again: bool = False) -> Step:
    """Bring one live card up to the facts of this moment, if it is behind them.

    Args:
        state: with the newest facts.
        card: the card as it was last published.
        now_ms: the time, for what ends by itself.
        rules: how to decide.
        again: publish even if nothing moved, under the same revision and id: after a crash the last publication may be lost.
    """
    step = Step()
    _refresh(step, state, Scene(state.shelf.facts, now_ms, rules), card, again=again)
    return step


def refresh_all(
    state: ShelfState, cards: Iterable[LiveCard], now_ms: int, rules: ShelfRules, *, again: Collection[str] = ()
) -> Step:
    """Likewise several cards, in their order: what they have in common is rendered once.

    Args:
        state: with the newest facts.
        cards: as they were last published.
        now_ms: the time.
        rules: how to decide.
        again: keys of audiences whose cards are to be published even if nothing moved.
    """
    scene, step = Scene(state.shelf.facts, now_ms, rules), Step()
    for card in cards:
        _refresh(step, state, scene, card, again=bool(again) and card.audience.key in again)
    return step


def _refresh(step: Step, state: ShelfState, scene: Scene, card: LiveCard, *, again: bool) -> None:
    """What a price change does a hundred thousand times: one step has all the cards, and what they share is in the scene."""
    facts, now_ms, for_everybody = scene.facts, scene.now_ms, not card.audience.shopper_id
    if not facts.complete or (again and facts.version < card.facts_version):
        # The shelf lost what the card was made from: those events were never committed, and come again.
        return
    if not for_everybody and now_ms >= card.valid_until_ms:
        step.live[card.audience.key] = None
    elif card.stage is Stage.PASSED:
        if again and card.trigger is Trigger.FACTS:
            merge(step, _withdraw_again(state, scene, card))
    elif not scene.showable or (for_everybody and not scene.fills(card.channel)):
        if scene.showable and card.stage is Stage.AWAITING:
            step.effects.append(Drop(f"too_little_{card.channel}", card.origin))
        merge(step, _withdraw(state, scene, card, again=again))
    elif card.stage is Stage.AWAITING and not for_everybody:
        # Its first words are still being written: now for the new brief. The ask's own deadline goes on.
        if (
            again
        ):  # after a crash it may have been shown, and refreshed, with only the record of that lost: so it goes above
            card = msgspec.structs.replace(card, revision=card.raised(now_ms))
        merge(step, find_words(state.copybook, scene, card, scene.brief(card), wait=True))
    else:
        _bring_up(step, state.copybook, scene, card, again=again)


def _bring_up(step: Step, copybook: Copybook, scene: Scene, card: LiveCard, *, again: bool) -> None:
    """A card that is shown, or copy for everybody, as the facts have it now."""
    facts, now_ms = scene.facts, scene.now_ms
    if card.facts_version == facts.version and not is_due(card, now_ms, scene.rules):
        if card.slotted and scene.holds(card):
            merge(step, publish(scene, card) if again else _rewrite(copybook, scene, card))
            return
    elif (moved := scene.moved(card)) is not None:
        card = msgspec.structs.replace(card, revision=card.raised(now_ms), **moved.changes)
        step.live[card.audience.key] = card
        step.effects.append(sent(scene, card, moved.plate))
        return
    card = msgspec.structs.replace(card, revision=card.raised(now_ms), cause=facts.cause, trigger=Trigger.FACTS)
    merge(step, find_words(copybook, scene, card, scene.brief(card), wait=False))


def is_due(card: LiveCard, now_ms: int, rules: ShelfRules) -> bool:
    """Whether a copy for everybody should be sent anew because half its time is over; a shopper's card just expires."""
    return not card.audience.shopper_id and now_ms >= card.valid_until_ms - rules.copy_ttl_ms // 2


def _rewrite(copybook: Copybook, scene: Scene, card: LiveCard) -> Step:
    """A card that is up to date but has only a phrase gets its words after all: a crash may have taken who was writing them."""
    if card.rung is not Rung.PHRASEBOOK:
        return Step()
    brief = scene.brief(card)
    if brief.model == PHRASEBOOK:
        return Step()
    text = copybook.texts.get(brief.brief_id) or copybook.texts.get(brief.first.brief_id)
    if text is None:
        write = Write(brief.first, urgent=False, earn=brief.particular)
        return Step(live={card.audience.key: card}, effects=[write])
    if text.model == PHRASEBOOK:
        return Step()
    return publish(
        scene,
        card,
        slotted=text.slotted,
        model=text.model,
        rung=Rung.CACHED,
        revision=card.raised(scene.now_ms),
        trigger=Trigger.REWRITE,
    )


def _withdraw(state: ShelfState, scene: Scene, card: LiveCard, *, again: bool) -> Step:
    """Take a card back; a shopper's placement is passed on to the next best product.

    Where there is none, the record stays: the card comes back when the product does.
    """
    key, now_ms, rules = card.audience.key, scene.now_ms, scene.rules
    if card.stage is Stage.AWAITING:
        if card.audience.shopper_id:
            ask = as_ask(card)
            if again:
                # After a crash it may have been shown, and only the record of that is lost: what takes its place must be above it.
                ask = msgspec.structs.replace(ask, revision=card.raised(now_ms))
            return pass_on(state, ask, now_ms, rules)
        # Even a copy that never went out, as far as is known here: a crash may have taken the knowledge.
        return take_back(scene, msgspec.structs.replace(card, stage=Stage.SHOWN))
    if not card.slotted and not again:
        return Step()
    step = take_back(scene, card)
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
            base=pointer.base,
            passed_to=pointer.passed_to,
            valid_until_ms=pointer.valid_until_ms,
        )
    return step


def _withdraw_again(state: ShelfState, scene: Scene, pointer: LiveCard) -> Step:
    """A card was withdrawn and its placement passed on, but neither may have been delivered: both again, the same."""
    back = msgspec.structs.replace(pointer, stage=Stage.SHOWN, revision=pointer.revision - 1)
    return _withdraw(state, scene, back, again=True)


def take_back(scene: Scene, card: LiveCard) -> Step:
    """Publish a shown card as withdrawn; again, and the same, if it was withdrawn before and nothing moved since."""
    facts = scene.facts
    if card.slotted or card.facts_version != facts.version:
        card = msgspec.structs.replace(
            card,
            revision=card.raised(scene.now_ms),
            slotted="",
            brief_id="",
            trigger=Trigger.FACTS,
            cause=facts.cause,
            facts_version=facts.version,
        )
    card = msgspec.structs.replace(card, published_at_ms=scene.now_ms)
    return Step(live={card.audience.key: card}, effects=[withdrawn(scene, card)])


def let_go(state: ShelfState, card: LiveCard, reason: str, now_ms: int, rules: ShelfRules) -> Step:
    """Forget a live card, for want of room say. Shown, it is taken back, for nobody would refresh it.

    One that waits for its words may have been shown, too, where a crash took the record of that: so its placement is emptied above
    whatever it can have reached.
    """
    step, scene = Step(), Scene(state.shelf.facts, now_ms, rules)
    if card.stage is Stage.AWAITING:
        ask = msgspec.structs.replace(as_ask(card), revision=card.raised(now_ms))
        step.effects += [Drop(reason, card.origin), emptied(scene, ask, card.audience.placement)]
    elif card.stage is Stage.SHOWN and card.slotted:
        step = take_back(scene, card)
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


def find_words(copybook: Copybook, scene: Scene, card: LiveCard, brief: Brief, *, wait: bool) -> Step:
    """From the copybook; else have them written, and answer with the phrasebook meanwhile unless the card may wait."""
    text = copybook.texts.get(brief.brief_id)
    if text is not None and text.model != PHRASEBOOK:
        step = publish(scene, card, slotted=text.slotted, model=text.model, rung=Rung.CACHED, brief_id=brief.brief_id)
        if wait and (kept := copybook.used(brief.brief_id)) is not copybook:
            step.copybook = kept
        return step
    if text is not None or brief.model == PHRASEBOOK:  # what the model wrote for it was refused, or there is no model
        return publish(scene, card, **phrased(brief))
    if brief.take or brief.particular:
        step = find_words(copybook, scene, card, brief.first if brief.take else brief.general, wait=wait)
        if wait:  # a shopper's wish counts, a refresh of what they were shown does not
            step.effects.append(Write(brief, urgent=False, earn=True))
        return step
    if wait:
        waiting = msgspec.structs.replace(card, brief_id=brief.brief_id)
        return Step(live={card.audience.key: waiting}, effects=[Write(brief, urgent=True)])
    step = publish(scene, card, **phrased(brief))
    step.effects.append(Write(brief, urgent=False))
    return step


def phrased(brief: Brief) -> dict[str, Any]:
    """What a card with words from the phrasebook has; the first wording of its brief will better it."""
    return {
        "slotted": phrase(brief),
        "model": PHRASEBOOK,
        "rung": Rung.PHRASEBOOK,
        "brief_id": brief.first.brief_id,
    }
