"""Holding the engine's thread at its next forward pass, so that tests need no sleep."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shelftalk.engine import Engine

#: Long enough for any machine; reached only by a test that fails.
PATIENCE_S = 30.0


class Gate:
    """Passes through one forward pass at a time."""

    def __init__(self) -> None:
        self._arrived = threading.Semaphore(0)
        self._pass = threading.Semaphore(0)
        self._open = threading.Event()

    def hold(self) -> None:
        """Called by the engine's thread before each pass."""
        if not self._open.is_set():
            self._arrived.release()
            assert self._pass.acquire(timeout=PATIENCE_S)

    def wait(self) -> None:
        """Until the thread stands at the gate."""
        assert self._arrived.acquire(timeout=PATIENCE_S)

    def release(self) -> None:
        """Let one pass through."""
        self._pass.release()

    def step(self) -> None:
        """Let one pass through and wait until the thread is back."""
        self.release()
        self.wait()

    def open(self) -> None:
        """Let everything through from now on."""
        self._open.set()
        self._pass.release()


@contextmanager
def gated(engine: Engine) -> Iterator[Gate]:
    """A gate before every forward pass of an idle engine; open at the end."""
    gate = Gate()
    runner = engine._runner
    before = {name: getattr(runner, name) for name in ("prefill", "decode")}
    for name, run in before.items():
        setattr(runner, name, _held(gate, run))
    try:
        yield gate
    finally:
        gate.open()
        for name, run in before.items():
            setattr(runner, name, run)


def _held(gate: Gate, run: Any) -> Any:
    def held(*arguments: Any) -> Any:
        gate.hold()
        return run(*arguments)

    return held
