"""A model folder: what the engine loads. The layout is onnxruntime-genai's, plus a manifest.

model.onnx          the graph (and model.onnx.data beside it where it is too big for one file)
genai_config.json   shapes and names, as onnxruntime-genai's model builder writes them
tokenizer.json      Hugging Face's, slot tokens included
head_ids.npy        int32 [H], where the head is pruned: the token id of each of its words
manifest.json       what it is, where it came from, and the hash of every file
LICENSE             of the base weights, where it came with them
"""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx

from shelftalk.errors import ModelFolderError
from shelftalk.modelling.config import ModelConfig, read_json
from shelftalk.modelling.graph import Head
from shelftalk.modelling.weights import hash_file

FORMAT = 1

#: Protobuf's limit is 2 GiB; the weights go to a file of their own well before.
_EXTERNAL_DATA_BYTES = 1_500_000_000


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says.

    Attributes:
        model_id: 12 hex digits over the hashes of all other files; part of every brief's cache key.
        name: for people.
        variant: of `variants.VARIANTS`.
        base: name and hash of the base weights.
        adapter: name and hash of the adapter, if one was merged.
        licence: SPDX id.
        prompt_variant: the prompt that the model was trained on; None for a base model.
        slots: its slot tokens.
        max_positions: longest prompt and answer together.
        words: size of the head.
        key: what the folder was built from; a build with the same key has nothing to do.
        files: SHA-256 and size of every other file.
    """

    model_id: str
    name: str
    variant: str
    base: Mapping[str, str]
    adapter: Mapping[str, str] | None
    licence: str
    prompt_variant: str | None
    slots: tuple[str, ...]
    max_positions: int
    words: int
    key: str
    files: Mapping[str, Mapping[str, Any]]
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it.

        Raises:
            ModelFolderError: it is missing, damaged or of another format.
        """
        raw = read_json(folder / "manifest.json")
        if raw.get("format") != FORMAT:
            raise ModelFolderError(f"{folder}: manifest format {raw.get('format')} is not {FORMAT}: build it again")
        try:
            return cls(**raw | {"slots": tuple(raw["slots"])})
        except (KeyError, TypeError) as error:
            raise ModelFolderError(f"{folder}/manifest.json is not whole ({error}): build the model again") from error

    def verify(self, folder: Path) -> None:
        """Compare every file with its hash.

        Raises:
            ModelFolderError: a file is missing or was changed.
        """
        for name, entry in self.files.items():
            if not (folder / name).is_file():
                raise ModelFolderError(f"{folder / name} is missing: build the model again")
            if hash_file(folder / name) != entry["sha256"]:
                raise ModelFolderError(f"{folder / name} is not the file that was built: build the model again")


def write_folder(
    out: Path,
    *,
    model: onnx.ModelProto,
    config: ModelConfig,
    head: Head,
    tokenizer_json: Mapping[str, Any],
    about: Mapping[str, Any],
    extra_files: Sequence[Path] = (),
) -> Path:
    """Write a whole folder or none: it is filled beside its place and renamed.

    Args:
        out: the folder; an older one is replaced.
        model: the graph.
        config: of the weights.
        head: of the graph.
        tokenizer_json: content of ``tokenizer.json``.
        about: the fields of `Manifest` that are not computed here.
        extra_files: copied in under their names (a licence).
    """
    with _replacing(out) as folder:
        size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
        external = {"save_as_external_data": True, "location": "model.onnx.data"} if size > _EXTERNAL_DATA_BYTES else {}
        onnx.save_model(model, folder / "model.onnx", **external)
        _write_json(folder / "genai_config.json", genai_config(config, about["max_positions"], head.size(config)))
        _write_json(folder / "tokenizer.json", tokenizer_json)
        if head.ids is not None:
            np.save(folder / "head_ids.npy", head.ids.astype(np.int32))
        for path in extra_files:
            shutil.copyfile(path, folder / path.name)
        files = {
            path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())
        }
        together = json.dumps({name: entry["sha256"] for name, entry in files.items()}, sort_keys=True)
        model_id = hashlib.sha256(together.encode()).hexdigest()[:12]
        manifest = Manifest(model_id=model_id, words=head.size(config), files=files, **about)
        _write_json(folder / "manifest.json", dataclasses.asdict(manifest))
    return out


def genai_config(config: ModelConfig, max_positions: int, words: int) -> dict[str, Any]:
    """``genai_config.json``: names and shapes as onnxruntime-genai's builder writes them, with our own inputs added.

    ``vocab_size`` is the width of the logits, as there; the embedding may be wider than a pruned head.
    """
    return {
        "model": {
            "type": config.family,
            "bos_token_id": config.bos,
            "eos_token_id": list(config.eos),
            "pad_token_id": config.eos[0],
            "context_length": max_positions,
            "vocab_size": words,
            "decoder": {
                "filename": "model.onnx",
                "head_size": config.head_dim,
                "hidden_size": config.hidden,
                "num_attention_heads": config.heads,
                "num_key_value_heads": config.kv_heads,
                "num_hidden_layers": config.layers,
                "session_options": {"log_id": "shelftalk", "provider_options": []},
                "inputs": {
                    "input_ids": "input_ids",
                    "seqlens_k": "seqlens_k",
                    "total_sequence_length": "total_sequence_length",
                    "last_index": "last_index",
                    "mask_rows": "mask_rows",
                    "mask_index": "mask_index",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "topk_values": "topk_values",
                    "topk_ids": "topk_ids",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {"max_length": max_positions, "past_present_share_buffer": True},
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``out`` when the block ends well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp's own is 0700
        if out.exists():
            old = folder.with_name(f"{folder.name}-old")
            out.rename(old)
            folder.rename(out)
            shutil.rmtree(old)
        else:
            folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
