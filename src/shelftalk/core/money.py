"""Money and dates as a shopper reads them.

Amounts are integers in the currency's minor unit throughout; how many digits that unit has (JPY none, KWD three) and where the
sign stands is CLDR's knowledge, through Babel.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_percent, get_currency_precision


@lru_cache(maxsize=512)
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en-GB", sep="-")


def major_units(minor: int, currency: str) -> Decimal:
    """Minor units to the amount people speak of: ``(1250, "GBP")`` is ``Decimal("12.50")``."""
    return Decimal(minor).scaleb(-get_currency_precision(currency))


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount in minor units, rounded half up; the inverse of `major_units` for amounts that the currency can express."""
    return int(amount.scaleb(get_currency_precision(currency)).to_integral_value(rounding="ROUND_HALF_UP"))


@lru_cache(maxsize=8192)
def format_money(minor: int, currency: str, locale: str) -> str:
    """``(1250, "GBP", "en-GB")`` is ``"£12.50"``; a whole amount keeps its zeros, so that two prices always line up."""
    return str(format_currency(major_units(minor, currency), currency, locale=_locale(locale)))


@lru_cache(maxsize=1024)
def format_percent_off(percent: int, locale: str) -> str:
    """``20`` is ``"20%"`` in English, with the locale's own sign and spacing elsewhere."""
    return str(format_percent(Decimal(percent) / 100, locale=_locale(locale)))


def format_weekday(at_ms: int, locale: str) -> str:
    """The UTC weekday of a moment, such as ``"Friday"``."""
    return str(format_date(datetime.fromtimestamp(at_ms / 1000, UTC).date(), "EEEE", locale=_locale(locale)))
