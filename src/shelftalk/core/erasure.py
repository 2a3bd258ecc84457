"""What is remembered of a shopper who asked to be forgotten: that they were, for a while, and not who they are.

Without it what is under way could bring them back: an event from before that the shop sends late, or a card that a crashed worker
writes again. The record is kept under a digest of the id, and goes when nothing from before can be under way any more.
"""

import hashlib

import msgspec

#: As long as Kafka keeps a record by default: what is older cannot be read again.
MEMORY_MS = 7 * 24 * 3_600_000


class Erased(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An erasure.

    Attributes:
        at_ms: what happened up to then, by event time, is of the shopper who was; what happened later is somebody new.
        revision: of cards, likewise; a new profile counts on from here.
        offset: of the event that asked for it, in the partition of the record.
        forget_at_ms: when this is forgotten, too.
    """

    at_ms: int
    revision: int
    offset: int
    forget_at_ms: int


def erased_key(shopper_id: str) -> str:
    """Under what an erasure is remembered."""
    digest = hashlib.blake2b(shopper_id.encode(errors="surrogatepass"), digest_size=16, person=b"erased")
    return digest.hexdigest()
