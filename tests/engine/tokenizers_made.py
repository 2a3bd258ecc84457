"""Tokenizers of the kinds that models come with, made here: small, real, and none of them ours."""

import json
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

#: English with braces (so that pieces such as ``" {"`` and ``"},"`` exist) and Chinese with full-width signs, which a
#: byte-level tokenizer cuts into fragments.
_TEXTS = (
    'x = {"price": 1}, {name}, {name}; f"{price} off" {} {{brand}} was_price percent {percent_off}.',
    "only {price}, was {was_price} for the {name}! Keep it; return {brand}",
    "这款茶壶轻巧耐用,原价９９元,现价５０％。适合每一天的早晨,送给喜欢喝茶的朋友。",
    "手冲壶出水稳定,细长壶嘴,清晨也很安静。库存仅剩３件,欲购从速!",
)


def byte_level(vocab_size: int = 420) -> dict[str, Any]:
    """GPT-2's kind: fragments of characters, no slot tokens, an end token and a chat token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|end|>", "<|user|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS * 3, trainer)
    loaded: dict[str, Any] = json.loads(tokenizer.to_str())
    return loaded


def sentence_piece() -> dict[str, Any]:
    """Llama 2's kind: ``▁`` for a space, and bytes where a character has no token."""
    pieces = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁a", "a", "lamp", "▁lamp", "▁{", "pr"]
    pieces += ["ice", "}", "{", "ice}", "}.", "}9", "5", "％", "中", "p", "r", "i", "c", "e"]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    special = [{"id": vocab[piece], "content": piece, "special": True} for piece in ("<unk>", "</s>")]
    steps = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "added_tokens": special,
        "decoder": {"type": "Sequence", "decoders": steps},
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }
