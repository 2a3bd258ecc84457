import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import safetensors.numpy

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.modelling.weights import Weights, hash_source, load_weights, read_safetensors, unpermute
from tests.modelling.made import permute, write_gguf, write_hugging_face


@pytest.fixture
def tiny() -> Weights:
    return tiny_weights(tiny_config())


def assert_same(found: Weights, expected: Weights, tolerance: float = 0.0) -> None:
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        np.testing.assert_allclose(found[name], tensor, atol=tolerance, rtol=0, err_msg=name)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_unpermute_undoes_llama_cpp(heads: int) -> None:
    rows = np.random.default_rng(0).standard_normal((heads * 16, 5))
    assert not np.array_equal(permute(rows, heads), rows)
    np.testing.assert_array_equal(unpermute(permute(rows, heads), heads), rows)


@pytest.mark.parametrize("tied", [True, False])
def test_gguf_gives_the_numbers_that_went_in(tmp_path: Path, tied: bool) -> None:
    weights = tiny_weights(tiny_config(tied=tied))
    loaded = load_weights(write_gguf(tmp_path / "m.gguf", weights))
    assert loaded.config == weights.config
    assert_same(loaded, weights)


def test_gguf_quantised_is_near(tmp_path: Path, tiny: Weights) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny, gguf.GGMLQuantizationType.Q8_0)
    assert_same(load_weights(path), tiny, tolerance=0.03)


def test_hugging_face_gives_the_numbers_that_went_in(tmp_path: Path) -> None:
    for family in ("llama", "qwen2", "qwen3"):
        weights = tiny_weights(tiny_config(family))
        folder = write_hugging_face(tmp_path / family, weights)
        loaded = load_weights(folder)
        assert loaded.config == weights.config
        assert loaded.source_hash == hash_source(folder)
        assert_same(loaded, weights)


def test_hugging_face_shards_are_put_together(tmp_path: Path, tiny: Weights) -> None:
    folder = write_hugging_face(tmp_path / "m", tiny)
    (folder / "model.safetensors").unlink()
    names = list(tiny.tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in shards.items():
        safetensors.numpy.save_file({name: np.ascontiguousarray(tiny[name]) for name in part}, folder / file)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_same(load_weights(folder), tiny)


def test_bfloat16_is_read(tmp_path: Path) -> None:
    numbers = np.array([1.0, -2.5, 3.0e38, 0.0], np.float32)
    raw = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, len(raw)]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + raw)
    found = read_safetensors(tmp_path / "m.safetensors")["x"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.reshape(-1), numbers, rtol=1 / 128)


def test_a_changed_file_has_another_hash(tmp_path: Path, tiny: Weights) -> None:
    one = write_gguf(tmp_path / "a.gguf", tiny)
    other = write_gguf(tmp_path / "b.gguf", tiny_weights(tiny_config(), seed=1))
    assert hash_source(one) != hash_source(other)


def test_missing_tensor(tmp_path: Path, tiny: Weights) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny, leave_out=["blk.1.ffn_up.weight"])
    with pytest.raises(ModelFolderError, match=r"layers\.1\.mlp\.up_proj"):
        load_weights(path)


def test_wrong_shape(tmp_path: Path, tiny: Weights) -> None:
    folder = write_hugging_face(tmp_path / "m", tiny, intermediate_size=48)
    with pytest.raises(ModelFolderError, match="shape"):
        load_weights(folder)


@pytest.mark.parametrize("kept", [0, 10, 500, 0.5])
def test_cut_off_gguf(tmp_path: Path, tiny: Weights, kept: float) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ModelFolderError):
        load_weights(path)


def test_cut_off_safetensors(tmp_path: Path, tiny: Weights) -> None:
    folder = write_hugging_face(tmp_path / "m", tiny)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFolderError, match="fetch it again"):
        load_weights(folder)


def test_integers_are_refused(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"x": np.arange(3)}, tmp_path / "m.safetensors")
    with pytest.raises(ModelFolderError, match="I64"):
        read_safetensors(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "GemmaForCausalLM is not supported"),
        ({"architectures": None}, "not supported"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "yarn"),
        ({"use_sliding_window": True}, "sliding"),
        ({"attention_bias": True}, "bias"),
        ({"hidden_size": "wide"}, "wide"),
        ({"eos_token_id": 99_999}, "end tokens"),
        ({"eos_token_id": None}, "missing or wrong"),
        ({"num_key_value_heads": 3}, "can't be right"),
    ],
)
def test_configs_that_would_give_other_logits_are_refused(
    tmp_path: Path, tiny: Weights, changes: dict[str, Any], words: str
) -> None:
    folder = write_hugging_face(tmp_path / "m", tiny, **changes)
    with pytest.raises(ModelFolderError, match=words):
        load_weights(folder)


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"config\.json is missing"):
        load_weights(tmp_path)
    with pytest.raises(ModelFolderError, match="neither"):
        load_weights(tmp_path / "weights.bin")
