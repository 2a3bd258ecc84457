"""What a shelf remembers: three records, kept apart because they change at different rates.

Like all values of the core they are frozen and made of values, so they cannot form cycles: ``gc=False`` tells Python's collector,
which would otherwise look through a million live cards time and again.
"""

import enum
from collections.abc import Mapping
from itertools import islice

import msgspec

from shelftalk.core.brief import Angle, Channel, Tone
from shelftalk.core.card import Audience, Rung, Trigger
from shelftalk.core.facts import Facts
from shelftalk.core.messages import Origin, Seed
from shelftalk.core.taste import NO_TASTE, Taste

MAX_NEIGHBOURS = 60
MAX_TEXTS = 128
MAX_BOARD = 40

#: A co-visit halves in two weeks: this week's pairs outweigh last month's, and a rare product still knows some.
NEIGHBOUR_HALF_LIFE_MS = 14 * 24 * 3_600_000

#: Heat halves in six hours: "popular now" is about today.
HEAT_HALF_LIFE_MS = 6 * 3_600_000

#: A product that nobody has looked at yet still has a place on its category's board, for shops that just opened.
UNSEEN_HEAT = 0.01

#: From this heat on a product may be called popular: some five visits within the last hours.
POPULAR_HEAT = 5.0


#: Longer than a shopper's card is live.
_GROWS_MS, _MS_A_STEP = 3_600_000, 4


def decay(value: float, age_ms: int, half_life_ms: int) -> float:
    """Exponential decay; a negative age (events out of order) does not inflate."""
    return float(value * 0.5 ** (max(age_ms, 0) / half_life_ms))


def grown(revision: int, now_ms: int) -> int:
    """An ask's revision, grown with the time since: by one in four milliseconds, faster than any card is refreshed for long.

    The revisions of asks grow by 1,024 a millisecond (`next_revision`), so the next ask's is higher. It grows for an hour at most,
    as much as those of asks in 0.9 s, so that this also holds of events that come long after their time, unless a shopper is
    answered more often (`policy.debounce_ms`). Copy for everybody is asked for by nobody, with revision 0.
    """
    if not revision:
        return now_ms
    since_ms = min(max(now_ms - (revision >> 10), 0), _GROWS_MS)
    return revision + since_ms // _MS_A_STEP


class Neighbour(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A product that shoppers met before or after this one in a session, decayed to `at_ms`.

    Attributes:
        bought: the part of the weight that came from carts and orders: evidence that the two go together.
        family: category and brand as a number, where the shop's events say them; 0 is unknown.
    """

    sku: str
    weight: float
    bought: float
    at_ms: int
    family: int = 0


class Shelf(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One product: its facts, and what is seen with it.

    Attributes:
        heat: decayed count of visits as of `heat_at_ms`.
        told: the heat last told to the category's board.
        counted: ids of the newest co-visits, so that a redelivery is not counted twice.
    """

    facts: Facts
    neighbours: tuple[Neighbour, ...] = ()
    heat: float = 0.0
    heat_at_ms: int = 0
    told: float = 0.0
    counted: tuple[str, ...] = ()


class Text(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Words that passed the guard, with their slots unfilled."""

    slotted: str
    model: str


class Copybook(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The texts of one product by brief id; when it is full, those go first that shoppers have not been shown for longest."""

    texts: dict[str, Text] = {}

    def with_text(self, brief_id: str, text: Text) -> "Copybook":
        """A copybook that holds one more."""
        texts = {**{key: kept for key, kept in self.texts.items() if key != brief_id}, brief_id: text}
        while len(texts) > MAX_TEXTS:
            del texts[next(iter(texts))]
        return Copybook(texts)

    def used(self, brief_id: str) -> "Copybook":
        """The copybook once a text was shown to a shopper: this very one, unless the text was among those that go next.

        Exact order would cost a write an ask. A text that comes to the front when it is in the older half of a copybook more than
        half full is never among the half that goes, and is written anew once in sixty others at most.
        """
        many = len(self.texts) - MAX_TEXTS // 2
        if brief_id not in islice(self.texts, max(many, 0)):
            return self
        return self.with_text(brief_id, self.texts[brief_id])


class Hot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An entry of a board."""

    sku: str
    heat: float
    at_ms: int
    brand: str | None = None
    price_minor: int = 0


class Board(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The most looked-at products of a category."""

    entries: tuple[Hot, ...] = ()


class Stage(enum.StrEnum):
    """How far a live card is."""

    AWAITING = "awaiting"  # its first words are being written
    SHOWN = "shown"  # it was published
    PASSED = "passed"  # another shelf was asked in its stead


class LiveCard(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A card that this shelf feeds, or a pointer to the shelf that was asked in its stead.

    Attributes:
        asked_revision: the revision of the ask; a later ask for the audience has a higher one.
        base: that of the shopper's own ask, if it is another (`Ask.base`); else 0.
        revision: the revision last published, counting up from `asked_revision` with each refresh.
        facts_version: the facts it was rendered from.
        trigger: why it was last published; with `cause` it makes the card's id.
        passed_to: the key of the shelf that was asked, in stage ``passed``.
        published_at_ms: when it last went out.
    """

    audience: Audience
    stage: Stage
    asked_revision: int
    revision: int
    origin: Origin
    locale: str
    valid_until_ms: int
    channel: Channel = Channel.CARD
    angle: Angle = Angle.INTRODUCE
    anchor: str | None = None
    tone: Tone = Tone.PLAIN
    brief_id: str = ""
    slotted: str = ""
    rung: Rung = Rung.PHRASEBOOK
    model: str = ""
    trigger: Trigger = Trigger.ASK
    cause: Origin | None = None
    facts_version: int = 0
    passed_to: str = ""
    seed: Seed | None = None
    exclude: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    taste: Taste = NO_TASTE
    hops: int = 0
    published_at_ms: int = 0
    base: int = 0

    def outdates(self, revision: int) -> bool:
        """Whether an ask of this revision comes too late: a consumer who has this card would not take what it brings."""
        return self.asked_revision != revision and self.revision >= revision

    def raised(self, now_ms: int) -> int:
        """The revision of its next publication.

        It outgrows every earlier one even where a crash took the memory of those. That is so on all shelves that the ask came to,
        for all count the time from the shopper's own: were it counted anew from what was passed on, a shelf that had grown twice
        would stand above the one before it, should that withdraw and pass on once more.
        """
        by_time = grown(self.base or self.asked_revision, now_ms)
        return by_time if by_time > self.revision else self.revision + 1


class ShelfState(msgspec.Struct, frozen=True, gc=False):
    """One product as the shell has it at this moment.

    Attributes:
        live: its live cards and pointers, by audience key.
    """

    shelf: Shelf
    copybook: Copybook = Copybook()
    live: Mapping[str, LiveCard] = {}
