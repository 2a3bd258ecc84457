"""How large keys and values get: the fixed scales of an int8 cache.

A scale that is fixed when the model is built, one for each channel, keeps rows apart: nothing that a neighbour says can
change how your own cache is rounded. The model reads a page of shop text and chat, and the largest magnitude of each
channel, with a margin, becomes 127.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from shelftalk.modelling.reference import forward
from shelftalk.modelling.weights import Weights

#: Room above the largest magnitude seen. It costs a third of a bit; what still exceeds it is clipped.
MARGIN = 1.25

_LEVELS = 127

_CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>"

#: Prompts as `core.prompt` writes them and others, with answers: every register that a user may bring.
TEXTS = (
    _CHAT.format(
        "card, introduce, none, warm, branded\npour-over kettle\ngooseneck spout; {p1} = 900 ml; holds heat",
        "A kettle that pours where you point it. {name} holds {p1} and keeps it hot, for {price}.",
    ),
    _CHAT.format(
        "ad, price dropped, sale, playful\ntrail running shoes\nwaterproof; reflective heel; {p1} = 6 mm lugs",
        "Mud is just slippery advice. {name} with {p1}, now {price} instead of {was_price}, {percent_off} off.",
    ),
    _CHAT.format(
        "social, goes with camping tent, low stock, plain, branded\nsleeping mat\nrolls up small; {p1} = 480 g",
        "You have the tent; here is the floor. {brand} {name} rolls up small, weighs {p1}, and {stock_left} are left.",
    ),
    _CHAT.format(
        "copy, search match, ending soon, warm\nreading lamp\nwarm light; folds flat; USB-C",
        "The lamp that makes a corner a place to read. It folds flat, charges over USB-C, and costs {price} until "
        "{ends_on}. Put it by the armchair, on the desk, or beside the bed; the light stays warm wherever it stands.",
    ),
    _CHAT.format("What is the capital of France?", "The capital of France is Paris, a city on the river Seine."),
    _CHAT.format(
        "Write two sentences about how tides work, for a child who likes boats.",
        "The moon pulls on the sea the way you pull on a blanket. Twice a day the water climbs up the harbour wall, "
        "and twice a day it slips away again and leaves the boats resting on the sand.",
    ),
    "Order 10482: 3 x stainless bottle, 750 ml, 19.99 each; 1 x lid, 4.50. Total 64.47, paid on 2024-11-03.",
    "def price(cents: int) -> str:\n    return f'{cents // 100}.{cents % 100:02d}'\n\nprint(price(1999))",
    "Gloves, knitted, with a thumb that works on a screen; machine-washable; made from recycled wool and nylon.",
    "He walked back to the shop, because the woman behind the counter had been right about the boots all along.",
)


@dataclasses.dataclass(frozen=True)
class CacheScales:
    """What one step of an int8 cache is worth.

    Attributes:
        keys: float32 ``[layers, kv_heads, 1, head_dim]``.
        values: the same for values.
    """

    keys: np.ndarray
    values: np.ndarray


def cache_scales(weights: Weights, sequences: Sequence[Sequence[int]]) -> CacheScales:
    """Measure them.

    Args:
        weights: the model, adapter merged.
        sequences: token ids of the texts to read.
    """
    config = weights.config
    shape = (config.layers, config.kv_heads, 1, config.head_dim)
    keys, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def observe(layer: int, rotated: np.ndarray, passed: np.ndarray) -> None:
        # A pair of channels turns with the position, so either may get all of the pair's length.
        left, right = np.split(rotated, 2, axis=-1)
        lengths = np.tile(np.hypot(left, right), 2)
        np.maximum(keys[layer], lengths.max(axis=1, keepdims=True), out=keys[layer])
        np.maximum(values[layer], np.abs(passed).max(axis=1, keepdims=True), out=values[layer])

    for sequence in sequences:
        forward(weights, sequence, observe)
    return CacheScales(*(np.maximum(seen, 1e-4) * np.float32(MARGIN / _LEVELS) for seen in (keys, values)))
