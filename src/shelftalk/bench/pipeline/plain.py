"""A model in the plain loop of a tutorial: a session, a tokenizer, the likeliest token until the end, a cache in numpy.

As good as such a loop gets on our graph: weights and cache in eight bits, the choice made inside the graph, so that no logits are
copied out, arrays handed from one step to the next as they are, and the better number of threads. An I/O binding to one buffer for
the whole cache was tried, and is no faster for texts as short.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil

from shelftalk.engine.model_folder import open_model_folder

#: Texts by which the number of threads is chosen, after one to warm up.
_TRIES = 3

_TYPES = {"tensor(int8)": np.int8, "tensor(float)": np.float32}


class PlainModel:
    """Writes one text at a time.

    Args:
        folder: of a model as we build it.

    Attributes:
        prompt_variant: how the model wants to be asked.
        threads: of the session; `tune` chooses them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = open_model_folder(folder)
        self.prompt_variant = self._folder.prompt_variant
        self._open(1)

    def tune(self, prompt: str, most: int) -> None:
        """Take one thread or one a core, whichever writes a sample sooner."""
        took_s = {}
        for threads in {1, psutil.cpu_count(logical=False) or 1}:
            self._open(threads)
            took_s[threads] = min([self._took_s(prompt, most) for _ in range(1 + _TRIES)][1:])
        self._open(min(took_s, key=lambda threads: took_s[threads]))

    def write(self, prompt: str, most: int) -> str:
        """The words after a prompt, at most so many tokens."""
        new: list[int] = self._folder.tokenizer.encode(prompt, add_special_tokens=False).ids
        cache, length, written = self._nothing, 0, list[int]()
        while len(written) < most:
            length += len(new)
            chosen, *present = self._session.run(self._outputs, self._asked(new, length) | cache)
            token = int(chosen[0, 0, 0])
            if token in self._folder.vocabulary.end_ids:
                break
            written.append(token)
            new, cache = [token], dict(zip(cache, present, strict=True))
        text: str = self._folder.tokenizer.decode(written, skip_special_tokens=False)
        return text.strip()

    def _asked(self, new: Sequence[int], length: int) -> dict[str, np.ndarray]:
        """What the graph takes beside its cache; see `modelling.graph`."""
        return {
            "input_ids": np.array([new], np.int64),
            "seqlens_k": np.array([length - 1], np.int32),
            "total_sequence_length": np.array(length, np.int32),
            "last_index": np.array([[len(new) - 1]], np.int64),
            "mask_rows": self._all_allowed,
            "mask_index": np.zeros((1, 1), np.int64),
        }

    def _open(self, threads: int) -> None:
        self.threads = threads
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(self._folder.graph, options, providers=["CPUExecutionProvider"])
        inputs = {tensor.name: tensor for tensor in self._session.get_inputs()}
        caches = [name for name in inputs if name.startswith("past_key_values.")]
        self._outputs = ["topk_ids", *(name.replace("past_key_values", "present") for name in caches)]
        self._all_allowed = np.zeros((1, self._folder.columns), np.float32)
        shape = (1, self._folder.kv_heads, 0, self._folder.head_size)
        self._nothing = {name: np.zeros(shape, _TYPES[inputs[name].type]) for name in caches}

    def _took_s(self, prompt: str, most: int) -> float:
        began_s = time.perf_counter()
        self.write(prompt, most)
        return time.perf_counter() - began_s
