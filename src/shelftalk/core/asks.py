"""Asks: a shopper did something, and this shelf may have the card for it."""

from collections.abc import Mapping, Sequence

import msgspec

from shelftalk.core.angles import angle_of, is_back
from shelftalk.core.brief import Angle
from shelftalk.core.card import Audience
from shelftalk.core.effects import Drop, Step
from shelftalk.core.facts import Facts
from shelftalk.core.meaning import showable
from shelftalk.core.messages import Ask, Mode
from shelftalk.core.passing import gather, leave, nothing, pass_on
from shelftalk.core.refresh import find_words, refresh
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, ShelfState, Stage, grown


def on_ask(state: ShelfState, ask: Ask, now_ms: int, rules: ShelfRules) -> Step:
    """Show this product, or pass the ask on to what goes with it."""
    if ask.via:
        return gather(state, ask, now_ms)
    if ask.mode is Mode.NEXT:
        return pass_on(state, ask, now_ms, rules)
    facts = state.shelf.facts
    held = state.live.get(f"{ask.shopper_id}|{ask.placements[0]}")
    if held is not None and held.outdates(ask.revision):
        return Step(effects=[Drop("superseded", ask.origin)])
    if held is not None and held.asked_revision == ask.revision:
        return _redelivered(state, held, ask, now_ms, rules)
    if not facts.complete and ask.seed is None:  # with one, the next best is asked as if it were sold out
        return nothing(state, ask, "unknown_sku", now_ms, rules)
    if not showable(facts, now_ms):
        if ask.because is Angle.BACK_IN_STOCK:
            return nothing(state, ask, "not_back", now_ms, rules)
        return pass_on(state, ask, now_ms, rules)
    if ask.because is Angle.REPLENISH and not facts.consumable:
        return nothing(state, ask, "not_consumable", now_ms, rules)
    if ask.because is Angle.BACK_IN_STOCK and not is_back(facts, ask.carted_at_ms, now_ms, rules):
        return nothing(state, ask, "not_back", now_ms, rules)
    card = _subscribe(facts, ask, now_ms, rules)
    scene = Scene(facts, now_ms, rules)
    step = find_words(state.copybook, scene, card, scene.brief(card), wait=True)
    leave(step, held, ask.revision)
    return step


def renewed(live: Mapping[str, LiveCard], ask: Ask, now_ms: int) -> Sequence[Ask]:
    """What to make of an ask that may have been answered before a crash.

    Where a record of it is left, it is done again, the same. Where none is, or that of an ask before it, a card may be out there
    all the same, and refreshed since: only a higher revision takes its place.
    """
    if ask.via:  # nothing is decided here
        return [ask]
    parts: dict[int, list[str]] = {}
    base = ask.base or ask.revision
    for placement in ask.placements:
        held, revision = live.get(f"{ask.shopper_id}|{placement}"), ask.revision
        if held is not None and held.origin == ask.origin:  # it may have been renewed before
            revision = max(revision, held.asked_revision)
        elif held is None or held.asked_revision < revision:
            revision = max(revision, grown(base, now_ms))
        parts.setdefault(revision, []).append(placement)
    return [
        msgspec.structs.replace(ask, placements=tuple(part), revision=revision, base=base)
        for revision, part in parts.items()
    ]


def _redelivered(state: ShelfState, held: LiveCard, ask: Ask, now_ms: int, rules: ShelfRules) -> Step:
    """The same ask again, after a crash: do again what may have been lost, with the same ids."""
    if held.stage is Stage.PASSED:
        return pass_on(state, ask, now_ms, rules)
    return refresh(state, held, now_ms, rules, again=True)


def _subscribe(facts: Facts, ask: Ask, now_ms: int, rules: ShelfRules) -> LiveCard:
    """The record of a new card, with its angle settled by what this shelf knows."""
    angle, anchor = angle_of(facts, ask, now_ms, rules)
    placement = ask.placements[0]
    return LiveCard(
        audience=Audience(ask.shopper_id, placement),
        stage=Stage.AWAITING,
        asked_revision=ask.revision,
        revision=ask.revision,
        origin=ask.origin,
        cause=ask.origin,
        locale=ask.locale,
        valid_until_ms=now_ms + rules.card_ttl_ms,
        angle=angle,
        anchor=anchor,
        tone=rules.tone(placement, facts.sku),
        seed=ask.seed,
        exclude=ask.exclude,
        brands=ask.brands,
        taste=ask.taste,
        hops=ask.hops,
        base=ask.base,
    )
