import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shelftalk.engine import open_writer
from shelftalk.errors import ModelFolderError
from shelftalk.evaluate.text.generate import example_brief, write_all
from shelftalk.modelling import build as building
from shelftalk.modelling.build import (
    DEFAULT_ADAPTER,
    build,
    build_all_models,
    ensure_model,
    ensure_small_model,
    load_reference,
)
from shelftalk.modelling.check import check
from shelftalk.modelling.folder import Manifest
from shelftalk.modelling.slots import SLOT_TOKENS, slot_ids
from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.modelling.weights import hash_source
from tests.modelling.made import renamed, write_adapter, write_gguf, write_hugging_face


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = write_hugging_face(tmp_path / "base", tiny_weights(tiny_config(tied=True)))
    (folder / "LICENSE").write_text("do as you like")
    return folder


@pytest.fixture
def adapter(tmp_path: Path, source: Path) -> Path:
    base = renamed(tiny_weights(tiny_config(tied=True)), hash_source(source))
    return write_adapter(tmp_path / "adapter", base, head_ids=[2, *slot_ids().values(), *range(20, 120)])


def test_a_folder_has_all_that_the_engine_needs(tmp_path: Path, source: Path, adapter: Path) -> None:
    folder = build(source, tmp_path / "out", ["w8a8"], adapter)
    assert folder == tmp_path / "out" / "w8a8"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        "genai_config.json",
        "tokenizer.json",
        "head_ids.npy",
        "manifest.json",
        "LICENSE",
    }
    manifest = Manifest.read(folder)
    assert manifest.name == "tiny-line"
    assert manifest.slots == SLOT_TOKENS
    assert manifest.prompt_variant == "line-v2"
    assert manifest.words == len(np.load(folder / "head_ids.npy")) == 115
    assert manifest.max_positions == 256
    decoder = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
    assert (decoder["num_hidden_layers"], decoder["head_size"], decoder["num_key_value_heads"]) == (2, 16, 2)
    assert check(folder, load_reference(folder, source, adapter)).passed


def test_gguf_and_hugging_face_give_the_same_graph(tmp_path: Path, source: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", tiny_weights(tiny_config(tied=True)))
    one, other = (build(each, tmp_path / str(number), ["fp32"]) for number, each in enumerate((path, source)))
    assert (one / "model.onnx").read_bytes() == (other / "model.onnx").read_bytes()


def test_a_second_build_does_nothing(
    tmp_path: Path, source: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(source, tmp_path / "out", ["fp32"], adapter)
    monkeypatch.setattr(building, "load_weights", lambda *_: pytest.fail("read the weights again"))
    build(source, tmp_path / "out", ["fp32"], adapter)


@pytest.mark.parametrize("damage", ["another adapter", "a missing file", "a cut-off file", "a broken manifest"])
def test_whatever_is_not_current_is_built_again(tmp_path: Path, source: Path, adapter: Path, damage: str) -> None:
    folder = build(source, tmp_path / "out", ["fp32"], adapter)
    before = Manifest.read(folder).model_id
    if damage == "another adapter":
        base = renamed(tiny_weights(tiny_config(tied=True)), hash_source(source))
        write_adapter(adapter, base, seed=9)
    elif damage == "a missing file":
        (folder / "model.onnx").unlink()
    elif damage == "a cut-off file":
        (folder / "model.onnx").write_bytes(b"half")
    else:
        (folder / "manifest.json").write_text("{")
    build(source, tmp_path / "out", ["fp32"], adapter)
    assert check(folder).passed
    assert (Manifest.read(folder).model_id != before) == (damage == "another adapter")


def test_variants_lie_side_by_side_and_only_missing_ones_are_built(tmp_path: Path, source: Path) -> None:
    build(source, tmp_path / "out", ["fp32"])
    written = (tmp_path / "out" / "fp32" / "model.onnx").stat().st_mtime_ns
    assert build(source, tmp_path / "out", ["w8a8", "fp32"]) == tmp_path / "out" / "w8a8"
    assert (tmp_path / "out" / "fp32" / "model.onnx").stat().st_mtime_ns == written


def test_a_build_that_fails_leaves_nothing_behind(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(source, tmp_path / "out", ["fp32"])
    before = Manifest.read(folder)
    (source / "tokenizer.json").touch()
    monkeypatch.setattr(building, "_key", lambda *_: "another")
    monkeypatch.setattr("shelftalk.modelling.folder.genai_config", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(source, tmp_path / "out", ["fp32"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fp32"]
    assert Manifest.read(folder) == before


def test_progress_rises_to_one(tmp_path: Path, source: Path) -> None:
    heard: list[tuple[str, float]] = []
    build(source, tmp_path / "out", ["w8a8"], progress=lambda message, share: heard.append((message, share)))
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_wrong_wishes(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ModelFolderError, match="no variant 'int3'"):
        build(source, tmp_path / "out", ["int3"])
    with pytest.raises(ModelFolderError, match="at least one"):
        build(source, tmp_path / "out", [])
    with pytest.raises(ModelFolderError, match="doesn't exist"):
        build(tmp_path / "nowhere.gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_reference_must_be_the_folders(tmp_path: Path, source: Path, adapter: Path) -> None:
    folder = build(source, tmp_path / "out", ["fp32"], adapter)
    other = write_hugging_face(tmp_path / "other", tiny_weights(tiny_config(tied=True), seed=5))
    with pytest.raises(ModelFolderError, match="pass its --source"):
        load_reference(folder, other, adapter)
    base = renamed(tiny_weights(tiny_config(tied=True)), hash_source(source))
    with pytest.raises(ModelFolderError, match="not the adapter"):
        load_reference(folder, source, write_adapter(tmp_path / "adapter2", base, seed=3))


@pytest.mark.usefixtures("few_remarks")
def test_the_small_model_comes_whole_and_speaks_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path))
    folder = ensure_small_model(lambda *_: None)
    manifest = Manifest.read(folder)
    assert (manifest.name, manifest.prompt_variant) == ("shelftalk-mini", "slots-v5")
    assert set(manifest.slots) >= {"{name}", "{price}", "{kind}", "{w1}"}
    assert sum(entry["bytes"] for entry in manifest.files.values()) < 15_000_000
    english, chinese = (
        example_brief(),
        msgspec.structs.replace(example_brief(), locale="zh", kind="保温杯", points=("真空双层",)),
    )
    writer = open_writer(folder)
    texts = write_all(writer, [english, chinese], tries=5)
    writer.close()
    assert all(written.passed for written in texts)
    assert "保温杯" in texts[1].text or "真空双层" in texts[1].text or "{name}" in texts[1].text


def test_without_a_network_the_small_model_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said: list[str] = []
    folder = ensure_model(lambda what, _: said.append(what), DEFAULT_ADAPTER)
    assert Manifest.read(folder).name == "shelftalk-mini"
    assert any("going on with the small model" in what for what in said)


def test_every_model_that_comes_whole_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    built = build_all_models(lambda *_: None)
    assert "shelftalk-mini" in built
    for name, folder in built.items():
        writer = open_writer(folder)
        assert writer.prompt_variant == "slots-v5", name
        writer.close()
