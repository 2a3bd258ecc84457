"""What each token adds to a text, in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shelftalk.engine.request import SLOT_NAME
from shelftalk.errors import ModelFolderError


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a model.

    Attributes:
        pieces: by token id, the bytes that a token adds; None for ids that no text may have: special tokens, other
            added tokens, ids without a token.
        slots: token id of each slot that is one added token, by its name without braces.
        end_ids: tokens that end a text.
    """

    pieces: tuple[bytes | None, ...]
    slots: Mapping[str, int]
    end_ids: frozenset[int]

    def text_bytes(self, tokens: list[int]) -> bytes:
        """The bytes of a text, end tokens left out."""
        return b"".join(self.pieces[token] or b"" for token in tokens if token not in self.end_ids)


def read_vocabulary(tokenizer_json: Mapping[str, Any], size: int | None, end_ids: frozenset[int]) -> Vocabulary:
    """Read a Hugging Face ``tokenizer.json``: byte-level BPE, or SentencePiece pieces with byte fallback.

    Args:
        tokenizer_json: its content.
        size: how many ids the model has, those above the tokenizer's last being padding; None for the tokenizer's.
        end_ids: tokens that end a text.

    Raises:
        ModelFolderError: another kind of tokenizer, or ids that the model does not have.
    """
    added: list[Mapping[str, Any]] = list(tokenizer_json.get("added_tokens") or ())
    entries = _entries(tokenizer_json)
    known = {*(number for _, number in entries), *(token["id"] for token in added)}
    size = size or max(known, default=-1) + 1
    if max(known, default=-1) >= size:
        raise ModelFolderError(f"the tokenizer has id {max(known)}, the model only {size} ids: is it another model's?")
    if not end_ids or not end_ids <= known:
        raise ModelFolderError(f"the tokenizer lacks the model's end tokens {sorted(end_ids - known)}")
    to_bytes = _byte_level if "ByteLevel" in _decoders(tokenizer_json.get("decoder")) else _sentence_piece
    pieces: list[bytes | None] = [None] * size
    for piece, number in entries:
        pieces[number] = to_bytes(piece)
    slots = {}
    for token in added:
        content: str = token["content"]
        is_slot = content[:1] == "{" and content[-1:] == "}" and SLOT_NAME.fullmatch(content[1:-1]) is not None
        pieces[token["id"]] = content.encode() if is_slot else None
        if is_slot:
            slots[content[1:-1]] = int(token["id"])
    for number in end_ids:
        pieces[number] = None
    return Vocabulary(tuple(pieces), slots, end_ids)


def _entries(tokenizer_json: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Token and id of the model's table; Unigram models list pieces with scores instead."""
    table = (tokenizer_json.get("model") or {}).get("vocab")
    if isinstance(table, Mapping):
        return [(str(piece), int(number)) for piece, number in table.items()]
    if isinstance(table, list):
        return [(str(entry[0]), number) for number, entry in enumerate(table)]
    raise ModelFolderError("tokenizer.json has no vocabulary")


def _decoders(decoder: Mapping[str, Any] | None) -> set[str]:
    """The types of a decoder and those inside it.

    Raises:
        ModelFolderError: it writes tokens in a way whose bytes we do not know.
    """
    steps = [decoder or {}, *((decoder or {}).get("decoders") or ())]
    types = {str(step.get("type")) for step in steps}
    if types.isdisjoint({"ByteLevel", "ByteFallback", "Metaspace"}):
        raise ModelFolderError(
            f"unsupported tokenizer: decoder {sorted(types)} is neither byte-level nor SentencePiece"
        )
    return types


@lru_cache(maxsize=1)
def _byte_of_char() -> dict[str, int]:
    """GPT-2's printable stand-in of each byte: printable Latin-1 as it is, the others from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + rank): byte for rank, byte in enumerate(others)}


def _byte_level(piece: str) -> bytes | None:
    table = _byte_of_char()
    try:
        return bytes(table[char] for char in piece)
    except KeyError:  # not a byte-level token: a special one that is not listed as added
        return None


def _sentence_piece(piece: str) -> bytes:
    if len(piece) == len("<0x00>") and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()
