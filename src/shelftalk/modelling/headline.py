"""The headline models (VAE, GAN) as an ONNX graph: one forward pass a headline, its steps unrolled inside.

Inputs (B rows, S prompt tokens, C columns, Z latent width):

    prompt_ids   int64   [B, S]   right-padded with 0
    latent       float32 [B, Z]   a draw from a standard normal
    mask         float32 [B, C]   added to the scores of every step: 0 allows, -inf forbids
    noise        float32 [B, T, C]  added to the scores; Gumbel noise makes the choice a draw (a GAN's only one), 0 leaves it

Output:

    columns      int64   [B, T]   the likeliest column of each step; what stands behind the end column means nothing
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.adapter import load_head_ids
from shelftalk.modelling.config import read_json
from shelftalk.modelling.weights import hash_file, read_safetensors

FORMAT = 3

_FORBIDDEN = np.float32(-1e30)


class _Graph:
    """Nodes and constants, while they are put together."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.require(value, requirements="C"), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        out = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def linear(self, x: str, name: str) -> str:
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.node(
            "Add", self.node("MatMul", x, weight), self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        )


def _condition(graph: _Graph) -> str:
    """The prompt as one vector (`train.headline.Condition`): each token with the one behind it."""
    node, constant = graph.node, graph.constant
    words = constant("condition.words", graph.weights["condition.words.weight"])
    there = node("Not", node("Equal", "prompt_ids", constant("padding", np.array(0))))
    counted = node("Cast", there, to=TensorProto.FLOAT)
    axis = constant("last_axis", np.array([1]))
    count = node("Max", node("ReduceSum", counted, axis, keepdims=1), constant("one", np.array([1], np.float32)))
    spoken = node("Gather", words, "prompt_ids")
    # Behind the last token stands padding, whose row is zero.
    from_second = node("Slice", spoken, constant("second", np.array([1])), constant("end", np.array([2**31])), axis)
    behind = node("Pad", from_second, constant("one_behind", np.array([0, 0, 0, 0, 1, 0])))
    pairs = node("Tanh", node("Add", spoken, graph.linear(behind, "condition.behind")))
    pairs = node("Mul", pairs, node("Unsqueeze", counted, constant("third_axis", np.array([2]))))
    total = node("ReduceSum", pairs, axis, keepdims=0)
    return node("Tanh", graph.linear(node("Div", total, node("Sqrt", count)), "condition.layer"))


