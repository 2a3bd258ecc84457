"""What a text claims about money and stock, read back from the text alone.

Part of the auditor: it shares no code with what writes the cards, so that one mistake is not made twice.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

#: Signs of currencies, longest first. A bare dollar or yen sign fits several.
_SIGNS = {
    "US$": {"USD"},
    "A$": {"AUD"},
    "AU$": {"AUD"},
    "CA$": {"CAD"},
    "C$": {"CAD"},
    "HK$": {"HKD"},
    "NZ$": {"NZD"},
    "CN¥": {"CNY"},
    "JP¥": {"JPY"},
    "R$": {"BRL"},
    "£": {"GBP"},
    "€": {"EUR"},
    "$": {"USD", "AUD", "CAD", "HKD", "NZD", "SGD", "MXN"},
    "¥": {"JPY", "CNY"},
    "\uffe5": {"JPY", "CNY"},
    "₹": {"INR"},
    "₩": {"KRW"},
    "₽": {"RUB"},
    "zł": {"PLN"},
}

_NO_DECIMALS = {"JPY", "KRW", "CLP", "VND", "ISK"}
_THREE_DECIMALS = {"KWD", "BHD", "OMR", "JOD", "TND"}

#: Signs inside a number stand alone and before digits, a space only before three: "£74.82. 5 left" is no number of seven digits.
_NUMBER = r"\d+(?:[.,]\d+|[\u00a0\u202f' ]\d{3}(?!\d))*"
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True)) + r"|\b[A-Z]{3}\b"
_AMOUNT = re.compile(
    rf"(?P<before>{_SIGN})[\s\u00a0]?(?P<after_sign>{_NUMBER})|(?P<alone>{_NUMBER})[\s\u00a0]?(?P<behind>{_SIGN})"
)

SLOT = re.compile(r"\{([a-z_]+\d?)\}")


class Amount(NamedTuple):
    """An amount as it reads.

    Attributes:
        currencies: what its sign may stand for.
    """

    minor: int
    currencies: frozenset[str]

    def is_amount(self, minor: int, currency: str) -> bool:
        """Whether it says exactly this."""
        return self.minor == minor and currency in self.currencies


def decimals(currency: str) -> int:
    """Digits of the minor unit."""
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def amounts_in(text: str, currency: str) -> list[Amount]:
    """Every amount of money in a text: a number beside a currency's sign or code.

    Args:
        text: as the shopper reads it.
        currency: decides how many digits stand behind the decimal point.
    """
    found = []
    for match in _AMOUNT.finditer(text):
        sign = match["before"] or match["behind"]
        currencies = _SIGNS.get(sign, {sign})
        if sign not in _SIGNS and sign != currency:
            continue  # three capitals that are no currency of ours, such as "USB 3"
        found.append(Amount(_minor(match["after_sign"] or match["alone"], currency), frozenset(currencies)))
    return found


def _minor(number: str, currency: str) -> int:
    """``1,234.50``, ``1.234,50`` and ``1 234,50`` are 123450 cents."""
    places = decimals(currency)
    number = re.sub(r"[\s\u00a0\u202f']", "", number)
    tail = re.search(r"[.,](\d+)$", number)
    fraction = tail[1] if tail and places and len(tail[1]) == places else ""
    whole = re.sub(r"\D", "", number[: len(number) - len(fraction)])
    return int(f"{whole}{fraction or '0' * places}")


#: What an amount may read as: a name may hold the words around it ("Harbour at Dusk at £17.41").
_AMOUNT_READING = r"(\D{0,8}\d.*?)"
#: What ends a sentence; a name may end so, too.
_STOPS = (".", "!", "?", "\u2026", "。", "！", "？")  # noqa: RUF001

_AMOUNTS = frozenset({"price", "was_price", "percent_off"})


def _between(words: str, before: str) -> str:
    """The pattern of the words behind a slot that should read so. Behind a stop of its own, theirs is not written."""
    return re.escape(words[1:] if words[:1] in {".", "。"} and before.endswith(_STOPS) else words)


def slot_readings(slotted: str, text: str, known: Mapping[str, str]) -> dict[str, list[str]] | None:
    """What stands in the text where the slotted form has its slots, or ``None`` where the two do not fit together.

    A slot that comes twice has two readings. The first letter may have been raised.

    Args:
        slotted: with slots.
        text: as the shopper reads it.
        known: what names should read; read so where that fits, for nothing else says where one ends ("{name}{price}").
    """
    names: list[str] = []
    pattern, before, at = "", "", 0
    for match in SLOT.finditer(slotted):
        expected = f"(?i:{re.escape(known[match[1]])})|" if match[1] in known else ""
        reading = _AMOUNT_READING if match[1] in _AMOUNTS else f"({expected}.+?)"
        pattern += _between(slotted[at : match.start()], before) + reading
        names.append(match[1])
        before, at = known.get(match[1], ""), match.end()
    pattern += _between(slotted[at:], before)
    fits = re.fullmatch(pattern, text, re.DOTALL) or re.fullmatch(pattern, text[:1].lower() + text[1:], re.DOTALL)
    if fits is None:
        return None
    readings: dict[str, list[str]] = {}
    for name, reading in zip(names, fits.groups(), strict=True):
        readings.setdefault(name, []).append(reading)
    return readings
