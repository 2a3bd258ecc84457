"""One turn on the model: from reserved jobs to each job's next token. No thread, no clock, no queue."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from shelftalk.engine import sampler
from shelftalk.engine.drafter import DEPTH, Drafter
from shelftalk.engine.fact_lock import FactLock, LockState
from shelftalk.engine.job import Failure, Job, Outcome, Tokens
from shelftalk.engine.runner import Runner
from shelftalk.engine.scheduler import Turn
from shelftalk.engine.vocabulary import Vocabulary
from shelftalk.errors import StepFailedError

_log = structlog.get_logger(__name__)

#: The next tokens and the rows that none can be chosen for, from values, ids and one choice a row.
Chooser = Callable[[Any, Any, Sequence[sampler.Choice]], tuple[list[int], dict[int, str]]]

#: Prompts are prefilled together while padding stays below this part of the tokens computed.
MAX_PADDING = 0.25

#: A shorter common beginning is not worth its copy, and prompts with a cached head can't be prefilled together.
MIN_CACHED_TOKENS = 16


class Generator:
    """Runs turns: moves rows, prefills or decodes, and chooses tokens under the fact lock.

    Attributes:
        drafted: tokens that were guessed for a row alone.
        confirmed: those of them that came true.
    """

    def __init__(
        self,
        runner: Runner,
        lock: FactLock,
        vocabulary: Vocabulary,
        drafter: Drafter | None = None,
        chooser: Chooser = sampler.choose,
    ) -> None:
        """Set up.

        Args:
            runner: runs the model.
            lock: of the model's tokens.
            vocabulary: the model's tokens.
            drafter: guesses ahead for a row that is alone, which changes no text; None guesses nothing.
            chooser: chooses tokens from what the runner gives.
        """
        self._runner = runner
        self._lock = lock
        self._vocabulary = vocabulary
        self._drafter = drafter
        self._chooser = chooser
        self.drafted = 0
        self.confirmed = 0

    def run(self, turn: Turn) -> dict[Job, Outcome]:
        """Run a turn. A forward pass that fails gives a `Failure` to its own jobs only."""
        outcomes: dict[Job, Outcome] = {}
        try:
            for source, target in turn.moves:
                self._runner.copy_row(source, target)
        except Exception as error:  # noqa: BLE001 ONNX Runtime's exceptions share no public base
            return self._all_failed(turn.decode, error)
        for group in prefill_groups(turn.prefill):
            outcomes |= self._prefill(group)
        if turn.decode:
            outcomes |= self._decode(turn.decode)
        return outcomes

    def text(self, job: Job) -> str:
        """The words of a finished job. A character or slot that the last token left unfinished is taken off."""
        if self._drafter is not None:
            self._drafter.learn(job.prompt, job.tokens)
        data = self._vocabulary.text_bytes(job.tokens)
        return data[: len(data) - len(job.lock.tail)].decode().strip()

    def cached_tokens(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt the cached head saves."""
        common = 0
        for ours, theirs in zip(self._runner.head, prompt[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        return common if common >= MIN_CACHED_TOKENS else 0

    def _prefill(self, group: Sequence[tuple[Job, int]]) -> dict[Job, Outcome]:
        jobs = [job for job, _ in group]
        first_row = group[0][1]
        if self._drafter is not None and len(jobs) == 1 and first_row == 0 and not jobs[0].cached:
            return self._run_ahead(jobs[0], self._drafter)
        try:
            values, ids = self._take_in(first_row, jobs)
        except Exception as error:  # noqa: BLE001 as above
            return self._all_failed(jobs, error)
        return self._choose(jobs, values, ids)

    def _take_in(self, first_row: int, jobs: Sequence[Job]) -> tuple[sampler.Values, sampler.Ids]:
        """Prefill side-by-side rows. Drafts of a text have one prompt, which is computed once; its row is copied for the others."""
        # By the lock as well: answers have the mask in them.
        asked: dict[tuple[tuple[int, ...], LockState], int] = {}
        of = [asked.setdefault((job.prompt, job.lock), len(asked)) for job in jobs]
        if len(asked) == len(jobs) or self._runner.answers_stay:
            masks = self._lock.rows([job.lock for job in jobs])
            return self._runner.prefill(first_row, [job.prompt for job in jobs], masks, jobs[0].cached)
        masks = self._lock.rows([lock for _, lock in asked])
        values, ids = self._runner.prefill(first_row, [prompt for prompt, _ in asked], masks)
        # The prompts came into the first rows, each at or before all of its own; so the last one is copied away first.
        for source, target in sorted(
            ((source, target) for target, source in enumerate(of) if source != target), reverse=True
        ):
            self._runner.copy_row(first_row + source, first_row + target)
        return values[of], ids[of]

    def _decode(self, jobs: Sequence[Job]) -> dict[Job, Outcome]:
        if self._drafter is not None and len(jobs) == 1:
            return self._run_ahead(jobs[0], self._drafter)
        try:
            masks = self._lock.rows([job.lock for job in jobs])
            tokens = [job.tokens[-1] for job in jobs]
            values, ids = self._runner.decode(tokens, [job.length for job in jobs], masks)
        except Exception as error:  # noqa: BLE001 as above
            return self._all_failed(jobs, error)
        return self._choose(jobs, values, ids)

    def _run_ahead(self, job: Job, drafter: Drafter) -> dict[Job, Outcome]:
        """Feed row 0 its prompt or its newest token, and some guesses; keep what the model would have written one by one."""
        left = job.request.max_new_tokens - len(job.tokens)
        guesses = drafter.guess(job.prompt, job.tokens, min(DEPTH, left - 1))
        states = [job.lock]
        for guess in guesses:
            try:
                states.append(self._lock.after(states[-1], guess))
            except ValueError:  # the lock forbids it here, so it can't come true
                break
        guesses = guesses[: len(states) - 1]
        try:
            masks = self._lock.rows(states)
            if not job.tokens:
                values, ids = self._runner.begin(job.prompt, guesses, masks)
            elif guesses:
                values, ids = self._runner.verify([job.tokens[-1], *guesses], job.length, masks)
            else:
                values, ids = self._runner.decode(job.tokens[-1:], [job.length], masks)
        except Exception as error:  # noqa: BLE001 as above
            return self._all_failed([job], error)
        written: list[int] = []
        # A place counts only where all guesses before it came true, so its choice is made as if they had.
        tokens, faults = self._chooser(values, ids, [_choice(job, guesses[:place]) for place in range(len(states))])
        for place, token in enumerate(tokens):
            outcome = self._take(job, token, faults.get(place, ""))
            if isinstance(outcome, Failure):
                # What was confirmed before it stands; the next step comes to the same fault.
                return {job: Tokens(tuple(written), stop=False) if written else outcome}
            written += outcome.tokens
            if outcome.stop or place == len(guesses) or written[-1] != guesses[place]:
                break
        self.drafted += len(guesses)
        self.confirmed += len(written) - 1
        return {job: Tokens(tuple(written), stop=written[-1] in self._vocabulary.end_ids)}

    def _choose(self, jobs: Sequence[Job], values: sampler.Values, ids: sampler.Ids) -> dict[Job, Outcome]:
        tokens, faults = self._chooser(values, ids, [_choice(job) for job in jobs])
        return {
            job: self._take(job, token, f"{faults[row]} (row {row} of {len(jobs)})" if row in faults else "")
            for row, (job, token) in enumerate(zip(jobs, tokens, strict=True))
        }

    def _take(self, job: Job, token: int, fault: str) -> Outcome:
        """Let the lock follow the text."""
        if fault:
            return Failure(StepFailedError(fault))
        try:
            job.lock = self._lock.after(job.lock, token)
        except ValueError as error:  # a graph that does not apply its masks: no such text gets out
            return Failure(StepFailedError(str(error)))
        return Tokens((token,), stop=token in self._vocabulary.end_ids)

    def _all_failed(self, jobs: Sequence[Job], error: Exception) -> dict[Job, Outcome]:
        _log.error("a forward pass failed", rows=len(jobs), error=repr(error))
        failure = StepFailedError(f"a forward pass of {len(jobs)} rows failed: {error}")
        failure.__cause__ = error
        return {job: Failure(failure) for job in jobs}


def prefill_groups(newcomers: Sequence[tuple[Job, int]]) -> list[list[tuple[Job, int]]]:
    """Newcomers that are prefilled together: side-by-side rows, no cached head, little padding.

    Args:
        newcomers: jobs with their rows, in the order of the rows.
    """
    groups: list[list[tuple[Job, int]]] = []
    for job, row in newcomers:
        if groups and _fits(groups[-1], job, row):
            groups[-1].append((job, row))
        else:
            groups.append([(job, row)])
    return groups


def _fits(group: list[tuple[Job, int]], job: Job, row: int) -> bool:
    last, last_row = group[-1]
    if job.cached or last.cached or row != last_row + 1:
        return False
    lengths = [len(job.prompt), *(len(member.prompt) for member, _ in group)]
    return 1 - sum(lengths) / (max(lengths) * len(lengths)) <= MAX_PADDING


def _choice(job: Job, written: Sequence[int] = ()) -> sampler.Choice:
    """How a job chooses its next token, after those that this step wrote already."""
    request = job.request
    if job.draws is None and request.repetition_penalty == 1:
        return _GREEDY
    return sampler.Choice(
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        penalty=request.repetition_penalty,
        draw=0.0 if job.draws is None else job.draws[len(job.tokens) + len(written)],
        seen=frozenset((*job.tokens, *written)) if request.repetition_penalty != 1 else frozenset(),
    )


_GREEDY = sampler.Choice()
