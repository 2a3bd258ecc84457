from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from tokenizers import Tokenizer

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.adapter import load_adapter, merge
from shelftalk.modelling.slots import SLOT_TOKENS, SPELLINGS, slot_ids
from shelftalk.modelling.tiny import VOCAB, tiny_config, tiny_tokenizer_json, tiny_weights
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.modelling.weights import Weights
from tests.modelling.made import write_adapter

NAME = "model.layers.1.self_attn.q_proj"
SLOTS = list(slot_ids().values())


@pytest.fixture
def base() -> Weights:
    return tiny_weights(tiny_config(tied=True))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer(tiny_tokenizer_json())


def test_merging_adds_the_scaled_product(tmp_path: Path, base: Weights, tokenizer: Tokenizer) -> None:
    adapter = load_adapter(write_adapter(tmp_path, base))
    merged, _ = merge(base, adapter, tokenizer)
    update = 2.0 * adapter.tensors[f"{NAME}.lora_B"] @ adapter.tensors[f"{NAME}.lora_A"]
    np.testing.assert_allclose(merged[f"{NAME}.weight"], base[f"{NAME}.weight"] + update, rtol=1e-6)
    changed = {name for name in base.tensors if not np.array_equal(merged[name], base[name])}
    assert changed == {f"{NAME}.weight", "model.embed_tokens.weight"}


def test_slots_get_spelled_embeddings_and_trained_head_rows(
    tmp_path: Path, base: Weights, tokenizer: Tokenizer
) -> None:
    adapter = load_adapter(write_adapter(tmp_path, base))
    merged, head = merge(base, adapter, tokenizer)
    embedding = base["model.embed_tokens.weight"]
    for slot, number in slot_ids().items():
        ids = tokenizer.encode(SPELLINGS[slot], add_special_tokens=False).ids
        np.testing.assert_allclose(merged["model.embed_tokens.weight"][number], embedding[ids].mean(axis=0), atol=1e-6)
    assert head.ids is None
    assert head.rows is not None
    np.testing.assert_array_equal(head.rows[SLOTS], adapter.tensors["slot_head"])
    others = [number for number in range(VOCAB) if number not in SLOTS]
    np.testing.assert_array_equal(head.rows[others], embedding[others])


def test_a_pruned_head_keeps_its_ids(tmp_path: Path, base: Weights, tokenizer: Tokenizer) -> None:
    kept = [2, *SLOTS, *range(20, 120, 2)]
    _, head = merge(base, load_adapter(write_adapter(tmp_path, base, head_ids=kept)), tokenizer)
    assert head.ids is not None
    assert head.rows is not None
    assert head.ids.tolist() == kept
    assert head.rows.shape == (len(kept), 32)
    np.testing.assert_array_equal(head.rows[-1], base["model.embed_tokens.weight"][118])


def test_without_slots_the_tied_head_stays_shared(tmp_path: Path, base: Weights, tokenizer: Tokenizer) -> None:
    merged, head = merge(base, load_adapter(write_adapter(tmp_path, base, slots=())), tokenizer)
    assert head.rows is None
    assert merged["model.embed_tokens.weight"] is base["model.embed_tokens.weight"]


def test_a_tensor_may_be_replaced_whole(tmp_path: Path, base: Weights, tokenizer: Tokenizer) -> None:
    write_adapter(tmp_path, base)
    path = tmp_path / "adapter.safetensors"
    norm = np.full(32, 7.0, np.float32)
    safetensors.numpy.save_file(safetensors.numpy.load_file(path) | {"model.norm.weight": norm}, path)
    merged, _ = merge(base, load_adapter(tmp_path), tokenizer)
    np.testing.assert_array_equal(merged["model.norm.weight"], norm)


def test_an_adapter_for_another_base_is_refused(tmp_path: Path, base: Weights, tokenizer: Tokenizer) -> None:
    adapter = load_adapter(write_adapter(tmp_path, base, changes={"base": "0123456789abcdef", "base_name": "Other"}))
    with pytest.raises(ModelFolderError, match="trained on Other"):
        merge(base, adapter, tokenizer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"rank": 0}, "missing or wrong"),
        ({"alpha": "much"}, "missing or wrong"),
        ({"slots": ["{colour}"]}, "slots"),
        ({"prompt_variant": "line-v0"}, "line-v0"),
        ({"head_ids": "nowhere.npy"}, "can't be read"),
    ],
)
def test_wrong_descriptions_are_refused(tmp_path: Path, base: Weights, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelFolderError, match=words):
        load_adapter(write_adapter(tmp_path, base, changes=changes))


def test_a_missing_field_is_named(tmp_path: Path, base: Weights) -> None:
    write_adapter(tmp_path, base)
    (tmp_path / "adapter.json").write_text('{"format": 1}')
    with pytest.raises(ModelFolderError, match="name"):
        load_adapter(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slot_head": None}, "lacks slot_head"),
        ({"slot_head": np.zeros((3, 32), np.float32)}, "slot_head is"),
        ({f"{NAME}.lora_B": None}, "lacks a lora_B"),
        ({f"{NAME}.lora_B": np.zeros((64, 9), np.float32)}, "fits its lora_A"),
        ({f"{NAME}.lora_B": np.zeros((63, 4), np.float32)}, "the base has"),
        ({"model.layers.9.mlp.up_proj.weight": np.zeros((2, 2), np.float32)}, "the base has none"),
        ({f"{NAME}.lora_A": np.full((4, 32), np.nan, np.float32)}, "not finite"),
    ],
)
def test_wrong_tensors_are_refused(
    tmp_path: Path, base: Weights, tokenizer: Tokenizer, changes: dict[str, Any], words: str
) -> None:
    write_adapter(tmp_path, base)
    path = tmp_path / "adapter.safetensors"
    tensors = safetensors.numpy.load_file(path) | changes
    safetensors.numpy.save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)
    with pytest.raises(ModelFolderError, match=words):
        merge(base, load_adapter(tmp_path), tokenizer)


@pytest.mark.parametrize("ids", [[5, 4, 3], [1, 1, 2], [[1, 2], [3, 4]], [0, 2, VOCAB]])
def test_wrong_head_ids_are_refused(tmp_path: Path, base: Weights, tokenizer: Tokenizer, ids: list[Any]) -> None:
    write_adapter(tmp_path, base, head_ids=ids)
    with pytest.raises(ModelFolderError, match=r"head id|rising"):
        merge(base, load_adapter(tmp_path), tokenizer)


def test_the_digest_covers_every_file(tmp_path: Path, base: Weights) -> None:
    folders = (
        write_adapter(tmp_path / "0", base),
        write_adapter(tmp_path / "1", base, seed=2),
        write_adapter(tmp_path / "2", base, changes={"name": "other"}),
        write_adapter(tmp_path / "3", base, head_ids=[1, 2, 3]),
        write_adapter(tmp_path / "4", base, head_ids=[1, 2, 4]),
    )
    digests = {load_adapter(folder).digest for folder in folders}
    assert len(digests) == 5
    assert SLOT_TOKENS[0] == "{name}"  # the order is part of the format
