"""Low-rank adapters (Hu et al. 2021): ``W x + alpha / rank * B A x`` with ``W`` frozen and B zero at the start."""

import dataclasses
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor, nn

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")


@dataclasses.dataclass(frozen=True)
class LoraSettings:
    """The shape of an adapter.

    Attributes:
        first_layer: the lowest block that is adapted; those below stay as they are, so that their output can be kept.
        dropout: share of the adapter's inner (rank-wide) values that are zeroed while training.
    """

    first_layer: int = 14
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05


class LoraLinear(nn.Module):
    """A frozen linear layer ``[out, in]`` that may carry an adapter."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.lora_A: nn.Parameter | None = None
        self.lora_B: nn.Parameter | None = None
        self.scale = 0.0
        self.dropout = 0.0

    def attach(self, settings: LoraSettings, generator: torch.Generator) -> None:
        """Add an adapter that changes nothing yet."""
        wide, narrow = self.weight.shape[1], settings.rank
        bound = math.sqrt(3.0 / wide)  # unit gain for a uniform distribution
        self.lora_A = nn.Parameter((torch.rand(narrow, wide, generator=generator) * 2 - 1) * bound)
        self.lora_B = nn.Parameter(torch.zeros(self.weight.shape[0], narrow))
        self.scale, self.dropout = settings.alpha / settings.rank, settings.dropout

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in]`` to ``[..., out]``."""
        y = F.linear(x, self.weight)
        if self.lora_A is None or self.lora_B is None:
            return y
        # Dropped and scaled where it is narrow: on the wide input, drawing the mask alone took a fifth of a step.
        narrow = self.scale * F.dropout(F.linear(x, self.lora_A), self.dropout, self.training)
        return y + F.linear(narrow, self.lora_B)


def attach(model: nn.Module, settings: LoraSettings, seed: int) -> None:
    """Give every projection from ``first_layer`` upwards an adapter."""
    generator = torch.Generator().manual_seed(seed)
    for block in model.blocks[settings.first_layer :]:
        for projection in block.projections.values():
            projection.attach(settings, generator)


def adapter_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every trained tensor under the name that the adapter file gives it."""
    for layer, block in enumerate(model.blocks):
        for name, projection in block.projections.items():
            part = "self_attn" if name in ATTENTION else "mlp"
            for side in ("lora_A", "lora_B"):
                tensor = getattr(projection, side)
                if tensor is not None:
                    yield f"model.layers.{layer}.{part}.{name}.{side}", tensor
    yield "slot_head", model.slot_head


def load_adapter(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy an adapter's tensors into a model that has adapters of the same shape attached.

    Raises:
        KeyError: the file lacks one of them.
    """
    with torch.no_grad():
        for name, tensor in adapter_tensors(model):
            tensor.copy_(tensors[name])
