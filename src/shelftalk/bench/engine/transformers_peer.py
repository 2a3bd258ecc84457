"""transformers' ``generate``, batched: one batch from its first to its last token."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from shelftalk.bench.engine.clients import Clients, Wanted, gather
from shelftalk.bench.engine.contestant import GATHER_S


class Transformers:
    """Batches of whoever waits, padded on the left; all get their texts when the longest is done."""

    def __init__(self, folder: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
        self._model.eval()

    def prepare(self, concurrency: int, wanted: Sequence[Wanted]) -> None:  # noqa: ARG002
        """See `Contestant`."""
        self._generate([[300 + row] * 32 for row in range(min(concurrency, 4))], 2)

    def serve(self, clients: Clients) -> None:
        """See `Contestant`."""
        while batch := gather(clients, clients.concurrency, GATHER_S):
            longest = max(arrival.wanted.new_tokens for arrival in batch)
            self._generate([arrival.wanted.prompt for arrival in batch], longest)
            for arrival in batch:
                clients.finish(arrival)

    def _generate(self, prompts: list[list[int]], count: int) -> None:
        width = max(map(len, prompts))
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode():
            self._model.generate(
                ids, attention_mask=mask, max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0
            )
