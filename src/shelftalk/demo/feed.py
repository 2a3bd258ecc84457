"""Records as lines that a person can read, at a pace that a person can follow."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from shelftalk.core.money import format_money
from shelftalk.demo.records import Seen
from shelftalk.terminal import safe

#: A line is not followed by the next faster than a person reads.
EVENT_EVERY_S, CARD_EVERY_S = 0.4, 0.9

_KEPT = 40


class CardLine(msgspec.Struct, frozen=True):
    """A card as the view tells it.

    Attributes:
        price: as the card has it; where it moved, before and after.
        why: the angle in words, or what made it refresh.
    """

    name: str
    price: str
    text: str
    why: str
    rung: str
    latency_ms: int | None
    moved: bool

    @property
    def took(self) -> str:
        """The latency to read."""
        return "" if self.latency_ms is None else f"{self.latency_ms} ms"


class Feed:
    """Turns records into lines, at a pace that can be read. Fed by the observer's thread, read by the view's.

    Args:
        clock: seconds, for the pace.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.events: deque[str] = deque(maxlen=_KEPT)
        self.cards: deque[CardLine] = deque(maxlen=_KEPT)
        self._clock = clock
        self._names: dict[str, str] = {}
        self._prices: dict[str, tuple[int, str]] = {}
        self._shown: dict[tuple[str, str], int] = {}
        self._next_event_s = 0.0
        self._next_card_s = 0.0
        self._lock = threading.Lock()

    def note(self, seen: Seen, latency_ms: int | None) -> None:
        """Take a record; most are only remembered."""
        with self._lock:
            if seen.stream in {"behaviour", "inventory"}:
                self._event(seen)
            elif seen.stream in {"cards", "copy"} and isinstance(seen.value, dict):
                self._card(seen, seen.value, latency_ms)

    def newest(self, events: int, cards: int) -> tuple[list[str], list[CardLine]]:
        """The newest lines, the latest first."""
        with self._lock:
            return list(self.events)[: -events - 1 : -1], list(self.cards)[: -cards - 1 : -1]

    def _event(self, seen: Seen) -> None:
        line = self._told(seen) if isinstance(seen.value, dict) else f"{self._sender(seen)} sends {_scrap(seen)}"
        now_s = self._clock()
        if line and now_s >= self._next_event_s:
            self._next_event_s = now_s + EVENT_EVERY_S
            self.events.append(safe(line))

    def _sender(self, seen: Seen) -> str:
        return (
            _short(seen.key) if seen.stream == "behaviour" else self._names.get(seen.key or "", seen.key or "somebody")
        )

    def _told(self, seen: Seen) -> str | None:
        event = seen.value
        sku = str(event.get("sku", ""))
        name = self._names.get(sku, sku)
        if seen.stream == "behaviour":
            return f"{_short(seen.key)} {self._does(event, name)}"
        match event.get("type"):
            case "product_upserted":
                first = sku not in self._names
                self._names[sku] = str(event.get("name", sku))
                self._price(sku, event)
                return None if first else f"{self._names[sku]} is listed"
            case "price_changed":
                return self._price(sku, event)
            case "stock_changed":
                return f"{name}: {event['stock']} left" if event.get("stock") else f"{name} is sold out"
            case "product_delisted":
                return f"{name} is taken off the shelf"
            case unknown:
                return f"{name}: an unknown {unknown}"

    def _does(self, event: dict[str, Any], name: str) -> str:
        match event.get("type"):
            case "product_viewed":
                return f"views {name}"
            case "products_searched":
                return f"searches “{event.get('query')}”"
            case "cart_added":
                return f"puts {name} into the cart"
            case "cart_removed":
                return f"takes {name} out of the cart"
            case "order_completed":
                skus = [str(item.get("sku")) for item in event.get("items", [])]
                return f"buys {', '.join(self._names.get(sku, sku) for sku in skus)}"
            case "shopper_erased":
                return "asks to be forgotten"
            case unknown:
                return f"sends an unknown {unknown}"

    def _price(self, sku: str, event: dict[str, Any]) -> str | None:
        minor, currency = event.get("price_minor"), event.get("currency")
        if not isinstance(minor, int) or not isinstance(currency, str) or minor <= 0:
            return f"{self._names.get(sku, sku)}: a price of {minor}"
        before = self._prices.get(sku)
        self._prices[sku] = (minor, currency)
        after = format_money(minor, currency, "en-GB")
        move = f"{format_money(*before, 'en-GB')} → {after}" if before and before[0] != minor else after
        return f"{self._names.get(sku, sku)}: {move}"

    def _card(self, seen: Seen, card: dict[str, Any], latency_ms: int | None) -> None:
        facts, provenance = card["facts"], card["provenance"]
        audience = (seen.topic, f"{seen.key}/{card['sku']}")
        minor = facts["price_minor"]
        before = self._shown.get(audience)
        if card["status"] != "live":
            self._shown.pop(audience, None)
            return
        self._shown[audience] = minor
        moved = before is not None and before != minor and provenance["trigger"] == "facts"
        now_s = self._clock()
        # A card whose price moved may cut in: it is what this is about, and rare enough.
        if now_s < self._next_card_s - (CARD_EVERY_S / 2 if moved else 0):
            return
        self._next_card_s = now_s + CARD_EVERY_S
        price = format_money(minor, facts["currency"], card["locale"])
        if moved and before is not None:
            price = f"{format_money(before, facts['currency'], card['locale'])} → {price}"
        why = {"ask": provenance["because"], "facts": "price or stock moved", "rewrite": "better words"}
        channel = "" if card["channel"] == "card" else f"{card['channel']}: "
        line = CardLine(
            name=safe(facts["name"]),
            price=price,
            text=safe(card["text"]),
            why=safe(channel + why.get(provenance["trigger"], provenance["because"])),
            rung=provenance["rung"],
            latency_ms=latency_ms,
            moved=moved,
        )
        self.cards.append(line)


def _short(key: str | None) -> str:
    """The first part of a pseudonym."""
    return (key or "somebody").split("-", 1)[0][:8]


def _scrap(seen: Seen) -> str:
    raw = (seen.raw or b"").decode(errors="replace")
    return f"what is no event: {raw[:30]}"
