"""The tiny model as onnxruntime-genai's builder would write it: an attention mask in, all logits out, no manifest.

Written apart from our own builder, so that the engine's texts on both check one against the other.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shelftalk.modelling.config import ModelConfig
from shelftalk.modelling.tiny import build_tiny, tiny_config, tiny_weights

_MS = "com.microsoft"


class _Graph:
    """Nodes and constants, written down in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, list(outputs), domain=domain, **attributes))
        return outputs[0]

    def matmul(self, rows: str, weight: np.ndarray, name: str) -> str:
        return self.node("MatMul", [rows, self.constant(f"{name}.w", weight.T)], name)

    def norm(self, rows: str, scale: np.ndarray, name: str) -> str:
        inputs = [rows, self.constant(f"{name}.w", scale)]
        return self.node("SimplifiedLayerNormalization", inputs, name, epsilon=1e-5, axis=-1, stash_type=1)


def build_genai(out: Path, *, position_ids: bool = False) -> Path:
    """Write the folder: the same weights as `build_tiny`, so that both must write the same texts."""
    build_tiny(out)
    (out / "manifest.json").unlink()
    onnx.save(_model(tiny_config(), position_ids=position_ids), out / "model.onnx")
    config = json.loads((out / "genai_config.json").read_text())
    decoder = config["model"]["decoder"]
    kept = ("input_ids", "past_key_names", "past_value_names")
    decoder["inputs"] = {name: decoder["inputs"][name] for name in kept} | {"attention_mask": "attention_mask"}
    decoder["outputs"] = {name: value for name, value in decoder["outputs"].items() if not name.startswith("topk")}
    (out / "genai_config.json").write_text(json.dumps(config))
    return out


def _model(config: ModelConfig, *, position_ids: bool) -> onnx.ModelProto:
    weights = tiny_weights(config)
    graph = _Graph()
    _count_tokens(graph)
    angles = np.outer(
        np.arange(config.max_positions), config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    )
    graph.constant("cos", np.cos(angles).astype(np.float32))
    graph.constant("sin", np.sin(angles).astype(np.float32))
    stream = graph.node(
        "Gather", [graph.constant("embed", weights["model.embed_tokens.weight"]), "input_ids"], "embedded"
    )
    for layer in range(config.layers):
        name = f"model.layers.{layer}"
        normed = graph.norm(stream, weights[f"{name}.input_layernorm.weight"], f"{name}.n1")
        qkv = [
            graph.matmul(normed, weights[f"{name}.self_attn.{part}_proj.weight"], f"{name}.{part}") for part in "qkv"
        ]
        attended = graph.node(
            "GroupQueryAttention",
            [
                *qkv,
                *(f"past_key_values.{layer}.{part}" for part in ("key", "value")),
                "seqlens_k",
                "total",
                "cos",
                "sin",
            ],
            f"{name}.attention",
            *(f"present.{layer}.{part}" for part in ("key", "value")),
            domain=_MS,
            num_heads=config.heads,
            kv_num_heads=config.kv_heads,
            do_rotary=1,
        )
        mixed = graph.matmul(attended, weights[f"{name}.self_attn.o_proj.weight"], f"{name}.o")
        stream = graph.node("Add", [stream, mixed], f"{name}.s1")
        normed = graph.norm(stream, weights[f"{name}.post_attention_layernorm.weight"], f"{name}.n2")
        gate = graph.matmul(normed, weights[f"{name}.mlp.gate_proj.weight"], f"{name}.gate")
        gate = graph.node("Mul", [gate, graph.node("Sigmoid", [gate], f"{name}.sigmoid")], f"{name}.silu")
        up = graph.matmul(normed, weights[f"{name}.mlp.up_proj.weight"], f"{name}.up")
        down = graph.matmul(
            graph.node("Mul", [gate, up], f"{name}.product"), weights[f"{name}.mlp.down_proj.weight"], f"{name}.down"
        )
        stream = graph.node("Add", [stream, down], f"{name}.s2")
    graph.matmul(graph.norm(stream, weights["model.norm.weight"], "norm"), weights["lm_head.weight"], "logits")
    if position_ids:  # older builders declare them
        graph.node("Identity", ["position_ids"], "positions")
    return _signed(graph, config, position_ids=position_ids)


def _count_tokens(graph: _Graph) -> None:
    graph.constant("one", np.array([1], np.int64))
    counted = graph.node("ReduceSum", ["attention_mask", "one"], "counted", keepdims=0)
    graph.node("Cast", [graph.node("Sub", [counted, "one"], "less")], "seqlens_k", to=TensorProto.INT32)
    width = graph.node("Squeeze", [graph.node("Shape", ["attention_mask"], "width", start=1, end=2)], "scalar_width")
    graph.node("Cast", [width], "total", to=TensorProto.INT32)


def _signed(graph: _Graph, config: ModelConfig, *, position_ids: bool) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    inputs = [info("input_ids", TensorProto.INT64, ["B", "S"]), info("attention_mask", TensorProto.INT64, ["B", "T"])]
    if position_ids:
        inputs.append(info("position_ids", TensorProto.INT64, ["B", "S"]))
    outputs = [info("logits", TensorProto.FLOAT, ["B", "S", config.vocab])]
    for layer in range(config.layers):
        for part in ("key", "value"):
            shape = ["B", config.kv_heads, "P", "kv_cache_dim"]  # symbolic, as the builder (0.18) writes it
            inputs.append(info(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, shape))
            outputs.append(info(f"present.{layer}.{part}", TensorProto.FLOAT, shape))
    made = helper.make_graph(graph.nodes, "genai", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_MS, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)
