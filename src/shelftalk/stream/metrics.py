"""The worker's own figures for Prometheus, read when asked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from shelftalk.stream.app import Worker


class WorkerMetrics:
    """A collector: what the ledger, the outbox and the intake have counted."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        """All of it, as of now."""
        worker = self._worker
        ledger = worker.ledger
        yield GaugeMetricFamily("shelftalk_ledger_open", "Events in work", ledger.unfinished)
        yield GaugeMetricFamily("shelftalk_ledger_kept", "Events in memory: open, or behind an open one", ledger.kept)
        if worker.lag is not None:
            yield GaugeMetricFamily(
                "shelftalk_lag", "Records of this worker's partitions that are not done with", worker.lag
            )
        yield GaugeMetricFamily("shelftalk_ready", "Whether the worker takes events", int(worker.health.ready))
        if hasattr(worker, "outbox"):
            counts = worker.outbox.counts
            yield CounterMetricFamily("shelftalk_outbox_posted", "Messages handed to librdkafka", counts.posted)
            yield CounterMetricFamily("shelftalk_outbox_delivered", "Messages confirmed", counts.delivered)
            yield CounterMetricFamily("shelftalk_outbox_failed", "Messages not confirmed", counts.failed)
            yield CounterMetricFamily("shelftalk_outbox_bytes", "Bytes of values posted", counts.bytes)
            yield GaugeMetricFamily("shelftalk_outbox_in_flight", "Messages not yet confirmed", counts.in_flight)
        if hasattr(worker, "intake"):
            events = CounterMetricFamily("shelftalk_events", "Events taken", labels=["agent", "outcome"])
            for (agent, outcome), count in worker.intake.counts.items():
                events.add_metric([agent, outcome], count)
            yield events
