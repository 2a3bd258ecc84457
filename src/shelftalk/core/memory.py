"""Memory: an event folded into the profile of its shopper, and what the profile then says of them."""

import msgspec

from shelftalk.core.interest import band, decayed, lean, raise_interest
from shelftalk.core.messages import Origin
from shelftalk.core.policy import Policy
from shelftalk.core.profile import (
    MAX_BOUGHT,
    MAX_BRANDS,
    MAX_CART,
    MAX_CATEGORIES,
    MAX_EARLIER,
    MAX_RECENT,
    MAX_SEARCHES,
    Focus,
    Profile,
    Searched,
    forget,
    remember,
    remember_event,
)
from shelftalk.core.taste import Intent, Taste, family
from shelftalk.core.terms import terms
from shelftalk.core.visits import CART_WEIGHT, VIEW_WEIGHT
from shelftalk.events.types import (
    BehaviourEvent,
    CartAdded,
    CartRemoved,
    OrderCompleted,
    ProductsSearched,
    ProductViewed,
)

#: Brands that are called the shopper's own at one time.
_OWN_BRANDS = 2


def is_idle(profile: Profile, newest_ms: int, policy: Policy) -> bool:
    """Whether nothing was heard of a shopper for so long that they are to be forgotten.

    Args:
        profile: of the shopper. One that an erasure keeps until it is delivered goes with that.
        newest_ms: the newest event time of anybody: the shop's time, which in a replay is not ours.
        policy: how long that is.
    """
    return profile.erased is None and 0 < profile.last_seen_ms < newest_ms - policy.forget_after_ms


def in_session(profile: Profile, event: BehaviourEvent, policy: Policy) -> Profile:
    """The profile without what belongs to an earlier session; the products of that stay as earlier ones."""
    same_session = (
        event.session_id == profile.session_id
        if event.session_id and profile.session_id
        else event.occurred_at_ms - profile.last_seen_ms <= policy.session_gap_ms
    )
    if same_session or not (profile.recent or profile.searches):
        return profile
    earlier = profile.earlier
    for seen in profile.recent:
        earlier = remember(earlier, seen.sku, seen.at_ms, MAX_EARLIER, seen.family)
    return msgspec.structs.replace(profile, recent=(), searches=(), focus=Focus(), earlier=earlier)


def remembered(profile: Profile, event: BehaviourEvent, origin: Origin, policy: Policy) -> Profile:
    """The profile with the event folded in."""
    at_ms = event.occurred_at_ms
    changes: dict[str, object] = {
        "newest": origin,
        "events": remember_event(profile.events, event.event_id),
        "last_seen_ms": max(profile.last_seen_ms, at_ms),
        "session_id": event.session_id or profile.session_id,
        "locale": event.locale or profile.locale,
    }
    match event:
        case ProductViewed() | CartAdded():
            changes |= _met(profile, event)
        case CartRemoved(sku=sku):
            changes["cart"] = forget(profile.cart, frozenset({sku}))
        case ProductsSearched(query=query, category=category):
            searched = Searched(terms(query), category or "", at_ms)
            changes["searches"] = (*profile.searches, searched)[-MAX_SEARCHES:]
            if category:
                changes["categories"] = lean(profile.categories, category, at_ms, VIEW_WEIGHT, MAX_CATEGORIES)
        case OrderCompleted(items=items):
            bought = profile.bought
            for item in items[:MAX_BOUGHT]:
                bought = remember(bought, item.sku, at_ms, MAX_BOUGHT)
            changes["bought"] = bought
            changes["cart"] = forget(profile.cart, frozenset(item.sku for item in items))
            changes["quiet_until_ms"] = max(profile.quiet_until_ms, at_ms + policy.quiet_after_order_ms)
        case _:
            pass
    return msgspec.structs.replace(profile, **changes)


def _met(profile: Profile, event: ProductViewed | CartAdded) -> dict[str, object]:
    """A product was looked at or carted: it, its brand, its category and its price."""
    at_ms, sku, carted = event.occurred_at_ms, event.sku, isinstance(event, CartAdded)
    weight = CART_WEIGHT if carted else VIEW_WEIGHT
    changes: dict[str, object] = {
        "recent": remember(profile.recent, sku, at_ms, MAX_RECENT, family(event.category, event.brand))
    }
    if carted:
        changes["cart"] = remember(profile.cart, sku, at_ms, MAX_CART)
    if event.brand:
        changes["brands"] = raise_interest(profile.brands, event.brand, at_ms, weight, MAX_BRANDS)
    if event.category:
        changes["categories"] = lean(
            profile.categories,
            event.category,
            at_ms,
            weight,
            MAX_CATEGORIES,
            price_minor=event.price_minor,
            currency=event.currency,
        )
        held = profile.focus
        before = held.products if held.category == event.category else 0
        again = before and any(seen.sku == sku for seen in profile.recent)
        changes["focus"] = Focus(event.category, before if again else min(before + 1, MAX_RECENT))
    return changes


def intent_of(profile: Profile, at_ms: int, policy: Policy) -> Intent:
    """How far the shopper is, by what they did within a session's length."""
    bought_ms = profile.bought[-1].at_ms if profile.bought else None
    carted_ms = profile.cart[-1].at_ms if profile.cart else None
    if bought_ms is not None and at_ms - bought_ms <= policy.session_gap_ms and (carted_ms or 0) <= bought_ms:
        return Intent.BOUGHT
    if carted_ms is not None and at_ms - carted_ms <= policy.session_gap_ms:
        return Intent.DECIDING
    return Intent.COMPARING if profile.focus.products >= policy.comparing_at else Intent.BROWSING


def own_brands(profile: Profile, at_ms: int, policy: Policy) -> tuple[str, ...]:
    """The brands that they choose again and again."""
    chosen = (entry.name for entry in profile.brands if decayed(entry, at_ms) >= policy.brand_affinity)
    return tuple(chosen)[:_OWN_BRANDS]


def taste_of(profile: Profile, at_ms: int, policy: Policy) -> Taste:
    """What an ask carries of them."""
    category = profile.searches[-1].category if profile.searches else ""
    if not category or (profile.recent and profile.recent[-1].at_ms > profile.searches[-1].at_ms):
        category = profile.focus.category or category
    leaning = next((leaning for leaning in profile.categories if leaning.name == category), None)
    return Taste(
        intent=intent_of(profile, at_ms, policy),
        searched=profile.searches[-1].terms if profile.searches else (),
        seen=tuple(seen.sku for seen in profile.recent[-policy.anchors :]),
        band=band(leaning, policy.price_affinity) if leaning else None,
    )
