"""Pseudonyms: what stands for a shopper's id wherever a person or another system may read it: logs, recordings."""

import base64
import hmac

#: Bytes of the code that are kept: among a hundred million shoppers two share a pseudonym with a chance of 4e-9.
_KEPT_BYTES = 10


class Pseudonyms:
    """One shopper, one pseudonym, as long as the key is the same; without the key nobody can tell which shopper it is.

    The keyed hash is HMAC-SHA256 (RFC 2104), cut to 80 bits. It is one way and stable, so a shopper can be followed through logs
    and recordings, and an id that somebody already knows can be looked for by whoever has the key.

    Args:
        key: secret; whoever has it can test whether a pseudonym is that of an id.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, shopper_id: str) -> str:
        """``p-`` and 16 characters of base32, which fit wherever a shopper's id does.

        Ids that no UTF-8 holds (a lone surrogate in JSON) have one, too.
        """
        code = hmac.digest(self._key, shopper_id.encode(errors="surrogatepass"), "sha256")[:_KEPT_BYTES]
        return f"p-{base64.b32encode(code).decode().lower()}"
