"""The decoder as an ONNX graph, written node by node with ``onnx.helper``.

Inputs (B rows, S tokens a row, P of them asked what comes next, T places in the cache, H words in the head, M masks):

    input_ids                    int64   [B, S]   right-padded
    seqlens_k                    int32   [B]      tokens of the row after this call, minus 1
    total_sequence_length        int32   []       the longest row after this call; at most T
    last_index                   int64   [B, P]   places in ``input_ids`` of the tokens whose next one is wanted
    mask_rows                    float32 [M, H]   added to the logits before the choice: 0 allows, -inf forbids
    mask_index                   int64   [B, P]   which mask each of those places uses
    past_key_values.{l}.key      float32, float16 or int8   [B, KV, T, head_dim]   and ``.value``

Outputs:

    logits                       float32 [B, P, H]   before the mask
    topk_values                  float32 [B, P, 32]  after the mask, falling
    topk_ids                     int64   [B, P, 32]  token ids (through ``head_ids`` where the head is pruned)
    present.{l}.key              as the past   [B, KV, T, head_dim]   and ``.value``; may be the past's own memory

The rows of a batch never meet: every operator works on one row, so that a row's result can't depend on its neighbours.
"""

import dataclasses
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.config import ModelConfig
from shelftalk.modelling.rope import rope_tables
from shelftalk.modelling.weights import Weights

#: Candidates that leave the graph for each row. Sampling with top-p 0.95 seldom looks past 20.
TOP_K = 32

#: Of ONNX Runtime's own operators (GroupQueryAttention and the fused norms).
MICROSOFT = "com.microsoft"

#: Opset 21 has QuantizeLinear with a scale per block; IR 10 is what goes with it.
OPSET, IR_VERSION = 21, 10


#: GroupQueryAttention takes heads of such widths only.
_HEAD_STEP = 16


