import pytest
from hypothesis import settings

from shelftalk.engine.fact_lock import LockState
from shelftalk.engine.invariants import check_invariants
from shelftalk.engine.job import Failure, Job, Tokens, Waiter
from shelftalk.engine.request import Priority, Request
from shelftalk.engine.scheduler import Scheduler, Turn
from shelftalk.errors import CancelledRequestError, QueueFullError, StepFailedError
from tests.engine.machine import SchedulerMachine, make_job

TestRandomTraffic = SchedulerMachine.TestCase
TestRandomTraffic.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def scheduler(*keys: str, rows: int = 2, queue_limit: int = 8, prefill_tokens: int = 100) -> Scheduler:
    made = Scheduler(rows=rows, queue_limit=queue_limit, prefill_tokens=prefill_tokens)
    for number, key in enumerate(keys):
        add(made, key, number)
    return made


def add(to: Scheduler, key: str, number: int, priority: Priority = Priority.SHOPPER, prompt: int = 3) -> Job:
    job = make_job(key, number, prompt=prompt)
    to.add(job, Waiter(number, priority, None, 0.0))
    return job


def take_turn(of: Scheduler, now: float = 0.0, stop: str = "") -> Turn:
    of.expire(now)
    check_invariants(of)
    turn = of.reserve(of.plan(), now)
    check_invariants(of, turn)
    of.commit({job: Tokens((7,), stop=job.key in stop.split()) for job in turn.jobs})
    check_invariants(of)
    return turn


def keys(jobs: tuple[Job, ...] | list[Job]) -> list[str]:
    return [job.key for job in jobs]


def newcomers(turn: Turn) -> list[str]:
    return [job.key for job, _ in turn.prefill]


def test_a_turn_prefills_or_decodes() -> None:
    busy = scheduler("a", "b", "c")
    assert newcomers(take_turn(busy)) == ["a", "b"]
    assert keys(take_turn(busy).decode) == ["a", "b"]


def test_planning_changes_nothing() -> None:
    busy = scheduler("a", "b", "c")
    assert busy.plan() == busy.plan()
    assert not busy.running


def test_a_row_that_leaves_is_taken_by_the_next_in_line() -> None:
    busy = scheduler("a", "b", "c")
    take_turn(busy, stop="a")
    turn = take_turn(busy)
    assert (newcomers(turn), turn.moves) == (["c"], ())
    assert keys(busy.running) == ["c", "b"]


def test_a_hole_that_nobody_takes_is_filled_by_the_last_row() -> None:
    busy = scheduler("a", "b", "c", "d", rows=4)
    take_turn(busy, stop="a c")
    turn = take_turn(busy)
    assert turn.moves == ((3, 0),)
    assert keys(turn.decode) == ["d", "b"]


def test_a_turn_takes_in_a_bounded_number_of_prompt_tokens_but_at_least_one_job() -> None:
    busy = scheduler(rows=4, prefill_tokens=10)
    for number, prompt in enumerate((12, 6, 4, 1)):
        add(busy, f"j{number}", number, prompt=prompt)
    assert newcomers(take_turn(busy)) == ["j0"]
    assert newcomers(take_turn(busy)) == ["j1", "j2"]
    assert newcomers(take_turn(busy)) == ["j3"]


def test_the_more_urgent_runs_first_and_equals_in_order() -> None:
    busy = scheduler(rows=1)
    for number, priority in enumerate((Priority.WARM_UP, Priority.REFRESH, Priority.SHOPPER, Priority.SHOPPER)):
        add(busy, f"j{number}", number, priority)
    assert keys(busy.queued) == ["j2", "j3", "j1", "j0"]


def test_a_shopper_evicts_the_least_urgent_row_with_the_least_work() -> None:
    busy = scheduler(rows=3)
    refresh = add(busy, "refresh", 0, Priority.REFRESH)
    take_turn(busy)
    add(busy, "old", 1, Priority.WARM_UP)
    take_turn(busy)
    take_turn(busy)
    young = add(busy, "young", 2, Priority.WARM_UP)
    take_turn(busy)
    add(busy, "shopper", 3)
    assert newcomers(take_turn(busy)) == ["shopper"]
    assert (young.row, young.tokens, refresh.row) == (None, [], 0)
    assert busy.tally.evicted == 1


def test_equals_do_not_evict_each_other() -> None:
    busy = scheduler("a", "b", "c")
    take_turn(busy)
    assert busy.plan().evicted == ()


