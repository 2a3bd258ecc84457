"""Visits: what a session says about products that go together, told to their shelves."""

from shelftalk.core.messages import CoVisited, Message, Near
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile, fingerprint
from shelftalk.core.taste import family
from shelftalk.events.types import BehaviourEvent, CartAdded, OrderCompleted, ProductViewed

#: A co-visit says more when money is nearer. The shape, not the numbers, matters; `evaluate next-item` holds it against others.
VIEW_WEIGHT, CART_WEIGHT, ORDER_WEIGHT = 1.0, 3.0, 5.0

#: Products bought together that are paired at most: a wholesale order of 500 lines must not become 250,000 pairs.
MAX_ORDER_ITEMS = 12

#: Earlier products of the session that a visit is counted with.
_NEAR = 10


def co_visited(profile: Profile, event: BehaviourEvent, policy: Policy) -> tuple[Message, ...]:
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
            recent = profile.recent[::-1]
            again = bool(recent) and recent[0].sku == sku and not together
            # Back at the same product: a visit, but no step to another.
            steps = () if again else enumerate((seen for seen in recent if seen.sku != sku), start=1)
            near = [Near(seen.sku, weight / gap, seen.family) for gap, seen in steps][:_NEAR]
            kin = family(event.category, event.brand)
            own = CoVisited(key=sku, others=tuple(near), at_ms=at_ms, event_id=mark, together=together, visit=True)
            return own, *(
                CoVisited(
                    key=one.sku, others=(Near(sku, one.weight, kin),), at_ms=at_ms, event_id=mark, together=together
                )
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
