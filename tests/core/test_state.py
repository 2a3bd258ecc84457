"""Revisions of a card that is refreshed stay between its ask's and the next one's."""

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.state import grown
from tests.core.making import NOW

AGES = st.integers(-(10**7), 10**9)


@given(age_ms=AGES, since_ms=st.integers(900, 10**9))
def test_the_next_ask_is_above_however_late_it_comes(age_ms: int, since_ms: int) -> None:
    asked = NOW << 10
    assert asked <= grown(asked, NOW + age_ms) < (NOW + since_ms) << 10


@given(age_ms=AGES, later_ms=st.integers(4, 10**6))
def test_time_makes_up_for_a_memory_that_a_crash_took(age_ms: int, later_ms: int) -> None:
    asked = NOW << 10
    before, after = grown(asked, NOW + age_ms), grown(asked, NOW + age_ms + later_ms)
    grew_ms = max(0, age_ms + later_ms) - max(0, age_ms)
    assert (
        after > before or grew_ms < 4 or age_ms + later_ms >= 3_600_000
    )  # before its time it does not grow, nor after an hour