def test_a_shared_generation_is_as_urgent_as_its_most_urgent_caller() -> None:
    busy = scheduler(rows=1)
    add(busy, "first", 0, Priority.REFRESH)
    add(busy, "shared", 1, Priority.WARM_UP)
    assert busy.join("shared", Waiter(2, Priority.SHOPPER, None, 0.0))
    assert keys(busy.queued) == ["shared", "first"]
    busy.cancel("shared", 2)
    assert keys(busy.queued) == ["first", "shared"]


def test_only_the_last_caller_takes_the_generation_with_him() -> None:
    busy = scheduler("a")
    busy.join("a", Waiter(5, Priority.SHOPPER, None, 0.0))
    take_turn(busy)
    assert busy.cancel("a", 0)
    assert keys(busy.running) == ["a"]
    assert busy.cancel("a", 5)
    assert not busy.jobs


def test_each_caller_has_a_deadline_of_his_own() -> None:
    busy = scheduler("a")
    busy.join("a", Waiter(5, Priority.SHOPPER, 1.0, 0.0))
    assert busy.expire(0.9) == []
    assert [waiter.number for waiter in busy.expire(1.0)] == [5]
    assert newcomers(take_turn(busy, now=1.0)) == ["a"]


def test_a_job_that_loses_its_urgent_caller_makes_way_at_once() -> None:
    """Seen: expiry was part of the plan, and a refresh kept its row for a turn by the urgency of a shopper just gone."""
    busy = scheduler(rows=1)
    busy.add(make_job("shared", 0), Waiter(0, Priority.SHOPPER, 1.0, 0.0))
    busy.join("shared", Waiter(1, Priority.REFRESH, None, 0.0))
    take_turn(busy)
    add(busy, "shopper", 2)
    assert newcomers(take_turn(busy, now=1.0)) == ["shopper"]


def test_the_row_of_an_expired_job_is_free_in_the_same_turn() -> None:
    busy = scheduler(rows=1)
    busy.add(make_job("late", 0), Waiter(0, Priority.SHOPPER, 1.0, 0.0))
    take_turn(busy)
    add(busy, "next", 1)
    assert newcomers(take_turn(busy, now=2.0)) == ["next"]


def test_a_flood_of_warm_ups_leaves_the_queue_open_to_shoppers() -> None:
    busy = scheduler(queue_limit=4)
    add(busy, "w0", 0, Priority.WARM_UP)
    add(busy, "w1", 1, Priority.WARM_UP)
    with pytest.raises(QueueFullError, match="WARM_UP"):
        add(busy, "w2", 2, Priority.WARM_UP)
    add(busy, "r", 3, Priority.REFRESH)
    with pytest.raises(QueueFullError, match="REFRESH"):
        add(busy, "r2", 4, Priority.REFRESH)
    add(busy, "s", 5)
    with pytest.raises(QueueFullError, match="4 requests wait"):
        add(busy, "s2", 6)
    check_invariants(busy)


def test_a_failure_ends_its_own_job_only() -> None:
    busy = scheduler("a", "b")
    turn = busy.reserve(busy.plan(), 0.0)
    error = StepFailedError("x")
    finished = busy.commit({turn.jobs[0]: Failure(error), turn.jobs[1]: Tokens((7,), stop=False)})
    assert [(done.job.key, done.result) for done in finished] == [("a", error)]
    assert keys(busy.running) == ["b"]


def test_the_outcome_of_a_job_dropped_meanwhile_is_passed_over() -> None:
    busy = scheduler("a")
    turn = busy.reserve(busy.plan(), 0.0)
    busy.cancel("a", 0)
    add(busy, "a", 1)  # the same key again, another generation
    assert busy.commit({turn.jobs[0]: Tokens((7,), stop=True)}) == []
    assert keys(busy.queued) == ["a"]


def test_a_stale_plan_is_refused() -> None:
    busy = scheduler("a", "b", rows=1)
    plan = busy.plan()
    busy.reserve(plan, 0.0)
    with pytest.raises(ValueError, match="stale"):
        busy.reserve(plan, 0.0)


def test_closing_counts_as_cancelling_and_dying_as_failing() -> None:
    busy = scheduler("a", "b")
    busy.fail_all(CancelledRequestError("closed"))
    assert busy.tally.cancelled == 2
    add(busy, "c", 2)
    busy.fail_all(StepFailedError("died"))
    assert busy.tally.failed == 1
    check_invariants(busy)


def test_an_evicted_job_may_write_again_the_slot_that_it_had_written() -> None:
    """Seen: a slot is written once, the lock forgot it, and the second run wrote another text."""
    request = Request("k", "", ("price", "name"), 9, Priority.WARM_UP, None)
    job = Job(request, (1, 2), 0, LockState(("price",), started=True), tokens=[5])
    job.restart()
    assert job.lock == LockState(("name", "price"))
    assert job.tokens == []
