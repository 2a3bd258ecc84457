"""The same decoder in plain numpy: what the graph's logits are checked against.

No cache, no batch, no fusion, float32: slow and easy to believe. It agrees with transformers 4.57.6 within 1e-4 on
SmolLM2-135M (tests/modelling/test_reference.py), and within 2e-5 on small random Qwen2 (bfloat16), Qwen3 and Llama 3
(stretched rotary frequencies) models that transformers saved.
"""

from collections.abc import Callable, Sequence

import numpy as np

from shelftalk.modelling.rope import rope_tables
from shelftalk.modelling.weights import Weights

#: Shown what passes each place of the model: rotated ``keys`` and ``values`` ``[kv_heads, S, head_dim]``, and the inputs
#: of the linear layers ``[S, in]``, named ``layers.{l}.qkv``, ``.o_proj``, ``.gate_up``, ``.down_proj``, and ``head``.
Observer = Callable[[str, np.ndarray], None]


def _ignore(_place: str, _values: np.ndarray) -> None:
    """Watch nothing."""


def forward(weights: Weights, ids: Sequence[int], observe: Observer = _ignore) -> np.ndarray:
    """Logits after each token, ``[len(ids), vocab]``."""
    logits: np.ndarray = hidden_states(weights, ids, observe) @ weights.head.T
    return logits


def hidden_states(weights: Weights, ids: Sequence[int], observe: Observer = _ignore) -> np.ndarray:
    """What the head multiplies, ``[len(ids), hidden]``."""
    config = weights.config
    cos, sin = rope_tables(config, len(ids))
    stream = weights["model.embed_tokens.weight"][np.asarray(ids)]
    for layer in range(config.layers):
        prefix = f"model.layers.{layer}."
        normed = rms_norm(stream, weights[f"{prefix}input_layernorm.weight"], config.norm_eps)
        observe(f"layers.{layer}.qkv", normed)
        queries, keys, values = _heads(weights, f"{prefix}self_attn.", normed, cos, sin)
        observe(f"layers.{layer}.keys", keys)
        observe(f"layers.{layer}.values", values)
        mixed = _attend(queries, keys, values)
        observe(f"layers.{layer}.o_proj", mixed)
        stream = stream + mixed @ weights[f"{prefix}self_attn.o_proj.weight"].T
        normed = rms_norm(stream, weights[f"{prefix}post_attention_layernorm.weight"], config.norm_eps)
        observe(f"layers.{layer}.gate_up", normed)
        gate, up = (normed @ weights[f"{prefix}mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        product = silu(gate) * up
        observe(f"layers.{layer}.down_proj", product)
        stream = stream + product @ weights[f"{prefix}mlp.down_proj.weight"].T
    normed = rms_norm(stream, weights["model.norm.weight"], config.norm_eps)
    observe("head", normed)
    return normed


def rms_norm(rows: np.ndarray, scale: np.ndarray, epsilon: float) -> np.ndarray:
    """``x / sqrt(mean(x ** 2) + epsilon) * scale`` over the last axis."""
    normed: np.ndarray = rows / np.sqrt(np.mean(rows**2, axis=-1, keepdims=True) + epsilon) * scale
    return normed


def silu(values: np.ndarray) -> np.ndarray:
    """``x * sigmoid(x)``."""
    activated: np.ndarray = values / (1 + np.exp(-values))
    return activated


def _heads(weights: Weights, prefix: str, rows: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> list[np.ndarray]:
    """Rotated queries and keys, and values, ``[heads, S, head_dim]`` each, of ``rows`` [S, D]."""
    config = weights.config
    count, width = len(rows), config.head_dim
    heads: dict[str, np.ndarray] = {}
    for part, number in (("q", config.heads), ("k", config.kv_heads), ("v", config.kv_heads)):
        projected = rows @ weights[f"{prefix}{part}_proj.weight"].T
        if config.qkv_bias:
            projected = projected + weights[f"{prefix}{part}_proj.bias"]
        heads[part] = projected.reshape(count, number, width).transpose(1, 0, 2)
    for part in "qk":
        if config.qk_norm:
            heads[part] = rms_norm(heads[part], weights[f"{prefix}{part}_norm.weight"], config.norm_eps)
        heads[part] = _rotate(heads[part], cos, sin)
    return list(heads.values())


def _attend(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Causal attention, several query heads to each key head, as ``[S, heads * head_dim]``."""
    group, count, width = len(queries) // len(keys), queries.shape[1], queries.shape[2]
    keys, values = np.repeat(keys, group, axis=0), np.repeat(values, group, axis=0)
    scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(width).astype(np.float32)
    scores = np.where(np.tri(count, dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = (shares / shares.sum(axis=-1, keepdims=True)) @ values
    out: np.ndarray = mixed.transpose(1, 0, 2).reshape(count, -1)
    return out


def _rotate(heads: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Turn the pairs (i, i + head_dim / 2) of ``heads`` [H, S, head_dim] by their position's angles."""
    left, right = np.split(heads, 2, axis=-1)
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)
