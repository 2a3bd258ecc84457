"""The workers under test: real ``shelftalk worker`` processes that are killed, drained, frozen and started again.

They are forked from a server that has imported everything, because dozens of starts would otherwise cost minutes of importing
ONNX Runtime and Faust; each then runs the command's own code, with its settings from the environment and a log of its own.
"""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from shelftalk.stream.processes import die_with_parent, free_port

_forks = multiprocessing.get_context("forkserver")

#: What the generator is told in this file, by `GENERATOR_VARIABLE`: nothing, ``hang`` or ``fail``.
GENERATOR_VARIABLE = "CHAOS_GENERATOR"
PHRASEBOOK_VARIABLE = "CHAOS_PHRASEBOOK_ONLY"

_HANG_POLL_S = 0.05

#: Whoever ends by himself is not started again sooner after his start.
_RESTART_S = 1.0

#: Made where this module is imported, which for the workers is the fork server: their parent, which goes when we go.
_die_with_parent = die_with_parent()


def preload() -> None:
    """Let the fork server import what workers need, once."""
    _forks.set_forkserver_preload(["tests.chaos.fleet", "shelftalk.stream.pipeline", "shelftalk.commands.worker"])


def _main(environment: dict[str, str], log: str) -> None:
    """In the child: become a worker."""
    if _die_with_parent is not None:
        _die_with_parent()
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    _let_the_generator_fail(Path(environment[GENERATOR_VARIABLE]))
    from shelftalk.cli import main  # noqa: PLC0415

    sys.argv = ["shelftalk", "worker"] + ["--phrasebook-only"] * (PHRASEBOOK_VARIABLE in environment)
    main()


def _let_the_generator_fail(told: Path) -> None:
    """The model's forward pass obeys a file: it hangs as a GPU does, or fails. Desk, engine and scheduler are the real ones.

    Only in the engine's own thread: a model that fails while it is tried out at the start is refused, as it should be.
    """
    from shelftalk.engine.runner import Runner  # noqa: PLC0415

    decode = Runner.decode

    def faulty(self: Runner, *args: object) -> object:
        serving = threading.current_thread().name == "shelftalk-engine"
        while serving and told.read_text() == "hang":
            time.sleep(_HANG_POLL_S)
        if serving and told.read_text() == "fail":
            raise RuntimeError("the generator was told to fail")
        return decode(self, *args)  # type: ignore[arg-type]

    Runner.decode = faulty  # type: ignore[method-assign, assignment]


@dataclass
class Slot:
    """A place in the fleet, as a Kubernetes pod is: whoever ends there is started again.

    Attributes:
        environment: the settings of the worker there.
        exits: how its workers ended, without those that were killed on purpose.
    """

    name: str
    folder: Path
    environment: dict[str, str]
    process: ForkServerProcess | None = None
    starts: int = 0
    started_s: float = 0.0
    port: int = 0
    exits: Counter[int] = field(default_factory=Counter)

    @property
    def log(self) -> Path:
        """Of all its workers, one after the other."""
        return self.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def start(self) -> None:
        """Start a worker."""
        self.starts += 1
        self.started_s = time.monotonic()
        self.port = free_port()
        with self.log.open("a") as log:
            log.write(json.dumps({"event": "=== start", "number": self.starts, "at": time.time()}) + "\n")
        environment = self.environment | {"SHELFTALK_WEB__PORT": str(self.port)}
        self.process = _forks.Process(target=_main, args=(environment, str(self.log)), name=self.name)
        self.process.start()

    def signal(self, number: int) -> bool:
        """Send a signal; whether somebody was there to get it."""
        if self.process is None or self.process.pid is None or not self.running:
            return False
        os.kill(self.process.pid, number)
        return True

    def wait(self, timeout_s: float) -> int | None:
        """The exit code; ``None`` if it did not end in time."""
        if self.process is None:
            return None
        self.process.join(timeout_s)
        return self.process.exitcode

    def kill(self) -> bool:
        """Kill -9; whether somebody was there."""
        there = self.signal(signal.SIGKILL)
        self.wait(10)
        return there

    def ready(self) -> bool:
        """What its readiness probe says."""
        return self.get("/health/ready") is not None

    def get(self, path: str) -> bytes | None:
        """What it serves; ``None`` where it says no, or nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=1) as answer:
                return bytes(answer.read())
        except (urllib.error.URLError, OSError):
            return None


class Fleet:
    """All slots, and a hand that starts again whoever ended by himself."""

    def __init__(self, slots: list[Slot], generator: Path) -> None:
        self.slots = slots
        self.generator = generator
        self.generator.write_text("")
        self.holding: set[str] = set()  # slots that a fault has in hand

    def start(self) -> None:
        """Start all."""
        for slot in self.slots:
            slot.start()

    def mend(self) -> list[str]:
        """Start again whoever ended by himself; their names."""
        found = []
        for slot in self.slots:
            if slot.name not in self.holding and not slot.running and time.monotonic() - slot.started_s > _RESTART_S:
                code = slot.wait(1)
                slot.exits[code if code is not None else -1] += 1
                slot.start()
                found.append(f"{slot.name} (exit {code})")
        return found

    def end(self) -> None:
        """Kill all that is left."""
        for slot in self.slots:
            slot.signal(signal.SIGCONT)
            slot.kill()
