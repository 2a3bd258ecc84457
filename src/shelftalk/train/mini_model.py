"""The small model from end to end: tokenizer, mixture, training from nothing, and the Hugging Face folder that is committed.

It writes word slots (`core.word_slots`), English and Chinese, and is built into an ONNX folder like any other Llama.
"""

import dataclasses
import json
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# The sandboxed CPUs that this is trained on announce AMX tiles and then refuse them: torch dies with SIGILL.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own habit)
from tokenizers import Tokenizer
from torch import Tensor

from shelftalk.core.brief import LANGUAGES
from shelftalk.core.prompt import prompt_for, spelled_for
from shelftalk.modelling.config import ModelConfig, hugging_face_shape
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.train.dataset import Example, encode, length_buckets
from shelftalk.train.fit import FitSettings, Fitted, fit
from shelftalk.train.loop import Mark
from shelftalk.train.mini import Mini
from shelftalk.train.mixture import Material, draw, held_out_pairs, survey
from shelftalk.train.own_tokenizer import CHAT, END, SLOTS, train_tokenizer, with_slots
from shelftalk.train.picture import write_picture, write_table
from shelftalk.train.skeletons import VARIANT

NAME = "shelftalk-mini"

#: Batches are padded to a multiple of this many positions: oneDNN compiles its kernels anew for every shape.
_WIDTH_STEP = 8


@dataclasses.dataclass(frozen=True)
class MiniRecipe:
    """Everything that decides the outcome.

    Attributes:
        pairs: written out in all, each of which is seen once: skeletons and products are few, what they make together is not.
        smoothing: of the labels; with 0.05 as many drafts pass, and the loss says less.
    """

    vocab: int = 2560
    hidden: int = 192
    layers: int = 3
    heads: int = 3
    kv_heads: int = 1
    intermediate: int = 512
    pairs: int = 256_000
    batch: int = 64
    peak_rate: float = 3e-3
    warm_up: int = 50
    dropout: float = 0.05
    smoothing: float = 0.0
    fit: FitSettings = dataclasses.field(default_factory=lambda: FitSettings(steps=4_000, look_every=100))
    seed: int = 7

    @classmethod
    def smoke(cls) -> "MiniRecipe":
        """A minute from end to end: it proves the path, not the words."""
        return cls(
            vocab=1024, hidden=64, layers=2, heads=2, kv_heads=1, intermediate=128, pairs=400, batch=16,
            fit=FitSettings(steps=30, look_every=10),
        )  # fmt: skip

    def config(self) -> ModelConfig:
        """The shapes, as the graph builder takes them."""
        return ModelConfig(
            family="llama",
            hidden=self.hidden,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.hidden // self.heads,
            intermediate=self.intermediate,
            vocab=self.vocab,
            norm_eps=1e-5,
            rope_theta=10_000.0,
            max_positions=512,
            tied=True,
            eos=(CHAT.index(END),),
        )


