"""Our model for the peers: the same weights, the adapter merged, in a Hugging Face folder and in GGUF files."""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors.numpy import save_file

from shelftalk.modelling.config import ModelConfig, hugging_face_shape
from shelftalk.modelling.graph import Head
from shelftalk.modelling.weights import Weights

#: Quantised formats of llama.cpp that are compared; which is the fastest depends on the processor.
GGUF_KINDS = {"Q8_0": gguf.GGMLQuantizationType.Q8_0, "Q4_0": gguf.GGMLQuantizationType.Q4_0}

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def whole_head(weights: Weights, head: Head) -> np.ndarray:
    """The head over the whole vocabulary: peers can't prune it. Rows that we cut off are the base's."""
    matrix = weights.head.copy()
    if head.rows is not None:
        ids = np.arange(len(head.rows)) if head.ids is None else head.ids
        matrix[ids] = head.rows
    return matrix


def write_hugging_face(folder: Path, weights: Weights, head: Head, tokenizer: bytes, positions: int) -> None:
    """A folder that transformers and onnxruntime-genai's builder read; float32."""
    folder.mkdir(parents=True, exist_ok=True)
    config = weights.config
    tensors = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in weights.tensors.items()}
    tensors["lm_head.weight"] = whole_head(weights, head).astype(np.float32)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    end = config.eos[0]
    described = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **hugging_face_shape(config),
        "max_position_embeddings": positions,
        "tie_word_embeddings": False,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "tokenizer.json").write_bytes(tokenizer)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


def write_gguf(path: Path, weights: Weights, head: Head, kind: str, positions: int) -> None:
    """A GGUF file without a tokenizer (prompts come as ids): matrices in one quantised format, norms in float32."""
    config = weights.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(positions)
    writer.add_embedding_length(config.hidden)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.intermediate)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_vocab_size(config.vocab)
    writer.add_tokenizer_model("no_vocab")

    def add(name: str, tensor: np.ndarray) -> None:
        tensor = np.ascontiguousarray(tensor, np.float32)
        if tensor.ndim == 1:
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, quantize(tensor, GGUF_KINDS[kind]), raw_dtype=GGUF_KINDS[kind])

    add("token_embd.weight", weights["model.embed_tokens.weight"])
    add("output_norm.weight", weights["model.norm.weight"])
    add("output.weight", whole_head(weights, head))
    for layer in range(config.layers):
        for ours, theirs in _NAMES.items():
            tensor = weights[f"model.layers.{layer}.{ours}.weight"]
            if ours.endswith(("q_proj", "k_proj")):
                tensor = interleaved(tensor, config)
            add(f"blk.{layer}.{theirs}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleaved(matrix: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Rows of q or k ``[heads * head_dim, hidden]`` in llama.cpp's order: rotated pairs side by side, not half a head apart."""
    heads = len(matrix) // config.head_dim
    halves = matrix.reshape(heads, 2, config.head_dim // 2, matrix.shape[1])
    return halves.swapaxes(1, 2).reshape(matrix.shape)
