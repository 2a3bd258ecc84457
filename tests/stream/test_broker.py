"""The embedded broker comes, answers, and goes, however its parent ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shelftalk.errors import BrokerError
from shelftalk.stream import broker as module
from shelftalk.stream.broker import embedded_broker
from tests.stream.harness import ROOT, wait_for


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.broker
def test_it_answers_and_leaves_nothing_behind() -> None:
    with embedded_broker() as broker:
        host, port = broker.bootstrap_servers.split(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), 1).close()
        assert os.getsid(broker.pid) != os.getsid(0)
        folder = broker.log.parent
    assert gone(broker.pid)
    assert not folder.exists()


@pytest.mark.broker
def test_it_dies_with_a_parent_that_is_killed() -> None:
    code = (
        "import sys, time\nfrom shelftalk.stream.broker import embedded_broker\n"
        "with embedded_broker() as broker:\n print(broker.pid, flush=True)\n sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/src"},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
        wait_for(lambda: gone(pid), 5, "the broker is gone")


def test_a_binary_that_ends_at_once_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_find_binary", lambda: Path("/bin/false"))
    with pytest.raises(BrokerError, match="ended at once"), embedded_broker():
        pass


def test_a_missing_package_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package")
    with pytest.raises(BrokerError, match="pip install noida-db"), embedded_broker():
        pass


def test_a_binary_that_never_answers_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 30\n")
    silent.chmod(0o755)
    monkeypatch.setattr(module, "_find_binary", lambda: silent)
    with pytest.raises(BrokerError, match="did not answer in time"), embedded_broker(start_timeout_s=0.3):
        pass
