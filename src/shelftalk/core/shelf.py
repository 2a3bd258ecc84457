"""The shelf: everything about one product meets here.

A set of pure functions from state and input to a `Step`. Each renders from the facts it is given, which the shell reads at the
moment of the call: that is the freshness fence. The shell (Faust agent, simulator, test) owns time, storage and delivery.

    inventory ──> `on_inventory` folds the facts ──> `refresh_all` for the live cards that are behind
    ask ────────> `on_ask`: shown here, or passed on to a neighbour's shelf or the category's board
    words ──────> `on_words`: judged, kept in the copybook, and published to whoever waits for them
    deadline ───> `on_deadline`: the phrasebook answers
"""

import re
from collections.abc import Iterable
from functools import cache

import msgspec

from shelftalk.core.asks import on_ask, renewed
from shelftalk.core.brief import Channel, Promotion
from shelftalk.core.card import Audience
from shelftalk.core.effects import Send, Step, Write
from shelftalk.core.facts import Facts, fold
from shelftalk.core.meaning import next_change_ms
from shelftalk.core.messages import CoVisited, Heat, Origin, board_key
from shelftalk.core.neighbours import note_visit
from shelftalk.core.passing import on_release
from shelftalk.core.places import Places
from shelftalk.core.refresh import refresh, refresh_all
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.scene import Scene
from shelftalk.core.state import UNSEEN_HEAT, LiveCard, ShelfState, Stage
from shelftalk.core.words import Words, no_words, on_deadline, on_words
from shelftalk.events.types import InventoryEvent


def on_inventory(
    state: ShelfState, event: InventoryEvent, origin: Origin, rules: ShelfRules, places: Places | None = None
) -> Step:
    """Fold an event into the facts, and see to it that the product has its copy for everybody and a place on the board.

    The live cards are not touched here: the shell calls `refresh_all` for them, newest first and at its own pace. A storm
    of events is coalesced because every call renders from the facts of that moment.
    """
    before = state.shelf.facts
    facts = fold(before, event, origin)
    if places is not None:
        facts = places.placed(facts, before)
    step = Step(shelf=msgspec.structs.replace(state.shelf, facts=facts))
    if not facts.complete:
        return step
    for card in _copy_cards(facts, origin, rules):
        if card.audience.key not in state.live:
            step.live[card.audience.key] = card
    scene = Scene(facts, origin.occurred_at_ms, rules)
    if facts.version > before.version:
        step.effects += _first_words(state, scene, origin)
    if not before.complete:
        step.effects += _words_ahead(state, scene, origin)
    if is_repeat(before, origin):  # what it said when it came first may not have been delivered
        heat = max(state.shelf.heat, UNSEEN_HEAT) if facts.sellable else 0.0
        step.effects.append(_heat(facts, heat, origin.occurred_at_ms))
    elif facts.sellable != before.sellable or facts.category != before.category:
        heat = max(state.shelf.heat, UNSEEN_HEAT) if facts.sellable else 0.0
        if before.complete and facts.category != before.category:
            step.effects.append(_heat(before, 0.0, origin.occurred_at_ms))
        step.effects.append(_heat(facts, heat, origin.occurred_at_ms))
    return step


def warm_up(state: ShelfState, now_ms: int, rules: ShelfRules) -> Step:
    """What a product has no words for though most shoppers will need them: after a start, with another model say."""
    facts = state.shelf.facts
    if not facts.complete or facts.cause is None:
        return Step()
    scene, origin = Scene(facts, now_ms, rules), facts.cause
    return Step(effects=[*_first_words(state, scene, origin), *_words_ahead(state, scene, origin)])


def _first_words(state: ShelfState, scene: Scene, origin: Origin) -> Iterable[Write]:
    """Have the words written that most shoppers will need, before the first of them comes.

    Half of all cards present a product for no reason of the shopper's own; with these at hand they are answered at once.
    """
    for card in _introductions(scene.facts, origin, scene.rules):
        brief = scene.brief(card)
        wanted = brief.model != PHRASEBOOK and brief.promotion is not Promotion.SOLD_OUT
        if wanted and brief.brief_id not in state.copybook.texts:
            yield Write(brief, urgent=False)


