"""Phrases are found as their plain alternation finds them, whatever they are made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.guard_lists import rules_of
from shelftalk.core.phrases import Phrases, alternation, beginnings

_LETTERS = st.text("ab c-", min_size=1, max_size=4)
_GROUPS = st.lists(st.one_of(_LETTERS, st.just("")), min_size=1, max_size=3).map(lambda them: f"(?:{'|'.join(them)})")
_UNITS = st.one_of(
    _LETTERS,
    _GROUPS,
    st.builds("{}{}".format, _GROUPS, st.sampled_from(("?", "*", "+", "{0,2}", "??"))),
    st.sampled_from(
        (r"\w", r"\w+ ", "[- ]", "[abc]?", "a?", "b+", "c*", r"\.", "(?!b)", "(?=c|$)", r"(?<=a)", r"\b", "a|b", ".")
    ),
)
_PHRASES = st.lists(_UNITS, min_size=1, max_size=4).map("".join).filter(lambda phrase: re.match(r"[a-c(\\[.]", phrase))


@given(st.lists(_PHRASES, min_size=1, max_size=6), st.text("abc -.", max_size=12), st.booleans())
def test_phrases_find_what_their_alternation_finds(phrases: list[str], text: str, spaced: bool) -> None:
    found = [match.span() for match in Phrases(phrases, spaced=spaced).finditer(text)]
    # Of a phrase that matches nothing at all the guard has none: a match of no letters is left out.
    plain = [match.span() for match in alternation(phrases, spaced=spaced).finditer(text)]
    if all(end > start for start, end in plain):
        assert found == plain


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_guards_own_phrases_are_found_in_texts_made_of_their_words(language: str) -> None:
    rules = rules_of(language)
    for phrases in (rules.banned, rules.properties):
        words = re.findall(r"[a-z'’]+" if language == "en" else r"[\u4e00-\u9fff]", phrases.pattern.pattern)
        joined = " " if language == "en" else ""
        found = 0
        for start in range(0, len(words), 7):
            text = joined.join(words[start : start + 12])
            spans = [match.span() for match in phrases.finditer(text)]
            assert spans == [match.span() for match in phrases.pattern.finditer(text)]
            found += len(spans)
        assert found > 50


@pytest.mark.parametrize(
    ("phrase", "begins"),
    [
        ("best", {"best"}),
        ("bestseller", {"bestse"}),
        ("awards?(?= for)", {"award", "awards"}),
        ("(?:a |the )?hit", {"a hit", "the hi", "hit"}),
        (r"(?:five|two)[- ]star\w*", {"five-s", "five s", "two-st", "two st"}),
        (r"\w+ lovers", {""}),
        ("hard|tough", {"hard", "htough"}),  # as `alternation` reads it
    ],
)
def test_how_a_phrase_can_begin(phrase: str, begins: set[str]) -> None:
    assert beginnings(phrase) == begins
