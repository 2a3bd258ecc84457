"""React: what a shopper's event changes in their profile, and whether something is worth saying now.

A pure function from profile and event to profile and messages. It knows no product facts; those live on the shelves.
"""

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.erasure import MEMORY_MS, Erased
from shelftalk.core.messages import Ask, CoVisited, Message, Mode, Near, Origin, Release
from shelftalk.core.profile import (
    MAX_BOUGHT,
    MAX_CART,
    MAX_PLACEMENTS,
    MAX_RECENT,
    Placed,
    Profile,
    Spoken,
    decayed,
    fingerprint,
    forget,
    next_revision,
    raise_interest,
    remember,
    remember_event,
    was_event,
)
from shelftalk.events.types import (
    BehaviourEvent,
    CartAdded,
    CartRemoved,
    OrderCompleted,
    ProductsSearched,
    ProductViewed,
    ShopperErased,
)

HOUR_MS = 3_600_000

#: A co-visit says more when money is nearer. The shape, not the numbers, matters; `evaluate next-item` will tune them.
VIEW_WEIGHT, CART_WEIGHT, ORDER_WEIGHT = 1.0, 3.0, 5.0

#: Products bought together that are paired at most: a wholesale order of 500 lines must not become 250,000 pairs.
MAX_ORDER_ITEMS = 12

#: Earlier products of the session that a visit is counted with.
_NEAR = 10

#: A card that is refreshed counts its revisions up by one a millisecond at most; those of asks grow 1,024 times as fast. An erasure
#: that comes late by its own clock must still be above every card: by this, and by the worker's clock.
_ABOVE_REFRESHES = 1 << 20


class Policy(msgspec.Struct, frozen=True):
    """When to speak.

    Attributes:
        placements: slots on the page that products next to the viewed one fill, best first.
        reminder: the slot for what lies in the cart, what a search found, or what may be running out.
        debounce_ms: silence after speaking, per shopper.
        max_per_hour: asks per shopper and hour.
        quiet_after_order_ms: after a purchase nobody wants to be sold to.
        session_gap_ms: silence that begins a new session where the shop sends no session id.
        replenish_after_ms: how old a purchase must be to ask whether it runs out.
        max_events_per_second: beyond this a shopper is a bot; their events still count as handled, but cause nothing.
        brand_affinity: decayed choices of one brand from which on it is "your brand".
        anchors: products of the session that decide together what is shown next: an ask goes through their shelves.
        tell: shelves of earlier products that are told of a visit; each is one message an event.
    """

    placements: tuple[str, ...] = ("next_1", "next_2")
    reminder: str = "reminder"
    debounce_ms: int = 1_500
    max_per_hour: int = 120
    quiet_after_order_ms: int = 120_000
    session_gap_ms: int = 30 * 60_000
    replenish_after_ms: int = 21 * 24 * HOUR_MS
    max_events_per_second: int = 50
    brand_affinity: float = 2.5
    anchors: int = 6
    tell: int = 3
    default_locale: str = "en-GB"

    @property
    def page(self) -> tuple[str, ...]:
        """Every placement that a shopper may see at once."""
        return (*self.placements, self.reminder)


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
    profile = _in_session(profile, event, policy)
    met = _co_visited(profile, event, policy)
    profile = _remember(profile, event, origin, policy)
    profile = msgspec.structs.replace(profile, window=window)
    reaction = _speak(profile, event, origin, policy)
    return msgspec.structs.replace(reaction, messages=met + reaction.messages)


def _is_repeat(profile: Profile, origin: Origin) -> bool:
    newest = profile.newest
    return (
        newest is not None
        and (newest.topic, newest.partition) == (origin.topic, origin.partition)
        and origin.offset <= newest.offset
    )


def _count(window: tuple[int, int], at_ms: int) -> tuple[int, int]:
    start, count = window
    return (start, count + 1) if start <= at_ms < start + 1000 else (at_ms, 1)


