"""Where the words come from: the model, built on the first run, or the phrasebook where there is none."""

import os
from pathlib import Path
from typing import Self

from rich.console import Console

_MODEL_VARIABLE = "SHELFTALK_ENGINE__MODEL_FOLDER"
_NAME_VARIABLE = "SHELFTALK_ENGINE__MODEL"


def find_model(console: Console, *, plain: bool, phrasebook_only: bool) -> Path | None:
    """The model folder, built if need be; ``None`` means to run on the phrasebook.

    Args:
        console: told what happens.
        plain: lines instead of one that changes in place.
        phrasebook_only: as asked for.

    Raises:
        ModelFolderError: the adapter that came with shelftalk is damaged.
    """
    given = os.environ.get(_MODEL_VARIABLE)
    if phrasebook_only:
        _say(console, "words: the phrasebook alone")
        return None
    if given:
        _say(console, f"words: the model in {given}")
        return Path(given)
    from shelftalk.modelling.build import DEFAULT_MODEL, ensure_model  # noqa: PLC0415  slow to import

    with _Steps(console, plain=plain) as steps:
        folder = ensure_model(steps.note, os.environ.get(_NAME_VARIABLE, DEFAULT_MODEL))
    _say(console, f"words: the model in {folder}")
    return folder


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Steps:
    """Progress of the model's build: a line in place on a terminal, otherwise a line for each step."""

    def __init__(self, console: Console, *, plain: bool) -> None:
        self._console, self._plain = console, plain
        self._last: tuple[str, int] | None = None
        self._status = None if plain else console.status("model")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status is not None:
            self._status.stop()

    def note(self, message: str, share: float | None) -> None:
        """What is being done, and how much of it is done."""
        done = "" if share is None else f" {share:.0%}"
        if self._status is not None:
            self._status.update(f"model: {message}{done}")
            return
        step = (message, int((share or 0) * 10))
        if step != self._last:
            self._last = step
            _say(self._console, f"model: {message}{done}")
