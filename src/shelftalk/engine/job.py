"""One generation on its way through the scheduler, and the callers who wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shelftalk.engine.fact_lock import LockState
from shelftalk.engine.request import FinishReason, Priority, Request


@dataclass(frozen=True, slots=True)
class Waiter:
    """One caller. Times are `time.monotonic` seconds.

    Attributes:
        number: unique in the engine's life.
        priority: what this caller asked for.
        deadline_s: when this caller gives up, or None.
        submitted_s: when it came.
    """

    number: int
    priority: Priority
    deadline_s: float | None
    submitted_s: float


@dataclass(eq=False, slots=True)
class Job:
    """A generation: queued while `row` is None, running while it has one.

    Only the scheduler changes it, except for `lock`, which belongs to the generator.

    Attributes:
        request: of the caller who came first; it decides the text.
        prompt: token ids.
        order: rank of arrival; it stays when the job is evicted, so that it comes back first.
        waiters: callers by their number; a job without any is dropped.
        priority: the highest of its callers.
        draws: uniform draws in [0, 1), one for each new token; None when greedy.
        cached: tokens of the prompt that come from the cached head.
        row: its place in the KV cache.
        tokens: written so far.
        lock: the fact lock's state after `tokens`.
        started_s: when it got its row, or None.
    """

    request: Request
    prompt: tuple[int, ...]
    order: int
    lock: LockState
    waiters: dict[int, Waiter] = field(default_factory=dict)
    priority: Priority = Priority.WARM_UP
    draws: Sequence[float] | None = None
    cached: int = 0
    row: int | None = None
    tokens: list[int] = field(default_factory=list)
    started_s: float | None = None

    @property
    def key(self) -> str:
        """The single-flight key."""
        return self.request.key

    @property
    def length(self) -> int:
        """Tokens whose keys and values are in the cache: all but the newest, which the next step feeds."""
        return len(self.prompt) + len(self.tokens) - 1

    def add(self, waiter: Waiter) -> None:
        """Let one more caller wait; the job is as urgent as its most urgent caller."""
        self.waiters[waiter.number] = waiter
        self.priority = min(self.priority, waiter.priority)

    def remove(self, number: int) -> bool:
        """Take a caller away. False where it was gone already."""
        if self.waiters.pop(number, None) is None:
            return False
        self.priority = min((waiter.priority for waiter in self.waiters.values()), default=Priority.WARM_UP)
        return True

    def restart(self) -> None:
        """Forget what was written: the seed makes the second run write the same."""
        self.row = None
        self.started_s = None
        # The request's slots, not the lock's: a slot that was written already is no longer among those.
        self.lock = LockState(tuple(sorted(set(self.request.slots))), script=self.request.script)
        self.tokens.clear()


@dataclass(frozen=True, slots=True)
class Tokens:
    """A step's outcome for one row: the next token or, where guesses came true, several; and whether they end the text."""

    tokens: tuple[int, ...]
    stop: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """A step's outcome for one row that it could not serve."""

    error: Exception


Outcome = Tokens | Failure


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that left its row, with the callers who were still waiting."""

    job: Job
    waiters: tuple[Waiter, ...]
    result: FinishReason | Exception