def _co_visited(profile: Profile, event: BehaviourEvent, policy: Policy) -> tuple[Message, ...]:
    """What was met with what: a message to the product's own shelf, and one each to those of the last few before it.

    Args:
        profile: before the event, with what belongs to its session only.
        event: a visit or an order; anything else says nothing.
        policy: how many shelves are told.
    """
    mark = fingerprint(event.event_id).hex()  # shelves remember it, and an id may name the shopper
    at_ms = event.occurred_at_ms
    match event:
        case ProductViewed(sku=sku) | CartAdded(sku=sku):
            together = isinstance(event, CartAdded)
            weight = CART_WEIGHT if together else VIEW_WEIGHT
            recent = [seen.sku for seen in reversed(profile.recent)]
            again = bool(recent) and recent[0] == sku and not together
            # Back at the same product: a visit, but no step to another.
            steps = () if again else enumerate((other for other in recent if other != sku), start=1)
            near = [Near(other, weight / gap) for gap, other in steps][:_NEAR]
            own = CoVisited(key=sku, others=tuple(near), at_ms=at_ms, event_id=mark, together=together, visit=True)
            return own, *(
                CoVisited(key=one.sku, others=(Near(sku, one.weight),), at_ms=at_ms, event_id=mark, together=together)
                for one in near[: policy.tell]
            )
        case OrderCompleted(items=items):
            skus = list(dict.fromkeys(item.sku for item in items))[:MAX_ORDER_ITEMS]
            return tuple(
                CoVisited(
                    key=sku,
                    others=tuple(Near(other, ORDER_WEIGHT) for other in skus if other != sku),
                    at_ms=at_ms,
                    event_id=mark,
                    together=True,
                )
                for sku in skus
                if len(skus) > 1
            )
        case _:
            return ()


def _in_session(profile: Profile, event: BehaviourEvent, policy: Policy) -> Profile:
    """The profile without the products of an earlier session."""
    same_session = (
        event.session_id == profile.session_id
        if event.session_id and profile.session_id
        else event.occurred_at_ms - profile.last_seen_ms <= policy.session_gap_ms
    )
    return profile if same_session or not profile.recent else msgspec.structs.replace(profile, recent=())


