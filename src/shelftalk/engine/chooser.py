"""The choice of the next tokens where the candidates lie: on a GPU only the chosen ids come back.

A small graph does what `sampler.choose_one` does, in float32: top-k, temperature, top-p, and the inverse of the distribution at
the request's own draw. Every operator works on one row, so that nobody's choice depends on the batch. On a CPU the candidates are
at hand already, and the sampler chooses; there this graph runs in tests (`tests/engine/test_chooser.py`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from shelftalk.engine import sampler
from shelftalk.engine.sampler import Choice
from shelftalk.engine.session import Session, open_session

_OPSET, _IR_VERSION = 18, 10

#: Of one row: inverse temperature, top-k, top-p, draw.
_SETTINGS = 4


#: Colder would be an infinity in float32, and the likeliest token alone is left long before.
_COLDEST = 1e-6

#: The largest float32 below 1.
_HIGHEST_DRAW = float(np.nextafter(np.float32(1), np.float32(0)))


class DeviceChooser:
    """As `sampler.choose`, for candidates in memory of the device."""

    def __init__(self, session: Session, candidates: int) -> None:
        """Make the graph.

        Args:
            session: the model's; the choice runs beside it.
            candidates: how many the model gives for each row, K.
        """
        self._ort = open_session(_graph(candidates), session.device, threads=1).ort

    def __call__(self, values: Any, ids: Any, choices: Sequence[Choice]) -> tuple[list[int], dict[int, str]]:
        """The next tokens, and the rows that none can be chosen for, with the reason.

        Args:
            values: OrtValue float32 ``[B, P, K]``, masked logits, descending.
            ids: OrtValue int64 ``[B, P, K]``.
            choices: one a row, in order; rows beyond are padding.
        """
        if any(choice.penalty != 1 for choice in choices):
            # It depends on all that the text has, which only the host knows.
            shape = (-1, values.shape()[-1])
            return sampler.choose(values.numpy().reshape(shape), ids.numpy().reshape(shape), choices)
        settings = np.zeros((*values.shape()[:-1], _SETTINGS), np.float32)
        flat = settings.reshape(-1, _SETTINGS)
        for row, choice in enumerate(choices):
            if choice.temperature == 0:
                flat[row] = (1, 1, 1, 0)
            else:
                sharpness = 1 / max(choice.temperature, _COLDEST)
                flat[row] = (sharpness, choice.top_k, choice.top_p, min(choice.draw, _HIGHEST_DRAW))
        binding = self._ort.io_binding()
        binding.bind_ortvalue_input("values", values)
        binding.bind_ortvalue_input("ids", ids)
        binding.bind_cpu_input("settings", settings)
        binding.bind_output("tokens", "cpu")
        binding.bind_output("checks", "cpu")
        self._ort.run_with_iobinding(binding)
        tokens, checks = (output.numpy().reshape(flat.shape[0], -1)[: len(choices)] for output in binding.get_outputs())
        return tokens[:, 0].tolist(), sampler.faults(checks)


def _graph(candidates: int) -> bytes:
    """Inputs ``values``, ``ids`` ``[B, P, K]`` and ``settings`` ``[B, P, 4]``; outputs ``tokens`` and ``checks``, ``[B, P, 1]``."""
    constants = {
        "last": np.array([-1], np.int64),
        "axis": np.array(-1, np.int64),
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "zero": np.float32(0),
        "ranks": np.arange(candidates, dtype=np.float32),
    }
    steps = [
        ("Split", ["settings"], ["sharpness", "top_k", "top_p", "draw"], {"axis": -1, "num_outputs": _SETTINGS}),
        ("Slice", ["values", "first", "second", "last"], ["best"], {}),
        ("Sub", ["values", "best"], ["below"], {}),
        ("Mul", ["below", "sharpness"], ["scaled"], {}),
        ("Exp", ["scaled"], ["weights"], {}),
        ("Less", ["ranks", "top_k"], ["within"], {}),
        ("Where", ["within", "weights", "zero"], ["limited"], {}),
        ("ReduceSum", ["limited", "last"], ["all"], {"keepdims": 1}),
        ("Mul", ["all", "top_p"], ["enough"], {}),
        ("CumSum", ["limited", "axis"], ["before"], {"exclusive": 1}),
        ("Less", ["before", "enough"], ["covering"], {}),
        ("Where", ["covering", "limited", "zero"], ["kept"], {}),
        ("ReduceSum", ["kept", "last"], ["covered"], {"keepdims": 1}),
        ("Mul", ["covered", "draw"], ["target"], {}),
        ("CumSum", ["kept", "axis"], ["passed"], {}),
        ("Greater", ["passed", "target"], ["behind"], {}),
        ("Cast", ["behind"], ["behind.float"], {"to": TensorProto.FLOAT}),
        ("ArgMax", ["behind.float"], ["place"], {"axis": -1, "keepdims": 1}),
        ("GatherElements", ["ids", "place"], ["tokens"], {"axis": -1}),
        # The best value, with what is NaN or infinite anywhere in the row: 0 times that is NaN.
        ("Mul", ["values", "zero"], ["nothing"], {}),
        ("ReduceSum", ["nothing", "last"], ["fault"], {"keepdims": 1}),
        ("Add", ["best", "fault"], ["checks"], {}),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs, **attributes) for kind, inputs, outputs, attributes in steps],
        "choose",
        [
            info("values", TensorProto.FLOAT, ["B", "P", candidates]),
            info("ids", TensorProto.INT64, ["B", "P", candidates]),
            info("settings", TensorProto.FLOAT, ["B", "P", _SETTINGS]),
        ],
        [info("tokens", TensorProto.INT64, ["B", "P", 1]), info("checks", TensorProto.FLOAT, ["B", "P", 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", _OPSET)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION).SerializeToString())
