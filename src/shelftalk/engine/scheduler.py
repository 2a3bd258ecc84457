"""Who runs next. Pure: it knows no model, no thread and no clock; the time is passed in.

One turn is *expire* (let go whose deadline has come), *plan* (decide, change nothing), *reserve* (make it so), run (the
generator's part) and *commit* (take the outcomes). A turn either prefills newcomers or decodes every running row.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from shelftalk.engine.job import Failure, Finished, Job, Outcome, Waiter
from shelftalk.engine.request import Priority
from shelftalk.errors import CancelledRequestError, QueueFullError

#: The part of the queue that each priority may fill, so that a flood of warm-ups never shuts a shopper out.
QUEUE_SHARE = {Priority.SHOPPER: 1.0, Priority.REFRESH: 0.75, Priority.WARM_UP: 0.5}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next turn will do.

    Attributes:
        evicted: running jobs that make way for more urgent ones, and start over later.
        admitted: queued jobs with the row that each gets; if there are any, the turn prefills them.
        moves: (from, to) rows, in order, so that the running rows lie side by side; only in a turn that decodes.
    """

    evicted: tuple[Job, ...] = ()
    admitted: tuple[tuple[Job, int], ...] = ()
    moves: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A reserved turn, ready to run. At most one of `prefill` and `decode` holds jobs.

    It keeps the rows itself: a job that is cancelled while the turn runs loses its row at once.

    Attributes:
        moves: (from, to) rows, to be copied before the decode.
        prefill: newcomers with their rows, in the order of the rows.
        decode: the jobs of rows 0 to n-1.
    """

    moves: tuple[tuple[int, int], ...] = ()
    prefill: tuple[tuple[Job, int], ...] = ()
    decode: tuple[Job, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job that takes part."""
        return (*(job for job, _ in self.prefill), *self.decode)


@dataclass(slots=True)
class Tally:
    """Counts since the start. Callers: submitted = completed + failed + expired + cancelled + those still waiting."""

    submitted: int = 0
    joined: int = 0
    completed: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    evicted: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    batch_sizes: Counter[int] = field(default_factory=Counter)


