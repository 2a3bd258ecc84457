import re
import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelftalk.engine.characters import Script, forbidden, foreign
from shelftalk.engine.fact_lock import FactLock, LockState, advance
from shelftalk.engine.vocabulary import Vocabulary, read_vocabulary
from shelftalk.modelling.tiny import VOCAB, tiny_tokenizer_json
from tests.engine.tokenizers_made import byte_level, sentence_piece

VOCABULARIES = {
    "slot tokens": read_vocabulary(tiny_tokenizer_json(), VOCAB, frozenset({2})),
    "byte level": read_vocabulary(byte_level(), 500, frozenset({0})),
    "sentence piece": read_vocabulary(sentence_piece(), None, frozenset({1})),
}
LOCKS = {name: FactLock(vocabulary) for name, vocabulary in VOCABULARIES.items()}
OFFERS = st.sets(st.sampled_from(["price", "p1", "p2", "name", "was_price", "percent_off", "pr"])).map(tuple)


def allowed(lock: FactLock, state: LockState) -> list[int]:
    return np.flatnonzero(lock.table[lock.row(state)] == 0).tolist()


def beginnings(chars: Iterable[str]) -> set[bytes]:
    return {encoded[:size] for encoded in (char.encode() for char in chars) for size in range(1, len(encoded))}


@cache
def safe_fragments() -> set[bytes]:
    """The unfinished characters that may stand at the end of a text, by going through Unicode's first three planes."""
    chars = [chr(code) for code in range(0x80, 0x30000) if not 0xD800 <= code < 0xE000]
    assigned = [char for char in chars if unicodedata.category(char) != "Cn"]
    return beginnings(chars) - beginnings(filter(forbidden, assigned))


def judge(text: bytes, slots: tuple[str, ...]) -> bool:
    """The rule in other words: without whole offered slots and an unfinished end, nothing forbidden is left."""
    for cut in range(4):
        kept, end = text[: len(text) - cut], text[len(text) - cut :]
        try:
            left = kept.decode()
        except UnicodeDecodeError:
            continue
        break
    else:
        return False
    if end and end not in safe_fragments():
        return False
    left = re.sub("|".join(f"{{{slot}}}" for slot in slots) or "$^", "", left)
    opened = re.search(r"\{[^{}]*$", left)
    if opened and not end and any(f"{{{slot}}}".startswith(opened.group()) for slot in slots):
        left = left[: opened.start()]
    return not any(forbidden(char) for char in left)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(LOCKS)), slots=OFFERS, script=st.sampled_from((None, *Script)), data=st.data())
def test_no_walk_through_the_masks_states_a_fact_or_leaves_the_script(
    name: str, slots: tuple[str, ...], script: Script | None, data: st.DataObject
) -> None:
    lock, vocabulary = LOCKS[name], VOCABULARIES[name]
    state, text = lock.start(slots, script), b""
    for _ in range(25):
        choices = allowed(lock, state)
        assert choices, f"stuck after {text!r}"
        # Rare pieces (braces, fragments) come as often as words.
        rare = [token for token in choices if b"{" in (vocabulary.pieces[token] or b"") or token in _fragments(name)]
        prefer_rare: bool = data.draw(st.booleans())
        token = data.draw(st.sampled_from(rare if rare and prefer_rare else choices))
        if token in vocabulary.end_ids:
            break
        state = lock.after(state, token)
        text += vocabulary.pieces[token] or b""
        assert text.endswith(state.tail)
    finished = text[: len(text) - len(state.tail)].decode()
    without_slots = re.sub("|".join(f"{{{slot}}}" for slot in slots) or "$^", "", finished)
    assert not any(map(forbidden, without_slots)), finished
    assert not foreign(without_slots, script), finished


def _fragments(name: str) -> list[int]:
    return [token for token, piece in enumerate(VOCABULARIES[name].pieces) if piece and piece[-1] >= 0x80]


@pytest.mark.parametrize("name", ["byte level", "sentence piece"])
@pytest.mark.parametrize("tail", [b"", b"{", b"{p", b"{price", b"\xe4", b"\xe4\xb8"])
def test_a_mask_allows_exactly_what_the_rule_allows(name: str, tail: bytes) -> None:
    lock, vocabulary, slots = LOCKS[name], VOCABULARIES[name], ("p1", "price")
    mask = set(allowed(lock, LockState(slots, tail, started=True))) - vocabulary.end_ids
    ruled = {token for token, piece in enumerate(vocabulary.pieces) if piece and judge(tail + piece, slots)}
    assert mask == ruled


def test_a_slot_of_one_token_is_allowed_only_where_it_is_offered() -> None:
    lock, slots = LOCKS["slot tokens"], VOCABULARIES["slot tokens"].slots
    offered = set(allowed(lock, lock.start(["price", "name"]))) & set(slots.values())
    assert offered == {slots["price"], slots["name"]}


def test_a_slot_of_one_token_is_written_once() -> None:
    lock, slots = LOCKS["slot tokens"], VOCABULARIES["slot tokens"].slots
    state = lock.after(lock.start(["price", "name"]), slots["price"])
    assert set(allowed(lock, state)) & set(slots.values()) == {slots["name"]}
    with pytest.raises(ValueError, match="not allowed"):
        lock.after(state, slots["price"])
    state = lock.after(state, slots["name"])
    assert not set(allowed(lock, state)) & set(slots.values())