def _remember(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Profile:
    """Fold the event into the profile."""
    at_ms = event.occurred_at_ms
    changes: dict[str, object] = {
        "newest": origin,
        "events": remember_event(profile.events, event.event_id),
        "last_seen_ms": max(profile.last_seen_ms, at_ms),
        "session_id": event.session_id or profile.session_id,
        "locale": event.locale or profile.locale,
    }
    match event:
        case ProductViewed(sku=sku):
            changes["recent"] = remember(profile.recent, sku, at_ms, MAX_RECENT)
        case CartAdded(sku=sku):
            changes["recent"] = remember(profile.recent, sku, at_ms, MAX_RECENT)
            changes["cart"] = remember(profile.cart, sku, at_ms, MAX_CART)
        case CartRemoved(sku=sku):
            changes["cart"] = forget(profile.cart, frozenset({sku}))
        case OrderCompleted(items=items):
            bought = profile.bought
            for item in items[:MAX_BOUGHT]:
                bought = remember(bought, item.sku, at_ms, MAX_BOUGHT)
            changes["bought"] = bought
            changes["cart"] = forget(profile.cart, frozenset(item.sku for item in items))
            changes["quiet_until_ms"] = max(profile.quiet_until_ms, at_ms + policy.quiet_after_order_ms)
        case _:
            pass
    if isinstance(event, ProductViewed | CartAdded) and event.brand:
        weight = VIEW_WEIGHT if isinstance(event, ProductViewed) else CART_WEIGHT
        changes["brands"] = raise_interest(profile.brands, event.brand, at_ms, weight)
    return msgspec.structs.replace(profile, **changes)


def _speak(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Reaction:
    """Ask the shelves for cards, if the policy lets us."""
    at_ms = event.occurred_at_ms
    wanted = _wanted(profile, event, policy)
    spoken = tuple(said for said in profile.spoken if at_ms - said.at_ms < HOUR_MS)
    if not wanted:
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
    return _ask(profile, event, origin, policy, revision, wanted=wanted)


class _Want(msgspec.Struct, frozen=True, gc=False):
    key: str
    mode: Mode
    because: Angle
    placements: tuple[str, ...]
    carted_at_ms: int | None = None


def _wanted(profile: Profile, event: BehaviourEvent, policy: Policy) -> tuple[_Want, ...]:
    """Which cards this event calls for, before the policy has its say."""
    match event:
        case ProductViewed(sku=sku, candidates=candidates) if candidates:
            shown = [c for c in candidates if c != sku][: len(policy.placements)]
            wants = [
                _Want(c, Mode.SHOW, Angle.LIKE_VIEWED, (place,))
                for c, place in zip(shown, policy.placements, strict=False)
            ]
            shown_too = frozenset((sku, *shown))
            return (*wants, *_reminder(profile, event, policy, shown_too))
        case ProductViewed(sku=sku):
            viewed = frozenset((sku,))
            return (
                _Want(sku, Mode.NEXT, Angle.LIKE_VIEWED, policy.placements),
                *_reminder(profile, event, policy, viewed),
            )
        case CartAdded(sku=sku):
            return (_Want(sku, Mode.NEXT, Angle.GOES_WITH, policy.placements),)
        case ProductsSearched(results=results) if results:
            return (_Want(results[0], Mode.SHOW, Angle.SEARCH_MATCH, (policy.reminder,)),)
        case _:
            return ()


def _reminder(profile: Profile, event: ProductViewed, policy: Policy, shown: frozenset[str]) -> tuple[_Want, ...]:
    """Something of the shopper's own that is not shown anyway: what waits in the cart, or what may be running out."""
    waiting = [seen for seen in profile.cart if seen.sku not in shown]
    if waiting:
        oldest = waiting[0]
        return (_Want(oldest.sku, Mode.SHOW, Angle.IN_CART, (policy.reminder,), oldest.at_ms),)
    ripe_ms = event.occurred_at_ms - policy.replenish_after_ms
    old = [seen for seen in profile.bought if seen.at_ms <= ripe_ms and seen.sku not in shown]
    if old and len(profile.recent) == 1:  # once a session, at its beginning
        return (_Want(old[-1].sku, Mode.SHOW, Angle.REPLENISH, (policy.reminder,)),)
    return ()


def _ask(
    profile: Profile,
    event: BehaviourEvent,
    origin: Origin,
    policy: Policy,
    revision: int,
    *,
    wanted: tuple[_Want, ...],
) -> Reaction:
    taken = {place: want.key for want in wanted for place in want.placements}
    shown = frozenset(want.key for want in wanted if want.mode is Mode.SHOW)
    bought = tuple(seen.sku for seen in profile.bought[-MAX_RECENT:])
    at_ms = event.occurred_at_ms
    brands = tuple(entry.name for entry in profile.brands if decayed(entry, at_ms) >= policy.brand_affinity)[:2]
    # Through the shelves of the session's last products to the one that the shopper is at.
    earlier = [seen.sku for seen in profile.recent if seen.sku not in taken.values()]
    path = earlier[max(len(earlier) - policy.anchors + 1, 0) :]
    asks = tuple(
        Ask(
            key=path[0] if path and want.mode is Mode.NEXT else want.key,
            via=(*path[1:], want.key) if path and want.mode is Mode.NEXT else (),
            shopper_id=event.shopper_id,
            placements=want.placements,
            revision=revision,
            mode=want.mode,
            because=want.because,
            locale=profile.locale or policy.default_locale,
            origin=origin,
            exclude=tuple(sorted({*bought, *shown, want.key})) if want.mode is Mode.NEXT else (),
            brands=brands,
            carted_at_ms=want.carted_at_ms,
        )
        for want in wanted
    )
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
        *(Placed(place, key, revision, before.get(place, "")) for place, key in taken.items()),
    )
    # A card whose placement is not remembered could not be taken back when its shopper asks to be forgotten.
    unplaced, placed = placed[:-MAX_PLACEMENTS], placed[-MAX_PLACEMENTS:]
    messages: tuple[Message, ...] = (*asks, *releases, *_taken_back(unplaced, event.shopper_id, revision - 1))
    return Reaction(msgspec.structs.replace(profile, placed=placed), messages, "asked", withdraw=unplaced)


def _taken_back(placed: tuple[Placed, ...], shopper_id: str, revision: int) -> tuple[Release, ...]:
    return tuple(
        Release(key=old.key, shopper_id=shopper_id, placements=(old.placement,), revision=revision, erase=True)
        for old in placed
    )


def _repeat(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Reaction:
    """A redelivery after a crash: what it changed is in the profile, but what it said may never have been delivered.

    So it says it again, with the same revision and so the same ids. Co-visits are not repeated: they are statistics.
    """
    said = next((said for said in profile.spoken if said.offset == origin.offset), None)
    if said is None:
        return Reaction(profile, (), "repeat")
    # The cart may have changed since: nothing is asked that was not asked then, or an erasure would not know of it.
    placed = {old.placement: old for old in profile.placed}
    wanted = tuple(
        want
        for want in _wanted(profile, event, policy)
        if all(
            place in placed and (placed[place].revision > said.revision or placed[place].key == want.key)
            for place in want.placements
        )
    )
    messages = _ask(profile, event, origin, policy, said.revision, wanted=wanted).messages
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
    meanwhile = Profile(revision=erased.revision, placed=profile.placed, newest=origin)
    return Reaction(None, messages, "erased", withdraw=profile.placed, erased=erased, meanwhile=meanwhile)
