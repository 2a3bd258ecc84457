"""React: what a shopper's event changes in their profile, and whether something is worth saying now.

A pure function from profile and event to profile and messages. It knows no product facts; those live on the shelves.

    event ──> `memory` folds it into the profile ──> `visits` tells the shelves what was met with what
                                                └──> `wants` says which cards it calls for ──> the policy ──> asks
"""

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.erasure import MEMORY_MS, Erased
from shelftalk.core.memory import in_session, own_brands, remembered, taste_of
from shelftalk.core.messages import Ask, Bought, Message, Mode, Origin, Release, is_board
from shelftalk.core.policy import HOUR_MS, Policy
from shelftalk.core.profile import MAX_PLACEMENTS, Placed, Profile, Spoken, next_revision, was_event
from shelftalk.core.visits import MAX_ORDER_ITEMS, co_visited
from shelftalk.core.wants import Want, asked_for, just_bought, wanted
from shelftalk.events.types import BehaviourEvent, OrderCompleted, ShopperErased

#: What refreshes add to a card's revision is less (`state.grown`). An erasure that comes late by its own clock must still be above
#: every card: by this, and by the worker's clock.
_ABOVE_REFRESHES = 1 << 20


class Reaction(msgspec.Struct, frozen=True, gc=False):
    """What an event led to.

    Attributes:
        profile: the profile after it; ``None`` where there is none.
        messages: for the shelves.
        outcome: ``"asked"``, or why nothing is said: ``"debounced"``, ``"capped"``, ``"quiet"``, ``"noted"``, ``"flood"``,
            ``"repeat"`` (a redelivery), ``"duplicate"`` (sent twice), ``"forgotten"`` (from before an erasure), ``"erased"``.
        withdraw: placements whose cards must be tombstoned.
        erased: the erasure, to be remembered.
        meanwhile: what to keep of an erased profile until all that is delivered: should the event come again after a crash,
            it still says where the cards are.
    """

    profile: Profile | None
    messages: tuple[Message, ...]
    outcome: str
    withdraw: tuple[Placed, ...] = ()
    erased: Erased | None = None
    meanwhile: Profile | None = None


def react(
    profile: Profile | None,
    event: BehaviourEvent,
    origin: Origin,
    policy: Policy,
    *,
    erased: Erased | None = None,
    now_ms: int = 0,
) -> Reaction:
    """Fold one event into a profile and decide whether to speak.

    Args:
        profile: of its shopper, if there is one.
        event: what they did.
        origin: where it stood.
        policy: when to speak.
        erased: what is remembered of an earlier erasure.
        now_ms: the worker's clock; only an erasure looks at it.
    """
    erased = _later(erased, None if profile is None else profile.erased)
    if isinstance(event, ShopperErased):
        return _erase(profile or Profile(), event, origin, erased, now_ms)
    if profile is not None and _is_repeat(profile, origin):
        return _repeat(profile, event, origin, policy)
    if erased is not None and event.occurred_at_ms <= erased.at_ms:
        return Reaction(profile, (), "forgotten")
    profile = profile or Profile(revision=0 if erased is None else erased.revision)
    window = _count(profile.window, event.occurred_at_ms)
    if window[1] > policy.max_events_per_second:
        return Reaction(msgspec.structs.replace(profile, window=window, newest=origin), (), "flood")
    if was_event(profile.events, event.event_id):
        return Reaction(msgspec.structs.replace(profile, window=window), (), "duplicate")
    profile = in_session(profile, event, policy)
    met = co_visited(profile, event, policy)
    profile = remembered(profile, event, origin, policy)
    profile = msgspec.structs.replace(profile, window=window)
    if isinstance(event, OrderCompleted):
        return Reaction(profile, met + _bought(event, policy, profile.revision), "noted")
    reaction = _speak(profile, event, origin, policy)
    return msgspec.structs.replace(reaction, messages=met + reaction.messages)


def _later(known: Erased | None, carried: Erased | None) -> Erased | None:
    """Of what is remembered of erasures and what a profile carries, the later one: a crash may have taken either."""
    if known is None or carried is None:
        return known or carried
    return max(known, carried, key=lambda erased: erased.offset)


def _is_repeat(profile: Profile, origin: Origin) -> bool:
    newest = profile.newest
    return (
        newest is not None
        and (newest.topic, newest.partition) == (origin.topic, origin.partition)
        and origin.offset <= newest.offset
    )


def _count(window: tuple[int, int], at_ms: int) -> tuple[int, int]:
    """Events of the newest second, by their own times. One from before it counts there: whose times go to and fro gains nothing."""
    start, count = window
    return (start, count + 1) if at_ms < start + 1000 else (at_ms, 1)


