"""One turn on the model: from reserved jobs to each job's next token. No thread, no clock, no queue."""

from collections.abc import Sequence

import structlog

from shelftalk.engine import sampler
from shelftalk.engine.fact_lock import FactLock
from shelftalk.engine.job import Failure, Job, Outcome, Token
from shelftalk.engine.runner import Runner
from shelftalk.engine.scheduler import Turn
from shelftalk.engine.vocabulary import Vocabulary
from shelftalk.errors import StepFailedError

_log = structlog.get_logger(__name__)

#: Prompts are prefilled together while padding stays below this part of the tokens computed.
MAX_PADDING = 0.25

#: A shorter common beginning is not worth its copy, and prompts with a cached head can't be prefilled together.
MIN_CACHED_TOKENS = 16


class Generator:
    """Runs turns: moves rows, prefills or decodes, and chooses tokens under the fact lock."""

    def __init__(self, runner: Runner, lock: FactLock, vocabulary: Vocabulary) -> None:
        self._runner = runner
        self._lock = lock
        self._vocabulary = vocabulary

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
        try:
            masks = self._lock.rows([job.lock for job in jobs])
            values, ids = self._runner.prefill(first_row, [job.prompt for job in jobs], masks, jobs[0].cached)
        except Exception as error:  # noqa: BLE001 as above
            return self._all_failed(jobs, error)
        return self._choose(jobs, values, ids)

    def _decode(self, jobs: Sequence[Job]) -> dict[Job, Outcome]:
        try:
            masks = self._lock.rows([job.lock for job in jobs])
            tokens = [job.tokens[-1] for job in jobs]
            values, ids = self._runner.decode(tokens, [job.length for job in jobs], masks)
        except Exception as error:  # noqa: BLE001 as above
            return self._all_failed(jobs, error)
        return self._choose(jobs, values, ids)

    def _choose(self, jobs: Sequence[Job], values: sampler.Values, ids: sampler.Ids) -> dict[Job, Outcome]:
        faults = sampler.faults(values)
        tokens = sampler.choose(values, ids, [_choice(job) for job in jobs])
        outcomes: dict[Job, Outcome] = {}
        for row, (job, token) in enumerate(zip(jobs, tokens, strict=True)):
            if row in faults:
                outcomes[job] = Failure(StepFailedError(f"{faults[row]} (row {row} of {len(jobs)})"))
                continue
            try:
                job.lock = self._lock.after(job.lock, token)
            except ValueError as error:  # a graph that does not apply its masks: no such text gets out
                outcomes[job] = Failure(StepFailedError(str(error)))
                continue
            outcomes[job] = Token(token, stop=token in self._vocabulary.end_ids)
        return outcomes

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


def _choice(job: Job) -> sampler.Choice:
    request = job.request
    if job.draws is None and request.repetition_penalty == 1:
        return _GREEDY
    return sampler.Choice(
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        penalty=request.repetition_penalty,
        draw=0.0 if job.draws is None else float(job.draws[len(job.tokens)]),
        seen=frozenset(job.tokens) if request.repetition_penalty != 1 else frozenset(),
    )


_GREEDY = sampler.Choice()
