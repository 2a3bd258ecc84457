"""One step: a rate held for some seconds on workers that run already, and what came of it."""

from collections.abc import Callable
from threading import Event
from typing import Any

import msgspec
import numpy as np

from shelftalk.demo.child import scrape
from shelftalk.replay import result as results
from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.measure import Latencies, Spread
from shelftalk.replay.play import How, Played, Stage, play
from shelftalk.replay.schedule import Pace, Schedule
from shelftalk.replay.site import Site
from shelftalk.replay.slo import Objective, Verdict

#: Where answers come later by more than so many seconds each second, a backlog grows that no objective sees in a short step.
STEADY = 0.03

#: Of a rate, so much must really have been sent.
SENT_SHARE = 0.98

#: Of a step, this is played first and not measured; workers warm up, and what the step before left has passed.
WARM_UP_S = 3.0

#: A worker with less to do than this is idle; it is waited for so long.
QUIET_CORES, QUIET_WITHIN_S = 0.25, 20.0

#: As long as a step lasts at most, so long may it take to do away with what it left.
DRAIN_S = 60.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that was tried, and what it took.

    Attributes:
        rate_per_s: asked for; `sent_per_s` is what the load generator made of it.
        sent: records, those of the warm-up included.
        outcome, why: the second is for people.
        growth: seconds that answers come later with each second; ``None`` where there were too few.
        cores: processor seconds a second of all workers.
        memory_mb: of all workers, at most.
        machine: share of this machine's cores that was busy.
        skus, shoppers: in the workers' state when it ended.
    """

    workers: int
    partitions: int
    rate_per_s: float
    sent_per_s: float
    sent: int
    seconds: float
    outcome: Outcome
    why: str
    answers: Spread
    lateness: Spread
    verdicts: list[Verdict]
    growth: float | None
    cores: float | None
    cpu_us_per_event: float | None
    memory_mb: float | None
    machine: float | None
    lag_max: int | None
    skus: int
    shoppers: int

    def __str__(self) -> str:
        cost = "" if self.cpu_us_per_event is None else f", {self.cpu_us_per_event:,.0f} us of CPU an event"
        return f"{self.rate_per_s:8,.1f}/s  {self.outcome}: {self.why}{cost}"


class Stepper:
    """Plays steps on one site, one after the other.

    Args:
        site: where.
        partitions: of its topics.
        make: the schedule of a pace.
        objectives: what a rate is judged by.
        products: how often each product is there.
        watch: told of each stage.
        stop: ends a step.
    """

    def __init__(
        self,
        site: Site,
        partitions: int,
        make: Callable[[Pace], Schedule],
        objectives: tuple[Objective, ...],
        *,
        run: str,
        products: int,
        watch: Callable[[Stage], None],
        stop: Event,
    ) -> None:
        self._site, self._partitions, self._make, self._objectives = site, partitions, make, objectives
        self._run, self._products, self._watch, self._stop = run, products, watch, stop
        self._shoppers: set[tuple[bytes | None, int]] = set()
        self._number = 0

    def play(self, rate_per_s: float, seconds: float) -> Step:
        """Hold a rate for so long, the warm-up not counted."""
        pace = Pace(rate_per_s=rate_per_s, seconds=WARM_UP_S + seconds, loop=True, products=self._products)
        schedule = self._make(pace)
        how = How(run=f"{self._run}-{self._number}", warm_up_s=WARM_UP_S, drain_s=DRAIN_S, opening=self._number == 0)
        self._number += 1
        played = play(self._site, schedule, how, self._told, lambda _said: None)
        self._shoppers |= {(send.record.key, send.user) for send in schedule.sends() if send.stream == "behaviour"}
        return self._step(rate_per_s, played, schedule.keys["products"])

    def warm(self, rate_per_s: float, seconds: float) -> Step:
        """The first step: the catalogue is sent, and workers write copy about it long after they know it. That is waited for."""
        step = self.play(rate_per_s, seconds)
        before_s = self._cpu_s()
        for _ in range(round(QUIET_WITHIN_S)):
            if before_s is None or self._stop.wait(1.0):
                break
            now_s = self._cpu_s()
            if now_s is None or now_s - before_s < QUIET_CORES * len(self._site.metrics):
                break
            before_s = now_s
        return step

    def _cpu_s(self) -> float | None:
        """Processor time of the workers so far; ``None`` if they do not say."""
        found = [scrape(url).get("process_cpu_seconds_total") for url in self._site.metrics]
        told = [each for each in found if each is not None]
        return sum(told) if told else None

    def _told(self, stage: Stage) -> bool:
        self._watch(stage)
        return not self._stop.is_set()

    def _step(self, rate_per_s: float, played: Played, skus: int) -> Step:
        figures = results.figures_of(played, warm_up_s=WARM_UP_S)
        # A late generator makes answers look later, never sooner: what keeps an objective all the same keeps it.
        figures |= {"answers": played.answers.spread(), "refreshes": played.refreshes.spread()}
        growth = growing(played.answers)
        verdicts = results.judged(self._objectives, _judged_by(figures))
        all_sent = figures["rate_per_s"] >= SENT_SHARE * rate_per_s and not played.overdue
        outcome, why = _outcome(played, figures, verdicts, growth, all_sent=all_sent)
        cpu_s = figures["cpu_s_per_event"]
        return Step(
            workers=max(1, len(self._site.workers)),
            partitions=self._partitions,
            rate_per_s=rate_per_s,
            sent_per_s=figures["rate_per_s"],
            sent=played.sent,
            seconds=figures["measured_s"],
            outcome=outcome,
            why=why,
            answers=figures["answers"],
            lateness=figures["lateness"],
            verdicts=verdicts,
            growth=growth,
            cores=None if cpu_s is None else round(cpu_s * figures["rate_per_s"], 4),
            cpu_us_per_event=None if cpu_s is None else round(cpu_s * 1e6, 1),
            memory_mb=figures["memory_max_mb"],
            machine=figures["machine_mean"],
            lag_max=figures["lag_max"],
            skus=skus,
            shoppers=len(self._shoppers),
        )


def growing(latencies: Latencies) -> float | None:
    """By how many seconds latency grows each second, after the warm-up: the median of all pairs' slopes (Theil and Sen).

    At λ events a second into a system that does μ < λ it is λ/μ - 1, whatever the latency itself is yet.
    """
    by_second = [(second, spread.p50) for second, spread in latencies.over_time().items() if second >= WARM_UP_S]
    points = [(second, p50 / 1000) for second, p50 in by_second if p50 is not None]
    if len(points) < 4:  # noqa: PLR2004  a slope of fewer is noise
        return None
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1 :]]
    return round(float(np.median(slopes)), 4)


def _outcome(
    played: Played, figures: dict[str, Any], verdicts: list[Verdict], growth: float | None, *, all_sent: bool
) -> tuple[Outcome, str]:
    if played.interrupted:
        return Outcome.INTERRUPTED, "ended before its time"
    if played.failures:
        return Outcome.BROKEN, "; ".join(played.failures)
    behind = None if growth is None else growth - max(0.0, growing(played.lateness) or 0.0)
    if behind is not None and behind > STEADY:
        # Whoever falls behind while the generator does not: that generator's own jitter is no excuse.
        return Outcome.BROKEN, f"falls behind: answers come {growth:.2f} s later with each second"
    if not all_sent:
        return Outcome.LOAD_LATE, f"it sent {figures['rate_per_s']:,.1f} records a second"
    broken = [str(verdict) for verdict in verdicts if verdict.kept is False]
    if broken and figures["doubts"]:
        return Outcome.LOAD_LATE, f"{'; '.join(broken)}, but {figures['doubts'][0]}"
    if broken:
        return Outcome.BROKEN, "; ".join(broken)
    open_ = [str(verdict) for verdict in verdicts if verdict.kept is None]
    if open_:
        return Outcome.BROKEN, "; ".join(open_)
    return Outcome.KEPT, f"{played.answers.spread()}"


def _judged_by(figures: dict[str, Any]) -> results.Result:
    """A result with just the figures that objectives are about."""
    return results.Result(
        run="",
        started_at="",
        version="",
        recording={},
        pace={},
        keys={},
        site="",
        warm_up_s=WARM_UP_S,
        **figures,
    )
