"""The adapter folder that ``shelftalk.modelling.adapter`` reads: a few megabytes, fit for the repository."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from torch import Tensor

from shelftalk.modelling.adapter import FORMAT
from shelftalk.modelling.slots import SLOT_TOKENS
from shelftalk.train.lora import LoraSettings


def write_adapter(
    folder: Path,
    *,
    tensors: Mapping[str, Tensor],
    head_ids: np.ndarray,
    base_hash: str,
    base_name: str,
    name: str,
    variant: str,
    lora: LoraSettings,
    training: Mapping[str, Any],
) -> None:
    """Write ``adapter.safetensors`` (float16), ``head_ids.npy`` and ``adapter.json``.

    Args:
        folder: made if it is missing.
        tensors: of `lora.adapter_tensors`.
        head_ids: rising, int32 ``[V']``.
        base_hash: `Weights.source_hash` of the base.
        base_name: the base's name, for people.
        name: of the merged model.
        variant: of the prompt.
        lora: the adapter's shape.
        training: figures and settings, kept for people.
    """
    folder.mkdir(parents=True, exist_ok=True)
    halves = {key: tensor.detach().numpy().astype(np.float16) for key, tensor in tensors.items()}
    for key, half in halves.items():
        assert np.isfinite(half).all(), f"{key} does not fit float16"
    safetensors.numpy.save_file(halves, folder / "adapter.safetensors")
    np.save(folder / "head_ids.npy", head_ids.astype(np.int32))
    description = {
        "format": FORMAT,
        "name": name,
        "base": base_hash,
        "base_name": base_name,
        "licence": "Apache-2.0",
        "rank": lora.rank,
        "alpha": lora.alpha,
        "slots": list(SLOT_TOKENS),
        "prompt_variant": variant,
        "head_ids": "head_ids.npy",
        "first_layer": lora.first_layer,
        "training": dict(training),
    }
    (folder / "adapter.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
