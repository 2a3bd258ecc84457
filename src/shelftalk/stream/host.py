"""Where a worker lives: alone in a process, or in a thread beside something else."""

import asyncio
import contextlib
import gc
import signal
import sys
import threading

import uvloop

from shelftalk.errors import FatalError
from shelftalk.stream.app import Worker

#: The collector's default of 700 objects is a fraction of what one batch of events makes, nearly all of which lives until its
#: delivery and dies by its reference count.
_GC_THRESHOLDS = (50_000, 20, 50)

#: How long a thread waits for Python's lock before it asks for it. aiokafka's thread and the event loop hand each record on to one
#: another; with the default of 5 ms p50 and p99 were a tenth longer.
_SWITCH_S = 0.001


def run_worker(worker: Worker) -> int:
    """Run it in this thread, with uvloop; SIGTERM and SIGINT drain it if this is the main thread.

    Returns:
        The exit code.
    """
    alone = threading.current_thread() is threading.main_thread()
    if alone:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # so that Faust's consumer thread has it too
        gc.set_threshold(*_GC_THRESHOLDS)
        sys.setswitchinterval(_SWITCH_S)
        worker.on_running.append(_settle_memory)

    async def main() -> None:
        if alone:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, worker.stop)
        await worker.run()

    with contextlib.suppress(FatalError), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())  # what it raises is worker.error
    return worker.exit_code


def _settle_memory() -> None:
    """What is there now (modules, recovered state) stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


class WorkerThread:
    """A worker beside something else, such as the demo's view: in a thread with an event loop of its own."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._thread = threading.Thread(target=run_worker, args=(worker,), name="worker", daemon=True)

    def start(self, timeout_s: float) -> None:
        """Start, and wait until it has its partitions.

        Raises:
            FatalError: it had to stop.
            TimeoutError: it has not got them in time.
        """
        self._thread.start()
        if not self.worker.started.wait(timeout_s):
            raise TimeoutError(f"the worker has no partitions after {timeout_s:g} s")
        if self.worker.error is not None:
            raise self.worker.error

    def stop(self, timeout_s: float) -> int:
        """Drain.

        Returns:
            The exit code.

        Raises:
            TimeoutError: it has not stopped in time.
        """
        self.worker.stop()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"the worker has not stopped after {timeout_s:g} s")
        return self.worker.exit_code
