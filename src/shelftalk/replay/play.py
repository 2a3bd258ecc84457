"""One playing of a schedule at a site: opening, pace, and the wait for all that it caused."""

import contextlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from shelftalk.replay.follower import OUTPUTS, Counts, Follower
from shelftalk.replay.lag import Lag
from shelftalk.replay.measure import Latencies, Spread
from shelftalk.replay.progress import punctual
from shelftalk.replay.schedule import STREAMS, Schedule
from shelftalk.replay.sender import Clock, Sender
from shelftalk.replay.site import Site
from shelftalk.replay.texts import Said
from shelftalk.replay.timeline import Sample, Sampler

_STEP_S = 0.2
_START_IN_S = 0.3
_FINISH_S = 15.0

#: How long workers may take to know the catalogue.
SETTLE_S = 60.0


class Stage(msgspec.Struct, frozen=True):
    """How far a playing is.

    Attributes:
        name: ``opening``, ``settling``, ``playing`` or ``draining``.
        at_s: of the run's clock.
        total_s: how long playing takes; infinite if it loops without end.
        recent: latency of the last seconds' answers.
        late: the generator's own lateness, likewise.
        sample: the newest.
        before: one some seconds before it, for rates.
    """

    name: str
    at_s: float = 0.0
    total_s: float = 0.0
    recent: Spread = Spread()
    late: Spread = Spread()
    sample: Sample | None = None
    before: Sample | None = None


class How(msgspec.Struct, frozen=True, kw_only=True):
    """Beside the schedule.

    Attributes:
        run: its name, new for each.
        warm_up_s: what is due earlier counts for nothing.
        drain_s: how long to wait for what is still open at the end.
        opening: whether the catalogue is sent first; it need not be at a site that has it.
    """

    run: str
    warm_up_s: float
    drain_s: float = 60.0
    opening: bool = True


class Played(msgspec.Struct, kw_only=True):
    """What happened.

    Attributes:
        sent: records handed over, those of the warm-up included; `sent_measured` without them.
        played_s: how long it was played.
        left: records that the workers have not done with; ``None`` if the broker does not say.
        read_back: whether all that came out was read.
        follower_busy: share of the time that the reader had its hands full.
        failures: what ended something early.
    """

    sent: int
    sent_measured: int
    delivered: int
    failed: int
    overdue: int
    reasons: Counter[str]
    played_s: float
    lateness: Latencies
    answers: Latencies
    refreshes: Latencies
    counts: Counts
    samples: list[Sample]
    left: int | None
    read_back: bool
    follower_busy: float
    failures: list[str]
    interrupted: bool


Watch = Callable[[Stage], bool]


def play(site: Site, schedule: Schedule, how: How, watch: Watch, keep: Callable[[Said], None]) -> Played:
    """Play a schedule.

    Args:
        site: where.
        schedule: what.
        how: the rest.
        watch: told of each stage, many times a second; ``False`` ends it with what there is.
        keep: told of each live card, on another thread.

    Raises:
        BrokerError: the brokers do not answer, or a topic is not there.
    """
    with punctual():
        return _Playing(site, schedule, how, watch, keep).play()


