"""Eight-bit weights and activations (W8A8) whose result for a row doesn't depend on the other rows.

Weights have one scale for each output column. Activations have one scale for each *row*, its largest magnitude / 127;
a scale for the whole tensor (DynamicQuantizeLinear) would let a neighbour's outlier change your text. Integers are
multiplied exactly, so a row alone and a row in a batch agree to the last bit.

Activations are unsigned around 128, as the CPU's dot-product instructions (VNNI) take unsigned times signed.
"""

import numpy as np
from onnx import TensorProto

from shelftalk.modelling.graph import MICROSOFT, GraphBuilder

#: Largest magnitude of a signed byte that has a partner of the other sign.
LEVELS = 127

#: Below this a row counts as zero.
SMALLEST = 1e-8


def quantise_rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``matrix`` [n, m] as int8 [n, m] and float32 scales [n]: ``matrix`` is about ``integers * scales[:, None]``."""
    scales = np.maximum(np.abs(matrix).max(axis=1), SMALLEST) / LEVELS
    integers = np.clip(np.rint(matrix / scales[:, None]), -LEVELS, LEVELS).astype(np.int8)
    return integers, scales.astype(np.float32)


class Int8Arithmetic:
    """Int8 matrices and embedding, float32 everything else."""

    float_type: type[np.floating] = np.float32

    def __init__(self) -> None:
        self._quantised: dict[str, tuple[str, str]] = {}

    def embedding(self, graph: GraphBuilder, table: np.ndarray, ids: str, output: str) -> str:
        """See `Arithmetic`."""
        integers, scales = quantise_rows(table)
        rows = graph.node("Gather", [graph.constant("embedding", integers), ids], f"{output}.int8")
        rows = graph.node("Cast", [rows], f"{output}.float", to=TensorProto.FLOAT)
        scale = graph.node("Gather", [graph.constant("embedding.scale", scales[:, None]), ids], f"{output}.scale")
        return graph.node("Mul", [rows, scale], output)

    def linear(self, graph: GraphBuilder, rows: str, weight: np.ndarray, name: str) -> str:
        """See `Arithmetic`."""
        integers, scales = quantise_rows(weight)
        matrix = graph.constant(f"{name}.weight", integers.T)
        return self._multiply(graph, rows, matrix, graph.constant(f"{name}.scale", scales), name)

    def tied_head(self, graph: GraphBuilder, rows: str, table: np.ndarray, name: str) -> str:
        """See `Arithmetic`. The transposition is folded away when the session is made; the file keeps one copy."""
        integers, scales = quantise_rows(table)
        matrix = graph.constant("embedding", integers)
        matrix = graph.node("Transpose", [matrix], f"{name}.weight", perm=[1, 0])
        return self._multiply(graph, rows, matrix, graph.constant(f"{name}.scale", scales), name)

    def _multiply(self, graph: GraphBuilder, rows: str, matrix: str, scales: str, name: str) -> str:
        integers, row_scale = self._quantise(graph, rows)
        one = graph.constant("one", np.float32(1))
        zero = graph.constant("middle", np.uint8(128))
        product = graph.node(
            "MatMulIntegerToFloat", [integers, matrix, one, scales, zero], f"{name}.unscaled", MICROSOFT
        )
        return graph.node("Mul", [product, row_scale], name)

    def _quantise(self, graph: GraphBuilder, rows: str) -> tuple[str, str]:
        """``rows`` as bytes around 128, and the scale of each row; once for every tensor, however many read it."""
        if rows not in self._quantised:
            size = graph.node("Abs", [rows], f"{rows}.size")
            axis = graph.constant("last_axis", np.array([-1], np.int64))
            largest = graph.node("ReduceMax", [size, axis], f"{rows}.largest", keepdims=1)
            largest = graph.node("Max", [largest, graph.constant("smallest", np.float32(SMALLEST))], f"{rows}.positive")
            scale = graph.node("Mul", [largest, graph.constant("level", np.float32(1 / LEVELS))], f"{rows}.scale")
            shrunk = graph.node("Div", [rows, scale], f"{rows}.shrunk")
            shifted = graph.node("Add", [shrunk, graph.constant("shift", np.float32(128.5))], f"{rows}.shifted")
            self._quantised[rows] = graph.node("Cast", [shifted], f"{rows}.int8", to=TensorProto.UINT8), scale
        return self._quantised[rows]
