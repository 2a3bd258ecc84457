"""Decode steps of a few fixed sizes, everything at fixed addresses on the device: what a CUDA graph can be made of.

A CUDA graph replays the same kernels on the same addresses with the same shapes. So a step of n rows is padded to the next size;
inputs, masks, cache and answers lie in buffers made once; and the one number that attention reads on the CPU, how long the
longest row is, is always the row's capacity. Nothing here knows CUDA: on a CPU the same steps run without a graph, and write the
same texts (`tests/engine/test_buckets.py`).

**The capture itself has not been run on a GPU yet.** ``make bench-cuda`` is prepared to.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from shelftalk.engine.kv_cache import KVCache
from shelftalk.engine.sampler import Ids, Values
from shelftalk.engine.session import Session

#: Candidates that leave our graphs for each row.
_CANDIDATES = 32

#: ONNX Runtime's number for a run that is neither captured nor replayed.
NO_GRAPH = "-1"


def bucket_sizes(rows: int) -> list[int]:
    """1, 2, 4, ... and the whole batch."""
    return sorted({*(1 << power for power in range(rows.bit_length()) if 1 << power <= rows), rows})


def run_options(graph: str) -> ort.RunOptions:
    """Which CUDA graph a run captures the first time and replays afterwards; `NO_GRAPH` for none."""
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph)
    return options


class Buckets:
    """Decode steps, padded. Made for our own graphs only: onnxruntime-genai's give all logits and take a growing mask."""

    def __init__(self, session: Session, cache: KVCache, masks: Any, input_ids: str, rows: int) -> None:
        """Keep what steps are made of; each size is made when it is first used.

        Args:
            session: of the model.
            cache: its rows 0 to ``rows - 1`` take part.
            masks: the fact lock's table on the device; it stays at its address.
            input_ids: what the graph calls its tokens.
            rows: the largest batch.
        """
        self._session, self._cache, self._masks, self._input_ids = session, cache, masks, input_ids
        self._sizes = bucket_sizes(rows)
        self._steps: dict[int, _Step] = {}

    def decode(
        self, tokens: Sequence[int], lengths: Sequence[int], masks: npt.NDArray[np.int64], *, stay: bool = False
    ) -> tuple[Values, Ids]:
        """As `Runner.decode`; answers that stay on the device have the padding rows too.

        Padding rows are free ones: each writes a token at its beginning, which a prefill overwrites.
        """
        count = len(tokens)
        size = next(size for size in self._sizes if size >= count)
        step = self._steps.get(size)
        if step is None:
            step = self._steps[size] = _Step(self._session, self._cache, self._masks, self._input_ids, size)
        spare = size - count
        step.feed(
            np.pad(np.asarray(tokens, np.int64), (0, spare))[:, None],
            np.pad(np.asarray(lengths, np.int32), (0, spare)),
            np.pad(masks, (0, spare), mode="edge")[:, None],
        )
        values, ids = step.run()
        if stay:
            return values, ids
        # Copies, also on a CPU: the next step writes into the same buffers.
        return values.numpy()[:count, 0].copy(), ids.numpy()[:count, 0].copy()


class _Step:
    """One size: its buffers, bound once."""

    def __init__(self, session: Session, cache: KVCache, masks: Any, input_ids: str, size: int) -> None:
        def buffer(array: npt.NDArray[Any], memory: str = session.memory) -> Any:
            return ort.OrtValue.ortvalue_from_numpy(array, memory, 0)

        self._session = session.ort
        self._ids = buffer(np.zeros((size, 1), np.int64))
        self._seqlens = buffer(np.zeros(size, np.int32))
        self._mask_index = buffer(np.zeros((size, 1), np.int64))
        self._values = buffer(np.zeros((size, 1, _CANDIDATES), np.float32))
        self._tokens = buffer(np.zeros((size, 1, _CANDIDATES), np.int64))
        self._binding = session.ort.io_binding()
        cache.bind(self._binding, 0, size)
        inputs = {
            input_ids: self._ids,
            "seqlens_k": self._seqlens,
            "mask_index": self._mask_index,
            "mask_rows": masks,
            "last_index": buffer(np.zeros((size, 1), np.int64)),
            # Attention reads it on the CPU, so a graph keeps the value that it was captured with.
            "total_sequence_length": buffer(np.asarray(cache.row_tokens, np.int32), "cpu"),
        }
        self._kept = inputs  # the binding borrows their memory
        for name, value in inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("topk_values", self._values)
        self._binding.bind_ortvalue_output("topk_ids", self._tokens)
        self._options = run_options(str(size) if session.cuda_graphs else NO_GRAPH)

    def feed(self, ids: npt.NDArray[np.int64], seqlens: npt.NDArray[np.int32], masks: npt.NDArray[np.int64]) -> None:
        self._ids.update_inplace(np.ascontiguousarray(ids))
        self._seqlens.update_inplace(seqlens)
        self._mask_index.update_inplace(np.ascontiguousarray(masks))

    def run(self) -> tuple[Any, Any]:
        self._session.run_with_iobinding(self._binding, self._options)
        return self._values, self._tokens
