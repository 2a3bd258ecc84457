"""The numbers that describe a decoder, whichever file they came from."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from shelftalk.errors import ModelFolderError

#: What the graph builder knows. They differ only in the bias of q, k, v (Qwen2) and the norm of q, k (Qwen3).
ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3"}


@dataclasses.dataclass(frozen=True)
class RopeScaling:
    """Llama 3's stretching of the rotary frequencies (``rope_type`` ``"llama3"``)."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_positions: int


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Shapes and constants of a pre-norm decoder with grouped attention and a gated SiLU feed-forward.

    Attributes:
        family: ``"llama"``, ``"qwen2"`` or ``"qwen3"``.
        hidden: width D of the residual stream.
        layers: number of blocks.
        heads: query heads.
        kv_heads: key and value heads; divides ``heads``.
        head_dim: width of one head.
        intermediate: width of the feed-forward.
        vocab: rows of the embedding.
        norm_eps: the epsilon of every RMS norm.
        rope_theta: base of the rotary frequencies.
        max_positions: longest sequence that the model was trained for.
        tied: whether the head is the embedding.
        eos: ids that end a text.
        bos: the id that opens a text, where the model wants one.
        rope_scaling: how the frequencies are stretched, if they are.
    """

    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    norm_eps: float
    rope_theta: float
    max_positions: int
    tied: bool
    eos: tuple[int, ...]
    bos: int | None = None
    rope_scaling: RopeScaling | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no graph can be made of."""
        counts = (self.hidden, self.layers, self.heads, self.kv_heads, self.head_dim, self.intermediate, self.vocab)
        if min(counts) < 1 or self.heads % self.kv_heads or self.head_dim % 2 or self.max_positions < 1:
            raise ModelFolderError(f"the model's config can't be right: {self}")
        if not self.eos or not all(0 <= token < self.vocab for token in self.eos):
            raise ModelFolderError(f"the end tokens {self.eos} are not among the {self.vocab} tokens of the model")

    @property
    def qkv_bias(self) -> bool:
        """Whether q, k and v have a bias."""
        return self.family == "qwen2"

    @property
    def qk_norm(self) -> bool:
        """Whether q and k are normalised per head before the rotation."""
        return self.family == "qwen3"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the model needs, by its Hugging Face name, with its shape."""
        hidden, wide = self.hidden, self.intermediate
        heads, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab, hidden)}
        for layer in range(self.layers):
            block = {
                "input_layernorm.weight": (hidden,),
                "self_attn.q_proj.weight": (heads, hidden),
                "self_attn.k_proj.weight": (kv, hidden),
                "self_attn.v_proj.weight": (kv, hidden),
                "self_attn.o_proj.weight": (hidden, heads),
                "post_attention_layernorm.weight": (hidden,),
                "mlp.gate_proj.weight": (wide, hidden),
                "mlp.up_proj.weight": (wide, hidden),
                "mlp.down_proj.weight": (hidden, wide),
            }
            if self.qkv_bias:
                widths = {"q": heads, "k": kv, "v": kv}
                block |= {f"self_attn.{part}_proj.bias": (width,) for part, width in widths.items()}
            if self.qk_norm:
                block |= {f"self_attn.{part}_norm.weight": (self.head_dim,) for part in "qk"}
            shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in block.items()}
        shapes["model.norm.weight"] = (hidden,)
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocab, hidden)
        return shapes

    @classmethod
    def from_hugging_face(cls, folder: Path) -> Self:
        """Read ``config.json`` (and the end tokens of ``generation_config.json``) of a Hugging Face folder.

        Raises:
            ModelFolderError: a file is missing or broken, or the architecture is not one that is known.
        """
        raw = read_json(folder / "config.json")
        names = raw.get("architectures") or ["(none)"]
        family = ARCHITECTURES.get(str(names[0]))
        if family is None:
            known = ", ".join(ARCHITECTURES)
            raise ModelFolderError(f"{folder}: architecture {names[0]} is not supported; use one of {known}")
        _refuse_what_is_not_built(folder, raw)
        generation = folder / "generation_config.json"
        eos: Any = (read_json(generation) if generation.exists() else raw).get("eos_token_id", raw.get("eos_token_id"))
        bos = raw.get("bos_token_id")
        try:
            return cls(
                family=family,
                hidden=int(raw["hidden_size"]),
                layers=int(raw["num_hidden_layers"]),
                heads=int(raw["num_attention_heads"]),
                kv_heads=int(raw.get("num_key_value_heads") or raw["num_attention_heads"]),
                head_dim=int(raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"]),
                intermediate=int(raw["intermediate_size"]),
                vocab=int(raw["vocab_size"]),
                norm_eps=float(raw["rms_norm_eps"]),
                rope_theta=float(_rope(raw).get("rope_theta") or raw.get("rope_theta") or 10_000.0),
                max_positions=int(raw["max_position_embeddings"]),
                tied=bool(raw.get("tie_word_embeddings", False)),
                eos=tuple(int(token) for token in (eos if isinstance(eos, list) else [eos])),
                bos=int(bos) if isinstance(bos, int) else None,
                rope_scaling=_rope_scaling(folder, _rope(raw)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFolderError(f"{folder}/config.json: missing or wrong: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object of a model folder.

    Raises:
        ModelFolderError: the file is missing, or holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelFolderError(f"{path} is missing: is {path.parent} a model folder?") from error
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelFolderError(f"{path} should hold a JSON object, not a {type(value).__name__}")
    return value


def _rope(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rotary settings, which transformers 5 renamed."""
    rope = raw.get("rope_parameters") or raw.get("rope_scaling")
    return rope if isinstance(rope, Mapping) else {}


def _rope_scaling(folder: Path, rope: Mapping[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind != "llama3":
        raise ModelFolderError(f"{folder}: rope scaling {kind!r} is not supported; only 'llama3' is")
    return RopeScaling(
        factor=float(rope["factor"]),
        low_freq_factor=float(rope["low_freq_factor"]),
        high_freq_factor=float(rope["high_freq_factor"]),
        original_max_positions=int(rope["original_max_position_embeddings"]),
    )


def _refuse_what_is_not_built(folder: Path, raw: Mapping[str, Any]) -> None:
    """Options that would silently give other logits."""
    if raw.get("hidden_act", "silu") != "silu":
        raise ModelFolderError(f"{folder}: activation {raw['hidden_act']!r} is not supported; only 'silu' is")
    if raw.get("use_sliding_window"):
        raise ModelFolderError(f"{folder}: sliding-window attention is not supported")
    if raw.get("mlp_bias") or (raw.get("attention_bias") and str(raw["architectures"][0]) != "Qwen2ForCausalLM"):
        raise ModelFolderError(f"{folder}: biases outside Qwen2's q, k, v are not supported")


def hugging_face_shape(config: ModelConfig) -> dict[str, Any]:
    """The shape of a model as a Hugging Face ``config.json`` has it; whoever writes one adds what else it says."""
    return {
        "hidden_act": "silu",
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate,
        "vocab_size": config.vocab,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
    }