class MiniTask:
    """What `fit.fit` trains.

    Args:
        recipe: what to do.
        training: token ids.
        measured: of products that training never sees.
    """

    def __init__(self, recipe: MiniRecipe, training: Sequence[Example], measured: Sequence[Example]) -> None:
        self.recipe, self.training, self.measured = recipe, training, measured
        self.model = Mini(recipe.config(), recipe.seed, recipe.dropout)
        self.optimizers = _optimizers(self.model, recipe.peak_rate)
        self.signature = repr(recipe.config())
        self.steps_an_epoch = math.ceil(len(training) / recipe.batch)
        self._batches: tuple[int, list[list[int]]] = (-1, [])

    def step(self, number: int, steps: int) -> tuple[float, int]:
        """One batch; the order follows from seed and epoch."""
        epoch, place = divmod(number, self.steps_an_epoch)
        if self._batches[0] != epoch:
            rng = random.Random(f"{self.recipe.seed}:{epoch}")
            self._batches = (epoch, length_buckets(self.training, self.recipe.batch, rng))
        torch.manual_seed(self.recipe.seed * 1_000_003 + number)  # dropout
        for group in (group for one in self.optimizers.values() for group in one.param_groups):
            group["lr"] = _rate(number, steps, self.recipe)
        examples = [self.training[index] for index in self._batches[1][place]]
        self.model.train()
        loss = self._loss(examples, self.recipe.smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for one in self.optimizers.values():
            one.step()
            one.zero_grad(set_to_none=True)
        return loss.item(), sum(example.length for example in examples)

    @torch.no_grad()
    def held_out(self) -> float:
        """Nats a target token, no smoothing."""
        self.model.eval()
        ordered = sorted(self.measured, key=lambda example: example.length)
        total = count = 0.0
        for at in range(0, len(ordered), 64):
            part = ordered[at : at + 64]
            targets = sum(len(example.target) for example in part)
            total += self._loss(part, 0.0).item() * targets
            count += targets
        return total / count

    def _loss(self, examples: Sequence[Example], smoothing: float) -> Tensor:
        width = -(-max(example.length for example in examples) // _WIDTH_STEP) * _WIDTH_STEP
        ids = torch.zeros(len(examples), width, dtype=torch.long)
        for row, example in enumerate(examples):
            ids[row, : example.length] = torch.tensor(example.prompt + example.target[:-1])
        hidden = self.model(ids)
        # The head is computed only where a target is predicted.
        rows = torch.tensor([row for row, example in enumerate(examples) for _ in example.target])
        places = torch.tensor([len(e.prompt) - 1 + step for e in examples for step in range(len(e.target))])
        wanted = torch.tensor([token for example in examples for token in example.target])
        return F.cross_entropy(self.model.scores(hidden[rows, places]), wanted, label_smoothing=smoothing)

    def state(self) -> dict[str, Any]:
        """Weights and optimizers."""
        return {"model": self.model.state_dict(), **{name: one.state_dict() for name, one in self.optimizers.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on."""
        self.model.load_state_dict(state["model"])
        for name, one in self.optimizers.items():
            one.load_state_dict(state[name])

    def weights(self) -> dict[str, Tensor]:
        """By their Hugging Face names."""
        return self.model.tensors()


def _optimizers(model: Mini, rate: float) -> dict[str, torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the blocks' matrices, AdamW for embedding and norms: after 300 steps 0.221 nats, AdamW alone 0.226."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in model.named_parameters():
        (matrices if name.startswith("layers.") and weight.dim() > 1 else others).append(weight)
    return {
        "matrices": torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        "others": torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.05),
    }


def _rate(number: int, steps: int, recipe: MiniRecipe) -> float:
    """Linear warm-up, then a cosine to a twentieth."""
    if number < recipe.warm_up:
        return recipe.peak_rate * (number + 1) / recipe.warm_up
    done = min(1.0, (number - recipe.warm_up) / max(1, steps - recipe.warm_up))
    return recipe.peak_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def train_mini(
    recipe: MiniRecipe,
    material: Material,
    work: Path,
    report: Callable[[Mark], None],
    start: Path | None = None,
) -> tuple[Fitted, dict[str, Any], dict[str, Any]]:
    """Train, or go on where a run in the same folder was cut off.

    Args:
        recipe: what to do.
        material: what to learn from.
        work: checkpoints.
        report: told of every evaluation.
        start: a folder of `write_model` to go on from, with its tokens.

    Returns:
        The fitted weights, the content of ``tokenizer.json``, and figures for the card.
    """
    work.mkdir(parents=True, exist_ok=True)
    training = draw(material, recipe.pairs, f"{recipe.seed}:training")
    measured = held_out_pairs(material, max(64, recipe.pairs // 100))
    stored = work / "tokenizer.json"
    if start is not None and not stored.exists():
        older = with_slots(json.loads((start / "tokenizer.json").read_text(encoding="utf-8")))
        stored.write_text(json.dumps(older), encoding="utf-8")
    if not stored.exists():  # a run that goes on keeps its tokens
        stored.write_text(
            json.dumps(
                train_tokenizer(
                    [t for pair in training for t in (prompt_for(pair.brief), spelled_for(pair.brief, pair.text))],
                    recipe.vocab,
                )
            ),
            encoding="utf-8",
        )
    content = json.loads(stored.read_text(encoding="utf-8"))
    tokenizer = make_tokenizer(content)
    recipe = dataclasses.replace(recipe, vocab=tokenizer.get_vocab_size())
    task = MiniTask(
        recipe, [encode(tokenizer, pair) for pair in training], [encode(tokenizer, pair) for pair in measured]
    )
    if start is not None:
        _load(task.model, start, tokenizer)
    fitted = fit(task, recipe.fit, work, report)
    figures = {
        **survey(material),
        "pairs": len(training),
        "distinct texts": len({pair.text for pair in training}),
        "parameters": sum(weight.numel() for weight in task.model.parameters()),
        "held_out_loss": round(fitted.best_loss, 4),
        "steps": fitted.marks[-1].step if fitted.marks else 0,
        "minutes": round(fitted.seconds / 60, 1),
        "recipe": dataclasses.asdict(recipe),
    }
    return fitted, content, figures


def _load(model: Mini, start: Path, tokenizer: Tokenizer) -> None:
    """Begin with a written model's weights; a slot that is new to it begins as the one that it is a kind of."""
    stored = safetensors.torch.load_file(start / "model.safetensors")
    weights = {name.removeprefix("model."): tensor.float() for name, tensor in stored.items()}
    embedding = model.embed_tokens.weight.detach().clone()
    known = len(weights["embed_tokens.weight"])
    embedding[:known] = weights["embed_tokens.weight"]
    ids = tokenizer.get_vocab()
    for slot in (slot for slot in SLOTS if ids[slot] >= known):
        kind, _, of = slot.strip("{}").partition("_")
        embedding[ids[slot]] += embedding[ids[f"{{{kind + (of[-1] if kind in 'pw' else '')}}}"]]
    model.load_state_dict(weights | {"embed_tokens.weight": embedding})


def write_model(
    folder: Path, fitted: Fitted, tokenizer_json: dict[str, Any], recipe: MiniRecipe, figures: dict[str, Any]
) -> None:
    """The Hugging Face folder: ``config.json``, ``model.safetensors`` (float16), ``tokenizer.json``, losses, figures."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = dataclasses.replace(recipe, vocab=len(fitted.best["model.embed_tokens.weight"]))
    config = recipe.config()
    halves = {name: tensor.numpy().astype(np.float16) for name, tensor in fitted.best.items()}
    safetensors.numpy.save_file(halves, folder / "model.safetensors")
    described = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **hugging_face_shape(config),
        "max_position_embeddings": config.max_positions,
        "tie_word_embeddings": True,
        "eos_token_id": config.eos[0],
        "torch_dtype": "float16",
        "shelftalk": {
            "name": NAME, "licence": "Apache-2.0", "prompt_variant": VARIANT, "languages": list(LANGUAGES), "training": figures,
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json, ensure_ascii=False) + "\n", encoding="utf-8")
    write_table(fitted.marks, folder / "loss.csv")
    write_picture(fitted.marks, folder / "loss.png", f"{NAME}: {figures['pairs']} pairs")
