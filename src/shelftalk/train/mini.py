"""The small model in torch: a Llama that is trained from nothing, with the embedding as its head.

Letters in shapes: B rows, S positions, D hidden width, E width of a head, V tokens.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor, nn

from shelftalk.modelling.config import ModelConfig
from shelftalk.train.llama import rotary, rotate


class MiniBlock(nn.Module):
    """One decoder block; the names are Hugging Face's."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        wide, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim

        def linear(inner: int, outer: int) -> nn.Linear:
            return nn.Linear(inner, outer, bias=False)

        self.input_layernorm = nn.RMSNorm(config.hidden, config.norm_eps)
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": linear(config.hidden, wide),
                "k_proj": linear(config.hidden, keys),
                "v_proj": linear(config.hidden, keys),
                "o_proj": linear(wide, config.hidden),
            }
        )
        self.post_attention_layernorm = nn.RMSNorm(config.hidden, config.norm_eps)
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": linear(config.hidden, config.intermediate),
                "up_proj": linear(config.hidden, config.intermediate),
                "down_proj": linear(config.intermediate, config.hidden),
            }
        )

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """``[B, S, D]`` to the same; causal."""
        config, (rows, length, _) = self.config, x.shape

        def heads(projected: Tensor, count: int) -> Tensor:
            return projected.view(rows, length, count, config.head_dim).transpose(1, 2)

        normed = self.input_layernorm(x)
        query = rotate(heads(self.self_attn["q_proj"](normed), config.heads), *rope)
        key = rotate(heads(self.self_attn["k_proj"](normed), config.kv_heads), *rope)
        value = heads(self.self_attn["v_proj"](normed), config.kv_heads)
        group = config.heads // config.kv_heads
        mixed = F.scaled_dot_product_attention(
            query, key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1), is_causal=True
        )
        x = x + self.self_attn["o_proj"](mixed.transpose(1, 2).reshape(rows, length, -1))
        normed = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](normed)) * self.mlp["up_proj"](normed))


class Mini(nn.Module):
    """The whole model.

    Args:
        config: a tied llama's.
        seed: of the first weights.
        dropout: of the embedding and of each block's output, while training.
    """

    def __init__(self, config: ModelConfig, seed: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.dropout = dropout
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = nn.ModuleList(MiniBlock(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.hidden, config.norm_eps)
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                # Outputs of a block are added up: narrower the deeper the model (GPT-2's rule).
                deep = math.sqrt(2 * config.layers) if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(weight, 0.0, 0.04 / deep, generator=generator)

    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states after the last norm, ``[B, S]`` to ``[B, S, D]``; rows are padded on the right."""
        x = F.dropout(self.embed_tokens(ids), self.dropout, self.training)
        rope = rotary(self.config, torch.arange(ids.shape[1]))
        for block in self.layers:
            x = x + F.dropout(block(x, rope) - x, self.dropout, self.training)
        return self.norm(x)

    def scores(self, hidden: Tensor) -> Tensor:
        """``[..., D]`` to ``[..., V]``."""
        return hidden @ self.embed_tokens.weight.T

    def tensors(self) -> dict[str, Tensor]:
        """The weights by their Hugging Face names."""
        return {f"model.{name}": tensor.detach() for name, tensor in self.named_parameters()}
