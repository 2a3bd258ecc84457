"""A random headline model through the real builder: it writes nonsense, but other nonsense for every latent."""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy

from shelftalk.modelling.headline import FORMAT, build_headline
from shelftalk.modelling.slots import SLOT_TOKENS
from shelftalk.modelling.tiny import tiny_tokenizer_json

VOCAB, STEPS, LATENT, WIDTH, HIDDEN = 512, 8, 4, 12, 16

#: Every token may stand in a headline, the forbidden ones too: that they never do is the fact lock's work.
IDS = np.arange(2, VOCAB, dtype=np.int32)
END = 2


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = len(IDS)
    shapes = {
        "condition.words.weight": (VOCAB, WIDTH),
        "condition.behind.weight": (WIDTH, WIDTH),
        "condition.behind.bias": (WIDTH,),
        "condition.layer.weight": (WIDTH, WIDTH),
        "condition.layer.bias": (WIDTH,),
        "start.weight": (HIDDEN, WIDTH + LATENT),
        "start.bias": (HIDDEN,),
        "tokens.weight": (columns + 1, WIDTH),
        "gru.weight_ih_l0": (3 * HIDDEN, 2 * WIDTH + LATENT),
        "gru.weight_hh_l0": (3 * HIDDEN, HIDDEN),
        "gru.bias_ih_l0": (3 * HIDDEN,),
        "gru.bias_hh_l0": (3 * HIDDEN,),
        "out.weight": (columns, HIDDEN),
        "out.bias": (columns,),
    }
    made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    made["condition.words.weight"][0] = 0
    return made


def source(folder: Path, seed: int = 0, noise: float = 0.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(weights(seed), folder / "decoder.safetensors")
    np.save(folder / "head_ids.npy", IDS)
    (folder / "tokenizer.json").write_text(json.dumps(tiny_tokenizer_json()), encoding="utf-8")
    described = {
        "format": FORMAT,
        "name": "tiny-vae",
        "family": "vae",
        "licence": "Apache-2.0",
        "prompt_variant": "slots-v5",
        "steps": STEPS,
        "latent": LATENT,
        "end": END,
        "noise": noise,
        "slots": list(SLOT_TOKENS),
    }
    (folder / "headline.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def build_tiny_headline(folder: Path, seed: int = 0, noise: float = 0.0) -> Path:
    return build_headline(source(folder / "source", seed, noise), folder / "built")
