"""A model's weights as float32 arrays with Hugging Face names, from a GGUF file or a Hugging Face folder.

Only numpy, ``gguf`` and ``safetensors`` are needed; torch is not.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import safetensors

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.config import ModelConfig, read_json

#: GGUF's architecture names that the builder knows.
_GGUF_FAMILIES = ("llama", "qwen2", "qwen3")

#: GGUF's name of a block's tensor -> Hugging Face's.
_GGUF_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_GGUF_ENDS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

#: Derived at load by llama.cpp, not a weight of the model.
_GGUF_IGNORED = ("rope_freqs.weight",)

#: safetensors' names of the types that numpy has.
_DTYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64}


@dataclasses.dataclass(frozen=True)
class Weights:
    """A decoder's numbers.

    Attributes:
        config: its shapes.
        tensors: float32 arrays by Hugging Face name; a linear layer's is ``[out, in]``.
        source_hash: 16 hex digits that identify the file or folder read (adapters are bound to it).
    """

    config: ModelConfig
    tensors: dict[str, np.ndarray]
    source_hash: str

    def __post_init__(self) -> None:
        """Refuse a model that lacks a tensor or has one of another shape."""
        shapes = self.config.shapes()
        missing = [name for name in shapes if name not in self.tensors]
        if missing:
            raise ModelFolderError(f"{len(missing)} tensors are missing, first {missing[0]}: is the download whole?")
        for name, shape in shapes.items():
            if self.tensors[name].shape != shape:
                raise ModelFolderError(f"{name} has shape {self.tensors[name].shape}, the config says {shape}")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tensors[name]

    @property
    def head(self) -> np.ndarray:
        """The rows that turn a hidden state into logits, ``[vocab, hidden]``."""
        return self.tensors["model.embed_tokens.weight" if self.config.tied else "lm_head.weight"]


def load_weights(source: Path, reader: gguf.GGUFReader | None = None) -> Weights:
    """Read a ``.gguf`` file or a Hugging Face folder.

    Args:
        source: the file or folder.
        reader: of the file, where it is open already (opening takes seconds).

    Raises:
        ModelFolderError: it is neither, or it is damaged or not supported.
    """
    if source.is_dir():
        return _from_hugging_face(source)
    if source.suffix == ".gguf":
        return _from_gguf(source, reader or open_gguf(source))
    raise ModelFolderError(f"{source} is neither a .gguf file nor a Hugging Face folder with config.json")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_source(source: Path) -> str:
    """`Weights.source_hash` of a GGUF file or a Hugging Face folder, without reading the numbers."""
    if source.is_file():
        return hash_file(source)[:16]
    digest = hashlib.sha256()
    for name in _safetensors_names(source):
        if not (source / name).is_file():
            raise ModelFolderError(f"{source / name} is missing: fetch the whole model folder")
        digest.update(bytes.fromhex(hash_file(source / name)))
    return digest.hexdigest()[:16]


def open_gguf(path: Path) -> gguf.GGUFReader:
    """A reader of the file's metadata and tensors.

    Raises:
        ModelFolderError: the file is missing or not a whole GGUF file.
    """
    try:
        return gguf.GGUFReader(path)
    except Exception as error:  # the reader raises whatever its parsing stumbles over
        raise ModelFolderError(f"{path} can't be read as GGUF ({error}): delete it and fetch it again") from error


def gguf_value(reader: gguf.GGUFReader, path: Path, key: str, default: Any = None) -> Any:
    """One metadata value.

    Raises:
        ModelFolderError: it is missing and there is no default.
    """
    field = reader.fields.get(key)
    if field is not None:
        return field.contents()
    if default is None:
        raise ModelFolderError(f"{path} lacks the GGUF field {key}: it is not a whole language model")
    return default


def _from_gguf(path: Path, reader: gguf.GGUFReader) -> Weights:
    config = _gguf_config(reader, path)
    tensors: dict[str, np.ndarray] = {}
    for tensor in reader.tensors:
        if tensor.name in _GGUF_IGNORED:
            continue
        name = _hugging_face_name(path, tensor.name)
        try:
            array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        except (NotImplementedError, ValueError) as error:
            kind = tensor.tensor_type.name
            raise ModelFolderError(f"{path}: {tensor.name} can't be read from {kind}: {error}") from error
        if config.family == "llama" and ("attn_q." in tensor.name or "attn_k." in tensor.name):
            array = unpermute(array, config.heads if "attn_q." in tensor.name else config.kv_heads)
        tensors[name] = array
    return Weights(config, tensors, hash_source(path))


def unpermute(rows: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's reordering of q and k, ``[heads * head_dim, in]`` to the same shape.

    llama.cpp rotates neighbours (0, 1), (2, 3), ...; Hugging Face rotates halves (0, n/2), (1, n/2 + 1), ...
    Its converter therefore interleaves the two halves of each head (``LlamaModel.permute`` in convert_hf_to_gguf.py).
    """
    paired = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return np.ascontiguousarray(paired.swapaxes(1, 2).reshape(rows.shape))