class Scheduler:
    """The queue and the rows.

    Attributes:
        rows: the job in each row of the KV cache, or None.
        jobs: every queued or running job by its key.
        tally: counts since the start.
    """

    def __init__(self, *, rows: int, queue_limit: int, prefill_tokens: int = 1024) -> None:
        """Start empty.

        Args:
            rows: places in the batch.
            queue_limit: jobs that may wait for one.
            prefill_tokens: prompt tokens that one turn may take in (at least one job), so that running rows are not
                held up for long.
        """
        self.rows: list[Job | None] = [None] * rows
        self.jobs: dict[str, Job] = {}
        self.tally = Tally()
        self.queue_limit = queue_limit
        self._prefill_tokens = prefill_tokens

    @property
    def running(self) -> list[Job]:
        """The jobs with a row, in the order of the rows."""
        return [job for job in self.rows if job is not None]

    @property
    def queued(self) -> list[Job]:
        """The jobs without a row, the next one first."""
        waiting = [job for job in self.jobs.values() if job.row is None]
        return sorted(waiting, key=attrgetter("priority", "order"))

    def join(self, key: str, waiter: Waiter) -> Job | None:
        """Let a caller wait for a generation that is queued or running already, if there is one."""
        job = self.jobs.get(key)
        if job is not None:
            job.add(waiter)
            self.tally.submitted += 1
            self.tally.joined += 1
        return job

    def add(self, job: Job, waiter: Waiter) -> None:
        """Queue a new generation.

        Raises:
            QueueFullError: as many jobs wait as this priority may bring to the queue.
        """
        if job.key in self.jobs:
            raise ValueError(f"{job.key!r} is queued or running already: join it")
        waiting = sum(other.row is None for other in self.jobs.values())
        limit = max(1, int(self.queue_limit * QUEUE_SHARE[waiter.priority]))
        if waiting >= limit:
            raise QueueFullError(f"{waiting} requests wait, {waiter.priority.name} requests may queue up to {limit}")
        job.add(waiter)
        self.jobs[job.key] = job
        self.tally.submitted += 1

    def cancel(self, key: str, number: int) -> bool:
        """Take a caller away; the last one takes the job with it. False where the caller was gone already."""
        job = self.jobs.get(key)
        if job is None or not job.remove(number):
            return False
        self.tally.cancelled += 1
        if not job.waiters:
            self._drop(job)
        return True

    def expire(self, now: float) -> list[Waiter]:
        """Take away the callers whose deadline has come; a job without any others goes with them.

        It comes before the plan, because a job may lose its most urgent caller and with him its urgency.

        Args:
            now: `time.monotonic` seconds.
        """
        late = [
            (job, waiter)
            for job in self.jobs.values()
            for waiter in job.waiters.values()
            if waiter.deadline_s is not None and waiter.deadline_s <= now
        ]
        for job, waiter in late:
            job.remove(waiter.number)
            self.tally.expired += 1
            if not job.waiters:
                self._drop(job)
        return [waiter for _, waiter in late]

    def plan(self) -> Plan:
        """Decide the next turn."""
        evicted, admitted = self._admissions()
        return Plan(evicted, admitted, () if admitted else self._moves())

    def reserve(self, plan: Plan, now: float) -> Turn:
        """Carry out a plan that was made of the present state. The rows it names are then taken.

        Args:
            plan: what to do.
            now: `time.monotonic` seconds.
        """
        for job in plan.evicted:
            self._leave_row(job)
            job.restart()
            self.tally.evicted += 1
        for source, target in plan.moves:
            job_moved = self.rows[source]
            if job_moved is None or self.rows[target] is not None:
                raise ValueError(f"the plan is stale: row {source} can't move to {target}")
            self.rows[source], self.rows[target] = None, job_moved
            job_moved.row = target
        for job, row in plan.admitted:
            if self.rows[row] is not None:
                raise ValueError(f"the plan is stale: row {row} is taken")
            self.rows[row], job.row, job.started_s = job, row, now
            self.tally.prompt_tokens += len(job.prompt)
        prefill = tuple(sorted(plan.admitted, key=itemgetter(1)))
        return Turn(plan.moves, prefill, () if prefill else tuple(self.running))

    def commit(self, outcomes: Mapping[Job, Outcome]) -> list[Finished]:
        """Take a turn's outcomes. Jobs that were dropped while it ran are passed over."""
        finished = []
        self.tally.batch_sizes[len(outcomes)] += 1
        for job, outcome in outcomes.items():
            if self.jobs.get(job.key) is not job or job.row is None:
                continue
            if isinstance(outcome, Failure):
                finished.append(self._finish(job, outcome.error))
                continue
            job.tokens += outcome.tokens
            self.tally.tokens += len(outcome.tokens)
            if outcome.stop:
                finished.append(self._finish(job, None))
            elif len(job.tokens) >= job.request.max_new_tokens:
                finished.append(self._finish(job, None, stopped=False))
        return finished

    def fail_all(self, error: Exception) -> list[Finished]:
        """Fail everything that is queued or running."""
        return [self._finish(job, error) for job in list(self.jobs.values())]

    def _admissions(self) -> tuple[tuple[Job, ...], tuple[tuple[Job, int], ...]]:
        """Jobs to evict, and jobs to admit with their rows (the lowest free ones)."""
        free = [row for row, job in enumerate(self.rows) if job is None]
        victims = self.running
        evicted: list[Job] = []
        admitted: list[tuple[Job, int]] = []
        budget = self._prefill_tokens
        for job in self.queued:
            if admitted and len(job.prompt) - job.cached > budget:
                break
            if not free:
                # The least urgent; among those the one with the least work to lose.
                victim = max(victims, key=lambda other: (other.priority, -len(other.tokens)), default=None)
                if victim is None or victim.row is None or victim.priority <= job.priority:
                    break
                victims.remove(victim)
                evicted.append(victim)
                free.append(victim.row)
            admitted.append((job, free.pop(0)))
            budget -= len(job.prompt) - job.cached
        return tuple(evicted), tuple(admitted)

    def _moves(self) -> tuple[tuple[int, int], ...]:
        """Last rows into holes, until the running rows are 0 to n-1."""
        taken = [row for row, job in enumerate(self.rows) if job is not None]
        holes = sorted(set(range(len(taken))).difference(taken))
        return tuple(zip(reversed(taken), holes, strict=False))

    def _leave_row(self, job: Job) -> None:
        if job.row is not None:
            self.rows[job.row] = None
            job.row = None

    def _drop(self, job: Job) -> None:
        self._leave_row(job)
        del self.jobs[job.key]

    def _finish(self, job: Job, error: Exception | None, *, stopped: bool = True) -> Finished:
        waiters = tuple(job.waiters.values())
        self._drop(job)
        if error is None:
            self.tally.completed += len(waiters)
            return Finished(job, waiters, "stop" if stopped else "length")
        if isinstance(error, CancelledRequestError):
            self.tally.cancelled += len(waiters)
        else:
            self.tally.failed += len(waiters)
        return Finished(job, waiters, error)
