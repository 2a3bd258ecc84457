"""Models written to disk in the formats that the builder reads."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import safetensors.numpy

from shelftalk.modelling.config import ModelConfig, hugging_face_shape
from shelftalk.modelling.slots import REPLACED_TOKENS, SLOT_TOKENS
from shelftalk.modelling.tiny import tiny_tokenizer_json
from shelftalk.modelling.weights import Weights

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def plain_tokenizer_json() -> dict[str, Any]:
    """The tiny tokenizer before the slots were named."""
    text = json.dumps(tiny_tokenizer_json())
    for slot, old in zip(SLOT_TOKENS, REPLACED_TOKENS, strict=True):
        text = text.replace(json.dumps(slot), json.dumps(old))
    tokenizer: dict[str, Any] = json.loads(text)
    for token in tokenizer["added_tokens"]:
        token["special"] = True
    return tokenizer


def write_hugging_face(folder: Path, weights: Weights, **changes: Any) -> Path:
    """A Hugging Face folder; ``changes`` overwrite fields of its config."""
    config = weights.config
    folder.mkdir(parents=True, exist_ok=True)
    raw = {
        "architectures": [ARCHITECTURES[config.family]],
        **hugging_face_shape(config),
        "max_position_embeddings": config.max_positions,
        "tie_word_embeddings": config.tied,
        "eos_token_id": list(config.eos),
    }
    (folder / "config.json").write_text(json.dumps(raw | changes))
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(tensor) for name, tensor in weights.tensors.items()}, folder / "model.safetensors"
    )
    (folder / "tokenizer.json").write_text(json.dumps(plain_tokenizer_json()))
    return folder


def permute(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's converter (convert_hf_to_gguf.py, LlamaModel.permute)."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def write_gguf(
    path: Path,
    weights: Weights,
    quantisation: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    pre: str = "smollm",
    leave_out: Sequence[str] = (),
) -> Path:
    """A Llama as llama.cpp's converter writes it."""
    config = weights.config
    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_output": "self_attn.o_proj"}
    names |= {f"attn_{part}": f"self_attn.{part}_proj" for part in "qkv"}
    names |= {f"ffn_{part}": f"mlp.{part}_proj" for part in ("gate", "up", "down")}
    tokenizer = plain_tokenizer_json()
    vocab = tokenizer["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.__getitem__)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.layers)
    writer.add_context_length(config.max_positions)
    writer.add_embedding_length(config.hidden)
    writer.add_feed_forward_length(config.intermediate)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(config.eos[0])

    def add(name: str, tensor: np.ndarray) -> None:
        if name not in leave_out:
            kind = quantisation if tensor.ndim > 1 else gguf.GGMLQuantizationType.F32
            writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(tensor), kind), raw_dtype=kind)

    add("token_embd.weight", weights["model.embed_tokens.weight"])
    add("output_norm.weight", weights["model.norm.weight"])
    if not config.tied:
        add("output.weight", weights["lm_head.weight"])
    for layer in range(config.layers):
        for name, theirs in names.items():
            tensor = weights[f"model.layers.{layer}.{theirs}.weight"]
            if name in {"attn_q", "attn_k"}:
                tensor = permute(tensor, config.heads if name == "attn_q" else config.kv_heads)
            add(f"blk.{layer}.{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_adapter(
    folder: Path,
    weights: Weights,
    *,
    rank: int = 4,
    seed: int = 1,
    head_ids: Sequence[int] | None = None,
    slots: Sequence[str] = SLOT_TOKENS,
    changes: dict[str, Any] | None = None,
) -> Path:
    """An adapter that changes q of the second layer and the head's slot rows."""
    config: ModelConfig = weights.config
    rng = np.random.default_rng(seed)
    name = "model.layers.1.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A": rng.standard_normal((rank, config.hidden), np.float32),
        f"{name}.lora_B": rng.standard_normal((config.heads * config.head_dim, rank), np.float32),
    }
    if slots:
        tensors["slot_head"] = rng.standard_normal((len(slots), config.hidden), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(tensors, folder / "adapter.safetensors")
    if head_ids is not None:
        np.save(folder / "head_ids.npy", np.asarray(head_ids, np.int32))
    raw = {
        "format": 1,
        "name": "tiny-line",
        "base": weights.source_hash,
        "base_name": "tiny",
        "licence": "Apache-2.0",
        "rank": rank,
        "alpha": 2 * rank,
        "slots": list(slots),
        "prompt_variant": "line-v2",
        "head_ids": None if head_ids is None else "head_ids.npy",
    }
    (folder / "adapter.json").write_text(json.dumps(raw | (changes or {})))
    return folder


def renamed(weights: Weights, source_hash: str) -> Weights:
    return dataclasses.replace(weights, source_hash=source_hash)
