from typing import Any, cast

import numpy as np

from shelftalk.engine.drafter import Drafter
from shelftalk.engine.fact_lock import FactLock, LockState
from shelftalk.engine.generator import Generator, prefill_groups
from shelftalk.engine.job import Failure, Job, Outcome, Tokens, Waiter
from shelftalk.engine.request import Priority, Request
from shelftalk.engine.runner import Runner
from shelftalk.engine.sampler import Ids, Values
from shelftalk.engine.scheduler import Scheduler
from shelftalk.engine.vocabulary import read_vocabulary
from tests.engine.machine import make_job
from tests.engine.tokenizers_made import byte_level

VOCABULARY = read_vocabulary(byte_level(), None, frozenset({0}))
WORD = VOCABULARY.pieces.index(b"a")


class FakeRunner:
    """Writes the same word for ever and notes where."""

    head: tuple[int, ...] = ()
    answers_stay = False

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def prefill(self, first: int, prompts: list[Any], _: Any, cached: int = 0) -> tuple[Values, Ids]:
        self.calls.append(("prefill", first, len(prompts), cached))
        return self.words(len(prompts))

    def decode(self, tokens: list[int], lengths: list[int], _: Any) -> tuple[Values, Ids]:
        self.calls.append(("decode", tokens, lengths))
        return self.words(len(tokens))

    def copy_row(self, source: int, target: int) -> None:
        self.calls.append(("copy", source, target))

    def words(self, rows: int) -> tuple[Values, Ids]:
        return np.zeros((rows, 1), np.float32), np.full((rows, 1), WORD, np.int64)


def make() -> tuple[Generator, FakeRunner]:
    runner = FakeRunner()
    return Generator(cast("Runner", runner), FactLock(VOCABULARY), VOCABULARY), runner


def grouped(*newcomers: tuple[int, int, int]) -> list[list[int]]:
    """Groups by prompt length, of (row, prompt length, cached)."""
    jobs: list[tuple[Job, int]] = []
    for row, length, cached in newcomers:
        job = make_job(f"r{row}", row, prompt=length)
        job.cached = cached
        jobs.append((job, row))
    return [[len(job.prompt) for job, _ in group] for group in prefill_groups(jobs)]


def test_side_by_side_rows_of_like_length_are_prefilled_together() -> None:
    assert grouped((0, 10, 0), (1, 12, 0), (2, 9, 0)) == [[10, 12, 9]]
    assert grouped((0, 10, 0), (1, 60, 0)) == [[10], [60]]
    assert grouped((0, 10, 0), (2, 10, 0)) == [[10], [10]]
    assert grouped((0, 10, 0), (1, 10, 8), (2, 10, 0)) == [[10], [10], [10]]
    assert grouped() == []


def test_a_prompt_of_several_drafts_is_computed_once_and_its_row_copied() -> None:
    """In whatever order they lie, every row has its own prompt in the end."""
    for prompts in ("AAA", "AABB", "ABAB", "ABBA", "ABCBAAC"):
        generator, runner = make()
        rows: dict[int, Any] = {}
        prefill, copy = runner.prefill, runner.copy_row

        def noted(first: int, those: list[Any], *rest: Any, rows: Any = rows, prefill: Any = prefill) -> Any:
            rows |= {first + place: prompt for place, prompt in enumerate(those)}
            return prefill(first, those, *rest)

        def copied(source: int, target: int, rows: Any = rows, copy: Any = copy) -> None:
            rows[target] = rows[source]
            copy(source, target)

        runner.prefill, runner.copy_row = noted, copied  # type: ignore[method-assign, assignment]
        jobs = [make_job(str(number), ord(prompt)) for number, prompt in enumerate(prompts)]
        scheduler = Scheduler(rows=8, queue_limit=9)
        for number, job in enumerate([make_job("old", 0, new_tokens=9), *jobs]):
            scheduler.add(job, Waiter(number, Priority.SHOPPER, None, 0.0))
            if number == 0:
                scheduler.commit(generator.run(scheduler.reserve(scheduler.plan(), 0)))
        generator.run(scheduler.reserve(scheduler.plan(), 0))
        assert [rows[job.row] for job in jobs if job.row is not None] == [job.prompt for job in jobs]
        assert runner.calls[1] == ("prefill", 1, len(set(prompts)), 0)


def test_who_may_write_other_slots_shares_no_answers() -> None:
    generator, runner = make()
    scheduler = Scheduler(rows=2, queue_limit=9)
    for number, slots in enumerate(((), ("name",))):
        job = make_job(str(number), 7)
        job.lock = LockState(slots)
        scheduler.add(job, Waiter(number, Priority.SHOPPER, None, 0.0))
    generator.run(scheduler.reserve(scheduler.plan(), 0))
    assert runner.calls == [("prefill", 0, 2, 0)]


