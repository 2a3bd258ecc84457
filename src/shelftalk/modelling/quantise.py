"""Eight-bit weights and activations (W8A8) whose result for a row doesn't depend on the other rows.

Weights have one scale for each output column. Activations have one scale for each *row*, its largest magnitude / 127;
a scale for the whole tensor (DynamicQuantizeLinear) would let a neighbour's outlier change your text. Integers are
multiplied exactly, so a row alone and a row in a batch agree to the last bit.

On the CPU a step of 16 rows spends about half its time in the integer products, which ONNX Runtime does, and 5% in the
quantising nodes; what is left to gain is attention, which an int8 cache makes three times faster (`variants`).

Activations are unsigned around 128, as the CPU's dot-product instructions (VNNI) take unsigned times signed.
"""

import numpy as np
from onnx import TensorProto

from shelftalk.modelling.graph import MICROSOFT, GraphBuilder

#: Largest magnitude of a signed byte that has a partner of the other sign.
LEVELS = 127

#: The byte that stands for zero in an activation.
MIDDLE = 128

#: Below this a column of weights counts as zero.
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
        self._middles_of: set[str] = set()

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
        quantised = self._quantise(graph, rows, weight.shape[1])
        return _multiply(graph, quantised, (matrix, graph.constant(f"{name}.scale", scales)), name)

    def tied_head(self, graph: GraphBuilder, rows: str, table: np.ndarray, name: str) -> str:
        """See `Arithmetic`. The transposition is folded away when the session is made; the file keeps one copy."""
        integers, scales = quantise_rows(table)
        matrix = graph.node("Transpose", [graph.constant("embedding", integers)], f"{name}.weight", perm=[1, 0])
        quantised = self._quantise(graph, rows, table.shape[1])
        return _multiply(graph, quantised, (matrix, graph.constant(f"{name}.scale", scales)), name)

    def _quantise(self, graph: GraphBuilder, rows: str, width: int) -> tuple[str, str]:
        """``rows`` [..., width] as bytes around 128, and the scale of each row; once, however many read them."""
        if rows not in self._quantised:
            size = graph.node("Abs", [rows], f"{rows}.size")
            axis = graph.constant("last_axis", np.array([-1], np.int64))
            largest = graph.node("ReduceMax", [size, axis], f"{rows}.largest", keepdims=1)
            # A row of zeros has scale 0: whatever integers come of 0 / 0, times the scale they are 0 again.
            scales = graph.node("Mul", [largest, graph.constant("level", np.float32(1 / LEVELS))], f"{rows}.scale")
            inputs = [rows, scales, self._middles(graph)]
            integers = graph.node("QuantizeLinear", inputs, f"{rows}.int8", axis=-1, block_size=width)
            self._quantised[rows] = integers, scales
        return self._quantised[rows]

    def _middles(self, graph: GraphBuilder) -> str:
        """The zero point of every row, uint8 [B, S, 1]: QuantizeLinear wants one for each scale."""
        name = f"{graph.tokens}.middle"
        if name not in self._middles_of:
            self._middles_of.add(name)
            shape = graph.node("Shape", [graph.tokens], f"{graph.tokens}.shape")
            one = graph.constant("one_more", np.array([1], np.int64))
            shape = graph.node("Concat", [shape, one], f"{graph.tokens}.middle_shape", axis=0)
            graph.node("Expand", [graph.constant("middle", np.uint8(MIDDLE)), shape], name)
        return name


def _multiply(graph: GraphBuilder, rows: tuple[str, str], matrix: tuple[str, str], name: str) -> str:
    """Exact integer product of ``(integers, scales)``, scaled by column inside the operator and by row after it."""
    one = graph.constant("one", np.float32(1))
    middle = graph.constant("middle", np.uint8(MIDDLE))
    inputs = [rows[0], matrix[0], one, matrix[1], middle]
    product = graph.node("MatMulIntegerToFloat", inputs, f"{name}.unscaled", MICROSOFT)
    return graph.node("Mul", [product, rows[1]], name)
