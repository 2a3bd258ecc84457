"""A thread that owns a model, and the door through which it is stopped: what both engines share."""

import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import structlog

from shelftalk.engine.request import Completion
from shelftalk.errors import CancelledRequestError, FatalError, StepFailedError

_log = structlog.get_logger(__name__)


class ThreadWithDoor:
    """Runs `_turn` again and again in a daemon thread until it is closed or something other than a forward pass fails.

    Whoever inherits waits on ``_changed`` inside `_turn`, calls `_refuse_if_stopped` before it takes a request, and starts the
    thread when everything is in place.
    """

    def __init__(self, name: str) -> None:
        self._stopped: BaseException | None = None
        # Guards everything that callers and the thread share; the model runs outside it.
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether requests are taken."""
        return self._stopped is None

    def close(self, timeout_s: float = 10.0) -> bool:
        """Stop: whatever is pending fails with `CancelledRequestError`.

        Args:
            timeout_s: how long to wait for the step that is running.

        Returns:
            Whether the thread has ended.
        """
        with self._changed:
            if self._stopped is None:
                self._stopped = CancelledRequestError("the engine is closed")
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _refuse_if_stopped(self) -> None:
        """Called with ``_changed`` held.

        Raises:
            CancelledRequestError: the engine is closed.
            FatalError: its thread died.
        """
        if isinstance(self._stopped, CancelledRequestError):
            raise CancelledRequestError(str(self._stopped))
        if self._stopped is not None:
            raise FatalError(f"the engine's thread died: {self._stopped!r}") from self._stopped

    def _main(self) -> None:
        try:
            while self._turn():
                pass
            error: Exception = CancelledRequestError("the engine was closed before the text was ready")
        except BaseException as death:  # noqa: BLE001 whatever it is, nobody may be left waiting
            _log.critical("the engine's thread died", error=repr(death), exc_info=death)
            error = StepFailedError(f"the engine's thread died: {death!r}")
            error.__cause__ = death
            with self._changed:
                self._stopped = death
        self._abandon(error)

    def _turn(self) -> bool:
        """Wait for work and do some. False once the engine is to stop."""
        raise NotImplementedError

    def _abandon(self, error: Exception) -> None:
        """Fail whatever is pending; nobody comes any more."""
        raise NotImplementedError


def fail(future: "Future[Completion]", error: Exception) -> None:
    """Fail a future; one that its caller has just cancelled stays cancelled."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
