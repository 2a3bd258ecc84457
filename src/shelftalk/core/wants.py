"""Wants: which cards an event calls for, before the policy has its say."""

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.messages import Mode, board_key
from shelftalk.core.policy import Policy
from shelftalk.core.profile import MAX_RECENT, Profile
from shelftalk.events.types import BehaviourEvent, CartAdded, ProductsSearched, ProductViewed


class Want(msgspec.Struct, frozen=True, gc=False):
    """One ask to be.

    Attributes:
        key: the shelf that is to answer.
        met_at_ms: since when the product lies in the cart, or when it was last looked at.
    """

    key: str
    mode: Mode
    because: Angle
    placements: tuple[str, ...]
    met_at_ms: int | None = None


def just_bought(profile: Profile) -> tuple[str, ...]:
    """What must not be offered: the last things bought. Only what may be running out comes back, as a reminder."""
    return tuple(seen.sku for seen in profile.bought[-MAX_RECENT:])


def wanted(profile: Profile, event: BehaviourEvent, policy: Policy) -> tuple[Want, ...]:
    """Which cards this event calls for."""
    if event.__struct_config__.tag not in policy.triggers:
        return ()
    match event:
        case ProductViewed(sku=sku, candidates=candidates):
            out = {sku, *just_bought(profile)}
            # As the shop's own recommender says, where it has one.
            given = [other for other in dict.fromkeys(candidates) if other not in out][: len(policy.placements)]
            wants = [
                Want(other, Mode.SHOW, Angle.LIKE_VIEWED, (place,))
                for other, place in zip(given, policy.placements, strict=False)
            ] or [Want(sku, Mode.NEXT, Angle.LIKE_VIEWED, policy.placements)]
            return (*wants, *_reminder(profile, event, policy, frozenset((sku, *given))))
        case CartAdded(sku=sku):
            return (Want(sku, Mode.NEXT, Angle.GOES_WITH, policy.placements),)
        case ProductsSearched(results=results, category=category):
            bought = just_bought(profile)
            found = next((sku for sku in results if sku not in bought), None)
            if found is not None:
                return (Want(found, Mode.SHOW, Angle.SEARCH_MATCH, (policy.reminder,)),)
            # The shop found nothing: what is looked at where it was searched.
            return (Want(board_key(category), Mode.NEXT, Angle.POPULAR, policy.placements),) if category else ()
        case _:
            return ()


def _reminder(profile: Profile, event: ProductViewed, policy: Policy, shown: frozenset[str]) -> tuple[Want, ...]:
    """Something of the shopper's own that is not shown anyway.

    What waits in the cart; else, once a session, at its beginning, what may be running out, or what they looked at last time: the
    shelf shows that only if it has come back since.
    """
    place = (policy.reminder,)
    waiting = next((seen for seen in profile.cart if seen.sku not in shown), None)
    if waiting is not None:
        return (Want(waiting.sku, Mode.SHOW, Angle.IN_CART, place, waiting.at_ms),)
    if len(profile.recent) != 1:
        return ()
    ripe_ms = event.occurred_at_ms - policy.replenish_after_ms
    old = [seen for seen in profile.bought if seen.at_ms <= ripe_ms and seen.sku not in shown]
    if old:
        return (Want(old[-1].sku, Mode.SHOW, Angle.REPLENISH, place),)
    out = shown.union(just_bought(profile))
    missed = next((seen for seen in reversed(profile.earlier) if seen.sku not in out), None)
    return (Want(missed.sku, Mode.SHOW, Angle.BACK_IN_STOCK, place, missed.at_ms),) if missed else ()


def asked_for(profile: Profile, revision: int) -> tuple[Want, ...]:
    """What was asked for with this revision and nothing else since, as it was asked."""
    places: dict[Want, list[str]] = {}
    for old in profile.placed:
        if old.revision == revision:
            want = Want(old.key, old.mode, old.because, (), old.met_at_ms)
            places.setdefault(want, []).append(old.placement)
    return tuple(msgspec.structs.replace(want, placements=tuple(found)) for want, found in places.items())
