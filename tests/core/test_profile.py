"""The profile's parts: bounded, decaying."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.core.interest import INTEREST_HALF_LIFE_MS, Interest, decayed, raise_interest
from shelftalk.core.profile import MAX_BRANDS, Profile, Seen, forget, next_revision, remember
from tests.core.making import NOW


def test_remember_moves_to_the_end_and_drops_the_oldest() -> None:
    seen = remember(remember((Seen("a", 1), Seen("b", 2)), "a", 3, 2), "c", 4, 2)
    assert seen == (Seen("a", 3), Seen("c", 4))
    assert forget(seen, frozenset("a")) == (Seen("c", 4),)


def test_an_interest_halves_in_a_day() -> None:
    interests = raise_interest(
        (Interest("Harbour", 4.0, NOW),), "Harbour", NOW + INTEREST_HALF_LIFE_MS, 1.0, MAX_BRANDS
    )
    assert interests == (Interest("Harbour", 3.0, NOW + INTEREST_HALF_LIFE_MS),)


def test_a_late_event_does_not_turn_an_interest_back() -> None:
    (interest,) = raise_interest(
        (Interest("Harbour", 4.0, NOW),), "Harbour", NOW - INTEREST_HALF_LIFE_MS, 1.0, MAX_BRANDS
    )
    assert decayed(interest, NOW) == 5.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnopq"), st.integers(0, 10**10)), max_size=40))
def test_brands_are_bounded_and_the_faintest_goes(choices: list[tuple[str, int]]) -> None:
    interests: tuple[Interest, ...] = ()
    for name, at_ms in choices:
        interests = raise_interest(interests, name, at_ms, 1.0, MAX_BRANDS)
        assert len(interests) <= MAX_BRANDS
        weights = [decayed(interest, at_ms) for interest in interests]
        assert weights == sorted(weights, reverse=True)


@settings(deadline=None)
@given(st.lists(st.integers(NOW - 10_000, NOW + 10_000), max_size=30))
def test_revisions_only_grow_whatever_the_clock_says(moments: list[int]) -> None:
    profile = Profile()
    for at_ms in moments:
        revision = next_revision(profile, at_ms)
        assert revision >= profile.revision + 1_024
        assert revision >= at_ms << 10
        profile = Profile(revision=revision)


def test_a_lost_profile_goes_on_above_where_it_was() -> None:
    assert next_revision(Profile(), NOW + 1) > next_revision(Profile(), NOW)
