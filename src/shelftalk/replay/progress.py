"""How long commands speak while they run, and how they are asked to end."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Self

from rich.console import Console

_ON_TERMINAL_S, _ELSEWHERE_S = 0.2, 2.0


class Ticker:
    """A line in place on a terminal; elsewhere a line every two seconds. On standard error, for results go to the other.

    Args:
        words: what to say now.
    """

    def __init__(self, words: Callable[[], str]) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._words = words
        self._status = self._console.status("") if self._console.is_terminal else None
        self._next_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tick(self) -> None:
        """Say it, if it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self._status is not None:
            self._next_s = now_s + _ON_TERMINAL_S
            self._status.update(self._words())
        else:
            self._next_s = now_s + _ELSEWHERE_S
            self._console.print(self._words(), markup=False, soft_wrap=True)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event, so that work ends in order; a second one interrupts as usual. Main thread only."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


#: How much sooner than the rest a thread that keeps time is served, where we may say so (Linux, as root).
_URGENT = -10

#: Python lets another thread run after this much; the default of 5 ms is felt in what a generator of load sends.
_SWITCH_S = 0.0005


def keep_time() -> None:
    """Ask the operating system to serve the calling thread soon; where it refuses, lateness is measured all the same."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _URGENT)


@contextmanager
def quick_switches() -> Iterator[None]:
    """Threads of this process take turns more often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
