"""Interests: bounded, decaying, and with them the prices that a shopper looks at."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.interest import INTEREST_HALF_LIFE_MS, Band, Leaning, band, decayed, lean
from tests.core.making import NOW


def leaning(*prices: int, currency: str = "GBP", apart_ms: int = 0) -> Leaning:
    leanings: tuple[Leaning, ...] = ()
    for number, price in enumerate(prices):
        leanings = lean(leanings, "kettles", NOW + number * apart_ms, 1.0, 12, price_minor=price, currency=currency)
    return leanings[0]


def test_a_band_is_around_what_was_looked_at() -> None:
    found = band(leaning(3_000, 4_000, 5_000), 2.0)
    assert found is not None
    assert found.holds("kettles", "GBP", 4_000)
    assert not found.holds("kettles", "GBP", 8_000)
    assert not found.holds("kettles", "EUR", 4_000)
    assert not found.holds("pots", "GBP", 4_000)
    assert 3_000 <= found.low_minor < found.middle < found.high_minor <= 5_200


def test_one_price_often_makes_a_narrow_band_and_too_few_make_none() -> None:
    assert band(leaning(4_000), 2.0) is None
    assert band(leaning(4_000, 4_000), 2.0) == Band("kettles", "GBP", 3_200, 5_000)


def test_a_search_leans_to_a_category_and_says_nothing_of_prices() -> None:
    (kept,) = lean((leaning(4_000, 4_000),), "kettles", NOW, 1.0, 12)
    assert (kept.weight, kept.priced) == (3.0, 2.0)
    assert band(kept, 2.0) is not None


def test_another_currency_begins_anew() -> None:
    (kept,) = lean((leaning(4_000, 5_000),), "kettles", NOW, 1.0, 12, price_minor=600, currency="KWD")
    assert (kept.currency, kept.priced, round(math.exp(kept.mean))) == ("KWD", 1.0, 600)


def test_the_prices_of_last_week_fade() -> None:
    found = band(leaning(100_000, 100_000, 2_000, 2_000, apart_ms=3 * INTEREST_HALF_LIFE_MS), 1.0)
    assert found is not None
    assert found.middle < 6_000


def test_a_band_begins_at_one_minor_unit() -> None:
    """Of prices far apart its lower end came out as 0, and a board cannot say how far from nothing a price is (Hypothesis)."""
    found = band(leaning(1, 1, 152), 0.5)
    assert found is not None
    assert (found.low_minor, found.middle > 0) == (1, True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([f"c{number}" for number in range(20)]),
            st.integers(0, 10**10),
            st.none() | st.integers(0, 10**12),
            st.sampled_from([None, "GBP", "JPY"]),
        ),
        max_size=50,
    )
)
def test_whatever_comes_it_is_bounded_and_finite(seen: list[tuple[str, int, int | None, str | None]]) -> None:
    leanings: tuple[Leaning, ...] = ()
    for category, at_ms, price_minor, currency in seen:
        leanings = lean(leanings, category, at_ms, 1.0, 12, price_minor=price_minor, currency=currency)
        assert len(leanings) <= 12
        weights = [decayed(kept, at_ms) for kept in leanings]
        assert weights == sorted(weights, reverse=True)
        for kept in leanings:
            assert 0 <= kept.priced <= kept.weight + 1e-9
            assert kept.variance >= 0
            found = band(kept, 0.5)
            # Mean and deviation of what lies between 0 and ln(10**12) are together at most (1 + sqrt(2)) / 2 of that.
            assert found is None or 0 < found.low_minor <= found.high_minor < 10**15
