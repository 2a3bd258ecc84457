"""Slot tokens: the fine-tuned model writes ``{price}`` as one token.

SmolLM2 has special tokens for source-code corpora that no shop text needs: fourteen of them (ids 3 to 16) sit between
the chat tokens and the first byte. All are renamed: the vocabulary keeps its size, a slot costs one step
instead of four, and the fact lock allows or forbids a slot by a single id.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from shelftalk.errors import ModelFolderError

#: The slots in the order of their ids.
SLOT_TOKENS = (
    "{name}",
    "{brand}",
    "{price}",
    "{was_price}",
    "{percent_off}",
    "{ends_on}",
    "{stock_left}",
    "{p1}",
    "{p2}",
    "{p3}",
    "{p4}",
    "{p5}",
    "{use}",
    "{benefit}",
)

#: The id of the first slot: what ``<repo_name>`` was.
FIRST_SLOT_ID = 3

#: The tokens that are renamed, so that a tokenizer with other ids is noticed instead of spoilt.
REPLACED_TOKENS = (
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
)

#: Words whose mean embedding is a slot's first embedding: what the model already knows nearest to it.
SPELLINGS = {
    "{name}": " name",
    "{brand}": " brand",
    "{price}": " price",
    "{was_price}": " old price",
    "{percent_off}": " percent off",
    "{ends_on}": " end date",
    "{stock_left}": " number left",
    "{p1}": " first point",
    "{p2}": " second point",
    "{p3}": " third point",
    "{p4}": " fourth point",
    "{p5}": " fifth point",
    "{use}": " use",
    "{benefit}": " benefit",
}


def slot_ids() -> dict[str, int]:
    """Each slot's token id."""
    return {slot: FIRST_SLOT_ID + place for place, slot in enumerate(SLOT_TOKENS)}


def has_slot_tokens(tokenizer_json: Mapping[str, Any]) -> bool:
    """Whether the slots are in the tokenizer already, under their ids."""
    present = {token["content"]: token["id"] for token in tokenizer_json.get("added_tokens", ())}
    return all(present.get(slot) == number for slot, number in slot_ids().items())


def add_slot_tokens(tokenizer_json: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the unused special tokens of SmolLM2's ``tokenizer.json`` to the slots.

    Slots are not marked *special*, so that decoding a text keeps them. Applying it twice changes nothing.

    Raises:
        ModelFolderError: the tokenizer has other tokens under these ids.
    """
    renamed: dict[str, Any] = copy.deepcopy(dict(tokenizer_json))
    if has_slot_tokens(renamed):
        return renamed
    by_id = {token["id"]: token for token in renamed.get("added_tokens", ())}
    vocab = renamed["model"]["vocab"]
    for (slot, number), old in zip(slot_ids().items(), REPLACED_TOKENS, strict=True):
        token = by_id.get(number)
        if token is None or token["content"] != old:
            found = token["content"] if token else "no special token"
            raise ModelFolderError(
                f"slot tokens need {old} at id {number}, this tokenizer has {found}: build it without slot tokens",
            )
        token |= {"content": slot, "special": False, "normalized": False}
        vocab.pop(old, None)
        vocab[slot] = number
    return renamed


def slot_embeddings(embedding: np.ndarray, spelled: Mapping[str, list[int]]) -> np.ndarray:
    """First embeddings of the slots, ``[14, hidden]``: the mean over the tokens of each slot's spelling.

    Args:
        embedding: the model's embedding, ``[vocab, hidden]``.
        spelled: the token ids of each slot's words in `SPELLINGS`.
    """
    return np.stack([embedding[spelled[slot]].mean(axis=0) for slot in SLOT_TOKENS])
