"""A worker beside something else: in a thread, with its probes."""

import asyncio
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.types import TP

from shelftalk.core.ledger import Entry
from shelftalk.errors import BrokerError, ConfigError, FatalError
from shelftalk.stream.app import State, Worker
from shelftalk.stream.host import WorkerThread
from shelftalk.stream.lease import Lease
from shelftalk.stream.record import Record
from shelftalk.stream.settings import Settings, load
from shelftalk.stream.watchdog import StalledError
from tests.stream.harness import Site
from tests.stream.program import Count


def get(worker: Worker, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.web_port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def nowhere(tmp_path: Path) -> Settings:
    kafka = {"bootstrap_servers": "127.0.0.1:9", "request_timeout_s": 1, "session_timeout_s": 1}
    return load(kafka=kafka, data_dir=str(tmp_path / "state"), web={"port": 0}, deadlines={"drain_s": 1})


def forward(worker: Worker) -> None:
    counts = worker.table("counts", Count)
    cards = worker.settings.topics.name("cards")

    def handle(record: Record, entry: Entry) -> None:
        key = (record.key or b"").decode()
        old = counts.get(key, record.partition) or Count(0, -1)
        counts.put(key, Count(old.n + 1, record.offset), record.partition, entry)
        worker.outbox.post(cards, record.key, record.value, entry=entry)

    worker.agent("forward", "behaviour", handle)


def test_it_runs_in_a_thread_tells_the_truth_and_drains(site: Site) -> None:
    told: list[str] = []
    worker = Worker(site.settings(web={"enabled": True}), forward, create_topics=True)
    worker.on_drain.append(lambda: told.append("drain"))
    worker.on_stopped.append(lambda: told.append("stopped"))
    thread = WorkerThread(worker)
    thread.start(30)
    try:
        assert worker.state is State.RUNNING
        assert get(worker, "/health/live")[0] == 200
        assert get(worker, "/health/ready")[0] == 200
        assert get(worker, "/table/counts")[0] == 404
        site.produce("behaviour", [("k", {"i": i}) for i in range(20)])
        site.until("cards", lambda seen: len(seen.messages) == 20)
        metrics = get(worker, "/metrics")[1]
        assert 'shelftalk_events_total{agent="forward",outcome="handled"} 20.0' in metrics
        assert "shelftalk_outbox_delivered_total" in metrics
    finally:
        assert thread.stop(30) == 0
    assert told == ["drain", "stopped"]
    assert sum(site.committed("behaviour").values()) == 20
    assert not worker.health.live


def test_wrong_partitions_stop_it_before_faust_would_crash_in_a_loop(site: Site) -> None:
    site.partitions = 2
    site.create_topics("counts")
    site.partitions = 4
    thread = WorkerThread(Worker(site.settings(), forward, create_topics=True))
    with pytest.raises(BrokerError, match=r"has 2 partitions, but topics\.partitions is 4"):
        thread.start(30)
    assert thread.stop(5) == 1


async def test_no_broker_is_an_error_within_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"no broker at 127\.0\.0\.1:9"):
        await asyncio.wait_for(Worker(nowhere(tmp_path), forward).run(), 10)


async def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "_check_topics", lambda _self: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = nowhere(tmp_path).model_copy(update={"web": load(web={"port": port}).web})
        with pytest.raises(ConfigError, match=f"cannot bind 127.0.0.1:{port}"):
            await asyncio.wait_for(Worker(settings, forward).run(), 10)


async def test_what_register_raises_ends_the_worker(tmp_path: Path) -> None:
    def register(_worker: Worker) -> None:
        raise KeyError("forgotten")

    worker = Worker(nowhere(tmp_path), register)
    with pytest.raises(FatalError, match="forgotten"):
        await asyncio.wait_for(worker.run(), 10)
    assert (worker.exit_code, worker.state, worker.started.is_set()) == (1, State.STOPPED, True)


def settled(tmp_path: Path) -> Worker:
    """A worker that says it is ready, without a broker."""
    worker = Worker(nowhere(tmp_path), forward)
    worker.state = State.RUNNING
    worker.app = SimpleNamespace(
        crashed=False,
        rebalancing=False,
        in_recovery=False,
        assignor=SimpleNamespace(assigned_actives=lambda: {TP("t", 0)}),
        tables=SimpleNamespace(actives_ready=True),
    )
    worker.lease = Lease(3600)
    worker.lease.joined(1, time.monotonic())
    worker.lease.take(1)
    assert (worker.health.live, worker.health.ready) == (True, True)
    return worker


def starting(worker: Worker) -> None:
    worker.state = State.STARTING


def draining(worker: Worker) -> None:
    worker.state = State.DRAINING


def rebalancing(worker: Worker) -> None:
    worker.app.rebalancing = True


def recovering(worker: Worker) -> None:
    worker.app.in_recovery = True


def not_recovered(worker: Worker) -> None:
    worker.app.tables.actives_ready = False


def catching_up(worker: Worker) -> None:
    worker.catching_up = lambda: 0


def expelled(worker: Worker) -> None:
    worker.lease.end()


def between_two_generations(worker: Worker) -> None:
    worker.lease.give_up()


def without_a_broker(worker: Worker) -> None:
    worker.watchdog = SimpleNamespace(looked_s=time.monotonic() - 60, standing=None, every_s=5.0)  # type: ignore[assignment]


UNREADY = (starting, draining, rebalancing, recovering, not_recovered, catching_up, expelled, between_two_generations)


@pytest.mark.parametrize("spoil", [*UNREADY, without_a_broker])
def test_who_cannot_answer_is_not_ready_and_lives(tmp_path: Path, spoil: Callable[[Worker], None]) -> None:
    worker = settled(tmp_path)
    spoil(worker)
    assert (worker.health.live, worker.health.ready) == (True, False)


def stalled(worker: Worker) -> None:
    worker.fatal(StalledError("no progress"))


def crashed(worker: Worker) -> None:
    worker.app.crashed = True


def stopped(worker: Worker) -> None:
    worker.state = State.STOPPED


@pytest.mark.parametrize("end", [stalled, crashed, stopped])
def test_who_must_stop_does_not_live(tmp_path: Path, end: Callable[[Worker], None]) -> None:
    worker = settled(tmp_path)
    end(worker)
    assert (worker.health.live, worker.health.ready) == (False, False)


@pytest.mark.parametrize("catching_up", [None, 7])
def test_catching_up_is_progress_to_the_watchdog(tmp_path: Path, catching_up: int | None) -> None:
    worker = settled(tmp_path)
    worker.catching_up = lambda: catching_up
    assert worker._recovered() == (-1 if catching_up is None else 7)
