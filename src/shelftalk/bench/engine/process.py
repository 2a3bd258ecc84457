"""A contestant's process, as the command sees it."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from shelftalk.bench.engine.clients import Course
from shelftalk.errors import ShelftalkError
from shelftalk.stream.processes import die_with_parent


class ContestantFailedError(ShelftalkError):
    """A contestant can't be loaded, or ended."""


class Process:
    """One contestant in a process of its own, idle until a course is asked for."""

    def __init__(self, python: Path, kind: str, model: Path, workload: Path, threads: int) -> None:
        """Start it and wait until its model is loaded.

        Raises:
            ContestantFailedError: it can't be; with the end of what it printed.
        """
        if not python.exists():
            raise ContestantFailedError(f"{python} is missing: `make bench-engine` sets it up")
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 as long as the process
        source = Path(__file__).parents[3]
        command: list[str | Path] = [python, "-m", "shelftalk.bench.engine.child", kind, model, workload, str(threads)]
        self._process = subprocess.Popen(  # noqa: S603 our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source), "TOKENIZERS_PARALLELISM": "false"},
            preexec_fn=die_with_parent(),  # noqa: PLW1509 the parent has no threads yet
        )
        try:
            self._answer()
        except ContestantFailedError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, concurrency: int) -> None:
        """Let it get ready for as many callers."""
        self._ask({"prepare": True, "concurrency": concurrency})

    def course(self, concurrency: int, seconds: float, first: int) -> Course:
        """Let it serve, from the workload's place ``first`` on.

        Raises:
            ContestantFailedError: it ended.
        """
        return Course(**self._ask({"concurrency": concurrency, "seconds": seconds, "first": first}))

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _ask(self, order: dict[str, object]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise ContestantFailedError("it has no standard input")
        try:
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._answer()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        for line in self._process.stdout or ():
            if line.startswith("RESULT "):
                answer: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
                return answer
        code = self._process.wait()
        self._log.seek(0)
        words = [line for line in self._log.read().splitlines() if line.strip()][-3:]
        raise ContestantFailedError(f"exit {code}: {' / '.join(words) or 'without a word'}")
