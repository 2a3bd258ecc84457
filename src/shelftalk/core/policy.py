"""The policy: when an event is worth an answer, and where that is shown."""

import enum

import msgspec

HOUR_MS = 3_600_000


class Trigger(enum.StrEnum):
    """An event that may ask for cards; others have nothing to show beside them."""

    PRODUCT_VIEWED = "product_viewed"
    PRODUCTS_SEARCHED = "products_searched"
    CART_ADDED = "cart_added"


class Policy(msgspec.Struct, frozen=True):
    """When to speak.

    Attributes:
        triggers: the events that may ask for cards; the others are remembered only.
        placements: slots on the page that products next to the viewed one fill, best first.
        reminder: the slot for what lies in the cart, what a search found, or what may be running out.
        debounce_ms: silence after speaking, per shopper.
        max_per_hour: asks per shopper and hour.
        quiet_after_order_ms: after a purchase nobody wants to be sold to.
        session_gap_ms: silence that begins a new session where the shop sends no session id.
        replenish_after_ms: how old a purchase must be to ask whether it runs out.
        forget_after_ms: a shopper of whom nothing is heard for so long, by the shop's own time, is forgotten.
        max_events_per_second: beyond this a shopper is a bot; their events still count as handled, but cause nothing.
        brand_affinity: decayed choices of one brand from which on it is "your brand".
        price_affinity: decayed choices in a category, prices known, from which on they make a price band.
        comparing_at: products of one category in a row from which on a shopper is comparing.
        anchors: products of the session that decide together what is shown next: an ask goes through their shelves.
        tell: shelves of earlier products that are told of a visit; each is one message an event.
    """

    triggers: tuple[Trigger, ...] = tuple(Trigger)
    placements: tuple[str, ...] = ("next_1", "next_2")
    reminder: str = "reminder"
    debounce_ms: int = 1_500
    max_per_hour: int = 120
    quiet_after_order_ms: int = 120_000
    session_gap_ms: int = 30 * 60_000
    replenish_after_ms: int = 21 * 24 * HOUR_MS
    forget_after_ms: int = 90 * 24 * HOUR_MS
    max_events_per_second: int = 50
    brand_affinity: float = 2.5
    price_affinity: float = 2.0
    comparing_at: int = 3
    anchors: int = 6
    tell: int = 3
    default_locale: str = "en-GB"

    @property
    def page(self) -> tuple[str, ...]:
        """Every placement that a shopper may see at once."""
        return (*self.placements, self.reminder)
