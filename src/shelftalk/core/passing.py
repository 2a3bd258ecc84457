"""Passing on: when this product is not the one to show, its shelf asks the next."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.card import Audience
from shelftalk.core.effects import Drop, Erase, Send, Step
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Ask, Message, Mode, Near, Release, Seed, board_key, is_board
from shelftalk.core.neighbours import gathered, varied
from shelftalk.core.publish import emptied
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import LiveCard, Neighbour, Shelf, ShelfState, Stage
from shelftalk.core.taste import Intent
from shelftalk.core.visits import CART_WEIGHT

#: How much more it says to who has decided that two products were bought together; who compares wants the other ones.
_TOGETHER = {Intent.COMPARING: -0.3, Intent.DECIDING: 1.0, Intent.BOUGHT: 1.0}


def as_ask(card: LiveCard) -> Ask:
    """The ask that a live card still stands for, to be passed on when its product is gone.

    A card that was never shown passes its own revision on, so that a redelivery of its ask is recognised. One that grew beyond
    its ask goes on above itself: what is not newer would be taken for superseded by it, and whoever waits would wait for ever.
    """
    grew = card.stage is Stage.SHOWN or card.revision > card.asked_revision
    return Ask(
        key="",
        shopper_id=card.audience.shopper_id,
        placements=(card.audience.placement,),
        revision=card.revision + 1 if grew else card.revision,
        base=card.base or card.asked_revision,
        mode=Mode.NEXT,
        because=Angle.LIKE_VIEWED,
        locale=card.locale,
        origin=card.origin,
        seed=card.seed,
        exclude=card.exclude,
        brands=card.brands,
        taste=card.taste,
        hops=card.hops,
    )


def pass_on(state: ShelfState, ask: Ask, now_ms: int, rules: ShelfRules) -> Step:
    """Ask the shelves of the neighbours, best first, and the category's board for the placements that are left over.

    Where each placement went is kept as a pointer, so that a release or a redelivery can follow it.
    """
    facts = state.shelf.facts
    if ask.hops >= rules.max_hops:
        return nothing(state, ask, "too_many_hops", now_ms, rules)
    exclude = tuple(dict.fromkeys((*ask.exclude, facts.sku)))
    onward = msgspec.structs.replace(ask, seed=ask.seed or seed_of(facts), exclude=exclude, hops=ask.hops + 1, found=())
    step = Step()
    placements = [place for place in ask.placements if not superseded(step, state.live, ask, place)]
    together = _TOGETHER.get(ask.taste.intent, 0.0)
    best = gathered(ask.found, [(state.shelf.neighbours, 0)], now_ms, together=together)
    targets = _targets(state, onward, placements, best, rules)
    left = tuple(place for place in placements if place not in targets)
    passed = [
        msgspec.structs.replace(
            onward,
            key=neighbour.sku,
            placements=(place,),
            mode=Mode.SHOW,
            because=Angle.GOES_WITH if neighbour.bought > CART_WEIGHT else Angle.LIKE_VIEWED,
        )
        for place, neighbour in targets.items()
    ]
    home = facts.category if facts.complete else ask.seed.category if ask.seed else None
    if left and home is not None:
        passed.append(msgspec.structs.replace(onward, key=board_key(home), placements=left))
    elif left:
        merge(step, nothing(state, msgspec.structs.replace(ask, placements=left), "nothing_to_show", now_ms, rules))
    send_on(step, state.live, passed, now_ms, rules)
    return step


def seed_of(facts: Facts) -> Seed | None:
    """The product as an ask carries it; ``None`` while too little is known of it."""
    if not facts.complete:
        return None
    return Seed(
        sku=facts.sku, kind=facts.kind, category=facts.category, brand=facts.brand, price_minor=facts.price_minor
    )


def gather(state: ShelfState, ask: Ask, now_ms: int) -> Step:
    """Add what this product was met with, and send the ask on its way to the product that the shopper is at.

    Nothing is remembered of it here: should it come again after a crash, it goes the same way again.
    """
    return Step(effects=[Send(_gathered(ask, [state.shelf], now_ms))])


def gather_ahead(message: Message, at_hand: Callable[[str], Shelf | None], now_ms: int) -> Message:
    """Let an ask collect from the shelves that are at hand, instead of sending it to them.

    Nothing is decided and nothing remembered where an ask only collects, so no order of messages depends on its stopping there.
    With one worker it goes straight to the product that the shopper is at; of several, each saves the ways to its own shelves.

    Args:
        message: anything that is about to be sent.
        at_hand: a shelf of this worker, ``None`` for those of others.
        now_ms: the time.
    """
    if not isinstance(message, Ask) or not message.via:
        return message
    shelves = list(itertools.takewhile(bool, map(at_hand, (message.key, *message.via[:-1]))))
    return _gathered(message, shelves, now_ms) if shelves else message


def _gathered(ask: Ask, shelves: Sequence[Shelf | None], now_ms: int) -> Ask:
    """The ask after it has been at these shelves, the first ones of its way."""
    ages = range(len(ask.via), 0, -1)
    stops = [(shelf.neighbours, age) for shelf, age in zip(shelves, ages, strict=False) if shelf is not None]
    key, *via = ask.via[len(shelves) - 1 :]
    return msgspec.structs.replace(ask, key=key, via=tuple(via), found=gathered(ask.found, stops, now_ms))


def superseded(step: Step, live: Mapping[str, LiveCard], ask: Ask, placement: str) -> bool:
    """Whether a newer ask has the placement already; said so in the step."""
    held = live.get(f"{ask.shopper_id}|{placement}")
    if held is None or not held.outdates(ask.revision):
        return False
    step.effects.append(Drop("superseded", ask.origin))
    return True


def _targets(
    state: ShelfState, ask: Ask, placements: list[str], best: Sequence[Near], rules: ShelfRules
) -> dict[str, Neighbour]:
    """Which neighbour gets which placement; the same as before where this ask is a redelivery."""
    known = {neighbour.sku: neighbour for neighbour in state.shelf.neighbours}
    targets: dict[str, Neighbour] = {}
    fresh: list[str] = []
    for placement in placements:
        held = state.live.get(f"{ask.shopper_id}|{placement}")
        if held is None or held.stage is not Stage.PASSED or held.asked_revision != ask.revision:
            fresh.append(placement)
        elif not is_board(held.passed_to):
            targets[placement] = known.get(held.passed_to) or Neighbour(held.passed_to, 0.0, 0.0, 0)
    out = {*ask.exclude, *(neighbour.sku for neighbour in targets.values())}
    # What only other products of the session were met with says nothing about going together with this one.
    chosen = varied([near for near in best if near.sku not in out], len(fresh), rules.diversity)
    able = (known.get(sku) or Neighbour(sku, 0.0, 0.0, 0) for sku in chosen)
    return targets | dict(zip(fresh, able, strict=False))


def send_on(step: Step, live: Mapping[str, LiveCard], asks: Sequence[Ask], now_ms: int, rules: ShelfRules) -> None:
    """Send asks to other shelves, none of which is to show what another one shows, and leave pointers."""
    chosen = [ask.key for ask in asks if not is_board(ask.key)]
    for ask in asks:
        siblings = (key for key in chosen if key != ask.key)
        step.effects.append(Send(msgspec.structs.replace(ask, exclude=tuple(dict.fromkeys((*ask.exclude, *siblings))))))
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
                base=ask.base,
            )
            leave(step, live.get(pointer.audience.key), ask.revision, ask.key)
            step.live[pointer.audience.key] = pointer


def leave(step: Step, held: LiveCard | None, revision: int, passed_to: str = "") -> None:
    """What is owed to a record that a newer ask of its audience overwrites.

    Args:
        step: gets the effects.
        held: the record, if there is one.
        revision: of the newer ask.
        passed_to: where the newer ask went from here.
    """
    if held is None:
        return
    if held.stage is Stage.AWAITING and held.asked_revision < revision:
        step.effects.append(Drop("superseded", held.origin))
    elif held.stage is Stage.PASSED and held.passed_to != passed_to:
        audience = held.audience
        release = Release(
            key=held.passed_to, shopper_id=audience.shopper_id, placements=(audience.placement,), revision=revision - 1
        )
        step.effects.append(Send(release))


def nothing(state: ShelfState, ask: Ask, reason: str, now_ms: int, rules: ShelfRules) -> Step:
    """The ask ends here without a product, and its placements are emptied.

    What they held before is not fed any more and would go stale: the card of an older ask, or one that a crash made us forget.
    """
    step = Step(effects=[Drop(reason, ask.origin)])
    for placement in ask.placements:
        held = state.live.get(f"{ask.shopper_id}|{placement}")
        if held is not None and held.outdates(ask.revision):
            continue
        if held is not None:
            leave(step, held, ask.revision)
            step.live[held.audience.key] = None
        step.effects.append(emptied(Scene(state.shelf.facts, now_ms, rules), ask, placement))
    return step


def merge(step: Step, more: Step) -> None:
    """Add the records and effects of another step."""
    step.live |= more.live
    step.effects += more.effects


def on_release(state: ShelfState, release: Release) -> Step:
    """Let go of placements, here and along the ways that their asks were passed on."""
    step = Step()
    onward: dict[str, tuple[str, ...]] = {}
    for placement in release.placements:
        key = f"{release.shopper_id}|{placement}"
        held = state.live.get(key)
        if held is None or held.asked_revision > release.revision:
            continue
        step.live[key] = None
        if held.stage is Stage.PASSED:
            onward[held.passed_to] = (*onward.get(held.passed_to, ()), placement)
        elif held.stage is Stage.AWAITING:
            step.effects.append(Drop("superseded", held.origin))
        if release.erase:
            step.effects.append(Erase(held.audience, release.revision))
    step.effects += [
        Send(msgspec.structs.replace(release, key=shelf, placements=placements)) for shelf, placements in onward.items()
    ]
    return step
