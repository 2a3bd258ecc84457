"""What an ask carries of its shopper: how far they are, and what they lean to. No identity, nothing they typed."""

import enum
import zlib

import msgspec

from shelftalk.core.interest import Band


class Intent(enum.StrEnum):
    """How far a shopper is with what they came for."""

    BROWSING = "browsing"
    COMPARING = "comparing"  # several products of one category in a row
    DECIDING = "deciding"  # something waits in the cart
    BOUGHT = "bought"  # and is paid for


class Taste(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What picks candidates and the angle beside the products themselves.

    Attributes:
        intent: how far they are.
        searched: terms of what they last searched for in this session (`terms`).
        seen: the last products of the session, newest last: one of them is a step back.
        band: the prices that they look at in the category that they are in.
    """

    intent: Intent = Intent.BROWSING
    searched: tuple[int, ...] = ()
    seen: tuple[str, ...] = ()
    band: Band | None = None


#: Of a shopper of whom nothing is known.
NO_TASTE = Taste()


def family(category: str | None, brand: str | None) -> int:
    """A number for products of one category and brand, between which a page is to vary; 0 where the shop does not say."""
    return zlib.crc32(f"{category}\x1f{brand or ''}".encode()) if category else 0
