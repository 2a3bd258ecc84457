"""What processes of our own need: a port, and an end."""

import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes its program: ask the kernel (on Linux) to be killed when its parent dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def free_port() -> int:
    """A port of loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def exit_now(code: int) -> None:
    """End the process even if a thread of Faust's hangs (they are not daemons, and would be waited for)."""
    stuck = [
        thread.name for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()
    ]
    if stuck:
        log.warning("threads are still running", threads=stuck)
    os._exit(code)
