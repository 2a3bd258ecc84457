"""llama.cpp through llama-cpp-python's low-level API, driven as its own server does it: rows join and leave at any step."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import llama_cpp as lc
import numpy as np

from shelftalk.bench.engine.clients import Arrival, Clients, Wanted

#: Tokens that one row may have, prompt and text.
_ROW_TOKENS = 256

#: Prompt tokens that one step may take in beside the running rows; its server's own default for a physical batch.
_STEP_TOKENS = 512


class LlamaCpp:
    """Continuous batching: each step feeds new prompts whole and one token of every running row."""

    def __init__(self, model: Path, threads: int) -> None:
        self._quiet = lc.llama_log_callback(lambda *_: None)  # must outlive the library's use of it
        lc.llama_log_set(self._quiet, None)
        lc.llama_backend_init()
        params = lc.llama_model_default_params()
        # The repacked matrices of machines with AMX crashed it (llama-cpp-python 0.3.36); elsewhere they are the fastest.
        params.use_extra_bufts = "amx_tile" not in Path("/proc/cpuinfo").read_text()
        self._model = lc.llama_model_load_from_file(str(model).encode(), params)
        if not self._model:
            raise RuntimeError(f"llama.cpp can't load {model}")
        self._words = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self._model))
        self._threads = threads
        self._context = None
        self._batch = lc.llama_batch_init(4096, 0, 1)

    def prepare(self, concurrency: int, wanted: Sequence[Wanted]) -> None:  # noqa: ARG002
        """See `Contestant`."""
        if self._context:
            lc.llama_free(self._context)
        params = lc.llama_context_default_params()
        params.n_ctx = _ROW_TOKENS * concurrency
        params.n_seq_max = concurrency
        params.n_batch = 4096
        params.n_ubatch = _STEP_TOKENS
        params.n_threads = params.n_threads_batch = self._threads
        self._context = lc.llama_init_from_model(self._model, params)
        if not self._context:
            raise RuntimeError("llama.cpp can't make a context")
        for row in range(concurrency):
            self._decode([(300 + row, 0, row, True)])
        lc.llama_memory_clear(lc.llama_get_memory(self._context), True)

    def serve(self, clients: Clients) -> None:
        """See `Contestant`."""
        free = list(range(clients.concurrency))
        # Row: its caller, how many tokens it has in the cache, the tokens written, the next token to feed.
        running: dict[int, tuple[Arrival, int, int, int]] = {}
        while not clients.over:
            arrivals = clients.take(len(free), 0.0 if running else None) if free else []
            fed: list[tuple[int, int, int, bool]] = []
            for row, (_, length, _, token) in running.items():
                fed.append((token, length, row, True))
            for arrival in arrivals:
                row = free.pop()
                prompt = arrival.wanted.prompt
                fed += [(token, place, row, place == len(prompt) - 1) for place, token in enumerate(prompt)]
                running[row] = (arrival, len(prompt) - 1, 0, -1)
            if not fed:
                continue
            for row, token in self._decode(fed).items():
                arrival, length, written, _ = running[row]
                if written + 1 == arrival.wanted.new_tokens:
                    lc.llama_memory_seq_rm(lc.llama_get_memory(self._context), row, -1, -1)
                    del running[row]
                    free.append(row)
                    clients.finish(arrival)
                else:
                    running[row] = (arrival, length + 1, written + 1, token)

    def _decode(self, fed: list[tuple[int, int, int, bool]]) -> dict[int, int]:
        """Feed (token, position, row, wanted) and give the likeliest next token of each row that is wanted."""
        batch = self._batch
        batch.n_tokens = len(fed)
        for place, (token, position, row, wanted) in enumerate(fed):
            batch.token[place] = token
            batch.pos[place] = position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = row
            batch.logits[place] = wanted
        code = lc.llama_decode(self._context, batch)
        if code:
            raise RuntimeError(f"llama_decode failed with {code}")
        chosen = {}
        for place, (_, _, row, wanted) in enumerate(fed):
            if wanted:
                logits = lc.llama_get_logits_ith(self._context, place)
                array = np.ctypeslib.as_array(ctypes.cast(logits, ctypes.POINTER(ctypes.c_float)), (self._words,))
                chosen[row] = int(array.argmax())
        return chosen