class GraphBuilder:
    """Collects nodes and initialisers under readable names.

    Attributes:
        float_type: numpy's type of the activations and the cache.
        tokens: the tensor [B, S] whose shape the activations [B, S, D] have at this point of the graph.
    """

    def __init__(self, float_type: type[np.floating]) -> None:
        self.float_type = float_type
        self.tokens = "input_ids"
        self.nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    @property
    def onnx_float(self) -> int:
        """ONNX's number of the activations' type."""
        return int(TensorProto.FLOAT16 if self.float_type is np.float16 else TensorProto.FLOAT)

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """Add an initialiser; the same name twice is the same constant."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def floats(self, name: str, value: np.ndarray) -> str:
        """Add an initialiser of the activations' type."""
        return self.constant(name, value.astype(self.float_type))

    def node(
        self, kind: str, inputs: list[str], output: str | list[str], domain: str = "", **attributes: object
    ) -> str:
        """Add a node and return its first output."""
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The finished model, without initialisers that nothing reads."""
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for name, tensor in self._initializers.items() if name in used]
        graph = helper.make_graph(self.nodes, "decoder", inputs, outputs, kept)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="shelftalk")


class Arithmetic(Protocol):
    """How the matrices are stored and multiplied; one implementation a variant."""

    float_type: type[np.floating]

    def embedding(self, graph: GraphBuilder, table: np.ndarray, ids: str, output: str) -> str:
        """Rows of ``table`` [vocab, hidden] for ``ids`` [B, S], as [B, S, hidden]."""

    def linear(self, graph: GraphBuilder, rows: str, weight: np.ndarray, name: str) -> str:
        """``rows`` [..., in] times the transpose of ``weight`` [out, in]."""

    def tied_head(self, graph: GraphBuilder, rows: str, table: np.ndarray, name: str) -> str:
        """Like `linear`, with the matrix that `embedding` stored already."""


class FloatArithmetic:
    """Plain matrices in fp32 or fp16."""

    def __init__(self, float_type: type[np.floating] = np.float32) -> None:
        self.float_type = float_type

    def embedding(self, graph: GraphBuilder, table: np.ndarray, ids: str, output: str) -> str:
        """See `Arithmetic`."""
        return graph.node("Gather", [graph.floats("embedding", table), ids], output)

    def linear(self, graph: GraphBuilder, rows: str, weight: np.ndarray, name: str) -> str:
        """See `Arithmetic`."""
        return graph.node("MatMul", [rows, graph.floats(f"{name}.weight", weight.T)], name)

    def tied_head(self, graph: GraphBuilder, rows: str, table: np.ndarray, name: str) -> str:
        """See `Arithmetic`. The transposition is folded away when the session is made; the file keeps one copy."""
        matrix = graph.node("Transpose", [graph.floats("embedding", table)], f"{name}.weight", perm=[1, 0])
        return graph.node("MatMul", [rows, matrix], name)


@dataclasses.dataclass(frozen=True)
class CacheScales:
    """What one step of an int8 cache is worth, for each channel.

    Attributes:
        keys: float32 ``[layers, kv_heads, 1, head_dim]``.
        values: the same for values.
    """

    keys: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Head:
    """The words that the model can write.

    Attributes:
        rows: their rows ``[H, hidden]``; None stands for the whole embedding, shared with it.
        ids: their token ids, int32 ``[H]``; None where they are 0, 1, 2, ...
    """

    rows: np.ndarray | None = None
    ids: np.ndarray | None = None

    def size(self, config: ModelConfig) -> int:
        """How many words there are, H."""
        return config.vocab if self.rows is None else len(self.rows)


def decoder_graph(
    weights: Weights,
    arithmetic: Arithmetic,
    head: Head | None = None,
    max_positions: int | None = None,
    cache_scales: CacheScales | None = None,
) -> onnx.ModelProto:
    """Write the graph.

    Args:
        weights: the model, adapter merged.
        arithmetic: how the matrices are stored.
        head: the words that can be written; all of them by default.
        max_positions: longest row; the rotary tables are this long.
        cache_scales: keep keys and values as int8 with these scales.

    Raises:
        ModelFolderError: the head has fewer words than candidates leave the graph.
    """
    config = weights.config
    head = head or Head(rows=None if config.tied else weights.head)
    if head.size(config) < TOP_K:
        raise ModelFolderError(f"the head has {head.size(config)} words; at least {TOP_K} are needed")
    if config.head_dim % _HEAD_STEP:
        raise ModelFolderError(f"heads {config.head_dim} wide can't be built: a multiple of {_HEAD_STEP} is needed")
    graph = GraphBuilder(arithmetic.float_type)
    cos, sin = rope_tables(config, min(max_positions or config.max_positions, config.max_positions))
    graph.floats("rope.cos", cos)
    graph.floats("rope.sin", sin)
    state = _Decoder(graph, arithmetic, weights, cache_scales).hidden()
    if head.rows is None:
        logits = arithmetic.tied_head(graph, state, weights.head, "head")
    else:
        logits = arithmetic.linear(graph, state, head.rows, "head")
    _choose(graph, logits, head)
    cache_type = int(TensorProto.INT8) if cache_scales else graph.onnx_float
    return graph.model(*_signature(config, cache_type, head.size(config)))


class _Decoder:
    """Writes the blocks. The residual stream is carried beside its normed copy, as the fused norm gives both."""

    def __init__(
        self,
        graph: GraphBuilder,
        arithmetic: Arithmetic,
        weights: Weights,
        cache_scales: CacheScales | None,
    ) -> None:
        self.graph = graph
        self.cache_scales = cache_scales
        self.arithmetic = arithmetic
        self.weights = weights
        self.config = weights.config

    def hidden(self) -> str:
        """The normed state at the places that are asked, [B, P, hidden]."""
        graph, config = self.graph, self.config
        stream = self.arithmetic.embedding(graph, self.weights["model.embed_tokens.weight"], "input_ids", "embedded")
        scale = graph.floats("layers.0.input_norm.weight", self.weights["model.layers.0.input_layernorm.weight"])
        normed = graph.node(
            "SimplifiedLayerNormalization",
            [stream, scale],
            "layers.0.input_norm",
            epsilon=config.norm_eps,
            axis=-1,
            stash_type=1,
        )
        for layer in range(config.layers):
            mixed = self._attention(layer, normed)
            if layer == config.layers - 1:
                mixed, stream = self._asked_places(mixed, stream)
            mixed = self._linear(layer, "self_attn.o_proj", mixed)
            norm = f"model.layers.{layer}.post_attention_layernorm.weight"
            normed, stream = self._add_and_norm(f"layers.{layer}.post_norm", stream, mixed, norm)
            added = self._feed_forward(layer, normed)
            following = f"model.layers.{layer + 1}.input_layernorm.weight"
            norm = following if layer < config.layers - 1 else "model.norm.weight"
            normed, stream = self._add_and_norm(f"layers.{layer + 1}.input_norm", stream, added, norm)
        return normed

    def _asked_places(self, mixed: str, stream: str) -> tuple[str, str]:
        """Past the last attention only the places that are asked matter: [B, S, D] to [B, P, D]."""
        graph = self.graph
        axis = graph.constant("last_axis", np.array([-1], np.int64))
        places = graph.node("Unsqueeze", ["last_index", axis], "last_index.column")
        graph.tokens = "last_index"
        return (
            graph.node("GatherND", [mixed, places], "last.attention", batch_dims=1),
            graph.node("GatherND", [stream, places], "last.stream", batch_dims=1),
        )

    def _linear(self, layer: int, part: str, rows: str) -> str:
        weight = self.weights[f"model.layers.{layer}.{part}.weight"]
        return self.arithmetic.linear(self.graph, rows, weight, f"layers.{layer}.{part}")

    def _add_and_norm(self, name: str, stream: str, added: str, norm: str) -> tuple[str, str]:
        """``stream + added``, normed and as it is."""
        scale = self.graph.floats(f"{name}.weight", self.weights[norm])
        outputs = [name, "", "", f"{name}.sum"]
        self.graph.node(
            "SkipSimplifiedLayerNormalization",
            [stream, added, scale],
            outputs,
            MICROSOFT,
            epsilon=self.config.norm_eps,
        )
        return outputs[0], outputs[3]

    def _attention(self, layer: int, normed: str) -> str:
        """Grouped causal attention with its cache; q, k and v come from one multiplication."""
        graph, config, name = self.graph, self.config, f"layers.{layer}.self_attn"
        source = f"model.layers.{layer}.self_attn"
        weight = np.concatenate([self.weights[f"{source}.{part}_proj.weight"] for part in "qkv"])
        qkv = self.arithmetic.linear(graph, normed, weight, f"{name}.qkv")
        if config.qkv_bias:
            bias = np.concatenate([self.weights[f"{source}.{part}_proj.bias"] for part in "qkv"])
            qkv = graph.node("Add", [qkv, graph.floats(f"{name}.qkv.bias", bias)], f"{name}.qkv.biased")
        queries_keys_values = self._normed_heads(layer, qkv) if config.qk_norm else [qkv, "", ""]
        caches = [f"{layer}.key", f"{layer}.value"]
        scales, quantised = self._cache_scales(layer)
        return graph.node(
            "GroupQueryAttention",
            [
                *queries_keys_values,
                *(f"past_key_values.{cache}" for cache in caches),
                *("seqlens_k", "total_sequence_length", "rope.cos", "rope.sin"),
                *scales,
            ],
            [name, *(f"present.{cache}" for cache in caches)],
            MICROSOFT,
            num_heads=config.heads,
            kv_num_heads=config.kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
            scale=config.head_dim**-0.5,
            **quantised,
        )

    def _cache_scales(self, layer: int) -> tuple[list[str], dict[str, Any]]:
        """GroupQueryAttention's inputs 9 to 13 and attributes for an int8 cache; nothing for a float one."""
        if self.cache_scales is None:
            return [], {}
        keys = self.graph.constant(f"layers.{layer}.key_scale", self.cache_scales.keys[layer])
        values = self.graph.constant(f"layers.{layer}.value_scale", self.cache_scales.values[layer])
        kinds = {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
        return ["", "", "", keys, values], kinds

    def _normed_heads(self, layer: int, qkv: str) -> list[str]:
        """Qwen3: q and k normalised per head before they are rotated."""
        graph, config, name = self.graph, self.config, f"layers.{layer}.self_attn"
        widths = np.array([config.heads, config.kv_heads, config.kv_heads], np.int64) * config.head_dim
        parts = [f"{name}.{part}" for part in "qkv"]
        graph.node("Split", [qkv, graph.constant("qkv.widths", widths)], parts, axis=-1)
        for place, part in enumerate("qk"):
            flat, number = parts[place], (config.heads, config.kv_heads)[place]
            by_head = np.array([0, 0, number, config.head_dim], np.int64)
            heads = graph.node("Reshape", [flat, graph.constant(f"{part}.heads", by_head)], f"{flat}.heads")
            scale = graph.floats(f"{flat}_norm.weight", self.weights[f"model.{name}.{part}_norm.weight"])
            normed = graph.node(
                "SimplifiedLayerNormalization",
                [heads, scale],
                f"{flat}_norm",
                epsilon=config.norm_eps,
                axis=-1,
                stash_type=1,
            )
            together = graph.constant(f"{part}.flat", np.array([0, 0, number * config.head_dim], np.int64))
            parts[place] = graph.node("Reshape", [normed, together], f"{flat}_norm.flat")
        return parts

    def _feed_forward(self, layer: int, normed: str) -> str:
        """``down(silu(gate(x)) * up(x))``; gate and up come from one multiplication."""
        graph, name = self.graph, f"layers.{layer}.mlp"
        weight = np.concatenate([self.weights[f"model.{name}.{part}_proj.weight"] for part in ("gate", "up")])
        both = self.arithmetic.linear(graph, normed, weight, f"{name}.gate_up")
        halves = graph.constant("gate_up.widths", np.array([self.config.intermediate] * 2, np.int64))
        graph.node("Split", [both, halves], [f"{name}.gate", f"{name}.up"], axis=-1)
        # QuickGelu is x * sigmoid(alpha * x): SiLU in one pass.
        gate = graph.node("QuickGelu", [f"{name}.gate"], f"{name}.silu", MICROSOFT, alpha=1.0)
        product = graph.node("Mul", [gate, f"{name}.up"], f"{name}.product")
        return self._linear(layer, "mlp.down_proj", product)


def _choose(graph: GraphBuilder, logits: str, head: Head) -> None:
    """Mask and select inside the graph: 32 candidates leave it, not the whole vocabulary."""
    if graph.float_type is np.float32:
        logits = graph.node("Identity", [logits], "logits")
    else:
        logits = graph.node("Cast", [logits], "logits", to=TensorProto.FLOAT)
    mask = graph.node("Gather", ["mask_rows", "mask_index"], "mask")
    allowed = graph.node("Add", [logits, mask], "allowed")
    count = graph.constant("top_k", np.array([TOP_K], np.int64))
    places = "topk_ids" if head.ids is None else "topk_places"
    graph.node("TopK", [allowed, count], ["topk_values", places], axis=-1, largest=1, sorted=1)
    if head.ids is not None:
        graph.node("Gather", [graph.constant("head_ids", head.ids.astype(np.int64)), places], "topk_ids")


def _signature(
    config: ModelConfig,
    cache_type: int,
    words: int,
) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Names, types and shapes of what goes in and comes out."""
    info = helper.make_tensor_value_info
    inputs = [
        info("input_ids", TensorProto.INT64, ["B", "S"]),
        info("seqlens_k", TensorProto.INT32, ["B"]),
        info("total_sequence_length", TensorProto.INT32, []),
        info("last_index", TensorProto.INT64, ["B", "P"]),
        info("mask_rows", TensorProto.FLOAT, ["M", words]),
        info("mask_index", TensorProto.INT64, ["B", "P"]),
    ]
    outputs = [
        info("logits", TensorProto.FLOAT, ["B", "P", words]),
        info("topk_values", TensorProto.FLOAT, ["B", "P", TOP_K]),
        info("topk_ids", TensorProto.INT64, ["B", "P", TOP_K]),
    ]
    for layer in range(config.layers):
        for part in ("key", "value"):
            shape = ["B", config.kv_heads, "T", config.head_dim]
            inputs.append(info(f"past_key_values.{layer}.{part}", cache_type, shape))
            outputs.append(info(f"present.{layer}.{part}", cache_type, ["B", config.kv_heads, "T2", config.head_dim]))
    return inputs, outputs
