"""What stands for a shopper's id."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.pseudonym import Pseudonyms

ids = st.text(st.characters(), min_size=1, max_size=200)


@given(ids, st.binary(min_size=1))
def test_a_pseudonym_is_stable_fits_an_id_and_does_not_show_it(shopper_id: str, key: bytes) -> None:
    pseudonym = Pseudonyms(key).of(shopper_id)
    assert pseudonym == Pseudonyms(key).of(shopper_id)
    assert re.fullmatch(r"p-[a-z2-7]{16}", pseudonym)


@given(ids, ids)
def test_two_shoppers_differ(one: str, other: str) -> None:
    pseudonyms = Pseudonyms(b"key")
    assert (pseudonyms.of(one) == pseudonyms.of(other)) == (one == other)


def test_the_key_decides() -> None:
    assert Pseudonyms(b"one").of("ada") != Pseudonyms(b"other").of("ada")


def test_it_is_what_it_says_it_is() -> None:
    """As anybody can compute it: ``printf ada | openssl dgst -sha256 -hmac key -binary | head -c 10 | base32``, lower case."""
    assert Pseudonyms(b"key").of("ada") == "p-ocfhe7jeou2x5kwm"
