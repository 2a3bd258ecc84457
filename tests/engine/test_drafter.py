from collections import Counter, defaultdict
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.engine import drafter as drafter_module
from shelftalk.engine.drafter import DEPTH, Drafter
from shelftalk.engine.vocabulary import Vocabulary

WORDS = (b"end", b"Bright", b" bright", b" tail", b" sound", b",", b" and", b" kite")
END, BRIGHT, SMALL_BRIGHT, TAIL, SOUND, COMMA, AND, KITE = range(len(WORDS))
VOCABULARY = Vocabulary((None, *WORDS[1:]), {}, frozenset({END}))
TOKENS = st.lists(st.integers(1, len(WORDS) - 1), min_size=1, max_size=12)


def test_a_text_begun_as_one_before_is_guessed_to_go_on_so() -> None:
    drafter = Drafter(VOCABULARY)
    for _ in range(3):
        drafter.learn([], [KITE, COMMA, AND, TAIL, END])
    assert drafter.guess([], [KITE]) == [COMMA, AND, TAIL, END]
    assert drafter.guess([], [KITE], 1) == [COMMA]
    assert drafter.guess([], [], 1) == [KITE]


def test_what_the_prompt_says_is_guessed_to_be_said_again_in_any_case() -> None:
    drafter = Drafter(VOCABULARY)
    assert drafter.guess([KITE, SMALL_BRIGHT, TAIL, AND], [BRIGHT], 1) == [TAIL]


def test_the_longer_likeness_to_the_prompt_wins() -> None:
    drafter = Drafter(VOCABULARY)
    prompt = [AND, BRIGHT, TAIL, COMMA, KITE, BRIGHT, SOUND, COMMA]
    assert drafter.guess(prompt, [KITE, SMALL_BRIGHT], 1) == [SOUND]
    assert drafter.guess(prompt, [AND, SMALL_BRIGHT], 1) == [TAIL]


def test_the_longer_likeness_to_earlier_texts_wins() -> None:
    drafter = Drafter(VOCABULARY)
    for _ in range(12):
        drafter.learn([], [COMMA, AND, SOUND])
    for _ in range(6):
        drafter.learn([], [TAIL, COMMA, AND, KITE])
    assert drafter.guess([], [TAIL, COMMA, AND], 1) == [KITE]


def test_texts_whose_prompts_began_alike_count_more() -> None:
    drafter = Drafter(VOCABULARY)
    for _ in range(6):
        drafter.learn([KITE, COMMA], [TAIL, END])
    for _ in range(10):
        drafter.learn([BRIGHT, COMMA], [SOUND, END])
    assert drafter.guess([KITE, COMMA], [], 1) == [TAIL]
    assert drafter.guess([BRIGHT, COMMA], [], 1) == [SOUND]


def test_a_guess_ends_where_it_is_unlikely() -> None:
    drafter = Drafter(VOCABULARY)
    for last in (BRIGHT, TAIL, SOUND, COMMA, AND, END) * 3:
        drafter.learn([], [KITE, KITE, last])
    guessed = drafter.guess([], [KITE])
    assert len(guessed) < DEPTH
    assert guessed[0] == KITE


def test_where_nothing_is_known_nothing_is_guessed() -> None:
    assert Drafter(VOCABULARY).guess([KITE], [TAIL]) == []


def test_it_forgets_rather_than_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafter_module, "MOST_CONTEXTS", 20)
    drafter = Drafter(VOCABULARY)
    for first in range(1, 8):
        for second in range(1, 8):
            drafter.learn([], [first, second, KITE, END])
            assert len(drafter._seen) <= 20 + 7 * 5


@given(st.lists(TOKENS, max_size=6), TOKENS, st.one_of(st.just([]), TOKENS), st.integers(0, DEPTH))
def test_guesses_are_few_and_known(texts: list[list[int]], prompt: list[int], text: list[int], most: int) -> None:
    drafter = Drafter(VOCABULARY)
    for one in texts:
        drafter.learn(prompt, one)
    guessed = drafter.guess(prompt, text, most)
    assert len(guessed) <= most
    assert set(guessed) <= {token for one in [*texts, prompt] for token in one}


@given(st.lists(TOKENS, max_size=6), TOKENS, TOKENS)
def test_chances_are_chances(texts: list[list[int]], prompt: list[int], text: list[int]) -> None:
    drafter = Drafter(VOCABULARY)
    for one in texts:
        drafter.learn(prompt, one)
    chances = drafter._chances(prompt, drafter._places(prompt), text)
    assert all(chance >= 0 for chance in chances.values())
    assert sum(chances.values()) <= 1 + 1e-9


@given(st.lists(TOKENS, max_size=8), st.one_of(st.just([]), TOKENS))
def test_what_followed_each_likeness_is_counted(texts: list[list[int]], prompt: list[int]) -> None:
    drafter, scene = Drafter(VOCABULARY), tuple(prompt[:7])
    followed: dict[Any, Counter[int]] = defaultdict(Counter)
    for one in texts:
        drafter.learn(prompt, one)
        begun = [-1, *one]
        for place, length in product(range(1, len(begun)), range(1, 6)):
            if length <= place:
                last = tuple(begun[place - length : place])
                for context in [(last,), (last, scene)] if length <= 2 else [(last,)]:
                    followed[context][begun[place]] += 1
    assert drafter._seen == followed
