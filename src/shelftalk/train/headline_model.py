"""A headline model from end to end: VAE or GAN, from the mixture to the folder that is committed."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

# The sandboxed CPUs that this is trained on announce AMX tiles and then refuse them: torch dies with SIGILL.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16")

import numpy as np
import safetensors.numpy
import safetensors.torch

from shelftalk.core.brief import Channel
from shelftalk.modelling.adapter import load_head_ids
from shelftalk.modelling.headline import FORMAT
from shelftalk.modelling.tokenizer import make_tokenizer
from shelftalk.train.dataset import Pair, encode
from shelftalk.train.fit import FitSettings, Fitted, fit
from shelftalk.train.headline import STEPS, HeadlineShape
from shelftalk.train.headline_tasks import GanTask, Headline, TaskSettings, VaeTask
from shelftalk.train.loop import Mark
from shelftalk.train.mixture import Material, draw, held_out_pairs, survey
from shelftalk.train.own_tokenizer import CHAT, END, SLOTS
from shelftalk.train.picture import write_picture, write_table
from shelftalk.train.skeletons import VARIANT

Family = Literal["vae", "gan"]
TASKS: dict[str, type[VaeTask] | type[GanTask]] = {"vae": VaeTask, "gan": GanTask}


@dataclasses.dataclass(frozen=True)
class HeadlineRecipe:
    """Everything that decides the outcome.

    Attributes:
        pairs: written out in all, cards and ads.
        tokenizer: ``tokenizer.json`` of the small model, which the headline models share.
    """

    family: Family
    pairs: int = 30_000
    task: TaskSettings = dataclasses.field(default_factory=TaskSettings)
    fit: FitSettings = dataclasses.field(default_factory=lambda: FitSettings(steps=2400, look_every=100))

    @classmethod
    def smoke(cls, family: Family) -> "HeadlineRecipe":
        """Seconds from end to end: it proves the path, not the words."""
        return cls(
            family, 300, TaskSettings(batch=16, warm_steps=20, kl_steps=20), FitSettings(steps=40, look_every=20)
        )


def train_headline(  # noqa: PLR0917 - what is trained, from what, on what
    recipe: HeadlineRecipe,
    material: Material,
    tokenizer_json: dict[str, Any],
    work: Path,
    report: Callable[[Mark], None],
    start: Path | None = None,
) -> tuple[Fitted, np.ndarray, dict[str, Any]]:
    """Train, or go on where a run in the same folder was cut off.

    Args:
        recipe: what to do.
        material: what to learn from.
        tokenizer_json: of the small model.
        work: checkpoints.
        report: told of every evaluation.
        start: a folder of `write_headline` whose decoder to begin with: a GAN may go on from a VAE's, which has learned the words.

    Returns:
        The fitted weights, the token id of each column, and figures for the card.
    """
    tokenizer = make_tokenizer(tokenizer_json)

    def encoded(pairs: list[Pair]) -> list[tuple[list[int], list[int]]]:
        # Only what is short: a headline.
        short = (pair for pair in pairs if pair.brief.channel in {Channel.CARD, Channel.AD})
        examples = (encode(tokenizer, pair) for pair in short)
        return [(example.prompt, example.target) for example in examples if len(example.target) <= STEPS]

    training = encoded(draw(material, recipe.pairs, f"{recipe.task.seed}:headlines"))
    if start is None:
        slots = {number for token, number in tokenizer.get_vocab().items() if token in SLOTS}
        used = {token for _, target in training for token in target}
        ids = np.array(sorted(used | slots | {CHAT.index(END)}), np.int32)
    else:
        ids = load_head_ids(start / "head_ids.npy")
    column = {int(token): place for place, token in enumerate(ids)}
    training = [(prompt, target) for prompt, target in training if column.keys() >= set(target)]
    measured = [
        (prompt, target)
        for prompt, target in encoded(held_out_pairs(material, max(64, recipe.pairs // 30)))
        if column.keys() >= set(target)
    ]
    shape = HeadlineShape(vocab=tokenizer.get_vocab_size(), columns=len(ids))
    task: VaeTask | GanTask = TASKS[recipe.family](
        shape,
        recipe.task,
        [Headline(prompt, [column[token] for token in target]) for prompt, target in training],
        [Headline(prompt, [column[token] for token in target]) for prompt, target in measured],
    )
    if start is not None:
        before = safetensors.torch.load_file(start / "decoder.safetensors")
        task.decoder.load_state_dict({name: tensor.float() for name, tensor in before.items()})
    fitted = fit(task, recipe.fit, work, report)
    if recipe.family == "gan":
        # The likelihood is best before the fight; what the fight is for, it does not measure. The last weights are the GAN's.
        fitted.best = {name: tensor.detach().clone() for name, tensor in task.weights().items()}
    figures = {
        **survey(material),
        "pairs": len(training),
        "parameters": sum(weight.numel() for weight in fitted.best.values()),
        "columns": len(ids),
        "held_out_loss": round(fitted.marks[-1].held_out_loss or 0.0, 4) if fitted.marks else None,
        "steps": fitted.marks[-1].step if fitted.marks else 0,
        "minutes": round(fitted.seconds / 60, 1),
        "recipe": dataclasses.asdict(recipe),
        "shape": dataclasses.asdict(shape),
    }
    return fitted, ids, figures


def write_headline(  # noqa: PLR0917 - what was trained, with what, on what
    folder: Path,
    recipe: HeadlineRecipe,
    fitted: Fitted,
    ids: np.ndarray,
    tokenizer_json: dict[str, Any],
    figures: dict[str, Any],
) -> None:
    """The folder that `modelling.headline` builds from: weights (float16), columns, tokenizer, figures, losses."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.detach().numpy().astype(np.float16) for name, tensor in fitted.best.items()}
    safetensors.numpy.save_file(halves, folder / "decoder.safetensors")
    np.save(folder / "head_ids.npy", ids)
    described = {
        "format": FORMAT,
        "name": f"shelftalk-{recipe.family}",
        "family": recipe.family,
        "licence": "Apache-2.0",
        "prompt_variant": VARIANT,
        "steps": STEPS,
        "latent": figures["shape"]["latent"],
        "end": CHAT.index(END),
        # A GAN is trained on draws from its own scores; a VAE puts what differs into the latent.
        "noise": recipe.task.noise if recipe.family == "gan" else 0.0,
        "training": figures,
    }
    (folder / "headline.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json, ensure_ascii=False) + "\n", encoding="utf-8")
    write_table(fitted.marks, folder / "loss.csv")
    write_picture(fitted.marks, folder / "loss.png", f"shelftalk-{recipe.family}: {figures['pairs']} pairs")
