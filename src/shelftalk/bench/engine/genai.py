"""onnxruntime-genai's Generator: one batch from its first to its last token.

Its continuous-batching ``Engine`` refuses graphs for the CPU (it needs PagedAttention, which is CUDA's alone).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime_genai as og

from shelftalk.bench.engine.clients import Clients, Wanted, gather
from shelftalk.bench.engine.contestant import GATHER_S


class Genai:
    """Batches of whoever waits, padded on the left; a caller gets the text at its own last token."""

    def __init__(self, folder: Path, threads: int) -> None:
        config = og.Config(str(folder))
        options = {"intra_op_num_threads": threads}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self._model = og.Model(config)
        self._pad = int(json.loads((folder / "genai_config.json").read_text())["model"]["pad_token_id"])

    def prepare(self, concurrency: int, wanted: Sequence[Wanted]) -> None:  # noqa: ARG002
        """See `Contestant`."""
        for _ in self._steps([[300 + row] * 32 for row in range(concurrency)], 4):
            pass

    def serve(self, clients: Clients) -> None:
        """See `Contestant`."""
        while batch := gather(clients, clients.concurrency, GATHER_S):
            longest = max(arrival.wanted.new_tokens for arrival in batch)
            for step in self._steps([arrival.wanted.prompt for arrival in batch], longest):
                for arrival in batch:
                    if arrival.wanted.new_tokens == step:
                        clients.finish(arrival)

    def _steps(self, prompts: list[list[int]], count: int) -> Iterator[int]:
        width = max(map(len, prompts))
        ids = np.full((len(prompts), width), self._pad, np.int32)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = prompt
        params = og.GeneratorParams(self._model)
        length = width + count + 1
        params.set_search_options(max_length=length, min_length=length, batch_size=len(prompts), do_sample=False)
        generator = og.Generator(self._model, params)
        generator.append_tokens(ids)
        for step in range(1, count + 1):
            generator.generate_next_token()
            yield step
