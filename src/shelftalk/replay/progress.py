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

from shelftalk.errors import ShelftalkError

#: How a command ends that Ctrl-C ended, as shells have it.
INTERRUPTED = 130

_ON_TERMINAL_S, _ELSEWHERE_S = 0.2, 2.0


class Interrupted(ShelftalkError):  # noqa: N818  it is none of ours
    """Ctrl-C or SIGTERM, before there was anything to end with."""


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


#: How much sooner than the rest this process is served, where we may say so (Linux, as root).
_URGENT = -10

#: Python lets another thread run after this much; the default of 5 ms is felt in what a generator of load sends.
_SWITCH_S = 0.0005


@contextmanager
def punctual() -> Iterator[None]:
    """The calling thread, and every thread that it starts meanwhile, is served sooner than the rest of the machine.

    All of them, because one that holds Python's lock and is not served would hold up the one that keeps time. Where the operating
    system refuses, lateness is measured all the same.
    """
    switch_s, nice = sys.getswitchinterval(), None
    sys.setswitchinterval(_SWITCH_S)
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(before, _URGENT))
            nice = (thread, before)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_s)
        if nice is not None:
            os.setpriority(os.PRIO_PROCESS, *nice)
