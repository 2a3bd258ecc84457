"""Words: judged, kept, and published to whoever waits; or not to be had, and the phrasebook answers."""

from collections.abc import Sequence

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Rung, Trigger
from shelftalk.core.choice import choose
from shelftalk.core.effects import Hold, Step, Write
from shelftalk.core.guard import Outcome
from shelftalk.core.passing import as_ask, merge, pass_on
from shelftalk.core.phrasebook import phrase
from shelftalk.core.publish import publish
from shelftalk.core.refresh import phrased, refresh
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, ShelfState, Stage, Text


class Words(msgspec.Struct, frozen=True):
    """What the model wrote for a brief.

    Attributes:
        drafts: one text or several; the best of them counts.
        attempt: which try it was, as in `Write`.
    """

    brief: Brief
    drafts: tuple[str, ...]
    attempt: int = 0


def on_words(state: ShelfState, waiting: Sequence[LiveCard], words: Words, now_ms: int, rules: ShelfRules) -> Step:
    """Judge what the model wrote, keep the best of it, and publish it to the cards that wait for it or have only a phrase.

    Args:
        state: with the facts of this moment, which may be newer than the brief.
        waiting: the live cards whose brief this is.
        words: what came back.
        now_ms: the time.
        rules: how to decide.
    """
    brief = words.brief
    slotted, verdict = choose(brief, words.drafts)
    if verdict.outcome is Outcome.REJECT and words.attempt + 1 < rules.max_attempts:
        return Step(effects=[Write(brief, urgent=any(_first(card) for card in waiting), attempt=words.attempt + 1)])
    if verdict.outcome is not Outcome.PASS:
        # The phrase takes the place of the words, so that they are not written again for each ask, only to be refused.
        refused = state.copybook.with_text(brief.brief_id, Text(phrase(brief), PHRASEBOOK))
        step = no_words(state, waiting, brief, now_ms, rules)
        step.copybook = refused
        if verdict.outcome is Outcome.HOLD:
            step.effects.append(Hold(brief, slotted, verdict.reasons))
        return step
    kept = state.copybook.with_text(brief.brief_id, Text(slotted, brief.model))
    state = msgspec.structs.replace(state, copybook=kept)
    step, scene = Step(copybook=kept), Scene(state.shelf.facts, now_ms, rules)
    for card in waiting:
        if card.brief_id == brief.brief_id and (_first(card) or _only_phrased(card)):
            merge(step, _improve(state, scene, card, brief, slotted))
    return step


def _first(card: LiveCard) -> bool:
    return card.stage is Stage.AWAITING


def _only_phrased(card: LiveCard) -> bool:
    return card.stage is Stage.SHOWN and card.rung is Rung.PHRASEBOOK and bool(card.slotted)


def _improve(state: ShelfState, scene: Scene, card: LiveCard, brief: Brief, slotted: str) -> Step:
    """Publish new words, but only while their brief still holds: the facts may have moved while they were written."""
    if not scene.showable or brief.first != scene.brief(card).first:
        return refresh(state, card, scene.now_ms, scene.rules)
    first = _first(card)
    return publish(
        scene,
        card,
        slotted=slotted,
        model=brief.model,
        rung=Rung.GENERATED,
        revision=card.revision if first else card.raised(scene.now_ms),
        trigger=card.trigger if first else Trigger.REWRITE,
    )


def no_words(state: ShelfState, waiting: Sequence[LiveCard], brief: Brief, now_ms: int, rules: ShelfRules) -> Step:
    """The model failed, or wrote what may not be used: the phrasebook answers whoever still waits."""
    step, scene = Step(), Scene(state.shelf.facts, now_ms, rules)
    for card in waiting:
        if card.brief_id == brief.brief_id:
            merge(step, _phrase(state, scene, card))
    return step


def on_deadline(state: ShelfState, card: LiveCard, now_ms: int, rules: ShelfRules) -> Step:
    """The shopper has waited long enough: the phrasebook answers. Words that come later improve the card."""
    return _phrase(state, Scene(state.shelf.facts, now_ms, rules), card)


def _phrase(state: ShelfState, scene: Scene, card: LiveCard) -> Step:
    if not _first(card):
        return Step()
    if not scene.showable:
        return pass_on(state, as_ask(card), scene.now_ms, scene.rules)
    return publish(scene, card, **phrased(scene.brief(card)))
