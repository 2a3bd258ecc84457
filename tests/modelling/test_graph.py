import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.check import PlainRunner
from shelftalk.modelling.config import RopeScaling
from shelftalk.modelling.graph import TOP_K, FloatArithmetic, Head, decoder_graph
from shelftalk.modelling.reference import forward
from shelftalk.modelling.tiny import VOCAB, tiny_config, tiny_weights

IDS = [1, 300, 301, 40, 50, 60, 3, 2, 77]


def runner_of(tmp_path: Path, model: onnx.ModelProto) -> PlainRunner:
    onnx.save(model, tmp_path / "model.onnx")
    return PlainRunner(tmp_path / "model.onnx")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_logits_are_the_references(tmp_path: Path, family: str, tied: bool) -> None:
    weights = tiny_weights(tiny_config(family, tied=tied))
    runner = runner_of(tmp_path, decoder_graph(weights, FloatArithmetic()))
    expected = forward(weights, IDS)
    (step,) = runner.step([runner.row(IDS)])
    np.testing.assert_allclose(step.logits, expected[-1], atol=2e-4)
    row = runner.row(IDS[:4])  # the same one token at a time, through the cache
    for length in range(4, len(IDS) + 1):
        row.ids = IDS[:length]
        (step,) = runner.step([row])
        np.testing.assert_allclose(step.logits, expected[length - 1], atol=2e-4)


def test_stretched_rotary_frequencies(tmp_path: Path) -> None:
    scaling = RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=64)
    plain = tiny_weights(tiny_config())
    weights = dataclasses.replace(plain, config=dataclasses.replace(plain.config, rope_scaling=scaling))
    runner = runner_of(tmp_path, decoder_graph(weights, FloatArithmetic()))
    (step,) = runner.step([runner.row(IDS)])
    np.testing.assert_allclose(step.logits, forward(weights, IDS)[-1], atol=2e-4)
    assert np.abs(forward(weights, IDS)[-1] - forward(plain, IDS)[-1]).max() > 0.01


def test_a_pruned_head_gives_token_ids(tmp_path: Path) -> None:
    weights = tiny_weights(tiny_config())
    ids = np.arange(2, VOCAB, 3, dtype=np.int32)
    runner = runner_of(tmp_path, decoder_graph(weights, FloatArithmetic(), Head(weights.head[ids], ids)))
    (step,) = runner.step([runner.row(IDS)])
    expected = forward(weights, IDS)[-1][ids]
    np.testing.assert_allclose(step.logits, expected, atol=2e-4)
    best = np.argsort(-expected)[:TOP_K]
    np.testing.assert_array_equal(step.ids, ids[best])
    np.testing.assert_allclose(step.values, expected[best], atol=2e-4)


def test_each_row_has_its_mask(tmp_path: Path) -> None:
    weights = tiny_weights(tiny_config())
    model = decoder_graph(weights, FloatArithmetic())
    runner = runner_of(tmp_path, model)
    free = forward(weights, IDS)[-1]
    masks = np.zeros((2, VOCAB), np.float32)
    masks[1, np.argsort(-free)[:5]] = -np.inf
    feeds = {
        "input_ids": np.array([IDS, IDS]),
        "seqlens_k": np.full(2, len(IDS) - 1, np.int32),
        "total_sequence_length": np.array(len(IDS), np.int32),
        "last_index": np.full((2, 1), len(IDS) - 1),
        "mask_rows": masks,
        "mask_index": np.array([[1], [0]]),
    }
    row = runner.row(IDS)
    feeds |= {name: np.stack([cache, cache]) for name, cache in row.cache.items()}
    logits, ids = runner.session.run(["logits", "topk_ids"], feeds)
    order = np.argsort(-free)
    np.testing.assert_array_equal(ids[0, 0], order[5 : 5 + TOP_K])
    np.testing.assert_array_equal(ids[1, 0], order[:TOP_K])
    np.testing.assert_array_equal(logits[0], logits[1])  # the mask comes after them


def test_the_tables_end_with_the_limit() -> None:
    weights = tiny_weights(tiny_config())
    model = decoder_graph(weights, FloatArithmetic(), max_positions=100)
    tables = [tensor for tensor in model.graph.initializer if tensor.name.startswith("rope.")]
    assert [list(tensor.dims) for tensor in tables] == [[100, 8], [100, 8]]


def test_a_head_smaller_than_the_candidates_is_refused() -> None:
    weights = tiny_weights(tiny_config())
    with pytest.raises(ModelFolderError, match="31 words"):
        decoder_graph(weights, FloatArithmetic(), Head(weights.head[:31], np.arange(31)))


def test_odd_head_widths_are_refused() -> None:
    weights = tiny_weights(dataclasses.replace(tiny_config(), head_dim=24))
    with pytest.raises(ModelFolderError, match="24 wide"):
        decoder_graph(weights, FloatArithmetic())
