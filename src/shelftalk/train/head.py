"""The pruned head: the tokens that a line may contain, and no others.

What is not in the head cannot be written at all: no digits, currency signs, braces outside slots, control
characters, foreign scripts. It also makes the last matrix less than half as wide.
"""

import re
from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer

from shelftalk.modelling.slots import slot_ids
from shelftalk.train.dataset import Example

#: Byte-pair ids follow the frequency of their merges. Below this one is the English that shop copy is made of;
#: above it, mostly code, names and fragments.
COMMON_IDS = 20_000

#: Byte-level BPE shows a space as this letter.
_SPACE = "\u0120"

_QUOTE = "['\u2019]"
_MARK = "[,.;:?!()&\\-'\u2018\u2019\u201c\u201d\u2013\u2014\u2026]"
_WORDING = re.compile(
    rf"{_SPACE}?[A-Za-z]+({_QUOTE}[a-z]+)?|{_SPACE}|{_SPACE}?{_MARK}|[,.;:?!]['\"\u2019\u201d]|{_QUOTE}[a-z]+",
)


def writable(token: str, text: str) -> bool:
    """Whether a token of the vocabulary is wording.

    Args:
        token: the token as the vocabulary spells it, spaces as ``Ġ``.
        text: the characters it stands for; empty or broken for a part of a character.
    """
    shown = text.replace(" ", _SPACE) if text.strip() else token
    return bool(_WORDING.fullmatch(shown)) and not re.search(r"[a-z][A-Z]|[A-Z]{3}", shown)


def choose_head(tokenizer: Tokenizer, examples: Iterable[Example]) -> np.ndarray:
    """The ids that the head keeps, sorted, int32 ``[V']``.

    Common wording, every token of the hand-written texts, the words of their prompts, the end token and the slots.
    """
    targets: set[int] = set()
    prompts: set[int] = set()
    for example in examples:
        targets.update(example.target)
        prompts.update(example.prompt)
    slots = set(slot_ids().values())
    special = set(tokenizer.get_added_tokens_decoder())
    wording = {
        number
        for token, number in tokenizer.get_vocab().items()
        if (number < COMMON_IDS or number in prompts)
        and number not in special
        and writable(token, tokenizer.decode([number]))
    }
    # The end token is a target of every example.
    return np.array(sorted(wording | targets | slots), dtype=np.int32)


def unencodable(examples: Iterable[Example], head_ids: np.ndarray) -> list[int]:
    """Numbers of the examples whose target needs a token outside the head; must be empty before training."""
    kept = set(head_ids.tolist())
    return [number for number, example in enumerate(examples) if not kept.issuperset(example.target)]
