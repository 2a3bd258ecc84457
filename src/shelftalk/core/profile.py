"""What is remembered of a shopper: bounded, decaying, and nothing that names them."""

import hashlib

import msgspec

from shelftalk.core.brief import Angle
from shelftalk.core.erasure import Erased
from shelftalk.core.interest import Interest, Leaning
from shelftalk.core.messages import Mode, Origin

MAX_RECENT = 20
MAX_EARLIER = 10
MAX_CART = 20
MAX_BOUGHT = 50
MAX_BRANDS = 12
MAX_CATEGORIES = 12
MAX_SEARCHES = 4
MAX_PLACEMENTS = 8
MAX_EVENTS = 12

_FINGERPRINT_BYTES = 6


class Seen(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A product and when.

    Attributes:
        family: its category and brand as a number, where the shop says them (`taste.family`).
    """

    sku: str
    at_ms: int
    family: int = 0


class Searched(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A search: numbers for its words, the category if there is one, and when."""

    terms: tuple[int, ...]
    category: str
    at_ms: int


class Focus(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The category that the shopper is in, and how many different products of it they saw in a row."""

    category: str = ""
    products: int = 0


class Placed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The shelf that was last asked to fill a placement.

    Attributes:
        before: the shelf that fed it until then, to be released again should the event be redelivered.
        mode: how it was asked, to be asked again likewise; `because` and `met_at_ms` as well.
    """

    placement: str
    key: str
    revision: int
    before: str = ""
    mode: Mode = Mode.NEXT
    because: Angle = Angle.LIKE_VIEWED
    met_at_ms: int | None = None


class Spoken(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A time that cards were asked for: by which event, and with which revision."""

    at_ms: int
    offset: int
    revision: int


class Profile(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One shopper.

    Attributes:
        revision: the last revision issued for this shopper's cards (see `next_revision`).
        recent: products viewed in this session, newest last, each once.
        earlier: the last ones of sessions before.
        cart: what lies in the cart, oldest first.
        bought: what was bought, newest last.
        brands: affinities.
        categories: likewise, each with the prices that are looked at there.
        searches: of this session, newest last.
        focus: what they are comparing.
        spoken: when cards were asked for within the last hour, newest last.
        window: start and count of the newest one-second window, against floods.
        events: fingerprints of the newest events folded in, oldest first: what a shop sends twice, or re-drives, counts once.
        newest: the newest event folded in; a redelivery of it or of an older one is recognised by partition and offset.
        erased: who they were before asked to be forgotten, and a crash may still take the record of it: the erasure would come
            again, and without this forget what they did since.
    """

    revision: int = 0
    session_id: str | None = None
    last_seen_ms: int = 0
    locale: str | None = None
    recent: tuple[Seen, ...] = ()
    cart: tuple[Seen, ...] = ()
    bought: tuple[Seen, ...] = ()
    brands: tuple[Interest, ...] = ()
    categories: tuple[Leaning, ...] = ()
    searches: tuple[Searched, ...] = ()
    earlier: tuple[Seen, ...] = ()
    focus: Focus = Focus()
    spoken: tuple[Spoken, ...] = ()
    quiet_until_ms: int = 0
    window: tuple[int, int] = (0, 0)
    placed: tuple[Placed, ...] = ()
    events: bytes = b""
    newest: Origin | None = None
    erased: Erased | None = None


def next_revision(profile: Profile, at_ms: int) -> int:
    """A hybrid logical clock: event time in the high bits, so that revisions grow even for a profile that was lost or erased.

    The low ten bits leave room for the refreshes of one card between two asks.
    """
    return max(profile.revision + 1024, at_ms << 10)


def remember(seen: tuple[Seen, ...], sku: str, at_ms: int, limit: int, family: int = 0) -> tuple[Seen, ...]:
    """With `sku` moved to the end, and the oldest dropped beyond the limit."""
    return (*(entry for entry in seen if entry.sku != sku), Seen(sku, at_ms, family))[-limit:]


def forget(seen: tuple[Seen, ...], skus: frozenset[str]) -> tuple[Seen, ...]:
    """Without these."""
    return tuple(entry for entry in seen if entry.sku not in skus)


def fingerprint(event_id: str) -> bytes:
    """What is kept of an event's id: enough to know it again, too little to read."""
    return hashlib.blake2b(event_id.encode(errors="surrogatepass"), digest_size=_FINGERPRINT_BYTES).digest()


def was_event(events: bytes, event_id: str) -> bool:
    """Whether an event is among these."""
    wanted = fingerprint(event_id)
    return any(
        events[start : start + _FINGERPRINT_BYTES] == wanted for start in range(0, len(events), _FINGERPRINT_BYTES)
    )


def remember_event(events: bytes, event_id: str) -> bytes:
    """With one more, and the oldest dropped beyond the limit."""
    return (events + fingerprint(event_id))[-MAX_EVENTS * _FINGERPRINT_BYTES :]
