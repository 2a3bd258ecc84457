"""How likely an untuned base model finds a text: SmolLM2-135M in numpy, English only."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from shelftalk.modelling.reference import forward
from shelftalk.modelling.tokenizer import load_tokenizer_json, make_tokenizer
from shelftalk.modelling.weights import load_weights


class BaseModel:
    """The judge.

    Args:
        base: GGUF file or Hugging Face folder.
    """

    def __init__(self, base: Path) -> None:
        self._weights = load_weights(base)
        self._tokenizer = make_tokenizer(load_tokenizer_json(base))
        self._start = self._tokenizer.token_to_id("<|endoftext|>") or 0

    def perplexity(self, texts: Sequence[str], progress: Callable[[int, int], None] = lambda _done, _of: None) -> float:
        """Of all the texts together: e to the nats a token, each text by itself after the start token."""
        nats = count = 0.0
        for number, text in enumerate(texts):
            ids = [self._start, *self._tokenizer.encode(text, add_special_tokens=False).ids]
            logits = forward(self._weights, ids[:-1])
            peak = logits.max(-1, keepdims=True)
            logs = logits - peak - np.log(np.exp(logits - peak).sum(-1, keepdims=True))
            nats -= float(logs[np.arange(len(ids) - 1), ids[1:]].sum())
            count += len(ids) - 1
            progress(number + 1, len(texts))
        return math.exp(nats / max(1.0, count))
