import json
from pathlib import Path

import numpy as np
import pytest

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.check import check
from shelftalk.modelling.graph import Head
from shelftalk.modelling.tiny import build_tiny, tiny_config, tiny_weights
from shelftalk.modelling.variants import VARIANTS


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_near_the_reference_and_keeps_rows_apart(tmp_path: Path, variant: str, pruned: bool) -> None:
    folder = build_tiny(tmp_path / "m", variant=variant, pruned=pruned)
    weights = tiny_weights(tiny_config())
    rows = weights.head[np.load(folder / "head_ids.npy")] if pruned else weights.head
    report = check(folder, (weights, Head(rows=rows)))
    assert report.passed
    assert report.divergence is not None
    assert report.divergence < {"fp32": 1e-9, "fp16": 1e-4}.get(variant, 0.02)
    assert report.same_tokens
    if variant.startswith("w8a8"):
        assert report.same_bits


def test_other_weights_are_noticed(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m", seed=0)
    other = tiny_weights(tiny_config(), seed=1)
    report = check(folder, (other, Head(rows=other.head)))
    assert not report.passed
    assert report.divergence is not None
    assert report.divergence > report.limit


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("Ġ", "_"))
    with pytest.raises(ModelFolderError, match=r"tokenizer\.json is not the file that was built"):
        check(folder)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelFolderError, match=r"model\.onnx is missing"):
        check(folder)


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    raw = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(raw | {"format": 99}))
    with pytest.raises(ModelFolderError, match="format 99"):
        check(folder)


def test_a_stranger_in_the_manifest_is_refused(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    raw = json.loads((folder / "manifest.json").read_text())
    del raw["files"]
    (folder / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(ModelFolderError, match="not whole"):
        check(folder)


def test_the_same_seed_gives_the_same_model_id(tmp_path: Path) -> None:
    ids = [
        json.loads((build_tiny(tmp_path / str(n), seed=s) / "manifest.json").read_text())["model_id"]
        for n, s in enumerate((0, 0, 1))
    ]
    assert ids[0] == ids[1] != ids[2]
