"""Phrases are found as their plain alternation finds them, whatever they are made of."""

import json
import re
from collections.abc import Iterable
from importlib import resources
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core.brief import Promotion
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
_WORDS = st.text("abc", min_size=1, max_size=2)
_PHRASES = st.lists(_UNITS, min_size=1, max_size=4).map("".join).filter(lambda phrase: re.match(r"[a-c(\\[.]", phrase))


@given(st.lists(_PHRASES, min_size=1, max_size=6), st.text("abc -.", max_size=12), st.booleans())
def test_phrases_find_what_their_alternation_finds(phrases: list[str], text: str, spaced: bool) -> None:
    found = [match.span() for match in Phrases(phrases, spaced=spaced).finditer(text)]
    # Of a phrase that matches nothing at all the guard has none: a match of no letters is left out.
    plain = [match.span() for match in alternation(phrases, spaced=spaced).finditer(text)]
    if all(end > start for start, end in plain):
        assert found == plain


@given(st.lists(st.one_of(_WORDS, _PHRASES), min_size=1, max_size=4).map("|".join), _WORDS, st.booleans())
def test_each_choice_of_a_phrase_is_found_as_re_reads_it(phrase: str, text: str, spaced: bool) -> None:
    border = r"\b" if spaced else ""
    read = any(match[0] for match in re.finditer(f"{border}(?:{phrase}){border}", text))
    assert any(match[0] for match in alternation([phrase], spaced=spaced).finditer(text)) == read


_GROUP = re.compile(r"\([^()]*\)")
#: A choice that is spelled out, the last letter of which may be left out.
_PLAIN = re.compile(r"[\w '’-]+\??")


def _plain_choices(entries: Iterable[str]) -> list[str]:
    """Choices that entries leave outside their groups, as far as they are spelled out."""
    outside = []
    for entry in entries:
        without = entry
        while _GROUP.search(without):
            without = _GROUP.sub("*", without)
        outside += without.split("|")
    return [one.rstrip("?") for one in outside if _PLAIN.fullmatch(one)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_plain_choice_of_the_guards_entries_is_found(language: str) -> None:
    rules = rules_of(language)
    lists = json.loads((resources.files("shelftalk.core") / f"guard.{language}.json").read_bytes())
    banned = {code: _plain_choices(entries) for code, entries in lists["banned"].items()}
    untrue = [lists[name] for name in ("sale", "stock", "stocked", "back", "new")]
    choices: list[tuple[Phrases | re.Pattern[str], list[str]]] = [
        (rules.banned, [one for those in banned.values() for one in those]),
        (rules.hold, _plain_choices(lists["hold"])),
        (rules.properties, _plain_choices(lists["properties"])),
        (rules.untrue[Promotion.NONE], _plain_choices(chain.from_iterable(untrue))),
        *((getattr(rules, name), _plain_choices(lists[name])) for name in ("tells_sale", "tells_back")),
        *((pattern, banned[code]) for code, pattern in rules.codes),
    ]
    assert sum(len(those) for _, those in choices) > 1000
    assert [one for pattern, those in choices for one in those if not any(pattern.finditer(one))] == []


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
        ("hard|tough", {"hard", "tough"}),
    ],
)
def test_how_a_phrase_can_begin(phrase: str, begins: set[str]) -> None:
    assert beginnings(phrase) == begins
