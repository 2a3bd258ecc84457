"""A scheduler driven at random, with a model of what every caller must get."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shelftalk.engine.fact_lock import LockState
from shelftalk.engine.invariants import check_invariants
from shelftalk.engine.job import Failure, Finished, Job, Outcome, Tokens, Waiter
from shelftalk.engine.request import Priority, Request
from shelftalk.engine.scheduler import Scheduler, Turn
from shelftalk.errors import QueueFullError, StepFailedError

KEYS = [f"brief-{number}" for number in range(12)]


def make_job(key: str, order: int, *, prompt: int = 3, new_tokens: int = 4) -> Job:
    request = Request(key, "", (), new_tokens, Priority.SHOPPER, None)
    return Job(request, (order + 1,) * prompt, order, LockState(()))


class SchedulerMachine(RuleBasedStateMachine):
    """Arrivals, joins, cancellations, deadlines and failures in any order, also while a turn is running."""

    @initialize(rows=st.integers(1, 5), queue_limit=st.integers(1, 8), prefill_tokens=st.integers(1, 30))
    def start(self, rows: int, queue_limit: int, prefill_tokens: int) -> None:
        self.scheduler = Scheduler(rows=rows, queue_limit=queue_limit, prefill_tokens=prefill_tokens)
        self.now = 0.0
        self.number = 0
        self.waiting: dict[int, tuple[str, float | None]] = {}
        self.turn: Turn | None = None

    @rule(
        key=st.sampled_from(KEYS),
        priority=st.sampled_from(Priority),
        patience=st.none() | st.integers(0, 6),
        prompt=st.integers(1, 20),
        new_tokens=st.integers(1, 5),
    )
    def submit(self, key: str, priority: Priority, patience: int | None, prompt: int, new_tokens: int) -> None:
        self.number += 1
        deadline = None if patience is None else self.now + patience
        waiter = Waiter(self.number, priority, deadline, self.now)
        if self.scheduler.join(key, waiter) is None:
            try:
                self.scheduler.add(make_job(key, self.number, prompt=prompt, new_tokens=new_tokens), waiter)
            except QueueFullError:
                return
        self.waiting[self.number] = (key, deadline)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        key, _ = self.waiting.pop(number)
        assert self.scheduler.cancel(key, number)
        assert not self.scheduler.cancel(key, number)

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.turn is None)
    @rule()
    def reserve(self) -> None:
        for waiter in self.scheduler.expire(self.now):
            _, deadline = self.waiting.pop(waiter.number)
            assert deadline is not None
            assert deadline <= self.now
        check_invariants(self.scheduler)
        self.turn = self.scheduler.reserve(self.scheduler.plan(), self.now)
        check_invariants(self.scheduler, self.turn)
        assert all(deadline is None or deadline > self.now for _, deadline in self.waiting.values())

    @precondition(lambda self: self.turn is not None)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        assert self.turn is not None
        outcomes: dict[Job, Outcome] = {}
        for job in self.turn.jobs:
            kind = data.draw(st.sampled_from("tttttsf"))
            outcomes[job] = Failure(StepFailedError("drawn")) if kind == "f" else Tokens((7,), stop=kind == "s")
        self.turn = None
        for finished in self.scheduler.commit(outcomes):
            self.settle(finished, outcomes[finished.job])

    def settle(self, finished: Finished, outcome: Outcome) -> None:
        for waiter in finished.waiters:
            assert self.waiting.pop(waiter.number)[0] == finished.job.key
        if isinstance(outcome, Failure):
            assert finished.result is outcome.error
        else:
            assert finished.result == ("stop" if outcome.stop else "length")

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "scheduler"):
            check_invariants(self.scheduler)
            assert {n for job in self.scheduler.jobs.values() for n in job.waiters} == set(self.waiting)

    def teardown(self) -> None:
        """Nobody waits for ever: without new arrivals everything finishes in a bounded number of turns."""
        if not hasattr(self, "scheduler"):
            return
        turns = 0
        if self.turn is not None:
            self.finish_turn(self.turn)
        while self.scheduler.jobs:
            self.finish_turn(self.scheduler.reserve(self.scheduler.plan(), self.now))
            turns += 1
            assert turns <= 6 * len(KEYS), "the scheduler is stuck"
        assert not self.waiting

    def finish_turn(self, turn: Turn) -> None:
        before = set(self.waiting)
        outcomes: dict[Job, Outcome] = {job: Tokens((7,), stop=False) for job in turn.jobs}
        self.scheduler.commit(outcomes)
        left = {number for job in self.scheduler.jobs.values() for number in job.waiters}
        self.waiting = {number: self.waiting[number] for number in before & left}
