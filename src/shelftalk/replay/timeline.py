"""A sample a second of everything that moves during a run."""

import os
import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import psutil

from shelftalk.demo.child import scrape

EVERY_S = 1.0

_MB = 1e6


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """How things stood at a moment. Counts are since the start.

    Attributes:
        at_s: on the run's clock.
        sent: records handed to the broker.
        cards: live cards of this run that came out.
        rungs: of those, who answered.
        refreshed: of those, because facts moved.
        dead_letters: of this run.
        lag: records that workers have not done with; ``None`` if the broker does not say.
        open: inputs in work at the workers.
        tokens: written by the generators, in `steps` turns of theirs: so many rows had a turn on average.
        memory_mb: of all workers together; ``None`` if they do not say.
        cpu_s: processor time of all workers together.
        own_cpu_s: of this process: the generator of load and its reader.
        machine: share of this machine's cores that was busy since the last sample.
    """

    at_s: float
    sent: int
    cards: int
    rungs: dict[str, int]
    refreshed: int
    dead_letters: int
    lag: int | None = None
    open: int | None = None
    tokens: int = 0
    steps: int = 0
    memory_mb: float | None = None
    cpu_s: float | None = None
    own_cpu_s: float = 0.0
    machine: float | None = None


class Sampler(threading.Thread):
    """Takes the samples in a thread of its own.

    Args:
        count: the counted part of a sample, as it stands.
        lag: how far behind the workers are.
        metrics: addresses of the workers' figures.
    """

    def __init__(self, count: Callable[[], Sample], lag: Callable[[], int | None], metrics: Sequence[str]) -> None:
        super().__init__(name="sampler", daemon=True)
        self._count, self._lag, self._metrics = count, lag, metrics
        self._stop_asked = threading.Event()
        self.samples: list[Sample] = []
        psutil.cpu_percent()  # the first call only begins the measurement

    def stop(self) -> None:
        """Take no more."""
        self._stop_asked.set()

    def run(self) -> None:
        """One now, then one a second, until `stop`."""
        next_s = time.monotonic()
        while True:
            self.samples.append(self._sample())
            next_s = max(next_s + EVERY_S, time.monotonic())
            if self._stop_asked.wait(next_s - time.monotonic()):
                return

    def _sample(self) -> Sample:
        figures = [figures for url in self._metrics if (figures := scrape(url))]

        def total(name: str) -> float | None:
            found = [each[name] for each in figures if name in each]
            return sum(found) if found else None

        memory, opened = total("process_resident_memory_bytes"), total("shelftalk_ledger_open")
        times = os.times()
        # The counts come last, next to their time: scraping a busy worker takes a while.
        lag = self._lag()
        return msgspec.structs.replace(
            self._count(),
            lag=lag,
            open=None if opened is None else int(opened),
            tokens=int(total("shelftalk_engine_tokens_total") or 0),
            steps=int(total("shelftalk_engine_steps_total") or 0),
            memory_mb=None if memory is None else round(memory / _MB, 1),
            cpu_s=total("process_cpu_seconds_total"),
            own_cpu_s=times.user + times.system,
            machine=psutil.cpu_percent() / 100,
        )