def _gguf_config(reader: gguf.GGUFReader, path: Path) -> ModelConfig:
    family = str(gguf_value(reader, path, "general.architecture"))
    if family not in _GGUF_FAMILIES:
        known = ", ".join(_GGUF_FAMILIES)
        raise ModelFolderError(f"{path}: architecture {family!r} is not supported; use one of {known}")
    if "rope_freqs.weight" in {tensor.name for tensor in reader.tensors}:
        raise ModelFolderError(f"{path}: its stretched rotary frequencies are read only from a Hugging Face folder")

    def number(key: str, default: Any = None) -> Any:
        return gguf_value(reader, path, f"{family}.{key}", default)

    hidden, heads = int(number("embedding_length")), int(number("attention.head_count"))
    bos = gguf_value(reader, path, "tokenizer.ggml.bos_token_id", -1)
    return ModelConfig(
        family=family,
        hidden=hidden,
        layers=int(number("block_count")),
        heads=heads,
        kv_heads=int(number("attention.head_count_kv", heads)),
        head_dim=int(number("attention.key_length", hidden // heads)),
        intermediate=int(number("feed_forward_length")),
        vocab=len(gguf_value(reader, path, "tokenizer.ggml.tokens")),
        # GGUF keeps float32, so 1e-5 arrives as 9.999999747e-06; the configs it was made from have short decimals.
        norm_eps=float(f"{number('attention.layer_norm_rms_epsilon'):.6g}"),
        rope_theta=float(number("rope.freq_base", 10_000.0)),
        max_positions=int(number("context_length")),
        tied="output.weight" not in {tensor.name for tensor in reader.tensors},
        eos=(int(gguf_value(reader, path, "tokenizer.ggml.eos_token_id")),),
        bos=int(bos) if bos >= 0 else None,
    )


def _hugging_face_name(path: Path, name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if stem in _GGUF_ENDS:
        return f"{_GGUF_ENDS[stem]}.{kind}"
    match stem.split("."):
        case ["blk", layer, part] if part in _GGUF_BLOCK:
            return f"model.layers.{layer}.{_GGUF_BLOCK[part]}.{kind}"
    raise ModelFolderError(f"{path}: don't know the tensor {name}; the architecture is not one that can be built")


def _from_hugging_face(folder: Path) -> Weights:
    config = ModelConfig.from_hugging_face(folder)
    tensors: dict[str, np.ndarray] = {}
    for name in _safetensors_names(folder):
        tensors |= read_safetensors(folder / name)
    return Weights(config, tensors, hash_source(folder))


def _safetensors_names(folder: Path) -> list[str]:
    """The weight files: one, or those that the index of a sharded model names."""
    index = folder / "model.safetensors.index.json"
    return sorted(set(read_json(index).get("weight_map", {}).values())) if index.exists() else ["model.safetensors"]


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file as float32 (bfloat16, which numpy lacks, included).

    Raises:
        ModelFolderError: the file is missing or damaged, or holds integers.
    """
    try:
        entries: list[tuple[str, Mapping[str, Any]]] = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except FileNotFoundError as error:
        raise ModelFolderError(f"{path} is missing: fetch the whole model folder") from error
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{path} is damaged ({error}): fetch it again") from error
    return {name: _as_float32(path, name, entry) for name, entry in entries}


def _as_float32(path: Path, name: str, entry: Mapping[str, Any]) -> np.ndarray:
    kind, data = entry["dtype"], entry["data"]
    if kind == "BF16":  # the upper half of a float32
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view(np.float32)
    elif kind in _DTYPES:
        array = np.frombuffer(data, _DTYPES[kind]).astype(np.float32)
    else:
        raise ModelFolderError(f"{path}: {name} is of type {kind}; only floating point can be built")
    return array.reshape(entry["shape"])