def headline_graph(weights: Mapping[str, np.ndarray], steps: int, end_column: int) -> onnx.ModelProto:
    """Write the graph of a decoder (`train.headline.Decoder`, whose parameter names ``weights`` has)."""
    graph = _Graph(weights)
    node, constant, linear, nodes = graph.node, graph.constant, graph.linear, graph.nodes
    axis = constant("last_axis", np.array([1]))
    condition = _condition(graph)
    context = node("Concat", condition, "latent", axis=1)
    hidden = node("Tanh", linear(context, "start"))
    # The context is the same at every step: its share of the gates is computed once.
    width = weights["tokens.weight"].shape[1]
    input_weight, gates = weights["gru.weight_ih_l0"], weights["gru.weight_hh_l0"].shape[1]
    of_context = node(
        "Add",
        node("MatMul", context, constant("gru.context", input_weight[:, width:].T)),
        constant("gru.bias_ih", weights["gru.bias_ih_l0"]),
    )
    # Embedding and input weights in one table, a row a column; the last row is what stands before the first token.
    table = constant("gru.of_token", weights["tokens.weight"] @ input_weight[:, :width].T)
    first = np.zeros((1, len(weights["out.bias"])), np.float32)
    first[0, end_column] = _FORBIDDEN
    not_empty = constant("not_empty", first)
    recurrent = constant("gru.hidden", weights["gru.weight_hh_l0"].T)
    recurrent_bias = constant("gru.bias_hh", weights["gru.bias_hh_l0"])
    thirds = constant("thirds", np.array([gates] * 3))
    given = node(
        "Expand",
        constant("start_row", np.array([len(weights["tokens.weight"]) - 1])),
        node("Shape", "latent", start=0, end=1),
    )

    def split(x: str) -> list[str]:
        names = [f"gate_{len(nodes)}_{place}" for place in range(3)]
        nodes.append(helper.make_node("Split", [x, thirds], names, axis=1))
        return names

    written = []
    for step in range(steps):
        reset_x, update_x, new_x = split(node("Add", node("Gather", table, given), of_context))
        reset_h, update_h, new_h = split(node("Add", node("MatMul", hidden, recurrent), recurrent_bias))
        reset = node("Sigmoid", node("Add", reset_x, reset_h))
        update = node("Sigmoid", node("Add", update_x, update_h))
        new = node("Tanh", node("Add", new_x, node("Mul", reset, new_h)))
        hidden = node("Add", new, node("Mul", update, node("Sub", hidden, new)))
        of_step = node("Gather", "noise", constant(f"step_{step}", np.array(step)), axis=1)
        scores = node("Add", node("Add", linear(hidden, "out"), "mask"), of_step)
        if step == 0:
            scores = node("Add", scores, not_empty)
        given = node("ArgMax", scores, axis=1, keepdims=0)
        written.append(node("Unsqueeze", given, axis))
    nodes.append(helper.make_node("Concat", written, ["columns"], axis=1))
    latent = len(weights["start.weight"][0]) - len(weights["condition.layer.bias"])
    whole = helper.make_graph(
        nodes,
        "headline",
        [
            helper.make_tensor_value_info("prompt_ids", TensorProto.INT64, ["B", "S"]),
            helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["B", latent]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["B", len(weights["out.bias"])]),
            helper.make_tensor_value_info("noise", TensorProto.FLOAT, ["B", steps, len(weights["out.bias"])]),
        ],
        [helper.make_tensor_value_info("columns", TensorProto.INT64, ["B", steps])],
        list(graph.constants.values()),
    )
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def build_headline(source: Path, out: Path) -> Path:
    """Make the folder that the engine runs, whole or not at all; left as it is if it was built from the same.

    Args:
        source: as `train.headline_model.write_headline` writes it.
        out: the folder.

    Raises:
        ModelFolderError: the source is damaged.
    """
    raw = read_json(source / "headline.json")
    if raw.get("format") != FORMAT:
        raise ModelFolderError(
            f"{source}: headline format {raw.get('format')} is not {FORMAT}: use a matching shelftalk"
        )
    parts = [source / name for name in ("headline.json", "decoder.safetensors", "head_ids.npy", "tokenizer.json")]
    missing = [path.name for path in parts if not path.is_file()]
    if missing:
        raise ModelFolderError(f"{source} lacks {', '.join(missing)}: fetch or train it again")
    key = hashlib.sha256("".join(hash_file(path) for path in (*parts, Path(__file__))).encode()).hexdigest()[:16]
    if (out / "manifest.json").exists() and read_json(out / "manifest.json").get("key") == key:
        return out
    ids = load_head_ids(source / "head_ids.npy")
    try:
        end = int(np.flatnonzero(ids == raw["end"])[0])
        graph = headline_graph(read_safetensors(source / "decoder.safetensors"), int(raw["steps"]), end)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelFolderError(f"{source} is not a whole headline model ({error!r}): train it again") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        onnx.save_model(graph, folder / "model.onnx")
        for name in ("headline.json", "head_ids.npy", "tokenizer.json"):
            shutil.copyfile(source / name, folder / name)
        files = {
            path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())
        }
        together = json.dumps({name: entry["sha256"] for name, entry in files.items()}, sort_keys=True)
        manifest = {
            "format": FORMAT,
            "model_id": hashlib.sha256(together.encode()).hexdigest()[:12],
            "name": raw["name"],
            "licence": raw["licence"],
            "prompt_variant": raw["prompt_variant"],
            "key": key,
            "files": files,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        folder.rename(out)
    return out
