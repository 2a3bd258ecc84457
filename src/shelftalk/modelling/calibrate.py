"""What passes through the model while it reads a page of text: the ranges that quantisation needs.

Everything that is derived from them is fixed when the model is built, so that nothing a neighbour in the batch says can
change how your own numbers are rounded.
"""

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from shelftalk.modelling.graph import CacheScales
from shelftalk.modelling.reference import hidden_states
from shelftalk.modelling.weights import Weights

#: Largest magnitude of each channel at each place of `reference.Observer`: ``[channels]``, keys and values
#: ``[kv_heads, head_dim]``.
Ranges = dict[str, np.ndarray]

#: Room above the largest magnitude seen. It costs a third of a bit; what still exceeds it is clipped.
MARGIN = 1.25

_LEVELS = 127

#: A channel that never speaks gets this range.
_SMALLEST = 1e-4

_CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>"

#: Prompts as `core.prompt` writes them, with answers, and other texts: every register that a user may bring.
PROMPTS = (
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


def page(tokenizer: Tokenizer) -> list[int]:
    """The text to read, in one piece: it costs a pass through the whole model."""
    ids: list[int] = tokenizer.encode("\n".join(PROMPTS), add_special_tokens=False).ids
    return ids


def measure(weights: Weights, ids: Sequence[int]) -> Ranges:
    """Read a text and keep the largest magnitudes.

    Args:
        weights: the model, adapter merged.
        ids: the text's tokens.
    """
    ranges: Ranges = {}

    def observe(place: str, values: np.ndarray) -> None:
        if place.endswith(".keys"):
            # A pair of channels turns with the position, so either may get all of the pair's length.
            left, right = np.split(values, 2, axis=-1)
            values = np.tile(np.hypot(left, right), 2)
        largest = np.abs(values).max(axis=-2)
        ranges[place] = np.maximum(ranges[place], largest) if place in ranges else largest

    hidden_states(weights, ids, observe)
    return ranges


def cache_scales(ranges: Ranges) -> CacheScales:
    """The scales of an int8 cache: the largest magnitude seen in a channel, and some room, is 127."""
    layers = sum(place.endswith(".keys") for place in ranges)

    def scales(part: str) -> np.ndarray:
        largest = np.stack([ranges[f"layers.{layer}.{part}"] for layer in range(layers)])
        steps: np.ndarray = np.maximum(largest[:, :, None, :], _SMALLEST) * np.float32(MARGIN / _LEVELS)
        return steps

    return CacheScales(scales("keys"), scales("values"))
