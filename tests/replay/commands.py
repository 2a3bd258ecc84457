"""`shelftalk replay` as somebody would call it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shelftalk.cli import main

COMMAND = [sys.executable, "-m", "shelftalk", "replay"]


@contextlib.contextmanager
def replay(*arguments: str | Path, environment: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own, killed in the end."""
    with process(*COMMAND, *arguments, environment=environment) as running:
        yield running


@contextlib.contextmanager
def process(*command: str | Path, environment: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    running = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def called(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """In this process, which takes a tenth of the time: exit code and everything that was said."""
    before = sys.argv
    sys.argv = ["shelftalk", "replay", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    code = ended.value.code
    return (0 if code is None else int(code)), "".join(capsys.readouterr())
