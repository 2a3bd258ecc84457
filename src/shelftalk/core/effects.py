"""What a shelf wants done: the shell does it, in order, and reports back."""

import msgspec

from shelftalk.core.brief import Brief
from shelftalk.core.card import Audience, Card
from shelftalk.core.messages import Message, Origin
from shelftalk.core.reword import Ingredients
from shelftalk.core.state import Board, Copybook, LiveCard, Shelf


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Send this card to its output topic.

    Attributes:
        made_of: what the words of a shopper's card were made of, should they have to begin otherwise.
    """

    audience: Audience
    card: Card
    made_of: Ingredients | None = None


class Write(msgspec.Struct, frozen=True, gc=False):
    """Have words written for this brief; the answer comes back through `Shelves.wrote`.

    Attributes:
        urgent: a shopper is waiting for it.
        attempt: 0 at first; another seed each time the guard rejected the words.
        earn: only if it is wanted often enough (`ShelfRules.earned_at`); meanwhile other words do.
    """

    brief: Brief
    urgent: bool
    attempt: int = 0
    earn: bool = False


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
    """An ask that ends without a card, and why: a short stable code."""

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
