"""Proof that a model folder is what it should be: hashes, logits, and rows that don't disturb each other."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.calibrate import PROMPTS
from shelftalk.modelling.config import read_json
from shelftalk.modelling.folder import Manifest
from shelftalk.modelling.graph import Head
from shelftalk.modelling.reference import hidden_states
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.modelling.weights import Weights

#: Mean divergence from the reference, in nats, that a variant may have. Sound builds of SmolLM2-135M have 1e-9 (fp32), 1e-5
#: (fp16) and 0.03 (W8A8); a wrong scale or a swapped matrix gives several nats.
DIVERGENCE_LIMITS = {"fp32": 1e-5, "fp16": 1e-2, "w8a8": 0.15, "w8a8-kv8": 0.15}

_ROW_TOKENS = 128
_STEPS = 12
_PROMPTS = 6

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}


@dataclasses.dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes:
        model_id: of the manifest.
        divergence: mean Kullback-Leibler divergence of the next token from the reference, in nats; None without one.
        limit: what it may be for this variant.
        agreement: how often model and reference prefer the same token; None without a reference.
        same_tokens: greedy tokens alone are the greedy tokens in a batch, joined at once or one by one.
        same_bits: and so are their scores, to the last bit.
    """

    model_id: str
    divergence: float | None
    limit: float
    agreement: float | None
    same_tokens: bool
    same_bits: bool

    @property
    def passed(self) -> bool:
        """Whether the folder can be trusted."""
        return self.same_tokens and (self.divergence is None or self.divergence <= self.limit)


class Step(NamedTuple):
    """What a row got in one call: the candidates' scores and ids, [32] each, and the logits [H]."""

    values: np.ndarray
    ids: np.ndarray
    logits: np.ndarray


@dataclasses.dataclass
class Row:
    """One text in the making, with its part of the cache."""

    ids: list[int]
    cache: dict[str, np.ndarray]
    done: int = 0


