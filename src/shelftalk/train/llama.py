"""A minimal Llama in torch: float32, right padding, causal mask, a pruned head at the positions that are scored.

Names of the weights follow Hugging Face. Letters in shapes: B rows, S positions, D hidden width, H query heads,
K key-value heads, E width of a head, V' tokens that the head keeps.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor, nn

from shelftalk.errors import ConfigError
from shelftalk.modelling.config import ModelConfig
from shelftalk.modelling.weights import Weights
from shelftalk.train.lora import ATTENTION, FEED_FORWARD, LoraLinear

#: Keys and values of every layer, each ``[B, K, T, E]``, for sampling.
Cache = list[tuple[Tensor, Tensor]]


def rotary(config: ModelConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines, ``[..., S, E]`` each, of the rotation by halves that Hugging Face weights expect."""
    steps = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    angles = positions[..., None].float() * config.rope_theta**-steps
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply the rotation to ``[B, heads, S, E]``."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Block(nn.Module):
    """One decoder block; its seven projections can carry adapters."""

    def __init__(self, weights: Weights, layer: int) -> None:
        super().__init__()
        self.config = weights.config
        prefix = f"model.layers.{layer}."

        def frozen(name: str) -> Tensor:
            return torch.from_numpy(weights[prefix + name]).contiguous()

        self.register_buffer("input_norm", frozen("input_layernorm.weight"), persistent=False)
        self.register_buffer("post_norm", frozen("post_attention_layernorm.weight"), persistent=False)
        self.projections = nn.ModuleDict(
            {
                name: LoraLinear(frozen(f"{part}.{name}.weight"))
                for part, names in (("self_attn", ATTENTION), ("mlp", FEED_FORWARD))
                for name in names
            },
        )

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        cached: tuple[Tensor, Tensor] | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """The block's output, ``[B, S, D]``.

        Args:
            x: ``[B, S, D]``.
            rope: cosines and sines, broadcastable to ``[B, heads, S, E]``.
            mask: which cached positions each query sees, ``[B, 1, S, T]``; None means causal among the S.
            cached: the layer's keys and values, written in place at ``at``.
            at: positions of the queries in the cache, ``[B, S]``.
        """
        config, run = self.config, self.projections
        rows, length, _ = x.shape

        def heads(projected: Tensor, count: int) -> Tensor:
            return projected.view(rows, length, count, config.head_dim).transpose(1, 2)

        normed = F.rms_norm(x, (config.hidden,), self.input_norm, config.norm_eps)
        query = rotate(heads(run["q_proj"](normed), config.heads), *rope)
        key = rotate(heads(run["k_proj"](normed), config.kv_heads), *rope)
        value = heads(run["v_proj"](normed), config.kv_heads)
        if cached is not None and at is not None:
            index = at[:, None, :, None].expand(-1, config.kv_heads, -1, config.head_dim)
            key = cached[0].scatter_(2, index, key)
            value = cached[1].scatter_(2, index, value)
        group = config.heads // config.kv_heads
        mixed = F.scaled_dot_product_attention(
            query,
            key.repeat_interleave(group, dim=1),
            value.repeat_interleave(group, dim=1),
            attn_mask=mask,
            is_causal=mask is None,
        )
        x = x + run["o_proj"](mixed.transpose(1, 2).reshape(rows, length, -1))
        normed = F.rms_norm(x, (config.hidden,), self.post_norm, config.norm_eps)
        return x + run["down_proj"](F.silu(run["gate_proj"](normed)) * run["up_proj"](normed))


class Llama(nn.Module):
    """The frozen base with a trainable row in the head for each slot token.

    Args:
        weights: the base; its slot rows are replaced by ``slot_rows``.
        head_ids: ids that the head keeps, sorted, ``[V']``.
        slot_rows: first embeddings and head rows of the slots, ``[12, D]``.
        slot_ids: the ids of those rows.
    """

    def __init__(self, weights: Weights, head_ids: list[int], slot_rows: Tensor, slot_ids: list[int]) -> None:
        super().__init__()
        if weights.config.family != "llama":
            raise ConfigError(f"only llama models are trained so far, not {weights.config.family}")
        self.config = weights.config
        embedding = torch.from_numpy(weights["model.embed_tokens.weight"]).clone()
        head = torch.from_numpy(weights.head)[head_ids].contiguous()
        embedding[slot_ids] = slot_rows
        self.register_buffer("embedding", embedding, persistent=False)
        self.register_buffer("head", head, persistent=False)
        self.register_buffer("norm", torch.from_numpy(weights["model.norm.weight"]), persistent=False)
        self.register_buffer("head_ids", torch.tensor(head_ids), persistent=False)
        place = {token: number for number, token in enumerate(head_ids)}
        self.register_buffer("slot_places", torch.tensor([place[token] for token in slot_ids]), persistent=False)
        self.slot_head = nn.Parameter(slot_rows.clone())
        self.blocks = nn.ModuleList(Block(weights, layer) for layer in range(self.config.layers))

    def forward(self, x: Tensor, first: int, last: int) -> Tensor:
        """Blocks ``first`` to ``last - 1`` on ``[B, S, D]``; rows are padded on the right, so that causal is enough."""
        rope = rotary(self.config, torch.arange(x.shape[1]))
        for block in self.blocks[first:last]:
            x = block(x, rope)
        return x

    def logits(self, x: Tensor) -> Tensor:
        """Scores of the kept tokens, ``[..., D]`` to ``[..., V']``."""
        normed = F.rms_norm(x, (self.config.hidden,), self.norm, self.config.norm_eps)
        scores = normed @ self.head.T
        return scores.index_copy(-1, self.slot_places, normed @ self.slot_head.T)