class _Playing:
    def __init__(self, site: Site, schedule: Schedule, how: How, watch: Watch, keep: Callable[[Said], None]) -> None:
        self._site, self._schedule, self._how, self._watch = site, schedule, how, watch
        self._clock = Clock()
        self._dues: array[float] = array("d")
        self._interrupted = False
        self._failures: list[str] = []
        common: dict[str, Any] = {
            "run": how.run,
            "clock": self._clock,
            "dues": self._dues,
            "from_s": how.warm_up_s,
        }
        inputs = {stream: site.topics.name(stream) for stream in STREAMS}
        outputs = {stream: site.topics.name(stream) for stream in OUTPUTS}
        self._opening = Sender(site.kafka, inputs, schedule.before(), **common)
        self._sender = Sender(site.kafka, inputs, schedule.sends(), **common)
        self._follower = Follower(site.kafka, outputs, keep=keep, **common)
        self._follower.promised_ms = self._sender.promised_ms

    def play(self) -> Played:
        with self._lag() as lag, self._lag() as other:
            self._follower.start()
            try:
                self._open(lag)
                sampler = Sampler(self._count, other.now, self._site.metrics)
                self._clock.start_in(_START_IN_S)
                busy_before_s = self._follower.busy_s
                sampler.start()
                self._send(sampler)
                played_s = self._clock.now_s()
                busy = (self._follower.busy_s - busy_before_s) / max(played_s, 1e-3)
                left = self._drain(lag, sampler)
                sampler.stop()
                sampler.join()
            finally:
                self._follower.stop()
                self._follower.join()
            read_back = self._follower.finish(_FINISH_S)
        sender = self._sender
        return Played(
            sent=sender.sent,
            sent_measured=sender.sent_measured,
            delivered=sender.delivered,
            failed=sender.failed,
            overdue=sender.overdue,
            reasons=sender.reasons,
            played_s=min(played_s, self._schedule.seconds),
            lateness=sender.lateness,
            answers=self._follower.answers,
            refreshes=self._follower.refreshes,
            counts=self._follower.counts,
            samples=sampler.samples,
            left=left,
            read_back=read_back,
            follower_busy=busy,
            failures=self._failures,
            interrupted=self._interrupted,
        )

    @contextlib.contextmanager
    def _lag(self) -> Iterator[Lag]:
        lag = Lag(self._site.kafka, self._site.topics, self._site.group)
        try:
            yield lag
        finally:
            lag.close()

    def _open(self, lag: Lag) -> None:
        """The catalogue, and the wait until workers know it."""
        opening = self._opening
        if not self._how.opening:
            self._dues.extend([-1.0] * sum(1 for _ in self._schedule.before()))
            return
        opening.start()
        while opening.is_alive():
            if not self._watching(Stage("opening")):
                opening.stop()
            opening.join(_STEP_S)
        if opening.failed:
            self._failures.append(
                f"{opening.failed:,} records of the catalogue were not taken: {_worst(opening.reasons)}"
            )
        lag.drain(SETTLE_S, lambda: self._watching(Stage("settling")))

    def _send(self, sampler: Sampler) -> None:
        if self._interrupted:
            return
        self._sender.start()
        try:
            while self._sender.is_alive() and self._healthy():
                if not self._watching(self._stage("playing", sampler)):
                    break
                self._sender.join(_STEP_S)
        finally:
            self._sender.stop()
            self._sender.join()
        self._healthy()

    def _drain(self, lag: Lag, sampler: Sampler) -> int | None:
        limit_s = self._how.drain_s if not self._interrupted else min(5.0, self._how.drain_s)
        asked = self._interrupted

        def go_on() -> bool:
            watching = self._watching(self._stage("draining", sampler))
            return self._healthy() and (watching or asked)

        return lag.drain(limit_s, go_on)

    def _watching(self, stage: Stage) -> bool:
        if not self._watch(stage):
            self._interrupted = True
        return not self._interrupted

    def _healthy(self) -> bool:
        """Whether it makes sense to go on; what failed is remembered."""
        found = [
            f"the {each.name} failed: {each.error!r}"
            for each in (self._sender, self._follower)
            if each.error is not None
        ]
        found += [
            f"worker {number} ended (exit {worker.exit_code}): {worker.last_words()}"
            for number, worker in enumerate(self._site.workers)
            if not worker.running
        ]
        self._failures += [failure for failure in found if failure not in self._failures]
        return not self._failures

    def _stage(self, name: str, sampler: Sampler) -> Stage:
        at_s = self._clock.now_s()
        samples = sampler.samples
        return Stage(
            name,
            at_s,
            self._schedule.seconds,
            self._follower.answers.recent(at_s),
            self._sender.lateness.recent(at_s),
            samples[-1] if samples else None,
            samples[max(0, len(samples) - 4)] if samples else None,
        )

    def _count(self) -> Sample:
        counts = self._follower.counts
        return Sample(
            at_s=self._clock.now_s(),
            sent=self._sender.sent,
            cards=counts.cards,
            rungs=dict(counts.rungs),
            refreshed=counts.refreshed,
            dead_letters=counts.dead_letters.total(),
        )


def _worst(reasons: Counter[str]) -> str:
    return "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(2))
