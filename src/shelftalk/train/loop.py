"""The training loop: batches, schedule, checkpoints, early stopping.

The blocks below the adapter never change, so their output is computed once for each example and kept as float16:
a step then costs only the adapted blocks.
"""

import dataclasses
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from torch import Tensor

from shelftalk.train.dataset import Example, length_buckets
from shelftalk.train.llama import Llama
from shelftalk.train.lora import adapter_tensors, load_adapter

#: Batches are padded to a multiple of this many positions: oneDNN compiles its kernels anew for every shape.
WIDTH_STEP = 16


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """How to train.

    Attributes:
        epochs: passes over the hand-written lines, each over the next version of the data set.
        batch: examples a step.
        peak_rate: learning rate after the warm-up; it then falls to a twentieth along a cosine.
        warm_up: share of the steps until then.
        smoothing: label smoothing while training.
        evaluations: held-out evaluations an epoch.
        patience: evaluations without a better one until training stops.
        checkpoint_every: steps between checkpoints.
        minutes: wall-clock limit; the schedule is not bent to it.
    """

    epochs: int = 3
    batch: int = 16
    peak_rate: float = 1e-3
    warm_up: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    smoothing: float = 0.0
    evaluations: int = 3
    patience: int = 4
    checkpoint_every: int = 50
    minutes: float = math.inf
    seed: int = 7


@dataclasses.dataclass(frozen=True)
class Mark:
    """One line of progress. Losses are nats a target token."""

    step: int
    epoch: float
    seconds: float
    tokens_per_second: float
    rate: float
    training_loss: float
    held_out_loss: float | None = None


