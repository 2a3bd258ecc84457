"""The tokenizer of our own models: byte-level BPE for English and Chinese, with a token for each slot."""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from shelftalk.core.typed_slots import TYPED_SLOTS
from shelftalk.core.word_slots import WORD_SLOTS
from shelftalk.modelling.slots import SLOT_TOKENS
from shelftalk.modelling.tokenizer import byte_level_bpe

END = "<|im_end|>"

#: The first ids are SmolLM2's, so that the slots are where `modelling.slots` has them.
CHAT = ("<|endoftext|>", "<|im_start|>", END)
SLOTS = tuple(dict.fromkeys((*SLOT_TOKENS, *(f"{{{slot}}}" for slot in (*WORD_SLOTS, *TYPED_SLOTS)))))

#: Bytes of a token: five Chinese characters, or a long English word. Longer ones would be whole phrases learned by heart.
_LONGEST = 15


def train_tokenizer(texts: Iterable[str], vocab: int) -> dict[str, Any]:
    """The content of ``tokenizer.json``.

    Args:
        texts: prompts and lines, as the model will see them.
        vocab: tokens in all.
    """
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[*CHAT, *SLOTS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST,
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    ids = dict(sorted(trained.get_vocab().items(), key=lambda item: item[1]))
    merges = [(left, right) for left, right in json.loads(trained.to_str())["model"]["merges"]]
    return _kept(byte_level_bpe(ids, merges, {token: number for number, token in enumerate((*CHAT, *SLOTS))}))


def _kept(content: dict[str, Any]) -> dict[str, Any]:
    """The slots are not special: decoding a text keeps them."""
    for token in content["added_tokens"]:
        if token["content"] in SLOTS:
            token |= {"special": False}
    return content


def with_slots(content: dict[str, Any]) -> dict[str, Any]:
    """An older tokenizer with the slots that it lacks behind its last token; every id stays."""
    vocab = dict(content["model"]["vocab"])
    special = {token["content"]: token["id"] for token in content["added_tokens"]}
    for slot in SLOTS:
        if slot not in special:
            special[slot] = vocab[slot] = len(vocab)
    merges = [(left, right) for left, right in content["model"]["merges"]]
    return _kept(byte_level_bpe(vocab, merges, special))
