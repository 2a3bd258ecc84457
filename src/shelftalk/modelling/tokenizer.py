"""The tokenizer as Hugging Face's ``tokenizer.json``, from a GGUF file's metadata or a model folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
from tokenizers import Tokenizer

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.config import read_json
from shelftalk.modelling.slots import SPELLINGS
from shelftalk.modelling.weights import gguf_value, open_gguf

#: GGUF's code of a control token (``llama_token_type``): it is never made from text by merging.
_CONTROL = 3

#: How llama.cpp names the splitting of text before the merges; each of the names is another regular expression.
_GPT2_SPLITS = ("smollm",)


def load_tokenizer_json(source: Path, reader: gguf.GGUFReader | None = None) -> dict[str, Any]:
    """The content of ``tokenizer.json`` for a GGUF file or a Hugging Face folder.

    Args:
        source: the file or folder.
        reader: of the file, where it is open already (opening takes seconds).

    Raises:
        ModelFolderError: there is none, or the GGUF file has a tokenizer of another kind.
    """
    return read_json(source / "tokenizer.json") if source.is_dir() else _from_gguf(source, reader or open_gguf(source))


def make_tokenizer(tokenizer_json: Mapping[str, Any]) -> Tokenizer:
    """The Hugging Face tokenizer. Encode with ``add_special_tokens=False``: prompts spell their special tokens.

    Raises:
        ModelFolderError: the ``tokenizers`` package can't read it.
    """
    try:
        return Tokenizer.from_str(json.dumps(tokenizer_json, ensure_ascii=False))
    except Exception as error:  # a bare Exception is what the package raises
        raise ModelFolderError(f"tokenizer.json can't be read: {error}") from error


def check_ids(tokenizer: Tokenizer, vocab: int, eos: tuple[int, ...]) -> None:
    """Refuse a tokenizer that is not this model's.

    The embedding may have more rows than there are tokens (they are padded to a round number), never fewer.

    Raises:
        ModelFolderError: an id has no row in the embedding, or an end token has no text.
    """
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if highest >= vocab:
        raise ModelFolderError(f"the tokenizer has id {highest}, the model only {vocab} rows: it is another model's")
    for token in eos:
        if tokenizer.id_to_token(token) is None:
            raise ModelFolderError(f"the model ends texts with token {token}, which the tokenizer doesn't have")


def spelled_slots(tokenizer: Tokenizer) -> dict[str, list[int]]:
    """The token ids of each slot's words, for `slots.slot_embeddings`."""
    return {slot: tokenizer.encode(words, add_special_tokens=False).ids for slot, words in SPELLINGS.items()}


def byte_level_bpe(
    vocab: Mapping[str, int],
    merges: list[tuple[str, str]],
    special: Mapping[str, int],
) -> dict[str, Any]:
    """SmolLM2's kind of tokenizer: byte-level BPE that splits off every digit and adds no BOS.

    Args:
        vocab: id of each token, the special ones included.
        merges: pairs of tokens, the most frequent first.
        special: tokens that are matched as a whole and never made by merging.
    """
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": token, **flags} for token, number in special.items()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(vocab),
            "merges": [list(pair) for pair in merges],
        },
    }


def _from_gguf(path: Path, reader: gguf.GGUFReader) -> dict[str, Any]:
    kind = gguf_value(reader, path, "tokenizer.ggml.model")
    split = gguf_value(reader, path, "tokenizer.ggml.pre", "(none)")
    if kind != "gpt2" or split not in _GPT2_SPLITS:
        raise ModelFolderError(
            f"{path}: its tokenizer ({kind}, {split}) can't be made from GGUF; use the model's Hugging Face folder",
        )
    tokens: list[str] = gguf_value(reader, path, "tokenizer.ggml.tokens")
    kinds: list[int] = gguf_value(reader, path, "tokenizer.ggml.token_type")
    # A merge is two tokens with a space between; a space inside a token is written as another character.
    merges = [tuple(merge.split(" ", 1)) for merge in gguf_value(reader, path, "tokenizer.ggml.merges")]
    return byte_level_bpe(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=merges,
        special={tokens[number]: number for number, kind in enumerate(kinds) if kind == _CONTROL},
    )