class PlainRunner:
    """The simplest caller of the graph: everything is copied in and out, nothing is shared."""

    def __init__(self, graph: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        try:
            self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base but Exception
            raise ModelFolderError(f"{graph} can't be loaded ({error}): build the model again") from error
        inputs = {tensor.name: tensor for tensor in self.session.get_inputs()}
        self._caches = {name: tensor for name, tensor in inputs.items() if name.startswith("past_key_values.")}
        self._words = inputs["mask_rows"].shape[1]
        self._outputs = [tensor.name for tensor in self.session.get_outputs()]

    def row(self, prompt: Sequence[int]) -> Row:
        """A row that hasn't been read yet."""
        cache = {
            name: np.zeros((tensor.shape[1], _ROW_TOKENS, tensor.shape[3]), _TYPES[tensor.type])
            for name, tensor in self._caches.items()
        }
        return Row(list(prompt), cache)

    def step(self, rows: Sequence[Row]) -> list[Step]:
        """Feed what each row has not fed yet (its prompt, or its last token), in one call."""
        news = [row.ids[row.done :] for row in rows]
        longest = max(len(new) for new in news)
        lengths = [len(row.ids) for row in rows]
        feeds = {
            "input_ids": np.array([new + [0] * (longest - len(new)) for new in news], np.int64),
            "seqlens_k": np.array(lengths, np.int32) - 1,
            "total_sequence_length": np.array(max(lengths), np.int32),
            "last_index": np.array([[len(new) - 1] for new in news], np.int64),
            "mask_rows": np.zeros((1, self._words), np.float32),
            "mask_index": np.zeros((len(rows), 1), np.int64),
        }
        feeds |= {name: np.stack([row.cache[name] for row in rows]) for name in self._caches}
        outputs = dict(zip(self._outputs, self.session.run(self._outputs, feeds), strict=True))
        for number, row in enumerate(rows):
            row.done = len(row.ids)
            for name in self._caches:
                row.cache[name] = outputs[name.replace("past_key_values", "present")][number]
        kinds = ("topk_values", "topk_ids", "logits")
        return [Step(*(outputs[kind][number, 0] for kind in kinds)) for number in range(len(rows))]


def check(folder: Path, reference: tuple[Weights, Head] | None = None) -> CheckReport:
    """Check a folder of ours.

    Args:
        folder: written by `build.build` or `tiny.build_tiny`.
        reference: the weights it was built from and its head, to compare logits with.

    Raises:
        ModelFolderError: a file is missing, changed, or can't be loaded.
    """
    manifest = Manifest.read(folder)
    manifest.verify(folder)
    tokenizer = make_tokenizer(read_json(folder / "tokenizer.json"))
    runner = PlainRunner(folder / "model.onnx")
    prompts = _prompts(tokenizer)
    alone = [_greedy(runner, [prompt], joins=[0])[0] for prompt in prompts]
    batches = [
        _greedy(runner, prompts, joins=[0] * len(prompts)),
        _greedy(runner, prompts, joins=[2 * number for number in range(len(prompts))]),
    ]
    pairs = [
        (mine, shared)
        for batch in batches
        for one, other in zip(alone, batch, strict=True)
        for mine, shared in zip(one, other, strict=True)
    ]
    divergence, agreement = _compare(runner, prompts, reference) if reference else (None, None)
    return CheckReport(
        model_id=manifest.model_id,
        divergence=divergence,
        limit=DIVERGENCE_LIMITS[manifest.variant],
        agreement=agreement,
        same_tokens=all(mine.ids[0] == shared.ids[0] for mine, shared in pairs),
        same_bits=all(np.array_equal(mine.logits, shared.logits) for mine, shared in pairs),
    )


def _prompts(tokenizer: Tokenizer) -> list[list[int]]:
    """Prompts of different lengths, cut where a tiny tokenizer makes them long."""
    encoded = [tokenizer.encode(prompt, add_special_tokens=False).ids for prompt in PROMPTS[:_PROMPTS]]
    return [ids[: _ROW_TOKENS - _STEPS - 7 * number] for number, ids in enumerate(encoded)]


def _greedy(runner: PlainRunner, prompts: Sequence[Sequence[int]], joins: Sequence[int]) -> list[list[Step]]:
    """Write every row greedily; row i is read at step ``joins[i]``, while the others go on."""
    rows = [runner.row(prompt) for prompt in prompts]
    steps: list[list[Step]] = [[] for _ in rows]
    clock = 0
    while any(len(got) < _STEPS for got in steps):
        new = [number for number, join in enumerate(joins) if join == clock]
        going = [number for number, got in enumerate(steps) if got and len(got) < _STEPS]
        # GroupQueryAttention takes rows of several tokens and rows of one only in separate calls.
        for numbers in (new, going):
            if numbers:
                for number, step in zip(numbers, runner.step([rows[number] for number in numbers]), strict=True):
                    steps[number].append(step)
                    rows[number].ids.append(int(step.ids[0]))
        clock += 1
    return steps


def _compare(
    runner: PlainRunner,
    prompts: Sequence[Sequence[int]],
    reference: tuple[Weights, Head],
) -> tuple[float, float]:
    """Mean divergence from the reference, and how often both prefer the same word, over beginnings of the prompts."""
    weights, head = reference
    matrix = weights.head if head.rows is None else head.rows
    divergences, agreements = [], []
    for prompt in prompts:
        wanted = hidden_states(weights, prompt) @ matrix.T
        for length in range(len(prompt), 0, -7):
            (step,) = runner.step([runner.row(prompt[:length])])
            expected, found = _log_softmax(wanted[length - 1]), _log_softmax(step.logits)
            divergences.append(float(np.sum(np.exp(expected) * (expected - found))))
            agreements.append(bool(expected.argmax() == found.argmax()))
    return float(np.mean(divergences)), float(np.mean(agreements))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max()
    logs: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    return logs
