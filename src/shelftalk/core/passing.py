"""Passing on: when this product is not the one to show, its shelf asks the next."""

from collections.abc import Iterator

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.card import Audience
from shelftalk.core.effects import Drop, Erase, Send, Step
from shelftalk.core.messages import Ask, Mode, Release, Seed, board_key
from shelftalk.core.neighbours import ranked
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import LiveCard, Neighbour, ShelfState, Stage


def as_ask(card: LiveCard) -> Ask:
    """The ask that a live card still stands for, to be passed on when its product is gone."""
    return Ask(
        key="",
        shopper_id=card.audience.shopper_id,
        placements=(card.audience.placement,),
        revision=card.revision + 1,
        mode=Mode.NEXT,
        because=Angle.LIKE_VIEWED,
        locale=card.locale,
        origin=card.cause or card.origin,
        seed=card.seed,
        exclude=card.exclude,
        brands=card.brands,
        hops=card.hops,
    )


def pass_on(state: ShelfState, ask: Ask, now_ms: int, rules: ShelfRules) -> Step:
    """Ask the shelves of the neighbours, best first, and the category's board for the placements that are left over.

    Where each placement went is kept as a pointer, so that a release or a redelivery can follow it.
    """
    facts = state.shelf.facts
    if ask.hops >= rules.max_hops:
        return Step(effects=[Drop("too_many_hops", ask.origin)])
    seed = ask.seed or (Seed(sku=facts.sku, kind=facts.kind, category=facts.category) if facts.complete else None)
    onward = msgspec.structs.replace(
        ask, seed=seed, exclude=tuple(dict.fromkeys((*ask.exclude, facts.sku))), hops=ask.hops + 1
    )
    neighbours = ranked(state.shelf.neighbours, now_ms, frozenset(onward.exclude))
    step = Step()
    left: list[str] = []
    for placement in ask.placements:
        held = state.live.get(f"{ask.shopper_id}|{placement}")
        if held is not None and held.asked_revision > ask.revision:
            step.effects.append(Drop("superseded", ask.origin))
            continue
        one = msgspec.structs.replace(onward, placements=(placement,))
        shown = _to_neighbour(one, held, neighbours)
        if shown is None:
            left.append(placement)
        else:
            _send(step, shown, now_ms, rules)
    if left and facts.complete:
        _send(
            step, msgspec.structs.replace(onward, key=board_key(facts.category), placements=tuple(left)), now_ms, rules
        )
    elif left:
        step.effects.append(Drop("nothing_to_show", ask.origin))
    return step


def _to_neighbour(ask: Ask, held: LiveCard | None, neighbours: Iterator[Neighbour]) -> Ask | None:
    """The ask for the next neighbour's shelf; for the same one as before if this ask is a redelivery."""
    if held is not None and held.stage is Stage.PASSED and held.origin == ask.origin:
        return msgspec.structs.replace(ask, key=held.passed_to, mode=Mode.SHOW)
    neighbour = next(neighbours, None)
    if neighbour is None:
        return None
    together = Angle.GOES_WITH if neighbour.bought > 0 else Angle.LIKE_VIEWED
    return msgspec.structs.replace(ask, key=neighbour.sku, mode=Mode.SHOW, because=together)


def _send(step: Step, ask: Ask, now_ms: int, rules: ShelfRules) -> None:
    step.effects.append(Send(ask))
    for placement in ask.placements:
        pointer = LiveCard(
            audience=Audience(ask.shopper_id, placement),
            stage=Stage.PASSED,
            asked_revision=ask.revision,
            revision=ask.revision,
            origin=ask.origin,
            locale=ask.locale,
            valid_until_ms=now_ms + rules.card_ttl_ms,
            passed_to=ask.key,
        )
        step.live[pointer.audience.key] = pointer


def on_release(state: ShelfState, release: Release) -> Step:
    """Let go of a placement, here and along the way that its ask was passed on."""
    key = f"{release.shopper_id}|{release.placement}"
    held = state.live.get(key)
    if held is None or held.asked_revision > release.revision:
        return Step()
    step = Step(live={key: None})
    if held.stage is Stage.PASSED:
        step.effects.append(Send(msgspec.structs.replace(release, key=held.passed_to)))
    elif held.stage is Stage.AWAITING:
        step.effects.append(Drop("superseded", held.origin))
    if release.erase:
        step.effects.append(Erase(held.audience))
    return step
