"""What must hold of a scheduler between any two of its steps, in one place."""

from shelftalk.engine.scheduler import Scheduler, Turn


def check_invariants(scheduler: Scheduler, turn: Turn | None = None) -> None:
    """Check everything.

    Args:
        scheduler: in any state between two calls.
        turn: the turn just reserved, before anything else happened.

    Raises:
        AssertionError: names what does not hold.
    """
    running, queued = scheduler.running, scheduler.queued
    _check(len({id(job) for job in running}) == len(running), "a job has one row")
    for row, job in enumerate(scheduler.rows):
        _check(job is None or job.row == row, "a job knows its row")
    _check({job.key for job in running}.isdisjoint(job.key for job in queued), "a job is queued or running, not both")
    _check(
        {id(job) for job in scheduler.jobs.values()} == {id(job) for job in [*running, *queued]},
        "every job is queued or running, and nothing else is",
    )
    for key, job in scheduler.jobs.items():
        _check(job.key == key, "a job is found by its key")
        _check(bool(job.waiters), "somebody waits for every job")
        _check(job.priority == min(waiter.priority for waiter in job.waiters.values()), "the most urgent caller counts")
        _check(len(job.tokens) < job.request.max_new_tokens, "a job in hand has tokens left to write")
        _check(job.row is not None or not job.tokens, "a queued job has written nothing")
        _check((job.row is None) == (job.started_s is None), "a job has a start time while it has a row")
    # Evicted jobs come back to the queue, however full it is.
    _check(len(queued) <= scheduler.queue_limit + len(scheduler.rows), "the queue is bounded")
    numbers = [number for job in scheduler.jobs.values() for number in job.waiters]
    _check(len(set(numbers)) == len(numbers), "a caller waits once")
    tally = scheduler.tally
    settled = tally.completed + tally.failed + tally.expired + tally.cancelled
    _check(tally.submitted == settled + len(numbers), "every caller is settled or waiting")
    if turn is not None:
        _check_turn(scheduler, turn)


def _check_turn(scheduler: Scheduler, turn: Turn) -> None:
    _check(not (turn.prefill and turn.decode), "a turn prefills or decodes")
    _check(not (turn.prefill and turn.moves), "rows move only before a decode")
    if turn.decode:
        _check([job.row for job in turn.decode] == list(range(len(turn.decode))), "decoding rows lie side by side")
        _check(list(turn.decode) == scheduler.running, "every running row decodes")
        _check(all(job.tokens for job in turn.decode), "a decoding row was prefilled")
    for job, row in turn.prefill:
        _check(job.row == row and scheduler.rows[row] is job, "a prefilled job has its row")
        _check(not job.tokens, "a prefilled job has written nothing")
    if scheduler.queued and not turn.prefill:
        _check(None not in scheduler.rows, "no row is free while somebody queues")
        urgent = scheduler.queued[0].priority
        _check(all(job.priority <= urgent for job in scheduler.running), "nobody waits behind a less urgent job")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)
