"""Keys and values of every row, allocated once on the device."""

from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from shelftalk.engine.model_folder import ModelFolder
from shelftalk.engine.session import Session, open_session

#: What a cache may be made of: ONNX Runtime's name, numpy's type, ONNX's type. int8 has its scales inside the graph.
ELEMENTS: dict[str, tuple[np.dtype[Any], int]] = {
    "tensor(float)": (np.dtype(np.float32), TensorProto.FLOAT),
    "tensor(float16)": (np.dtype(np.float16), TensorProto.FLOAT16),
    "tensor(int8)": (np.dtype(np.int8), TensorProto.INT8),
}

#: Operator sets of the copying graph: old enough for every ONNX Runtime we allow.
_OPSET, _IR_VERSION = 18, 10


class KVCache:
    """One buffer ``[rows, kv_heads, row_tokens, head_size]`` for keys and one for values of each layer.

    The graph reads and writes the same buffer: `bind` gives it a window of side-by-side rows as past and as present,
    which is what `GroupQueryAttention` takes as a shared buffer.

    Attributes:
        row_tokens: tokens that a row holds.
        size_bytes: of all the buffers.
        quantised: whether keys and values are kept in eight bits.
    """

    def __init__(self, folder: ModelFolder, session: Session, *, rows: int, row_tokens: int) -> None:
        self.row_tokens = row_tokens
        self._memory = session.memory
        self._shape = (folder.kv_heads, row_tokens, folder.head_size)
        names = folder.names
        self._pairs = [
            (past % layer, present % layer)
            for layer in range(folder.layers)
            for past, present in (
                (names.past_key_names, names.present_key_names),
                (names.past_value_names, names.present_value_names),
            )
        ]
        types = {tensor.name: tensor.type for tensor in session.ort.get_inputs()}
        self._dtype, self._element = ELEMENTS[types[self._pairs[0][0]]]
        self.quantised = self._dtype == np.int8
        # Zeros, not whatever was in memory: a NaN beyond a row's length must never meet a weight of zero.
        zeros = np.zeros((rows, *self._shape), self._dtype)
        self._buffers = [
            ort.OrtValue.ortvalue_from_numpy(zeros.copy(), self._memory, 0) for _ in range(len(self._pairs))
        ]
        self._row_bytes = zeros[0].nbytes
        self.size_bytes = zeros.nbytes * len(self._buffers)
        self._copier = open_session(self._copy_graph(), session.device, threads=1).ort
        self._copies: dict[tuple[int, int], Any] = {}

    def bind(self, binding: ort.IOBinding, first: int, count: int) -> None:
        """Bind rows ``first`` to ``first + count - 1`` as past and present."""
        for (past, present), address in zip(self._pairs, self._addresses(first), strict=True):
            shape = (count, *self._shape)
            binding.bind_input(past, self._memory, 0, self._dtype, shape, address)
            binding.bind_output(present, self._memory, 0, self._dtype, shape, address)

    def copy_row(self, source: int, target: int) -> None:
        """Copy a whole row. A graph of Identity nodes does it, because that works on every device.

        The binding of two rows is made once: that takes longer than to copy.
        """
        binding = self._copies.get((source, target))
        if binding is None:
            binding = self._copies[source, target] = self._copier.io_binding()
            addresses = zip(self._addresses(source), self._addresses(target), strict=True)
            for number, (read, write) in enumerate(addresses):
                binding.bind_input(f"from{number}", self._memory, 0, self._dtype, self._shape, read)
                binding.bind_output(f"to{number}", self._memory, 0, self._dtype, self._shape, write)
        self._copier.run_with_iobinding(binding)

    def _addresses(self, row: int) -> list[int]:
        return [buffer.data_ptr() + row * self._row_bytes for buffer in self._buffers]

    def _copy_graph(self) -> bytes:
        numbers = range(len(self._pairs))
        graph = helper.make_graph(
            [helper.make_node("Identity", [f"from{number}"], [f"to{number}"]) for number in numbers],
            "copy_row",
            [helper.make_tensor_value_info(f"from{number}", self._element, self._shape) for number in numbers],
            [helper.make_tensor_value_info(f"to{number}", self._element, self._shape) for number in numbers],
        )
        opset = [helper.make_opsetid("", _OPSET)]
        return bytes(helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION).SerializeToString())