def _speak(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Reaction:
    """Ask the shelves for cards, if the policy lets us."""
    at_ms = event.occurred_at_ms
    wants = wanted(profile, event, policy)
    spoken = tuple(said for said in profile.spoken if at_ms - said.at_ms < HOUR_MS)
    if not wants:
        return Reaction(profile, (), "noted")
    if at_ms < profile.quiet_until_ms:
        return Reaction(profile, (), "quiet")
    if spoken and at_ms - spoken[-1].at_ms < policy.debounce_ms:
        return Reaction(profile, (), "debounced")
    if len(spoken) >= policy.max_per_hour:
        return Reaction(profile, (), "capped")
    revision = next_revision(profile, at_ms)
    said = Spoken(at_ms, origin.offset, revision)
    profile = msgspec.structs.replace(profile, revision=revision, spoken=(*spoken, said)[-policy.max_per_hour :])
    return _ask(profile, event, origin, policy, revision, wants=wants)


def _ask(
    profile: Profile,
    event: BehaviourEvent,
    origin: Origin,
    policy: Policy,
    revision: int,
    *,
    wants: tuple[Want, ...],
) -> Reaction:
    taken = {place: want.key for want in wants for place in want.placements}
    # What may have come back most likely has not: the other placements are not to do without it for that.
    shown = frozenset(want.key for want in wants if want.mode is Mode.SHOW and want.because is not Angle.BACK_IN_STOCK)
    out = shown.union(just_bought(profile))
    at_ms = event.occurred_at_ms
    brands, taste = own_brands(profile, at_ms, policy), taste_of(profile, at_ms, policy)
    # Through the shelves of the session's last products to the one that the shopper is at.
    earlier = [seen.sku for seen in profile.recent if seen.sku not in taken.values()]
    session = earlier[max(len(earlier) - policy.anchors + 1, 0) :]

    def ask(want: Want) -> Ask:
        onward = want.mode is Mode.NEXT
        path = session if onward and not is_board(want.key) else []
        return Ask(
            key=path[0] if path else want.key,
            via=(*path[1:], want.key) if path else (),
            shopper_id=event.shopper_id,
            placements=want.placements,
            revision=revision,
            mode=want.mode,
            because=want.because,
            locale=profile.locale or policy.default_locale,
            origin=origin,
            exclude=tuple(sorted(out | {want.key} if onward else out - {want.key})),
            brands=brands,
            taste=taste,
            carted_at_ms=want.met_at_ms,
        )

    asks = tuple(ask(want) for want in wants)
    before = {
        old.placement: old.before if old.revision == revision else old.key
        for old in profile.placed
        if old.placement in taken
    }
    left: dict[str, tuple[str, ...]] = {}  # by shelf: one that fed two placements hears of both at once
    for place, key in before.items():
        if key and key != taken[place]:
            left[key] = (*left.get(key, ()), place)
    releases = tuple(
        Release(key=key, shopper_id=event.shopper_id, placements=places, revision=revision - 1)
        for key, places in left.items()
    )
    placed = (
        *(old for old in profile.placed if old.placement not in taken),
        *(
            Placed(place, want.key, revision, before.get(place, ""), want.mode, want.because, want.met_at_ms)
            for want in wants
            for place in want.placements
        ),
    )
    # A card whose placement is not remembered could not be taken back when its shopper asks to be forgotten.
    unplaced, placed = placed[:-MAX_PLACEMENTS], placed[-MAX_PLACEMENTS:]
    messages: tuple[Message, ...] = (*asks, *releases, *_taken_back(unplaced, event.shopper_id, revision - 1))
    return Reaction(msgspec.structs.replace(profile, placed=placed), messages, "asked", withdraw=unplaced)


def _bought(event: OrderCompleted, policy: Policy, upto: int) -> tuple[Bought, ...]:
    """To the shelves of what was bought: no card for it is to stay on the page."""
    skus = list(dict.fromkeys(item.sku for item in event.items))[:MAX_ORDER_ITEMS]
    return tuple(Bought(key=sku, shopper_id=event.shopper_id, placements=policy.page, revision=upto) for sku in skus)


def _taken_back(placed: tuple[Placed, ...], shopper_id: str, revision: int) -> tuple[Release, ...]:
    return tuple(
        Release(key=old.key, shopper_id=shopper_id, placements=(old.placement,), revision=revision, erase=True)
        for old in placed
    )


def _repeat(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Reaction:
    """A redelivery after a crash: what it changed is in the profile, but what it said may never have been delivered.

    So it says it again, with the same revision and so the same ids. Co-visits are not repeated: they are statistics.
    """
    if isinstance(event, OrderCompleted):
        # By event time: what was asked for since is not taken back.
        upto = min(profile.revision, (event.occurred_at_ms << 10) + 1023)
        return Reaction(profile, _bought(event, policy, upto), "repeat")
    said = next((said for said in profile.spoken if said.offset == origin.offset), None)
    if said is None:
        return Reaction(profile, (), "repeat")
    # As it was asked then: cart and orders may have changed since, and were something else asked, an erasure would not know of it.
    wants = asked_for(profile, said.revision)
    kept = {place for want in wants for place in want.placements}
    later = {old.placement for old in profile.placed if old.revision > said.revision}
    wants += tuple(
        want
        for want in wanted(profile, event, policy)
        if later.issuperset(want.placements) and kept.isdisjoint(want.placements)
    )
    messages = _ask(profile, event, origin, policy, said.revision, wants=wants).messages
    return Reaction(profile, messages, "repeat")  # what was placed since is not wound back


def _erase(profile: Profile, event: ShopperErased, origin: Origin, before: Erased | None, now_ms: int) -> Reaction:
    """Forget a shopper, and remember that.

    A redelivery does it again as it was done, and leaves alone what the shopper did since. Asking twice takes nothing back: the
    first may reach further, up to an event of a clock that was ahead, or up to cards of a profile that is gone by now.
    """
    known_ms, known = (0, 0) if before is None else (before.at_ms, before.revision)
    at_ms = max(event.occurred_at_ms, profile.last_seen_ms, known_ms)
    revision = max(profile.revision + _ABOVE_REFRESHES, max(at_ms, now_ms) << 10, known)
    erased = Erased(at_ms, revision, origin.offset, max(at_ms, now_ms) + MEMORY_MS)
    again = before is not None and before.offset >= origin.offset
    if before is not None and again:
        erased = before
    messages = _taken_back(profile.placed, event.shopper_id, erased.revision)
    if again and profile.newest is not None and profile.newest.offset > origin.offset:
        return Reaction(profile, messages, "erased", withdraw=profile.placed, erased=erased)
    meanwhile = Profile(revision=erased.revision, placed=profile.placed, newest=origin, erased=erased)
    return Reaction(None, messages, "erased", withdraw=profile.placed, erased=erased, meanwhile=meanwhile)
