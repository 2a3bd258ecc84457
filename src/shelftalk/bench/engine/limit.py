"""What this machine could do at best: the int8 products it can compute and the bytes it can read in a second.

Both are measured, not read from a data sheet: the rate of ONNX Runtime's own integer product on matrices that stay in the
cache, and the rate at which all cores together read memory. The limit leaves out attention, norms and all of Python.
"""

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

#: A matrix of this size, int8, fits the second-level cache of any server core.
_SIZE = 512
_ROWS = 512
_READ_BYTES = 256 << 20
_REPEATS = 12


@dataclasses.dataclass(frozen=True)
class Machine:
    """Measured rates.

    Attributes:
        products_per_s: int8 multiply-adds.
        bytes_per_s: read from memory.
    """

    products_per_s: float
    bytes_per_s: float


@dataclasses.dataclass(frozen=True)
class Work:
    """What an average request asks of the machine, in int8.

    Attributes:
        layer_weights: multiply-adds of a token without the head; as many bytes of weights.
        head_weights: of the head.
        prompt_tokens: of an average prompt.
        new_tokens: of an average text.
    """

    layer_weights: int
    head_weights: int
    prompt_tokens: float
    new_tokens: float

    def requests_per_s(self, machine: Machine, concurrency: int) -> float:
        """The most that any engine could finish with this many rows at once."""
        prompt_s = (self.prompt_tokens * self.layer_weights + self.head_weights) / machine.products_per_s
        weights = self.layer_weights + self.head_weights
        step_s = max(concurrency * weights / machine.products_per_s, weights / machine.bytes_per_s)
        # The prompt's pass gives the first token.
        return 1 / (prompt_s + (self.new_tokens - 1) * step_s / concurrency)


def measure(threads: int) -> Machine:
    """Measure this machine; about a second."""
    return Machine(_products_per_s(threads), _bytes_per_s(threads))


def _products_per_s(threads: int) -> float:
    rng = np.random.default_rng(0)
    matrix = rng.integers(-127, 128, (_SIZE, _SIZE)).astype(np.int8)
    info = helper.make_tensor_value_info
    node = helper.make_node("MatMulInteger", ["rows", "matrix"], ["product"])
    graph = helper.make_graph(
        [node],
        "peak",
        [info("rows", TensorProto.UINT8, [_ROWS, _SIZE])],
        [info("product", TensorProto.INT32, [_ROWS, _SIZE])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rows = rng.integers(0, 255, (_ROWS, _SIZE)).astype(np.uint8)
    seconds = _best_s(lambda: session.run(None, {"rows": rows}), threads)
    return threads * _ROWS * _SIZE * _SIZE / seconds


def _bytes_per_s(threads: int) -> float:
    blocks = [np.ones(_READ_BYTES // threads // 4, np.float32) for _ in range(threads)]
    turns = itertools.cycle(blocks)
    seconds = _best_s(lambda: next(turns).max(), threads)
    return _READ_BYTES / seconds


def _best_s(work: Callable[[], object], threads: int) -> float:
    """The shortest time in which every thread did the work once."""
    best = np.inf
    for _ in range(_REPEATS):
        runners = [threading.Thread(target=work) for _ in range(threads)]
        begun = time.perf_counter()
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        best = min(best, time.perf_counter() - begun)
    return float(best)
