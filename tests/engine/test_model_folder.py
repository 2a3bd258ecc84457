import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from shelftalk.engine import Engine
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.errors import ModelFolderError
from tests.engine.tokenizers_made import byte_level


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt, without the manifest whose hashes would notice first."""
    copy = shutil.copytree(tiny_model, tmp_path / "model")
    (copy / "manifest.json").unlink()
    return copy


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_whole_folder_opens(tiny_model: Path) -> None:
    folder = open_model_folder(tiny_model)
    assert folder.model_id == json.loads((tiny_model / "manifest.json").read_text())["model_id"]
    assert (folder.layers, folder.kv_heads, folder.head_size, folder.head_ids) == (2, 2, 16, None)


def test_a_folder_without_a_manifest_is_named_by_what_is_in_it(folder: Path) -> None:
    before = open_model_folder(folder).model_id
    assert before.startswith("model-")
    assert open_model_folder(folder).model_id == before
    edit(folder / "genai_config.json", lambda config: config["model"].update(context_length=99))
    assert open_model_folder(folder).model_id != before


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "genai_config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=name):
        open_model_folder(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "genai_config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_file_is_named(tiny_model: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    content = (folder / name).read_bytes()
    spoilt = {"cut": content[: len(content) // 2], "noise": b"\xff\xfe" + content, "empty": b""}[damage]
    (folder / name).write_bytes(spoilt)
    with pytest.raises(ModelFolderError, match=name):
        open_model_folder(folder)


def test_one_changed_bit_does_not_match_the_manifest(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"model\.onnx is not the manifest's file"):
        open_model_folder(folder)


def test_a_manifest_may_not_point_outside(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    edit(folder / "manifest.json", lambda manifest: manifest["files"].update({"../x": {"sha256": "0"}}))
    with pytest.raises(ModelFolderError, match="SHA-256"):
        open_model_folder(folder)


@pytest.mark.parametrize("name", ["model.onnx", "genai_config.json"])
def test_without_a_manifest_damage_is_found_when_the_graph_loads(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFolderError, match=name):
        Engine(folder)


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("model", {"vocab_size": 400}, "another model"),
        ("model", {"vocab_size": 600}, "512 logits"),
        ("model", {"vocab_size": 0}, "vocab_size=0"),
        ("model", {"eos_token_id": 9000}, "end tokens"),
        ("model", {"eos_token_id": "two"}, "eos_token_id"),
        ("decoder", {"num_hidden_layers": 3}, "missing"),
        ("decoder", {"num_hidden_layers": 1}, "unknown inputs"),
        ("decoder", {"head_size": 8}, "the cache is"),
        ("decoder", {"num_key_value_heads": 4}, "the cache is"),
        ("decoder", {"filename": "other.onnx"}, r"other\.onnx is missing"),
    ],
)
def test_a_config_of_another_model_is_refused(
    folder: Path, section: str, changes: dict[str, Any], message: str
) -> None:
    def change(config: Any) -> None:
        (config["model"] if section == "model" else config["model"]["decoder"]).update(changes)

    edit(folder / "genai_config.json", change)
    with pytest.raises(ModelFolderError, match=message):
        Engine(folder)


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(byte_level(600)))
    edit(folder / "tokenizer.json", lambda tokenizer: tokenizer["model"]["vocab"].update({"zzz": 700}))
    with pytest.raises(ModelFolderError, match="another model"):
        open_model_folder(folder)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.arange(511, dtype=np.int32), "is wanted"),
        (np.arange(512, dtype=np.int64), "is wanted"),
        (np.arange(1, 513, dtype=np.int32), "different tokens"),
        (np.zeros(512, np.int32), "different tokens"),
    ],
)
def test_head_ids_that_do_not_fit_are_refused(folder: Path, ids: np.ndarray, message: str) -> None:
    np.save(folder / "head_ids.npy", ids)
    with pytest.raises(ModelFolderError, match=message):
        open_model_folder(folder)


def test_a_pruned_head_without_an_end_is_refused(folder: Path) -> None:
    np.save(folder / "head_ids.npy", np.arange(3, 503, dtype=np.int32))
    edit(folder / "genai_config.json", lambda config: config["model"].update(vocab_size=500))
    with pytest.raises(ModelFolderError, match="no end token"):
        open_model_folder(folder)


def test_a_tokenizer_with_ids_that_the_embedding_lacks_is_noticed_at_the_start(
    model_of: Callable[[str], Path], tmp_path: Path
) -> None:
    """Where the head is pruned, no number in the folder tells how many ids there are; a trial run does."""
    folder = shutil.copytree(model_of("pruned"), tmp_path / "model")
    (folder / "manifest.json").unlink()
    edit(folder / "tokenizer.json", lambda tokenizer: tokenizer["model"]["vocab"].update({"zzz": 700}))
    with pytest.raises(ModelFolderError, match="does not run"):
        Engine(folder)


def test_a_model_of_nothing_but_nan_is_noticed_at_the_start(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx")
    (scale,) = [tensor for tensor in model.graph.initializer if tensor.name == "layers.0.input_norm.weight"]
    scale.CopyFrom(numpy_helper.from_array(np.full(32, np.nan, np.float32), scale.name))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ModelFolderError, match="NaN"):
        Engine(folder)


def test_head_ids_are_never_unpickled(folder: Path) -> None:
    np.save(folder / "head_ids.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelFolderError, match="head_ids"):
        open_model_folder(folder)