def test_rows_are_copied_before_they_decode() -> None:
    generator, runner = make()
    scheduler = Scheduler(rows=3, queue_limit=9)
    for number in range(3):
        scheduler.add(make_job(f"k{number}", number, new_tokens=9), Waiter(number, Priority.SHOPPER, None, 0.0))
    scheduler.commit(generator.run(scheduler.reserve(scheduler.plan(), 0)))
    scheduler.cancel("k0", 0)
    generator.run(scheduler.reserve(scheduler.plan(), 0))
    assert runner.calls == [("prefill", 0, 3, 0), ("copy", 2, 0), ("decode", [WORD, WORD], [3, 3])]


def test_cancelling_while_a_turn_runs_moves_nobody_elses_row() -> None:
    """Seen: the first of a group was cancelled between reserve and run, and the group was written over row 0."""
    generator, runner = make()
    scheduler = Scheduler(rows=3, queue_limit=9)
    scheduler.add(make_job("old", 0, new_tokens=9), Waiter(0, Priority.SHOPPER, None, 0.0))
    scheduler.commit(generator.run(scheduler.reserve(scheduler.plan(), 0)))
    for number in (1, 2):
        scheduler.add(make_job(f"k{number}", number, new_tokens=9), Waiter(number, Priority.SHOPPER, None, 0.0))
    turn = scheduler.reserve(scheduler.plan(), 0)
    scheduler.cancel("k1", 1)
    outcomes = generator.run(turn)
    assert runner.calls[-1] == ("prefill", 1, 2, 0)
    scheduler.commit(outcomes)
    assert [(job.key, job.row) for job in scheduler.running] == [("old", 0), ("k2", 2)]


def test_each_step_takes_its_own_draw() -> None:
    generator, runner = make()
    other = VOCABULARY.pieces.index(b"b")
    runner.words = lambda rows: (  # type: ignore[method-assign]
        np.zeros((rows, 2), np.float32),
        np.tile(np.array([[WORD, other]], np.int64), (rows, 1)),
    )
    request = Request("k", "", (), 4, Priority.SHOPPER, None, temperature=1.0, top_p=1.0)
    job = Job(request, (1, 2), 0, LockState(()), draws=[0.1, 0.9, 0.2, 0.7])
    scheduler = Scheduler(rows=1, queue_limit=1)
    scheduler.add(job, Waiter(0, Priority.SHOPPER, None, 0.0))
    while scheduler.jobs:
        scheduler.commit(generator.run(scheduler.reserve(scheduler.plan(), 0)))
    assert generator.text(job) == "abab"


def test_a_graph_that_ignores_its_masks_gets_no_text_out() -> None:
    generator, runner = make()
    digit = VOCABULARY.pieces.index(b"5")
    runner.words = lambda rows: (  # type: ignore[method-assign]
        np.zeros((rows, 1), np.float32),
        np.full((rows, 1), digit, np.int64),
    )
    scheduler = Scheduler(rows=1, queue_limit=1)
    job = make_job("k", 0)
    scheduler.add(job, Waiter(0, Priority.SHOPPER, None, 0.0))
    outcome = generator.run(scheduler.reserve(scheduler.plan(), 0))[job]
    assert isinstance(outcome, Failure)
    assert "not allowed" in str(outcome.error)


class Guesser:
    """Knows what the fake runner writes, and may guess too far."""

    def __init__(self, *guesses: int) -> None:
        self.guesses = list(guesses)

    def guess(self, _prompt: Any, tokens: Any, most: int) -> list[int]:
        return self.guesses[:most] if tokens else []


def ahead(
    guesses: list[int], answers: list[int], *, nan_at: int | None = None, most: int = 9
) -> tuple[Outcome, LockState, list[int]]:
    """One step of a lone row that has written one word: its outcome, the lock's state, and the tokens that were fed."""
    fed: list[int] = []

    def verify(tokens: list[int], _length: int, masks: Any) -> tuple[Values, Ids]:
        fed.extend(tokens)
        values = np.zeros((len(masks), 1), np.float32)
        if nan_at is not None:
            values[nan_at] = np.nan
        return values, np.array([[token] for token in answers[: len(masks)]], np.int64)

    runner = FakeRunner()
    runner.verify = verify  # type: ignore[attr-defined]
    runner.begin = lambda prompt, _guesses, masks: runner.prefill(0, [prompt], masks, 0)  # type: ignore[attr-defined]
    generator = Generator(cast("Runner", runner), FactLock(VOCABULARY), VOCABULARY, cast("Drafter", Guesser(*guesses)))
    scheduler = Scheduler(rows=1, queue_limit=1)
    job = make_job("k", 0, new_tokens=most)
    scheduler.add(job, Waiter(0, Priority.SHOPPER, None, 0.0))
    scheduler.commit(generator.run(scheduler.reserve(scheduler.plan(), 0)))
    return generator.run(scheduler.reserve(scheduler.plan(), 0))[job], job.lock, fed


A, B, FIVE = WORD, VOCABULARY.pieces.index(b"b"), VOCABULARY.pieces.index(b"5")


