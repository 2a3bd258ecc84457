"""A fine-tuning that is small enough for the repository, and how it is merged into the base weights.

An adapter is a folder, written by ``shelftalk.train`` and read here:

``adapter.safetensors`` (float16 or float32)
    ``model.layers.{l}.self_attn.q_proj.lora_A``  [rank, in]
    ``model.layers.{l}.self_attn.q_proj.lora_B``  [out, rank], and so on for any linear layer, by Hugging Face name
    ``slot_head``                                 [14, hidden]: the head's rows of `slots.SLOT_TOKENS`, in that order
    any other name of a base tensor               replaces it whole (a norm, say)

``head_ids.npy`` (optional)
    int32 [H], rising: the token ids that the head keeps; without it the head keeps all of them

``adapter.json``
    ``format``          1
    ``name``            such as ``"smollm2-135m-line"``
    ``base``            hash of the base weights (`Weights.source_hash`: 16 hex digits)
    ``base_name``       such as ``"SmolLM2-135M-Instruct"``, for people
    ``licence``         SPDX id of the merged model
    ``rank``, ``alpha`` the update of a layer is ``alpha / rank * lora_B @ lora_A``
    ``slots``           the slot tokens, equal to `slots.SLOT_TOKENS`, or empty
    ``prompt_variant``  the prompt it was trained on (`core.prompt.variants`)
    ``head_ids``        file name of the head's ids, or null

Anything else in ``adapter.json`` (figures of the training, notes) is kept but not read. Where the adapter has slots, the
slots' rows of the embedding are `slots.slot_embeddings` of the base: they are not trained, so they are not stored.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from shelftalk.core.prompt import variants
from shelftalk.errors import ModelFolderError
from shelftalk.modelling.config import read_json
from shelftalk.modelling.graph import Head
from shelftalk.modelling.slots import SLOT_TOKENS, slot_embeddings, slot_ids
from shelftalk.modelling.tokenizer import spelled_slots
from shelftalk.modelling.weights import Weights, hash_file, read_safetensors

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Adapter:
    """An adapter folder, read and checked as far as that goes without the base.

    Attributes:
        name: the merged model's name.
        base: `Weights.source_hash` of the weights that it was trained on.
        base_name: the base's name, for people.
        licence: SPDX id.
        scale: ``alpha / rank``.
        slots: the slot tokens, none or all of them.
        prompt_variant: the prompt that it was trained on.
        head_ids: int32 [H], or None for the whole vocabulary.
        tensors: float32 by name.
        digest: hash of all of its files, for the manifest.
    """

    name: str
    base: str
    base_name: str
    licence: str
    scale: float
    slots: tuple[str, ...]
    prompt_variant: str
    head_ids: np.ndarray | None
    tensors: Mapping[str, np.ndarray]
    digest: str


def load_adapter(folder: Path) -> Adapter:
    """Read an adapter folder.

    Raises:
        ModelFolderError: a file is missing or damaged, or it was made for another version of shelftalk.
    """
    raw = read_json(folder / "adapter.json")
    if raw.get("format") != FORMAT:
        raise ModelFolderError(
            f"{folder}: adapter format {raw.get('format')} is not {FORMAT}: use a matching shelftalk"
        )
    files = ["adapter.json", "adapter.safetensors"]
    tensors = read_safetensors(folder / "adapter.safetensors")
    ids_file = raw.get("head_ids")
    try:
        adapter = Adapter(
            name=str(raw["name"]),
            base=str(raw["base"]),
            base_name=str(raw["base_name"]),
            licence=str(raw["licence"]),
            scale=float(raw["alpha"]) / float(raw["rank"]),
            slots=tuple(raw["slots"]),
            prompt_variant=str(raw["prompt_variant"]),
            head_ids=load_head_ids(folder / ids_file) if ids_file else None,
            tensors=tensors,
            digest="",
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelFolderError(f"{folder}/adapter.json: missing or wrong: {error!r}") from error
    _check(folder, adapter)
    digest = "".join(hash_file(folder / name) for name in [*files, *([ids_file] if ids_file else [])])
    return dataclasses.replace(adapter, digest=_short(digest))


def load_head_ids(path: Path) -> np.ndarray:
    """The token ids that a pruned head keeps, int32 [H].

    Raises:
        ModelFolderError: the file is missing or damaged, or the ids don't rise.
    """
    try:
        ids: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} can't be read ({error}): fetch the adapter again") from error
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer) or not (np.diff(ids) > 0).all():
        raise ModelFolderError(f"{path} should hold rising token ids, one dimension, no repeats")
    return ids.astype(np.int32)


def merge(weights: Weights, adapter: Adapter, tokenizer: Tokenizer) -> tuple[Weights, Head]:
    """The base with the adapter inside, and the head that the graph gets.

    Args:
        weights: the base; not changed.
        adapter: for this base.
        tokenizer: the base's, with the slot tokens where the adapter has slots.

    Raises:
        ModelFolderError: the adapter belongs to another base, or doesn't fit it.
    """
    if adapter.base != weights.source_hash:
        raise ModelFolderError(
            f"adapter {adapter.name} was trained on {adapter.base_name} ({adapter.base}), "
            f"these weights are {weights.source_hash}: build it from its own base",
        )
    merged = dict(weights.tensors)
    for name, update in _updates(adapter).items():
        merged[name] = _fitting(merged, name, update.shape) + adapter.scale * update
    for name, tensor in adapter.tensors.items():
        if not name.endswith((".lora_A", ".lora_B")) and name != "slot_head":
            _fitting(merged, name, tensor.shape)
            merged[name] = tensor
    head = weights.head if weights.config.tied else merged["lm_head.weight"]
    if adapter.slots:
        places = list(slot_ids().values())
        embedding = merged["model.embed_tokens.weight"].copy()
        embedding[places] = slot_embeddings(weights["model.embed_tokens.weight"], spelled_slots(tokenizer))
        merged["model.embed_tokens.weight"] = embedding
        head = head.copy()
        head[places] = _slot_head(adapter, weights.config.hidden)
    merged_weights = Weights(weights.config, merged, weights.source_hash)
    return merged_weights, _pruned(adapter, head, whole=not adapter.slots and weights.config.tied)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check(folder: Path, adapter: Adapter) -> None:
    if adapter.slots not in ((), SLOT_TOKENS):
        raise ModelFolderError(
            f"{folder}: its slots {adapter.slots} are not this version's {SLOT_TOKENS}: train it anew"
        )
    if adapter.prompt_variant not in variants():
        raise ModelFolderError(f"{folder}: prompt variant {adapter.prompt_variant!r} is not among {variants()}")
    if adapter.slots and "slot_head" not in adapter.tensors:
        raise ModelFolderError(f"{folder}: adapter.safetensors lacks slot_head, the head's rows of the slots")
    for name, tensor in adapter.tensors.items():
        if not np.isfinite(tensor).all():
            raise ModelFolderError(f"{folder}: {name} has values that are not finite: the training diverged")


def _updates(adapter: Adapter) -> dict[str, np.ndarray]:
    """``lora_B @ lora_A`` by the name of the weight that it changes."""
    updates: dict[str, np.ndarray] = {}
    for name, narrow in adapter.tensors.items():
        stem, _, side = name.rpartition(".")
        if side != "lora_A":
            continue
        wide = adapter.tensors.get(f"{stem}.lora_B")
        if wide is None or wide.shape[1] != narrow.shape[0]:
            raise ModelFolderError(f"adapter {adapter.name}: {stem} lacks a lora_B that fits its lora_A")
        updates[f"{stem}.weight"] = wide @ narrow
    return updates


def _fitting(tensors: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    base = tensors.get(name)
    if base is None or base.shape != shape:
        has = "none" if base is None else base.shape
        raise ModelFolderError(f"the adapter changes {name} with shape {shape}; the base has {has}")
    return base


def _slot_head(adapter: Adapter, hidden: int) -> np.ndarray:
    rows = adapter.tensors["slot_head"]
    if rows.shape != (len(SLOT_TOKENS), hidden):
        raise ModelFolderError(f"adapter {adapter.name}: slot_head is {rows.shape}, not {(len(SLOT_TOKENS), hidden)}")
    return rows


def _pruned(adapter: Adapter, head: np.ndarray, *, whole: bool) -> Head:
    if adapter.head_ids is None:
        return Head() if whole else Head(rows=head)
    if int(adapter.head_ids[-1]) >= len(head):
        raise ModelFolderError(f"adapter {adapter.name}: head id {adapter.head_ids[-1]} is not in the vocabulary")
    return Head(rows=head[adapter.head_ids], ids=adapter.head_ids)


def describe(adapter: Adapter) -> dict[str, Any]:
    """What the manifest says about it."""
    return {"name": adapter.name, "digest": adapter.digest, "base": adapter.base_name}


def without_pruning(adapter: Path, out: Path) -> None:
    """The same adapter, with a head that keeps all words."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(adapter / "adapter.safetensors", out / "adapter.safetensors")
    described = json.loads((adapter / "adapter.json").read_bytes()) | {"head_ids": None}
    (out / "adapter.json").write_text(json.dumps(described, indent=2), encoding="utf-8")