def _words_ahead(state: ShelfState, scene: Scene, origin: Origin) -> Iterable[Write]:
    """And those that all will need should a sale begin or the stock run low."""
    facts, rules = scene.facts, scene.rules
    cards = (*_introductions(facts, origin, rules), *_copy_cards(facts, origin, rules))
    for promotion in rules.ahead:
        for card in cards:
            if not scene.fills(card.channel, promotion):
                continue
            brief = msgspec.structs.replace(scene.brief(card), promotion=promotion)
            if brief.model != PHRASEBOOK and brief.brief_id not in state.copybook.texts:
                yield Write(brief, urgent=False, ahead=True)


def _introductions(facts: Facts, origin: Origin, rules: ShelfRules) -> Iterable[LiveCard]:
    """A card that presents the product for itself, in each of its languages."""
    for locale in _locales(facts, rules):
        yield LiveCard(
            audience=Audience("", ""),
            stage=Stage.AWAITING,
            asked_revision=0,
            revision=0,
            origin=origin,
            locale=locale,
            valid_until_ms=0,
            tone=rules.tone("", facts.sku),
        )


def _locales(facts: Facts, rules: ShelfRules) -> tuple[str, ...]:
    """Those of the shop's locales that speak the product's language, as far as its script tells; all where none does."""
    chinese = bool(_HAN.search(facts.name or ""))
    fitting = tuple(locale for locale in rules.channel_locales if locale.startswith("zh") == chinese)
    return fitting or rules.channel_locales


_HAN = re.compile(r"[\u4e00-\u9fff]")


def is_repeat(facts: Facts, origin: Origin) -> bool:
    """Whether an event at this place was folded in before, so that this is a redelivery."""
    cause = facts.cause
    return cause is not None and cause.topic == origin.topic and origin.offset <= cause.offset


def _heat(facts: Facts, heat: float, at_ms: int) -> Send:
    price_minor = facts.price_minor if facts.prices else 0
    key = board_key(facts.category)
    return Send(Heat(key=key, sku=facts.sku, heat=heat, at_ms=at_ms, brand=facts.brand, price_minor=price_minor))


@cache
def _everybody(channel: Channel, locale: str) -> Audience:
    """One for all products."""
    return Audience("", f"{channel}/{locale}")


def _copy_cards(facts: Facts, origin: Origin, rules: ShelfRules) -> Iterable[LiveCard]:
    """Product copy, ads and posts: one record a channel and locale."""
    for channel, tone in rules.channels.items():
        for locale in _locales(facts, rules):
            yield LiveCard(
                audience=_everybody(channel, locale),
                stage=Stage.AWAITING,
                asked_revision=0,
                revision=0,
                origin=origin,
                locale=locale,
                valid_until_ms=0,
                channel=channel,
                tone=tone,
            )


def on_co_visited(state: ShelfState, message: CoVisited) -> Step:
    """Count what it was met with; tell the board when the heat has moved by half.

    Of a product that the shop has never spoken of nothing is kept: whoever makes up SKUs must not make state grow.
    """
    if not state.shelf.facts.version:
        return Step()
    shelf = note_visit(state.shelf, message)
    told, facts = shelf.told, shelf.facts
    step = Step(shelf=shelf)
    if message.visit and facts.sellable and not 0.5 * told < shelf.heat < 1.5 * told:
        step.shelf = msgspec.structs.replace(shelf, told=shelf.heat)
        step.effects.append(_heat(facts, shelf.heat, message.at_ms))
    return step


def wake_at_ms(facts: Facts, now_ms: int, rules: ShelfRules) -> int | None:
    """When time alone will next change what this shelf's cards should say."""
    return next_change_ms(facts, now_ms, rules.facts)


__all__ = [
    "PHRASEBOOK",
    "ShelfRules",
    "Words",
    "is_repeat",
    "no_words",
    "on_ask",
    "on_co_visited",
    "on_deadline",
    "on_inventory",
    "on_release",
    "on_words",
    "refresh",
    "refresh_all",
    "renewed",
    "wake_at_ms",
    "warm_up",
]
