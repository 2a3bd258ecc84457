import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.engine.characters import forbidden, risky


@pytest.mark.parametrize("char", "09٣۵९０¼²Ⅳ①㊿𝟙🄀〇$€¥￥₿%‰％٪{}｛｝\n\t\x00\u202e\u200b\ufeff\ufffd㏠㍘", ids=ascii)
def test_what_states_a_fact_or_hides_one_is_forbidden(char: str) -> None:
    assert forbidden(char)


@pytest.mark.parametrize("char", "aZ é ß中五千價 ，。、！“”’…—-_/&+*#@™♥°\u0301", ids=ascii)
def test_ordinary_writing_is_allowed(char: str) -> None:
    assert not forbidden(char)


@given(st.characters(categories=["Nd", "Nl", "No", "Sc"]))
def test_every_number_and_currency_sign_is_forbidden(char: str) -> None:
    assert forbidden(char)


@given(st.characters(exclude_categories=["Cs", "Cn"]).filter(forbidden).filter(lambda char: char > "\x7f"))
def test_every_beginning_of_a_forbidden_character_is_risky(char: str) -> None:
    encoded = char.encode()
    assert all(risky(encoded[:size]) for size in range(1, len(encoded)))


@given(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF))
def test_chinese_characters_may_be_written_in_fragments(char: str) -> None:
    if unicodedata.category(char) != "Cn":
        encoded = char.encode()
        assert not any(risky(encoded[:size]) for size in range(1, len(encoded)))
