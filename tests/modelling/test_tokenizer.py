from pathlib import Path

import pytest
from tokenizers import Tokenizer

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.slots import SLOT_TOKENS, add_slot_tokens, has_slot_tokens, slot_ids
from shelftalk.modelling.tiny import VOCAB, tiny_config, tiny_tokenizer_json, tiny_weights
from shelftalk.modelling.tokenizer import check_ids, load_tokenizer_json, make_tokenizer, spelled_slots
from tests.modelling.made import plain_tokenizer_json, write_gguf, write_hugging_face


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer(tiny_tokenizer_json())


@pytest.mark.parametrize(
    "text",
    [
        "Goes with {name}, now {price}.",
        "<|im_start|>user\ncard, introduce\nkettle<|im_end|>\n",
        "Größe 42, 茶壶, 😀 \t\n",
        "  two spaces",
        "",
    ],
)
def test_text_comes_back_whole(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_a_slot_is_one_token_and_survives_decoding(tokenizer: Tokenizer) -> None:
    for slot, number in slot_ids().items():
        assert tokenizer.encode(slot, add_special_tokens=False).ids == [number]
        assert tokenizer.decode([2, number], skip_special_tokens=True) == slot


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("900", add_special_tokens=False).tokens == ["9", "0", "0"]


def test_gguf_and_folder_give_the_same_ids(tmp_path: Path) -> None:
    weights = tiny_weights(tiny_config())
    sources = write_gguf(tmp_path / "m.gguf", weights), write_hugging_face(tmp_path / "m", weights)
    one, other = (make_tokenizer(load_tokenizer_json(source)) for source in sources)
    for text in ("trail running shoes, 6 mm lugs", "<|im_start|>user\n-<|im_end|>", "<repo_name>x"):
        assert one.encode(text).ids == other.encode(text).ids


def test_naming_slots_twice_changes_nothing() -> None:
    plain = plain_tokenizer_json()
    assert not has_slot_tokens(plain)
    once = add_slot_tokens(plain)
    assert has_slot_tokens(once)
    assert add_slot_tokens(once) == once
    assert not has_slot_tokens(plain)  # the argument is left alone


def test_slots_need_smollm2s_tokens() -> None:
    other = plain_tokenizer_json()
    other["added_tokens"] = [token for token in other["added_tokens"] if token["id"] != 5]
    with pytest.raises(ModelFolderError, match="<file_sep> at id 5"):
        add_slot_tokens(other)


def test_every_slot_has_words(tokenizer: Tokenizer) -> None:
    spelled = spelled_slots(tokenizer)
    assert tuple(spelled) == SLOT_TOKENS
    assert all(spelled.values())


def test_a_tokenizer_of_another_model_is_refused(tokenizer: Tokenizer) -> None:
    check_ids(tokenizer, VOCAB, (2,))
    check_ids(tokenizer, VOCAB + 10, (2,))  # embeddings may be padded
    with pytest.raises(ModelFolderError, match="another model"):
        check_ids(tokenizer, VOCAB - 1, (2,))
    with pytest.raises(ModelFolderError, match="ends texts"):
        check_ids(tokenizer, VOCAB + 10, (VOCAB + 1,))


def test_gguf_with_another_splitting_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny_weights(tiny_config()), pre="qwen2")
    with pytest.raises(ModelFolderError, match="Hugging Face folder"):
        load_tokenizer_json(path)


def test_a_broken_tokenizer_json() -> None:
    with pytest.raises(ModelFolderError, match="can't be read"):
        make_tokenizer({"version": "1.0"})
