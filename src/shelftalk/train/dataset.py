"""From hand-written lines to token ids: the split by product, augmentation, and the encoding."""

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tokenizers import Tokenizer

from shelftalk.core.brief import Brief, point_slots
from shelftalk.core.prompt import prompt_for, spelled_for
from shelftalk.core.voices import voice_of
from shelftalk.train.lines import Line, Product, brief_for

END = "<|im_end|>"

_POINT_SLOT = re.compile(r"\{(p\d)\}")


class Pair(NamedTuple):
    """A brief and the text that a person wrote for it."""

    brief: Brief
    text: str


class Example(NamedTuple):
    """A pair as token ids; the loss counts only the target, its end token included."""

    prompt: list[int]
    target: list[int]

    @property
    def length(self) -> int:
        """Tokens that go through the model: the last target is only predicted."""
        return len(self.prompt) + len(self.target) - 1


def is_held_out(kind: str, share: float, seed: int) -> bool:
    """Whether products of this kind are only measured on."""
    digest = hashlib.blake2b(f"{seed}:{kind.casefold()}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


def split_by_product(products: Sequence[Product], held_out: float, seed: int) -> tuple[list[Product], list[Product]]:
    """Split into (training, held-out) so that no kind of product is on both sides.

    Kinds are placed by their hash, so that a product stays on its side when others are added.
    """
    training = [product for product in products if not is_held_out(product.kind, held_out, seed)]
    return training, [product for product in products if is_held_out(product.kind, held_out, seed)]


def shuffle_points(product: Product, rng: random.Random) -> Product:
    """The same product with its points in another order, and ``{p1}``... in its texts renumbered with them."""
    points = list(product.points)
    rng.shuffle(points)
    old = point_slots(product.points)
    new = {point: slot for slot, point in point_slots(tuple(points)).items()}

    def renumber(match: re.Match[str]) -> str:
        # An unknown number is left for the validator to find.
        return f"{{{new[old[match[1]]]}}}" if match[1] in old else match[0]

    lines = tuple(
        Line(line.channel, line.angle, line.promo, line.tone, _POINT_SLOT.sub(renumber, line.text), line.anchor)
        for line in product.lines
    )
    return Product(product.kind, tuple(points), lines, product.source)


def pairs_of(product: Product, rng: random.Random, unused_brand: float = 0.5) -> list[Pair]:
    """A pair for each line of a product.

    Args:
        product: the product and its lines.
        rng: decides about the brand.
        unused_brand: how often a brand is offered to a text that doesn't use it; with one that does, always.
    """
    return [
        Pair(brief_for(product, line, branded="{brand}" in line.text or rng.random() < unused_brand), line.text)
        for line in product.lines
    ]


def augmented(products: Iterable[Product], seed: int, version: int) -> list[Pair]:
    """One version of the data set; version 0 keeps the writers' order of points."""
    pairs: list[Pair] = []
    for product in products:
        rng = random.Random(f"{seed}:{version}:{product.source}:{product.kind}")
        pairs += pairs_of(shuffle_points(product, rng) if version else product, rng)
    return pairs


def encode(tokenizer: Tokenizer, pair: Pair) -> Example:
    """The ids of the prompt, and of the text with its end token."""
    voice = voice_of(pair.text, pair.brief.language)
    prompt = tokenizer.encode(prompt_for(pair.brief, voice=voice), add_special_tokens=False).ids
    text = spelled_for(pair.brief, pair.text)
    return Example(prompt, tokenizer.encode(text + END, add_special_tokens=False).ids)


def length_buckets(examples: Sequence[Example], batch: int, rng: random.Random) -> list[list[int]]:
    """Indices of the examples in batches of similar length, in random order.

    Sorting is done inside random chunks of 20 batches: little padding, yet other neighbours in every epoch.
    """
    order = list(range(len(examples)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), 20 * batch):
        chunk = sorted(order[start : start + 20 * batch], key=lambda index: examples[index].length)
        batches += [chunk[at : at + batch] for at in range(0, len(chunk), batch)]
    rng.shuffle(batches)
    return batches
