"""Where each setting in force comes from: the environment, the file, or a default."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from shelftalk.stream.settings import PREFIX, settings_file

DEFAULT = "default"


def origins(values: Mapping[str, Any]) -> dict[str, str]:
    """By dotted name, where a value comes from.

    Args:
        values: the settings in force, as `Settings.masked` gives them.

    Raises:
        ConfigError: the file that the environment names is not there.
    """
    file = settings_file()
    in_file = {} if file is None else _flat(tomllib.loads(file.read_text()))
    found = {}
    for name in _flat(values):
        variable = _variable(name)
        if variable is not None:
            found[name] = f"environment {variable}"
        else:
            found[name] = f"file {file}" if name in in_file else DEFAULT
    return found


def _variable(name: str) -> str | None:
    """The variable that sets a value: its own, or one that holds the whole section as JSON."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        wanted = PREFIX + "__".join(parts[:depth])
        given = next((variable for variable in os.environ if variable.lower() == wanted.lower()), None)
        if given is not None and (depth == len(parts) or _holds(os.environ[given], parts[depth:])):
            return given
    return None


def _holds(text: str, parts: list[str]) -> bool:
    try:
        section = json.loads(text)
    except ValueError:
        return False
    return isinstance(section, dict) and ".".join(parts) in _flat(section)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_leaves(values))


def _leaves(values: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{section}{name}.")
        else:
            yield f"{section}{name}", value
