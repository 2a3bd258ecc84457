"""A random model in about a second, through the same code as the real one: what the tests run on.

Two layers, 32 wide, a real byte-level BPE tokenizer with chat and slot tokens. It writes nonsense, but deterministic
nonsense that differs from token to token, so that a scheduler that mixes up rows is caught.
"""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from shelftalk.modelling.calibrate import measure, page
from shelftalk.modelling.config import ModelConfig
from shelftalk.modelling.folder import write_folder
from shelftalk.modelling.graph import Head
from shelftalk.modelling.slots import REPLACED_TOKENS, SLOT_TOKENS, add_slot_tokens
from shelftalk.modelling.tokenizer import byte_level_bpe, make_tokenizer
from shelftalk.modelling.variants import find_variant, variant_graph
from shelftalk.modelling.weights import Weights

#: SmolLM2's first ids.
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *REPLACED_TOKENS)

#: Enough English for a few hundred merges; slots and chat tokens come as special tokens.
_SENTENCES = (
    "Light on the trail and steady in the rain, these shoes are ready when you are.",
    "A kettle that pours where you point it, quiet enough for early mornings.",
    "Warm hands, cold walk: knitted gloves with a thumb that works on a screen.",
    "The lamp that makes a corner a place to read.",
    "Goes with the tent you looked at: a mat that rolls up small.",
    "Still in your cart, still the softest towel in the shop.",
    "Now at a lower price, while the sale lasts.",
    "Only a few left of the mug that keeps coffee hot until you remember it.",
    "Back on the shelf: the backpack that everyone asked for.",
    "For desks with more ideas than space, a stand that folds away.",
    "Good with pasta, better with friends: a pan that goes from hob to table.",
    "card introduce none plain branded copy social ad goes with like viewed search match popular replenish",
    "user assistant new sale ending soon low stock back in stock sold out warm playful your brand price dropped",
    "trail running shoes, waterproof, breathable, recycled laces, reflective heel",
    "pour-over kettle, gooseneck spout, steel, holds heat, fits every hob",
)

#: Special tokens, all bytes and some merges; a round number as real models have.
VOCAB = 512

MAX_POSITIONS = 256

#: Random activations need no whole page to show their range.
_CALIBRATION_TOKENS = 128


def tiny_tokenizer_json() -> dict[str, object]:
    """Train the tokenizer on the sentences; slot tokens are renamed as for the real one."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)],
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=list(_SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    trained.train_from_iterator(_SENTENCES, trainer)
    vocab = dict(sorted(trained.get_vocab().items(), key=lambda item: item[1]))
    merges = [(left, right) for left, right in json.loads(trained.to_str())["model"]["merges"]]
    return add_slot_tokens(byte_level_bpe(vocab, merges, {token: number for number, token in enumerate(_SPECIAL)}))


def tiny_config(family: str = "llama", *, tied: bool = False) -> ModelConfig:
    """Two layers, four query heads on two key and value heads."""
    return ModelConfig(
        family=family,
        hidden=32,
        layers=2,
        heads=4,
        kv_heads=2,
        head_dim=16,
        intermediate=64,
        vocab=VOCAB,
        norm_eps=1e-5,
        rope_theta=10_000.0,
        max_positions=MAX_POSITIONS,
        tied=tied,
        eos=(2,),
    )


def tiny_weights(config: ModelConfig, seed: int = 0) -> Weights:
    """Random numbers with unit gain, so that each token says something about the next and logits are well apart."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for name, shape in config.shapes().items():
        if name.endswith("norm.weight"):
            tensors[name] = rng.uniform(0.8, 1.2, shape).astype(np.float32)
        elif name == "model.embed_tokens.weight":
            tensors[name] = rng.standard_normal(shape, np.float32)
        else:
            tensors[name] = rng.standard_normal(shape, np.float32) * np.float32(1.5 / np.sqrt(shape[-1]))
    return Weights(config, tensors, f"tiny-{seed}")


def build_tiny(out: Path, seed: int = 0, variant: str = "fp32", *, pruned: bool = False) -> Path:
    """Write a model folder.

    Args:
        out: the folder, replaced if it exists.
        seed: of the weights.
        variant: of `variants.VARIANTS`.
        pruned: keep every other word in the head (and all slots and chat tokens).
    """
    config = tiny_config()
    weights = tiny_weights(config, seed)
    head = Head(rows=weights.head)
    if pruned:
        kept = np.array([*range(len(_SPECIAL)), *range(len(_SPECIAL) + 1, VOCAB, 2)], np.int32)
        head = Head(rows=weights.head[kept], ids=kept)
    about = {
        "name": "tiny",
        "variant": variant,
        "base": {"name": "random", "hash": weights.source_hash},
        "adapter": None,
        "licence": "Apache-2.0",
        "prompt_variant": "line-v2",
        "slots": SLOT_TOKENS,
        "max_positions": MAX_POSITIONS,
        "key": f"tiny-{seed}-{variant}-{pruned}",
    }
    tokenizer_json = tiny_tokenizer_json()
    chosen = find_variant(variant)
    ids = page(make_tokenizer(tokenizer_json))[:_CALIBRATION_TOKENS]
    ranges = measure(weights, ids) if chosen.needs_ranges else None
    model = variant_graph(chosen, weights, head, ranges, MAX_POSITIONS)
    return write_folder(
        out,
        model=model,
        config=config,
        head=head,
        tokenizer_json=tokenizer_json,
        about=about,
    )
