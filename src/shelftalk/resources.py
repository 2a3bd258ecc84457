"""Where the files beside the code are: in the repository's root, or inside an installed package."""

from pathlib import Path

from shelftalk.errors import ConfigError

_PACKAGE = Path(__file__).parent


def schemas_dir() -> Path:
    """The JSON Schemas of events and cards."""
    return _find("schemas")


def models_dir() -> Path:
    """The adapters: one folder each."""
    return _find("models")


def _find(name: str) -> Path:
    """The wheel carries the folder as ``_<name>``; a checkout has it at its root.

    Raises:
        ConfigError: it is in neither place.
    """
    installed, checkout = _PACKAGE / f"_{name}", _PACKAGE.parent.parent / name
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise ConfigError(f"the folder {name!r} is neither at {installed} nor at {checkout}: install shelftalk again")
