"""Text from outside made fit for a terminal: nothing in it may move the cursor, hide, or turn what stands around it."""

import unicodedata


def safe(text: str) -> str:
    r"""The text with everything that is not seen as itself spelled out: ``\x1b``, ``\u202e``.

    Product names, keys and error details come from outside. A terminal obeys escape sequences in them, and a bidirectional control
    makes a line read as another one.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_seen(char) else char.encode("unicode_escape", "surrogatepass").decode() for char in text)


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"  # amounts have no-break spaces
