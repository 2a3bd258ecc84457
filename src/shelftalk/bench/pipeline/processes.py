"""What a contestant costs: the CPU time and memory of its processes."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from shelftalk.errors import ShelftalkError
from shelftalk.stream.processes import die_with_parent


class ContestantFailedError(ShelftalkError):
    """A contestant ended by itself, or does not get its work done."""


class Contestant:
    """A running child process.

    Attributes:
        log: all that it printed.
    """

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._tree = psutil.Process(process.pid)

    def check(self) -> None:
        """See to it that it still runs.

        Raises:
            ContestantFailedError: it does not.
        """
        code = self._process.poll()
        if code is not None:
            raise ContestantFailedError(f"{self.name} ended (exit {code}):\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def cpu_s(self) -> float:
        """User and system time so far, children included."""
        self.check()
        return float(sum(times.user + times.system for times in (process.cpu_times() for process in self._processes())))

    def memory_mb(self) -> float:
        """Resident memory now, children included."""
        self.check()
        return float(sum(process.memory_info().rss for process in self._processes())) / 2**20

    def stop(self, timeout_s: float = 30.0) -> None:
        """Ask it to end; after the deadline it is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _processes(self) -> list[psutil.Process]:
        return [self._tree, *self._tree.children(recursive=True)]


@contextlib.contextmanager
def contestant(name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Contestant]:
    """Run a child process until the block ends; what it prints goes to ``NAME.log``."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  our own programs
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509  only async-signal-safe calls in it
        )
    running = Contestant(name, process, log)
    try:
        yield running
    finally:
        running.stop()
