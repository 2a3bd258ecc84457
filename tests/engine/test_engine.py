import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import shelftalk.engine.engine as engine_module
from shelftalk.engine import Completion, Engine, Priority
from shelftalk.errors import (
    BadInputError,
    CancelledRequestError,
    DeadlineExceededError,
    FatalError,
    PromptTooLongError,
    QueueFullError,
    StepFailedError,
)
from tests.engine.asking import ask, done, error_of
from tests.engine.gate import PATIENCE_S, gated


def test_a_completion_says_where_it_came_from(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=2, threads=1) as engine:
        completion = done(engine.submit(ask(max_new_tokens=5)))
        assert completion.finish_reason == "length"
        assert (completion.new_tokens, completion.model_id) == (5, engine.model_id)
        assert completion.text
        assert 0 <= completion.queued_ms <= completion.total_ms


def test_the_end_token_stops_a_text_but_never_begins_it(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(tiny_model, rows=2, threads=1) as engine:
        decode = engine._runner.decode

        def ends(*arguments: Any) -> Any:
            values, ids = decode(*arguments)
            ids[:, 0] = 2
            return values, ids

        monkeypatch.setattr(engine._runner, "decode", ends)
        completion = done(engine.submit(ask()))
    assert (completion.finish_reason, completion.new_tokens) == ("stop", 2)


def test_equal_briefs_share_one_generation(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=2, threads=1, debug=True) as engine:
        with gated(engine) as gate:
            first = engine.submit(ask())
            gate.wait()
            others = [engine.submit(ask()) for _ in range(5)]
            others[0].cancel()
        texts = {done(future).text for future in (first, *others[1:])}
        stats = engine.stats()
        assert len(texts) == 1
        assert done(others[1]).queued_ms == 0
        assert (stats.joined, stats.completed, stats.cancelled, stats.tokens) == (5, 5, 1, 12)


def test_the_drafts_of_a_text_have_one_prompt_which_is_cut_into_tokens_once(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=2, threads=1) as engine:
        for draft in range(3):
            done(engine.submit(ask(key=f"text/{draft}")))
        assert (engine._encode.cache_info().misses, engine._encode.cache_info().hits) == (1, 2)


def test_a_key_in_flight_with_other_words_is_a_mistake(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=2, threads=1) as engine, gated(engine) as gate:
        engine.submit(ask())
        gate.wait()
        with pytest.raises(ValueError, match="in flight"):
            engine.submit(ask(words="other"))
        with pytest.raises(ValueError, match="in flight"):
            engine.submit(ask(slots=()))


def test_a_full_queue_is_told_at_once(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=1, queue_limit=2, threads=1, debug=True) as engine:
        with gated(engine) as gate:
            futures = [engine.submit(ask("running"))]
            gate.wait()
            futures += [engine.submit(ask(f"queued{number}")) for number in range(2)]
            with pytest.raises(QueueFullError):
                engine.submit(ask("one too many"))
            futures.append(engine.submit(ask("queued1")))  # joining takes no place
            assert (engine.stats().queued, engine.stats().running) == (2, 1)
        assert all(done(future).text for future in futures)


@pytest.mark.parametrize("running", [True, False], ids=["running", "queued"])
def test_cancelling_frees_the_place_and_leaves_the_others_alone(tiny_model: Path, *, running: bool) -> None:
    with Engine(tiny_model, rows=1, threads=1, debug=True) as engine:
        with gated(engine) as gate:
            futures = [engine.submit(ask("a")), engine.submit(ask("b"))]
            gate.wait()
            gate.step()
            assert futures[0 if running else 1].cancel()
            assert engine.stats().cancelled == 1
            assert engine.stats().queued + engine.stats().running == 1
        assert done(futures[1 if running else 0]).new_tokens == 12
        assert engine.stats().completed == 1


def test_a_deadline_fails_its_own_caller_between_steps(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    class FakeTime:
        @staticmethod
        def monotonic() -> float:
            return clock[0]

    monkeypatch.setattr(engine_module, "time", FakeTime)
    with Engine(tiny_model, rows=1, threads=1, debug=True) as engine:
        with gated(engine) as gate:
            running = engine.submit(ask("a", deadline_s=105.0))
            patient = engine.submit(ask("a", deadline_s=500.0))
            queued = engine.submit(ask("b", deadline_s=105.0))
            gate.wait()
            clock[0] = 104.9
            gate.step()
            assert not running.done()
            clock[0] = 105.0
            gate.step()
            assert isinstance(error_of(running), DeadlineExceededError)
            assert isinstance(error_of(queued), DeadlineExceededError)
        assert done(patient).total_ms == pytest.approx(5000.0)
        assert engine.stats().expired == 2


def test_a_deadline_in_the_past_never_runs(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=1, threads=1) as engine:
        assert isinstance(error_of(engine.submit(ask(deadline_s=0.0))), DeadlineExceededError)
        assert engine.stats().prompt_tokens == 0


@pytest.mark.parametrize("part", ["prefill", "decode"])
def test_a_failed_step_fails_its_rows_and_the_engine_goes_on(
    tiny_model: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()

    with Engine(tiny_model, rows=2, threads=1, debug=True) as engine:
        whole = getattr(engine._runner, part)

        def breakable(*arguments: Any) -> Any:
            if broken.is_set():
                raise RuntimeError("CUDA failure 2: out of memory")
            return whole(*arguments)

        monkeypatch.setattr(engine._runner, part, breakable)
        with gated(engine) as gate:
            futures = [engine.submit(ask("a"))]
            gate.wait()
            futures.append(engine.submit(ask("b")))
            gate.step()  # b's prefill is next; a is not part of it
            if part == "decode":
                gate.step()  # a decode of both is next
            broken.set()
            gate.release()
            errors = [error_of(future) for future in (futures if part == "decode" else futures[1:])]
            broken.clear()
        for error in errors:
            assert isinstance(error, StepFailedError)
            assert "out of memory" in str(error)
        if part == "prefill":
            assert done(futures[0]).text
        assert done(engine.submit(ask("c"))).text
        assert engine.stats().failed == len(errors)


def test_a_row_that_cannot_be_moved_fails(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: int) -> None:
        raise RuntimeError("no copy")

    with Engine(tiny_model, rows=2, threads=1, debug=True) as engine:
        monkeypatch.setattr(engine._runner, "copy_row", broken)
        with gated(engine):
            short, long = engine.submit(ask("a", max_new_tokens=2)), engine.submit(ask("b", "cold kettle"))
        assert done(short)
        assert isinstance(error_of(long), StepFailedError)
        assert done(engine.submit(ask("c")))


def test_a_nan_fails_its_own_row_and_poisons_nobody(nan_model: Path) -> None:
    with Engine(nan_model, rows=4, threads=1, debug=True) as engine:
        alone = done(engine.submit(ask("x", "warm kettle"))).text
        with gated(engine):
            futures = [
                engine.submit(ask(f"k{number}", "warm mug" if number % 2 else "warm kettle")) for number in range(6)
            ]
        for number, future in enumerate(futures):
            if number % 2:
                assert isinstance(error_of(future), StepFailedError)
                assert "NaN" in str(error_of(future))
            else:
                assert done(future).text == alone
        # The rows that held NaN are used again.
        assert done(engine.submit(ask("y", "warm kettle"))).text == alone


def test_a_thread_that_dies_leaves_nobody_waiting(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise AssertionError("an invariant does not hold")

    engine = Engine(tiny_model, rows=1, threads=1)
    with gated(engine) as gate:
        futures = [engine.submit(ask("a")), engine.submit(ask("b"))]
        gate.wait()
        monkeypatch.setattr(engine._scheduler, "plan", broken)
    for future in futures:
        assert isinstance(error_of(future), StepFailedError)
    engine._thread.join(PATIENCE_S)
    assert not engine.alive
    with pytest.raises(FatalError, match="invariant"):
        engine.submit(ask("c"))
    assert engine.stats().failed == 2
    assert engine.close()


def test_closing_fails_what_is_pending_and_refuses_more(tiny_model: Path) -> None:
    engine = Engine(tiny_model, rows=1, threads=1, debug=True)
    with gated(engine) as gate:
        futures = [engine.submit(ask("a")), engine.submit(ask("b"))]
        gate.wait()
        assert not engine.close(timeout_s=0.0)
    assert engine.close()
    for future in futures:
        assert isinstance(error_of(future), CancelledRequestError)
    with pytest.raises(CancelledRequestError, match="closed"):
        engine.submit(ask("c"))
    assert engine.close()


@pytest.mark.parametrize(
    ("prompt", "reason"), [("", "empty_prompt"), (" \n", "empty_prompt"), ("\ud800", "bad_prompt")], ids=ascii
)
def test_a_prompt_that_is_no_text_is_refused(tiny_model: Path, prompt: str, reason: str) -> None:
    with Engine(tiny_model, rows=1, threads=1) as engine, pytest.raises(BadInputError) as caught:
        engine.submit(ask(prompt=prompt))
    assert caught.value.reason == reason


def test_prompt_and_text_must_fit_into_a_row(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=1, threads=1, row_tokens=20) as engine:
        tokens = len(engine._encode("kettle"))
        fits = ask(prompt="kettle", max_new_tokens=20 - tokens)
        assert done(engine.submit(fits)).new_tokens == 20 - tokens
        with pytest.raises(PromptTooLongError, match="20 of a row"):
            engine.submit(ask(prompt="kettle", max_new_tokens=21 - tokens))
    with (
        Engine(tiny_model, rows=1, threads=1, row_tokens=10_000) as engine,
        pytest.raises(PromptTooLongError, match="256 of a row"),
    ):
        engine.submit(ask(words="kettle " * 300))


def test_a_row_may_be_filled_to_its_last_token(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=2, threads=1, row_tokens=32, debug=True) as engine:
        tokens = len(engine._encode("kettle"))
        futures = [engine.submit(ask(f"k{n}", prompt="kettle", max_new_tokens=32 - tokens)) for n in range(3)]
        assert len({done(future).text for future in futures}) == 1


def test_one_token_is_enough(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=1, threads=1, debug=True) as engine:
        assert done(engine.submit(ask(max_new_tokens=1))).new_tokens == 1
        assert done(engine.submit(ask(prompt="a", max_new_tokens=3))).prompt_tokens == 1


def test_the_urgent_overtakes_the_queue(tiny_model: Path) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Future[Completion]], None]:
        return lambda _: order.append(name)

    with Engine(tiny_model, rows=1, threads=1, debug=True) as engine:
        with gated(engine) as gate:
            futures = [engine.submit(ask("first", max_new_tokens=2))]
            gate.wait()
            for priority in (Priority.WARM_UP, Priority.REFRESH, Priority.SHOPPER):
                futures.append(engine.submit(ask(priority.name, priority=priority, max_new_tokens=2)))
                futures[-1].add_done_callback(note(priority.name))
        for future in futures:
            done(future)
    assert order == ["SHOPPER", "REFRESH", "WARM_UP"]


def test_a_callback_may_submit(tiny_model: Path) -> None:
    second: Future[Future[Completion]] = Future()
    with Engine(tiny_model, rows=1, threads=1) as engine:
        first = engine.submit(ask("a"))
        first.add_done_callback(lambda _: second.set_result(engine.submit(ask("b"))))
        assert done(second.result(PATIENCE_S)).text


async def test_asyncio_can_wait_and_cancel(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=1, threads=1) as engine:
        assert (await asyncio.wrap_future(engine.submit(ask("a")))).text
        with gated(engine) as gate:
            waiting = asyncio.wrap_future(engine.submit(ask("b")))
            gate.wait()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert engine.stats().running == 0
        assert engine.stats().cancelled == 1


def test_many_threads_may_ask_at_once(tiny_model: Path) -> None:
    with Engine(tiny_model, rows=4, threads=1, debug=True) as engine:
        futures: list[Future[Completion]] = []

        def caller(number: int) -> None:
            for turn in range(5):
                future = engine.submit(ask(f"k{turn % 3}-{number % 2}", "mug " * (turn % 3 + 1), max_new_tokens=6))
                if (turn + number) % 4 == 0:
                    future.cancel()
                futures.append(future)

        threads = [threading.Thread(target=caller, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results = [done(future).text for future in futures if not future.cancelled()]
        stats = engine.stats()
        assert len(set(results)) <= 3
        assert (stats.submitted, stats.queued + stats.running) == (40, 0)
        assert stats.completed + stats.cancelled == 40
        assert stats.steps == sum(stats.batch_sizes.values())
        assert stats.step_ms > 0
