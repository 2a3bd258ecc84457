"""The worker as a child process: started, watched, and ended with us in every case."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson
from prometheus_client.parser import text_string_to_metric_families

from shelftalk.errors import ShelftalkError
from shelftalk.stream.login import Kafka
from shelftalk.stream.processes import die_with_parent, free_port
from shelftalk.stream.settings import Topics

_ANSWER_S = 2.0
_LAST_LINES = 12


class WorkerFailedError(ShelftalkError):
    """The worker ended by itself, or did not become ready."""


def parse_metrics(body: bytes) -> dict[str, float]:
    """What Prometheus would read, by name with labels."""
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
    return found


class WorkerProcess:
    """A running ``shelftalk worker``.

    Attributes:
        log: everything it prints.
        metrics_url: where it shows its figures.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"{self._url}/metrics"
        self.log = log

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        return self._process.poll()

    def wait_until_ready(self, timeout_s: float, waiting: Callable[[float], None]) -> None:
        """Wait until it takes events.

        Args:
            timeout_s: at most so long.
            waiting: told now and then how long it has been.

        Raises:
            WorkerFailedError: it ended, or is not ready in time.
        """
        began = time.monotonic()
        while True:
            waited_s = time.monotonic() - began
            if not self.running:
                raise WorkerFailedError(
                    f"the worker ended (exit {self.exit_code}) before it was ready:\n{self.last_words()}"
                )
            if waited_s > timeout_s:
                raise WorkerFailedError(f"the worker was not ready within {timeout_s:g} s:\n{self.last_words()}")
            if self._get("/health/ready") is not None:
                return
            waiting(waited_s)
            time.sleep(0.1)

    def open_entries(self) -> int | None:
        """Inputs that are not done with; ``None`` if it does not say."""
        body = self._get("/health/ready")
        found = orjson.loads(body).get("open_entries") if body is not None else None
        return found if isinstance(found, int) else None

    def metrics(self) -> dict[str, float]:
        """Its counters and gauges by name, with their labels: ``shelftalk_reactions_total{what="asked"}``."""
        return scrape(self.metrics_url)

    def stop(self, timeout_s: float) -> bool:
        """Ask it to drain and end; after the deadline it is killed.

        Returns:
            Whether it ended by itself, without an error.
        """
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]) or "it printed nothing"

    def _get(self, path: str) -> bytes | None:
        return _fetch(self._url + path)


def scrape(url: str) -> dict[str, float]:
    """Counters and gauges of a Prometheus endpoint, by name with labels; nothing where it does not answer."""
    body = _fetch(url)
    return {} if body is None else parse_metrics(body)


def _fetch(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310  of workers, as the user names them
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


@contextlib.contextmanager
def worker_process(
    arguments: list[str], environment: Mapping[str, str], folder: Path, stop_timeout_s: float = 40.0
) -> Iterator[WorkerProcess]:
    """Run ``shelftalk worker`` until the block ends.

    It lives in a session of its own, so that Ctrl-C reaches us alone and we can let it drain; on Linux the kernel kills it if
    the thread that called this dies, so call it from the main thread.

    Args:
        arguments: of the command.
        environment: settings beyond our own environment.
        folder: for its log, ``worker.log``.
        stop_timeout_s: how long it may drain.
    """
    port = free_port()
    log = folder / "worker.log"
    settings = dict(environment) | {"SHELFTALK_WEB__HOST": "127.0.0.1", "SHELFTALK_WEB__PORT": str(port)}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-m", "shelftalk", "worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=settings,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509  only async-signal-safe calls in it
        )
    worker = WorkerProcess(process, port, log)
    try:
        yield worker
    finally:
        worker.stop(stop_timeout_s)


def worker_environment(
    kafka: Kafka, topics: Topics, name: str, folder: Path, model: Path | None, *, embedded: bool
) -> dict[str, str]:
    """What the child is told. With the embedded broker, settings made for another one must not get in the way."""
    foreign = ("SHELFTALK_KAFKA__", "SHELFTALK_TOPICS__")
    ours = {key: value for key, value in os.environ.items() if not (embedded and key.startswith(foreign))}
    ours |= {
        "SHELFTALK_APP_ID": name,
        "SHELFTALK_DATA_DIR": str(folder / "state"),
        "SHELFTALK_TOPICS__PREFIX": topics.prefix,
        "SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PYTHONUNBUFFERED": "1",
    }
    ours.setdefault("SHELFTALK_RULES", '{"channel_locales": ["en-GB", "zh-CN"]}')  # the demo store has a Chinese branch
    if model is not None:
        ours["SHELFTALK_ENGINE__MODEL_FOLDER"] = str(model)
    return ours
