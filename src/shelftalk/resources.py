"""Where the files beside the code are: inside the installed package, or at the root of a checkout."""

from functools import cache
from pathlib import Path

from shelftalk.errors import ConfigError

_PACKAGE = Path(__file__).parent


@cache
def _folder(name: str) -> Path:
    for candidate in (_PACKAGE / f"_{name}", _PACKAGE.parent.parent / name):
        if candidate.is_dir():
            return candidate
    raise ConfigError(f"the folder {name!r} is neither in the package nor in a checkout; reinstall shelftalk")


def schemas_dir() -> Path:
    """The folder of the JSON Schemas."""
    return _folder("schemas")


def models_dir() -> Path:
    """The folder of committed model parts (adapters)."""
    return _folder("models")