def test_a_slot_with_a_token_of_its_own_is_not_spelled() -> None:
    lock, vocabulary = LOCKS["slot tokens"], VOCABULARIES["slot tokens"]
    brace = vocabulary.pieces.index(b"{")
    assert brace not in allowed(lock, lock.start(["price"]))
    assert brace in allowed(lock, lock.start(["price", "unheard_of"]))


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_text_ends_after_its_first_token_and_never_inside_a_slot_or_character(name: str) -> None:
    lock, (end,) = LOCKS[name], VOCABULARIES[name].end_ids
    state = lock.start(["pr"])
    assert end not in allowed(lock, state)
    assert end in allowed(lock, state._replace(started=True))
    assert end not in allowed(lock, state._replace(started=True, tail=b"{p"))
    assert end not in allowed(lock, state._replace(started=True, tail=b"\xe4"))


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_special_tokens_are_never_allowed(name: str) -> None:
    vocabulary = VOCABULARIES[name]
    nothing = {token for token, piece in enumerate(vocabulary.pieces) if not piece} - vocabulary.end_ids
    assert nothing
    assert nothing.isdisjoint(allowed(LOCKS[name], LockState(("price",), started=True)))


@pytest.mark.parametrize(
    ("tail", "piece", "after"),
    [
        (b"", b" warm", b""),
        (b"", b" {pri", b"{pri"),
        (b"{pri", b"ce}, and", b""),
        (b"{pri", b"ce} {", b"{"),
        (b"{pri", b"ce} 5", None),
        (b"{pri", b"me}", None),
        (b"", b"}", None),
        (b"", b"{}", None),
        (b"", b"{{", None),
        (b"", b"5", None),
        (b"", "５".encode(), None),
        (b"", b"\xef\xbc", None),
        (b"", b"\xe4\xb8", b"\xe4\xb8"),
        (b"\xe4\xb8", b"\xad ok", b""),
        (b"\xe4\xb8", b" ok", None),
        (b"", b"\xad", None),
        (b"{", b"\xe4", None),
        (b"", b"\xff", None),
    ],
)
def test_the_tail_after_a_piece(tail: bytes, piece: bytes, after: bytes | None) -> None:
    assert advance(tail, piece, ("price", "name")) == after


@pytest.mark.parametrize(
    ("tail", "piece", "script", "after"),
    [
        (b"", " 中".encode(), Script.LATIN, None),
        (b"", "，".encode(), Script.LATIN, None),
        (b"", " — ’é".encode(), Script.LATIN, b""),
        (b"", b"\xe4", Script.LATIN, None),
        (b"", b"\xe2", Script.LATIN, None),  # risky anyway: currency signs begin so
        (b"", b"the", Script.HAN, None),
        (b"", "é".encode(), Script.HAN, None),
        (b"", "中，".encode(), Script.HAN, b""),
        (b"", b"\xe4", Script.HAN, b"\xe4"),
        (b"", b"{price} ", Script.HAN, b""),
        (b"{pri", b"ce", Script.HAN, b"{price"),
    ],
)
def test_what_is_of_another_script_comes_by_slots_alone(
    tail: bytes, piece: bytes, script: Script, after: bytes | None
) -> None:
    assert advance(tail, piece, ("price", "name"), script) == after


def test_a_token_that_no_mask_allowed_is_an_error() -> None:
    lock, vocabulary = LOCKS["byte level"], VOCABULARIES["byte level"]
    with pytest.raises(ValueError, match="not allowed"):
        lock.after(lock.start([]), vocabulary.pieces.index(b"5"))
    with pytest.raises(ValueError, match="not allowed"):
        lock.after(lock.start([]), 0)
    with pytest.raises(ValueError, match="not allowed"):
        lock.after(lock.start([], Script.HAN), vocabulary.pieces.index(b"a"))


def test_a_pruned_head_has_its_own_columns() -> None:
    vocabulary = VOCABULARIES["slot tokens"]
    words = np.array(
        [2, vocabulary.slots["price"], vocabulary.pieces.index(b"5"), vocabulary.pieces.index(b"a")], np.int32
    )
    lock = FactLock(vocabulary, columns=words)
    state = lock.start(["price", "name"])
    assert allowed(lock, state) == [1, 3]
    assert allowed(lock, lock.after(state, int(words[3]))) == [0, 1, 3]


def test_a_pruned_head_leads_into_no_dead_end() -> None:
    vocabulary = VOCABULARIES["byte level"]
    words = np.array([0, *(vocabulary.pieces.index(piece) for piece in (b"\xe4", b"{", b"p", b"r", b"a"))], np.int32)
    lock = FactLock(vocabulary, columns=words)
    # No byte completes the character and no brace closes the slot, so neither may begin.
    assert allowed(lock, lock.start(["pr"])) == [3, 4, 5]


def test_the_table_is_bounded_and_keeps_what_a_step_uses() -> None:
    lock = FactLock(VOCABULARIES["slot tokens"], capacity=4)
    states = [lock.start([f"p{number}"]) for number in range(1, 6)]
    for first in range(len(states)):
        batch = [states[(first + step) % len(states)] for step in range(4)]
        rows = lock.rows(batch)
        for row, state in zip(rows, batch, strict=True):
            fresh = FactLock(VOCABULARIES["slot tokens"])
            assert (lock.table[row] == fresh.table[fresh.row(state)]).all()
    before = lock.version
    lock.rows(batch)
    assert lock.version == before


def test_an_empty_vocabulary_text() -> None:
    assert Vocabulary((), {}, frozenset()).text_bytes([]) == b""
