"""A model folder: read and checked as a whole before anything is loaded.

The layout is the one of onnxruntime-genai's model builder (``genai_config.json``, ``tokenizer.json``, a graph) plus,
for our own models, ``manifest.json`` with the hashes and ``head_ids.npy`` for a pruned head.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from shelftalk.engine.vocabulary import Vocabulary, read_vocabulary
from shelftalk.errors import ModelFolderError

T = TypeVar("T")

_CONFIG, _TOKENIZER, _MANIFEST, _HEAD_IDS = "genai_config.json", "tokenizer.json", "manifest.json", "head_ids.npy"


class _Names(msgspec.Struct):
    """How the graph calls what it takes and gives; genai's defaults."""

    input_ids: str = "input_ids"
    attention_mask: str = "attention_mask"
    position_ids: str = "position_ids"
    past_key_names: str = "past_key_values.%d.key"
    past_value_names: str = "past_key_values.%d.value"
    logits: str = "logits"
    present_key_names: str = "present.%d.key"
    present_value_names: str = "present.%d.value"


class _Decoder(msgspec.Struct):
    head_size: int
    num_hidden_layers: int
    num_key_value_heads: int
    filename: str = "model.onnx"
    inputs: _Names = msgspec.field(default_factory=_Names)
    outputs: _Names = msgspec.field(default_factory=_Names)


class _Model(msgspec.Struct):
    decoder: _Decoder
    vocab_size: int
    context_length: int
    eos_token_id: int | list[int]


class _Config(msgspec.Struct):
    model: _Model


class _Manifest(msgspec.Struct):
    """What the engine reads of our manifest; the builder writes more."""

    model_id: str
    prompt_variant: str | None = None
    files: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A checked folder.

    Attributes:
        path: the folder.
        graph: the ONNX file.
        model_id: of the manifest, or the folder's name and a hash of what is in it.
        prompt_variant: how the model wants to be asked, where its manifest says so.
        layers: decoder layers.
        kv_heads: heads of keys and values in each.
        head_size: numbers in each head.
        columns: columns of the logits: the model's ids, or the words of a pruned head.
        context_length: the most tokens that the positions are made for.
        names: how the graph calls its inputs and outputs.
        tokenizer: the Hugging Face tokenizer.
        vocabulary: what each token adds to a text.
        head_ids: token id of each column of a pruned head, int32 ``[H]``; None where the head is whole.
    """

    path: Path
    graph: Path
    model_id: str
    prompt_variant: str | None
    layers: int
    kv_heads: int
    head_size: int
    columns: int
    context_length: int
    names: _Names
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    head_ids: npt.NDArray[np.int32] | None


def open_model_folder(path: Path) -> ModelFolder:
    """Read a folder.

    Raises:
        ModelFolderError: a file is missing, can't be read, does not match the manifest's hash, or they do not match
            each other.
    """
    model = _decode(path / _CONFIG, _Config).model
    decoder = model.decoder
    _check_sizes(path / _CONFIG, model)
    graph = path / decoder.filename
    if not graph.is_file():
        raise ModelFolderError(f"{graph} is missing")
    manifest = check_manifest(path) if (path / _MANIFEST).exists() else None
    ends = model.eos_token_id if isinstance(model.eos_token_id, list) else [model.eos_token_id]
    # Where the head is pruned, `vocab_size` counts its words, and only the tokenizer tells how many ids there are.
    pruned = (path / _HEAD_IDS).exists()
    size = None if pruned else model.vocab_size
    vocabulary = read_vocabulary(_decode(path / _TOKENIZER, dict[str, Any]), size, frozenset(ends))
    head_ids = read_head_ids(path / _HEAD_IDS, vocabulary, model.vocab_size) if pruned else None
    outputs = decoder.outputs
    names = msgspec.structs.replace(
        decoder.inputs,
        logits=outputs.logits,
        present_key_names=outputs.present_key_names,
        present_value_names=outputs.present_value_names,
    )
    return ModelFolder(
        path=path,
        graph=graph,
        model_id=manifest.model_id if manifest else f"{path.resolve().name}-{_folder_hash(path)}",
        prompt_variant=manifest.prompt_variant if manifest else None,
        layers=decoder.num_hidden_layers,
        kv_heads=decoder.num_key_value_heads,
        head_size=decoder.head_size,
        columns=model.vocab_size,
        context_length=model.context_length,
        names=names,
        tokenizer=read_tokenizer(path / _TOKENIZER),
        vocabulary=vocabulary,
        head_ids=head_ids,
    )


def _decode(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ModelFolderError(f"{path} can't be read: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFolderError(f"{path}: {error}") from error


def _check_sizes(path: Path, model: _Model) -> None:
    decoder = model.decoder
    sizes = {
        "head_size": decoder.head_size,
        "num_hidden_layers": decoder.num_hidden_layers,
        "num_key_value_heads": decoder.num_key_value_heads,
        "vocab_size": model.vocab_size,
        "context_length": model.context_length,
    }
    wrong = [f"{name}={size}" for name, size in sizes.items() if size < 1]
    if wrong:
        raise ModelFolderError(f"{path}: {', '.join(wrong)}")


def read_tokenizer(path: Path) -> Tokenizer:
    """The Hugging Face tokenizer of a ``tokenizer.json``."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # a bare Exception is what the package raises
        raise ModelFolderError(f"{path} can't be read: {error}") from error


def read_head_ids(path: Path, vocabulary: Vocabulary, words: int | None = None) -> npt.NDArray[np.int32]:
    """The token id of each column of a pruned head, ``words`` of them where that is known."""
    try:
        ids: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} can't be read: {error}") from error
    if ids.ndim != 1 or len(ids) != (words or len(ids)) or ids.dtype != np.int32:
        raise ModelFolderError(f"{path}: int32 [{words or 'C'}] is wanted, found {ids.dtype} {list(ids.shape)}")
    if ids.min() < 0 or ids.max() >= len(vocabulary.pieces) or len(np.unique(ids)) != len(ids):
        raise ModelFolderError(f"{path}: ids must be different tokens of the model")
    if vocabulary.end_ids.isdisjoint(ids.tolist()):
        raise ModelFolderError(f"{path}: the pruned head has no end token, so no text would end")
    return ids


def check_manifest(path: Path) -> _Manifest:
    """The manifest of a folder whose files are as it says."""
    manifest = _decode(path / _MANIFEST, _Manifest)
    _check_hashes(path, manifest)
    return manifest


def _check_hashes(path: Path, manifest: _Manifest) -> None:
    for name, entry in manifest.files.items():
        wanted = entry.get("sha256") if isinstance(entry, dict) else entry
        if not isinstance(wanted, str) or Path(name).name != name:
            raise ModelFolderError(f"{path / _MANIFEST}: no SHA-256 for {name!r}")
        found = _hash_file(path / name).hexdigest()
        if found != wanted.removeprefix("sha256:"):
            raise ModelFolderError(f"{path / name} is not the manifest's file: SHA-256 {found}, wanted {wanted}")


def _folder_hash(path: Path) -> str:
    """12 hex digits over the model's files, for folders without a manifest."""
    total = hashlib.sha256()
    for file in sorted(path.glob("*")):
        if file.is_file() and (file.name in {_CONFIG, _TOKENIZER} or ".onnx" in file.name):
            total.update(_hash_file(file).digest())
    return total.hexdigest()[:12]


def _hash_file(path: Path) -> "hashlib._Hash":
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256")
    except OSError as error:
        raise ModelFolderError(f"{path} can't be read: {error}") from error
