import json
from typing import Any

import pytest
from tokenizers import Tokenizer

from shelftalk.engine.vocabulary import read_vocabulary
from shelftalk.errors import ModelFolderError
from shelftalk.modelling.tiny import VOCAB, tiny_tokenizer_json
from tests.engine.tokenizers_made import byte_level, sentence_piece

END = frozenset({2})


def test_the_pieces_of_a_text_are_its_bytes() -> None:
    content = tiny_tokenizer_json()
    vocabulary = read_vocabulary(content, VOCAB, END)
    text = "Light, steady: 中文 ünïcode “ok”"
    ids = Tokenizer.from_str(json.dumps(content)).encode(text, add_special_tokens=False).ids
    assert vocabulary.text_bytes(ids) == text.encode()


def test_slots_are_found_and_special_tokens_have_no_piece() -> None:
    vocabulary = read_vocabulary(tiny_tokenizer_json(), VOCAB, END)
    assert vocabulary.slots["price"] == 5
    assert vocabulary.pieces[5] == b"{price}"
    assert [vocabulary.pieces[number] for number in (0, 1, 2)] == [None, None, None]


def test_sentence_piece_tokens_are_spaces_words_and_bytes() -> None:
    content = sentence_piece()
    vocabulary = read_vocabulary(content, None, frozenset({1}))
    vocab = content["model"]["vocab"]
    assert vocabulary.pieces[vocab["▁lamp"]] == b" lamp"
    assert vocabulary.pieces[vocab["<0xE4>"]] == b"\xe4"


def test_ids_without_a_token_are_padding() -> None:
    vocabulary = read_vocabulary(byte_level(), 1000, frozenset({0}))
    assert (len(vocabulary.pieces), vocabulary.pieces[999]) == (1000, None)


@pytest.mark.parametrize(
    ("changes", "size", "end", "message"),
    [
        ({}, 400, {0}, "another model"),
        ({}, None, {100_000}, "end tokens"),
        ({}, None, set(), "end tokens"),
        ({"decoder": None}, None, {0}, "unsupported tokenizer"),
        ({"decoder": {"type": "WordPiece"}}, None, {0}, "WordPiece"),
        ({"model": {}}, None, {0}, "no vocabulary"),
        ({"model": None}, None, {0}, "no vocabulary"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(
    changes: dict[str, Any], size: int | None, end: set[int], message: str
) -> None:
    with pytest.raises(ModelFolderError, match=message):
        read_vocabulary(byte_level() | changes, size, frozenset(end))
