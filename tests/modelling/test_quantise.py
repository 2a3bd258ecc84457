import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shelftalk.modelling.calibrate import cache_scales, measure
from shelftalk.modelling.graph import Head
from shelftalk.modelling.quantise import quantise_rows
from shelftalk.modelling.reference import forward
from shelftalk.modelling.smooth import smooth
from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.modelling.weights import Weights

MATRICES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-1e4, 1e4, width=32)
)


@given(MATRICES)
def test_rounding_is_at_most_half_a_step(matrix: np.ndarray) -> None:
    integers, scales = quantise_rows(matrix)
    assert integers.dtype == np.int8
    assert np.abs(integers.astype(int)).max() <= 127
    error = np.abs(integers * scales[:, None] - matrix)
    assert (error <= scales[:, None] * 0.501 + 1e-6).all()


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_smoothing_changes_nothing_but_the_rounding(family: str) -> None:
    weights = tiny_weights(tiny_config(family))
    ids = list(range(20, 90))
    ranges = measure(weights, ids)
    smoothed, head, after = smooth(weights, Head(rows=weights.head), ranges)
    assert head.rows is not None
    expected = forward(weights, ids)
    hidden_by_head = forward(smoothed, ids) @ np.linalg.pinv(smoothed.head.T) @ head.rows.T
    np.testing.assert_allclose(hidden_by_head, expected, atol=2e-3)
    # The ranges that it reports are those of the smoothed model.
    again = measure(smoothed, ids)
    for layer in range(weights.config.layers):
        for part in ("keys", "values"):
            np.testing.assert_allclose(after[f"layers.{layer}.{part}"], again[f"layers.{layer}.{part}"], rtol=1e-3)


def test_smoothing_flattens_a_loud_channel() -> None:
    weights = tiny_weights(tiny_config())
    weights["model.layers.0.input_layernorm.weight"][3] *= 100
    ids = list(range(20, 90))
    smoothed, _, _ = smooth(weights, Head(), measure(weights, ids))

    def peak(some: Weights) -> float:
        rows = measure(some, ids)["layers.0.qkv"]
        return float(rows.max() / np.median(rows))

    assert peak(smoothed) < peak(weights) / 5


def test_a_shared_head_is_left_alone() -> None:
    weights = tiny_weights(tiny_config(tied=True))
    ids = list(range(20, 90))
    smoothed, head, _ = smooth(weights, Head(), measure(weights, ids))
    assert head == Head()
    np.testing.assert_allclose(forward(smoothed, ids), forward(weights, ids), atol=2e-3)


def test_the_caches_scales_hold_every_position() -> None:
    weights = tiny_weights(tiny_config())
    ids = list(range(20, 60))
    scales = cache_scales(measure(weights, ids))
    assert scales.keys.shape == scales.values.shape == (2, 2, 1, 16)
    # The same tokens behind others are turned by other angles; their keys still fit.
    seen = measure(weights, [1, 2, 3, 4, 5, *ids])
    for layer in range(2):
        assert (seen[f"layers.{layer}.keys"] <= scales.keys[layer, :, 0] * 127 * 1.6).all()
