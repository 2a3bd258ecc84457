"""Amounts in minor units, as shoppers read them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.money import format_money, format_percent_off, format_weekday, major_units, minor_units

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "read"),
    [
        (1_250, "GBP", "en-GB", "£12.50"),
        (1_200, "GBP", "en-GB", "£12.00"),
        (123_456_789, "GBP", "en-GB", "£1,234,567.89"),
        (1_250, "JPY", "ja-JP", "￥1,250"),
        (1_250, "JPY", "en-GB", "JP¥1,250"),
        (1_250, "KWD", "en-GB", "KWD1.250"),
        (5, "KWD", "en-GB", "KWD0.005"),
        (1_250, "EUR", "de-DE", f"12,50{NBSP}€"),
        (1_250, "GBP", "xx-YY", "£12.50"),
    ],
)
def test_reads_as_its_currency_and_locale_have_it(minor: int, currency: str, locale: str, read: str) -> None:
    assert format_money(minor, currency, locale).replace("KWD" + NBSP, "KWD") == read


@settings(deadline=None)
@given(st.integers(0, 10**12), st.sampled_from(["GBP", "JPY", "KWD", "EUR", "USD"]))
def test_minor_and_major_units_are_inverses(minor: int, currency: str) -> None:
    assert minor_units(major_units(minor, currency), currency) == minor


def test_how_many_digits_the_minor_unit_has() -> None:
    assert [major_units(1_250, currency) for currency in ("GBP", "JPY", "KWD")] == [
        Decimal("12.50"),
        Decimal(1250),
        Decimal("1.250"),
    ]


def test_half_a_penny_is_rounded_up() -> None:
    assert minor_units(Decimal("0.125"), "GBP") == 13
    assert minor_units(Decimal("0.5"), "JPY") == 1


def test_percent_and_weekday() -> None:
    assert format_percent_off(20, "en-GB") == "20%"
    assert format_percent_off(20, "de-DE") == f"20{NBSP}%"
    assert format_weekday(1_800_000_000_000, "en-GB") == "Friday"
    assert format_weekday(1_800_000_000_000, "de-DE") == "Freitag"
