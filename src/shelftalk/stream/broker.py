"""The embedded broker: a Kafka-speaking process on loopback, for the demo and for tests that promise nothing about brokers.

Of the three that pip can install, noida-db was chosen. The mock cluster inside librdkafka cannot create topics and
silently drops what is beyond 5 MB a partition. Tansu reports a wrong high watermark, so that table recovery loses the
tail, and never compacts. noida-db is right about both, starts in 20 ms and gives a Faust worker its partitions after 2.4 s.
What it lacks (durability when it is killed itself, moving the partitions of a dead worker to a living one, backlogs
beyond 100 MB) only a real Kafka has.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shelftalk.errors import BrokerError
from shelftalk.stream.processes import die_with_parent, free_port

_PACKAGE = "noida_db"
_BINARY = "noida-db"


@dataclass(frozen=True)
class Broker:
    """A running broker.

    Attributes:
        bootstrap_servers: ``127.0.0.1:port``.
        log: what it printed.
    """

    bootstrap_servers: str
    pid: int
    log: Path


@contextlib.contextmanager
def embedded_broker(start_timeout_s: float = 15.0, stop_timeout_s: float = 5.0) -> Iterator[Broker]:
    """Run a broker on a free port of loopback, with its data in a temporary folder that goes with it.

    It lives in a session of its own, so that Ctrl-C does not take it from a worker that is still draining, and it is
    killed by the kernel (on Linux) if the *thread* that called this dies: call it from the main thread.

    Raises:
        BrokerError: it did not start, or did not answer in time.
    """
    with tempfile.TemporaryDirectory(prefix="shelftalk-broker-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "broker.log"
        port = free_port()
        with log.open("wb") as output:
            process = _start(Path(folder) / "data", port, output.fileno())
        try:
            bootstrap = f"127.0.0.1:{port}"
            _wait_until_it_answers(process, bootstrap, log, time.monotonic() + start_timeout_s)
            yield Broker(bootstrap, process.pid, log)
        finally:
            _stop(process, stop_timeout_s)


def _start(data: Path, port: int, output: int) -> subprocess.Popen[bytes]:
    binary = _find_binary()
    command = [str(binary), "start", "--data-dir", str(data), "--host", "127.0.0.1", "--only", "kafka"]
    try:
        return subprocess.Popen(  # noqa: S603  our own binary, no shell
            [*command, "--kafka-port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509  only async-signal-safe calls in it
        )
    except OSError as error:
        raise BrokerError(f"the embedded broker cannot be started ({binary}): {error}") from error


def _find_binary() -> Path:
    try:
        binary = Path(str(files(_PACKAGE))) / _BINARY
    except ModuleNotFoundError as error:
        raise BrokerError(
            "the embedded broker is not installed: pip install noida-db, or name a real broker"
        ) from error
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", bootstrap: str, log: Path, deadline: float) -> None:
    """A port that accepts is not enough: wait for a metadata answer."""
    host, port = bootstrap.split(":")
    while True:
        if process.poll() is not None:
            raise BrokerError(f"the embedded broker ended at once (exit {process.returncode}): {_tail(log)}")
        if time.monotonic() > deadline:
            raise BrokerError(f"the embedded broker did not answer in time: {_tail(log)}")
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), 0.2).close()
            break
        time.sleep(0.01)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    try:
        admin.list_topics(timeout=max(deadline - time.monotonic(), 0.1))
    except KafkaException as error:
        raise BrokerError(f"the embedded broker does not answer ({error}): {_tail(log)}") from error


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:].strip() or "it printed nothing"


def _stop(process: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)