def test_guesses_count_as_far_as_they_come_true() -> None:
    assert ahead([A, A, B], [A, A, A, A])[0] == Tokens((A, A, A), stop=False)
    assert ahead([A, A, B], [A, A, B, A])[0] == Tokens((A, A, B, A), stop=False)
    assert ahead([B], [A, A])[0] == Tokens((A,), stop=False)


def begun(guesses: list[int], answers: list[int], *, nan_at: int | None = None) -> tuple[Outcome, LockState, list[int]]:
    """The first step of a lone row, guessed with its prompt: its outcome, the lock's state, and the guesses that were fed."""
    fed: list[int] = []

    def begin(_prompt: tuple[int, ...], guessed: list[int], masks: Any) -> tuple[Values, Ids]:
        fed.extend(guessed)
        values = np.zeros((len(masks), 1), np.float32)
        if nan_at is not None:
            values[nan_at] = np.nan
        return values, np.array([[token] for token in answers[: len(masks)]], np.int64)

    class Foreteller:
        def guess(self, _prompt: Any, _tokens: Any, most: int) -> list[int]:
            return guesses[:most]

    runner = FakeRunner()
    runner.begin = begin  # type: ignore[attr-defined]
    generator = Generator(cast("Runner", runner), FactLock(VOCABULARY), VOCABULARY, cast("Drafter", Foreteller()))
    job = make_job("k", 0, new_tokens=9)
    scheduler = Scheduler(rows=1, queue_limit=1)
    scheduler.add(job, Waiter(0, Priority.SHOPPER, None, 0.0))
    return generator.run(scheduler.reserve(scheduler.plan(), 0))[job], job.lock, fed


def test_a_text_may_begin_with_several_tokens() -> None:
    assert begun([A, B], [A, B, A])[0] == Tokens((A, B, A), stop=False)
    assert begun([B, A], [A, B, A])[0] == Tokens((A,), stop=False)
    assert begun([], [A])[0] == Tokens((A,), stop=False)


def test_an_end_is_never_guessed_for_a_text_that_has_not_begun() -> None:
    assert begun([0, A], [A, A])[2] == []


def test_a_nan_at_the_beginning_fails_and_behind_it_waits() -> None:
    assert isinstance(begun([A], [A, A], nan_at=0)[0], Failure)
    assert begun([A], [A, A], nan_at=1)[0] == Tokens((A,), stop=False)


def test_nothing_is_written_after_an_end_that_was_guessed() -> None:
    assert ahead([A, 0, A], [A, 0, A, A])[0] == Tokens((A, 0), stop=True)


def test_what_the_lock_forbids_is_not_even_fed() -> None:
    outcome, _, fed = ahead([A, FIVE, A], [A, A, A, A])
    assert fed == [A, A]
    assert outcome == Tokens((A, A), stop=False)


def test_no_more_is_guessed_than_the_text_may_have() -> None:
    _, _, fed = ahead([A, A, A], [A, A, A, A], most=3)
    assert fed == [A, A]


def test_a_nan_behind_a_true_guess_waits_for_the_next_step() -> None:
    assert ahead([A, A], [A, A, A], nan_at=1)[0] == Tokens((A,), stop=False)
    assert isinstance(ahead([A, A], [A, A, A], nan_at=0)[0], Failure)
    assert ahead([B, A], [A, A, A], nan_at=1)[0] == Tokens((A,), stop=False)


def test_what_the_last_token_left_unfinished_is_taken_off() -> None:
    generator, _ = make()
    job = make_job("k", 0)
    pieces = [b"a", b" ", b"{", b"p"]
    job.tokens = [VOCABULARY.pieces.index(piece) for piece in pieces]
    job.lock = LockState(("price",), b"{p", started=True)
    assert generator.text(job) == "a"


def test_the_end_token_is_no_part_of_the_text() -> None:
    generator, runner = make()
    job = make_job("k", 0)
    job.tokens, job.lock = [WORD], LockState((), started=True)
    runner.words = lambda rows: (np.zeros((rows, 1), np.float32), np.zeros((rows, 1), np.int64))  # type: ignore[method-assign]
    scheduler = Scheduler(rows=1, queue_limit=1)
    scheduler.add(job, Waiter(0, Priority.SHOPPER, None, 0.0))
    scheduler.rows[0], job.row = job, 0
    turn = scheduler.reserve(scheduler.plan(), 0)
    outcomes = generator.run(turn)
    assert outcomes[job] == Tokens((0,), stop=True)
    scheduler.commit(outcomes)
    assert generator.text(job) == "a"


def test_only_a_long_common_beginning_is_taken_from_the_cache() -> None:
    generator, runner = make()
    runner.head = tuple(range(20))
    assert generator.cached_tokens([*range(20), 7]) == 20
    assert generator.cached_tokens(range(20)) == 19  # one token must be left to run
    assert generator.cached_tokens([*range(17), 99, 99]) == 17
    assert generator.cached_tokens([*range(15), 99, 99]) == 0