class Bottom:
    """Output of the frozen blocks for each example, computed when first asked for."""

    def __init__(self, model: Llama, examples: Sequence[Example], first_layer: int) -> None:
        self.model = model
        self.examples = examples
        self.first_layer = first_layer
        self._kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def batch(self, indices: Sequence[int]) -> Tensor:
        """Padded activations ``[B, S, D]`` of the examples."""
        missing = [index for index in indices if index not in self._kept]
        if missing:
            rows = [torch.tensor(self.examples[i].prompt + self.examples[i].target[:-1]) for i in missing]
            width = -(-max(map(len, rows)) // WIDTH_STEP) * WIDTH_STEP
            ids = torch.stack([F.pad(row, (0, width - len(row))) for row in rows])
            x = self.model(F.embedding(ids, self.model.embedding), 0, self.first_layer)
            for row, index in enumerate(missing):
                self._kept[index] = x[row, : len(rows[row])].half()
        width = -(-max(len(self._kept[index]) for index in indices) // WIDTH_STEP) * WIDTH_STEP
        x = torch.zeros(len(indices), width, self.model.config.hidden)
        for row, index in enumerate(indices):
            x[row, : len(self._kept[index])] = self._kept[index]
        return x


def batch_loss(model: Llama, bottom: Bottom, indices: Sequence[int], smoothing: float = 0.0) -> tuple[Tensor, int]:
    """Mean loss over the batch's target tokens, and how many there are.

    The head is computed only where a target is predicted: the position before each of its tokens.
    """
    x = model(bottom.batch(indices), bottom.first_layer, model.config.layers)
    examples = [bottom.examples[index] for index in indices]
    rows = torch.tensor([row for row, example in enumerate(examples) for _ in example.target])
    places = torch.tensor([len(e.prompt) - 1 + step for e in examples for step in range(len(e.target))])
    wanted = torch.tensor([token for example in examples for token in example.target])
    labels = torch.searchsorted(model.head_ids, wanted)
    return F.cross_entropy(model.logits(x[rows, places]), labels, label_smoothing=smoothing), len(wanted)


@torch.no_grad()
def held_out_loss(model: Llama, bottom: Bottom, batch: int) -> float:
    """Mean loss a target token over every example."""
    model.eval()
    order = sorted(range(len(bottom.examples)), key=lambda index: bottom.examples[index].length)
    total, tokens = 0.0, 0
    for start in range(0, len(order), batch):
        loss, count = batch_loss(model, bottom, order[start : start + batch])
        total, tokens = total + loss.item() * count, tokens + count
    model.train()
    return total / tokens


def rate_at(step: int, steps: int, settings: LoopSettings) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to a twentieth of the peak."""
    rising = max(1, round(settings.warm_up * steps))
    if step < rising:
        return settings.peak_rate * (step + 1) / rising
    fallen = (step - rising) / max(1, steps - rising)
    return settings.peak_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * fallen)))


class Run:
    """One training run; ``marks`` grows while it goes, ``best`` is the adapter with the lowest held-out loss.

    Args:
        model: base with adapters attached.
        versions: the training set, once for each augmented version; epochs take turns.
        held_out: examples of products that training never sees.
        folder: where checkpoints are written and a run that was cut off goes on.
    """

    def __init__(
        self,
        model: Llama,
        versions: Sequence[Sequence[Example]],
        held_out: Sequence[Example],
        *,
        first_layer: int,
        settings: LoopSettings,
        folder: Path,
    ) -> None:
        self.model = model
        self.settings = settings
        self.folder = folder
        self.bottoms = [Bottom(model, examples, first_layer) for examples in versions]
        self.held_out = Bottom(model, held_out, first_layer)
        self.trained = dict(adapter_tensors(model))
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            lr=settings.peak_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )
        self.marks: list[Mark] = []
        self.best: dict[str, Tensor] = {}
        self.best_loss = math.inf
        self.worse = 0
        self.step = 0
        self.seconds = 0.0

    @property
    def steps_an_epoch(self) -> int:
        """Batches in one pass."""
        return math.ceil(len(self.bottoms[0].examples) / self.settings.batch)

    def train(self, report: Callable[[Mark], None]) -> None:
        """Train to the end, or until the held-out loss stops falling, or until the time is up."""
        settings, steps = self.settings, self.settings.epochs * self.steps_an_epoch
        self._resume()
        torch.manual_seed(settings.seed + self.step)  # dropout
        self.model.train()
        if self.step == 0:
            self._evaluate(report, training_loss=math.nan, rate=0.0, speed=0.0)
        every = max(1, self.steps_an_epoch // settings.evaluations)
        started, before = time.monotonic(), self.seconds
        losses: list[float] = []
        tokens = 0
        since = started
        for bottom, indices in self._batches():
            rate = rate_at(self.step, steps, settings)
            losses.append(self._update(bottom, indices, rate))
            tokens += sum(bottom.examples[index].length for index in indices)
            self.step += 1
            now = time.monotonic()
            self.seconds = before + now - started
            if self.step % 10 == 0 or self.step == steps:
                speed, loss = tokens / (now - since), sum(losses) / len(losses)
                if self.step % every < 10 or self.step == steps:  # noqa: PLR2004 (the nearest mark)
                    self._evaluate(report, loss, rate, speed)
                else:
                    self._mark(report, loss, rate, speed, None)
                losses, tokens, since = [], 0, time.monotonic()
            if self.step % settings.checkpoint_every == 0:
                self._checkpoint()
            if self.worse >= settings.patience:
                break
            if self.seconds > 60 * settings.minutes:
                if losses:
                    self._evaluate(report, sum(losses) / len(losses), rate, tokens / (time.monotonic() - since))
                break
        self._checkpoint()

    def _batches(self) -> Iterator[tuple[Bottom, list[int]]]:
        """The batches that are still to come; their order depends only on the seed and the epoch."""
        done = self.step
        for epoch in range(self.settings.epochs):
            bottom = self.bottoms[epoch % len(self.bottoms)]
            rng = random.Random(f"{self.settings.seed}:{epoch}")
            for indices in length_buckets(bottom.examples, self.settings.batch, rng):
                if done:
                    done -= 1
                    continue
                yield bottom, indices

    def _update(self, bottom: Bottom, indices: Sequence[int], rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, _ = batch_loss(self.model, bottom, indices, self.settings.smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def _evaluate(self, report: Callable[[Mark], None], training_loss: float, rate: float, speed: float) -> None:
        loss = held_out_loss(self.model, self.held_out, self.settings.batch)
        if loss < self.best_loss:
            self.best_loss, self.worse = loss, 0
            self.best = {name: tensor.detach().clone() for name, tensor in self.trained.items()}
        else:
            self.worse += 1
        self._mark(report, training_loss, rate, speed, loss)

    def _mark(
        self, report: Callable[[Mark], None], training: float, rate: float, speed: float, held_out: float | None
    ) -> None:
        mark = Mark(self.step, self.step / self.steps_an_epoch, self.seconds, speed, rate, training, held_out)
        self.marks.append(mark)
        report(mark)

    def _checkpoint(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "settings": json.dumps(dataclasses.asdict(self.settings)),
            "adapter": {name: tensor.detach() for name, tensor in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "numbers": [self.step, self.seconds, self.best_loss, self.worse],
            "marks": [dataclasses.asdict(mark) for mark in self.marks],
        }
        # Written beside and renamed: a run that is killed while it writes still has its last checkpoint.
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").rename(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["settings"] != json.dumps(dataclasses.asdict(self.settings)):
            return  # another run's
        load_adapter(self.model, state["adapter"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.step, self.seconds, self.best_loss, self.worse = state["numbers"]
        self.marks = [Mark(**mark) for mark in state["marks"]]
