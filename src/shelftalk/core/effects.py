"""What a shelf wants done: the shell does it, in order, and reports back."""

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Audience, Card
from shelftalk.core.messages import Message, Origin
from shelftalk.core.plate import Plate
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Send a card to its output topic.

    Attributes:
        plate: what it has in common with others; the rest is its own, as in `Card`.
    """

    audience: Audience
    plate: Plate
    revision: int
    valid_until_ms: int
    origin: Origin

    @property
    def sku(self) -> str:
        """Of the product."""
        return self.plate.common.sku

    @property
    def card(self) -> Card:
        """The card as a value."""
        return self.plate.card(self.audience, self.revision, self.valid_until_ms, self.origin)

    def encoded(self) -> bytes:
        """Its wire form."""
        return self.plate.encoded(self.audience, self.revision, self.valid_until_ms, self.origin)

    def offered(self) -> bytes:
        """A shopper's, for the fence."""
        return self.plate.offered(self.audience, self.revision, self.valid_until_ms, self.origin)


class Write(msgspec.Struct, frozen=True, gc=False):
    """Have words written for this brief; the answer comes back through `Shelves.wrote`.

    Attributes:
        urgent: a shopper is waiting for it.
        attempt: 0 at first; another seed each time the guard rejected the words.
        earn: only if it is wanted often enough (`ShelfRules.earned_at`); meanwhile other words do.
        ahead: for a moment that may come, when there is nothing better to do.
    """

    brief: Brief
    urgent: bool
    attempt: int = 0
    earn: bool = False
    ahead: bool = False


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send this message to another shelf, or to a board."""

    message: Message


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Words that a person should look at before they are used."""

    brief: Brief
    slotted: str
    reasons: tuple[str, ...]


class Erase(msgspec.Struct, frozen=True, gc=False):
    """Leave a tombstone where a card of a forgotten shopper was.

    Attributes:
        revision: cards up to it; a later one is of a shopper who came back.
    """

    audience: Audience
    revision: int


class Drop(msgspec.Struct, frozen=True, gc=False):
    """An ask that ends without a card, or copy that has too little to say, and why: a short stable code."""

    reason: str
    origin: Origin


Effect = Publish | Write | Send | Hold | Erase | Drop


class Step(msgspec.Struct):
    """The outcome of one step: what changed, and what to do.

    Attributes:
        shelf: the new shelf, if it changed; likewise `copybook` and `board`.
        live: live cards by audience key: the new record, or ``None`` where it goes.
    """

    shelf: Shelf | None = None
    copybook: Copybook | None = None
    board: Board | None = None
    live: dict[str, LiveCard | None] = msgspec.field(default_factory=dict)
    effects: list[Effect] = msgspec.field(default_factory=list)
