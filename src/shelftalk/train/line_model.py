"""The line model from end to end: SmolLM2-135M-Instruct, hand-written lines, an adapter folder."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

# The sandboxed CPUs that this is trained on announce AMX tiles and then refuse them: torch dies with SIGILL.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")

import numpy as np
import safetensors.torch
import torch
from tokenizers import Tokenizer

from shelftalk.core.brief import Brief
from shelftalk.core.prompt import DEFAULT_VARIANT, prompt_for, slots_of, text_of
from shelftalk.errors import ConfigError
from shelftalk.modelling.slots import add_slot_tokens, slot_embeddings, slot_ids
from shelftalk.modelling.tokenizer import load_tokenizer_json, make_tokenizer, spelled_slots
from shelftalk.modelling.weights import Weights, load_weights
from shelftalk.train.dataset import END, Example, Pair, augmented, encode, split_by_product
from shelftalk.train.export import write_adapter
from shelftalk.train.grounded import grounded_pairs
from shelftalk.train.head import choose_head, unencodable
from shelftalk.train.lines import LINES_DIR, Product, load_products
from shelftalk.train.llama import Llama
from shelftalk.train.loop import LoopSettings, Mark, Run
from shelftalk.train.lora import LoraSettings, attach, load_adapter
from shelftalk.train.picture import write_picture, write_table
from shelftalk.train.sample import generate

NAME = "smollm2-135m-line"
BASE_NAME = "SmolLM2-135M-Instruct"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome.

    Attributes:
        held_out: share of the products that are only measured on.
        versions: augmented versions of the data set that the epochs take turns with.
        products: how many products to use at most; 0 is all (fewer for a smoke run).
        grounded: whether this is the second course: plain, grounded pairs only.
    """

    lora: LoraSettings = dataclasses.field(default_factory=LoraSettings)
    loop: LoopSettings = dataclasses.field(default_factory=LoopSettings)
    held_out: float = 0.08
    versions: int = 2
    products: int = 0
    grounded: bool = False

    @classmethod
    def second(cls) -> Self:
        """The second course: gentler, since it starts from an adapter."""
        return cls(loop=LoopSettings(epochs=1, peak_rate=6e-4, patience=9), grounded=True)

    @classmethod
    def smoke(cls) -> Self:
        """A minute from end to end: it proves the path, not the words."""
        return cls(
            LoraSettings(first_layer=27, rank=4, alpha=8.0),
            LoopSettings(epochs=1, batch=8, checkpoint_every=5),
            held_out=0.2,
            versions=1,
            products=20,
        )


class LineModel:
    """Base, tokenizer, data and adapter of one recipe.

    Args:
        base: a ``.gguf`` file or a Hugging Face folder.
        recipe: what to do.
        lines: the folder of hand-written lines.
    """

    def __init__(self, base: Path, recipe: Recipe, lines: Path = LINES_DIR) -> None:
        raw = load_tokenizer_json(base)
        spelled = spelled_slots(make_tokenizer(raw))
        self.recipe = recipe
        self.tokenizer: Tokenizer = make_tokenizer(add_slot_tokens(raw))
        self.weights: Weights = load_weights(base)
        products = load_products(lines)
        if recipe.products:
            products = products[:: max(1, len(products) // recipe.products)][: recipe.products]
        seed = recipe.loop.seed
        training, self.held_out = split_by_product(products, recipe.held_out, seed)
        self.versions = [self._encoded(training, version) for version in range(recipe.versions)]
        self.measured = self._encoded(self.held_out, 0)
        every = [*self.versions[0], *self.measured]
        self.head_ids: np.ndarray = choose_head(self.tokenizer, every)
        if lost := unencodable(every, self.head_ids):
            raise ConfigError(f"{len(lost)} lines need tokens outside the head, the first is number {lost[0]}")
        rows = slot_embeddings(self.weights["model.embed_tokens.weight"], spelled)
        self.model = Llama(
            self.weights,
            self.head_ids.tolist(),
            torch.from_numpy(rows.astype(np.float32)),
            list(slot_ids().values()),
        )
        attach(self.model, recipe.lora, seed)

    def _encoded(self, products: list[Product], version: int) -> list[Example]:
        make = grounded_pairs if self.recipe.grounded else augmented
        pairs = make(products, self.recipe.loop.seed, version)
        return [encode(self.tokenizer, pair) for pair in pairs]

    def start_from(self, adapter: Path) -> None:
        """Go on from an adapter that was trained before."""
        stored = safetensors.torch.load_file(adapter / "adapter.safetensors")
        load_adapter(self.model, {name: tensor.float() for name, tensor in stored.items()})

    def train(self, folder: Path, report: Callable[[Mark], None]) -> Run:
        """Train, or go on where a run in the same folder was cut off; the model then holds the best adapter.

        Writes ``checkpoint.pt``, ``loss.csv`` and ``loss.png`` there.
        """
        run = Run(
            self.model,
            self.versions,
            self.measured,
            first_layer=self.recipe.lora.first_layer,
            settings=self.recipe.loop,
            folder=folder,
        )
        run.train(report)
        load_adapter(self.model, run.best)
        write_table(run.marks, folder / "loss.csv")
        write_picture(run.marks, folder / "loss.png", f"{NAME}: {len(self.versions[0])} pairs")
        return run

    def export(self, folder: Path, run: Run) -> None:
        """Write the adapter folder with the best adapter of a run, and the run's losses beside it."""
        write_adapter(
            folder,
            tensors=run.best,
            head_ids=self.head_ids,
            base_hash=self.weights.source_hash,
            base_name=BASE_NAME,
            name=NAME,
            variant=DEFAULT_VARIANT,
            lora=self.recipe.lora,
            training=self._figures(run),
        )
        write_table(run.marks, folder / "loss.csv")
        write_picture(run.marks, folder / "loss.png", f"{NAME}: {len(self.versions[0])} pairs")

    def _figures(self, run: Run) -> dict[str, Any]:
        best = min((m for m in run.marks if m.held_out_loss is not None), key=lambda m: m.held_out_loss or 0.0)
        return {
            "lines": len(self.versions[0]),
            "held_out_lines": len(self.measured),
            "held_out_products": len(self.held_out),
            "held_out_loss_before": round(run.marks[0].held_out_loss or 0.0, 4),
            "held_out_loss": round(best.held_out_loss or 0.0, 4),
            "epochs_at_best": round(best.epoch, 2),
            "steps": run.step,
            "minutes": round(run.seconds / 60, 1),
            "head_tokens": len(self.head_ids),
            "recipe": dataclasses.asdict(self.recipe),
        }

    def held_out_pairs(self) -> list[Pair]:
        """The pairs that training never saw, in the writers' order."""
        return augmented(self.held_out, self.recipe.loop.seed, 0)

    def write(self, briefs: list[Brief], temperature: float = 0.7, top_p: float = 0.9, seed: int = 0) -> list[str]:
        """A text for each brief, slots not filled. Slots that a brief doesn't allow can't be written."""
        ids = slot_ids()
        texts = generate(
            self.model,
            [self.tokenizer.encode(prompt_for(brief), add_special_tokens=False).ids for brief in briefs],
            end=self.tokenizer.token_to_id(END),
            allowed=[[ids[f"{{{slot}}}"] for slot in slots_of(brief)] for brief in briefs],
            banned_from=list(ids.values()),
            temperature=temperature,
            top_p=top_p,
            seed=seed,
        )
        written = [self.tokenizer.decode(text, skip_special_tokens=False) for text in texts]
        return [text_of(brief, text) for brief, text in zip(briefs, written, strict=True)]
