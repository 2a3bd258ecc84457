"""The engine: a thread that owns the model, and the door through which requests come in."""

import itertools
import time
from concurrent.futures import Future
from functools import lru_cache, partial
from pathlib import Path

from shelftalk.engine import sampler
from shelftalk.engine.chooser import DeviceChooser
from shelftalk.engine.door import ThreadWithDoor, fail
from shelftalk.engine.drafter import Drafter
from shelftalk.engine.fact_lock import FactLock
from shelftalk.engine.generator import Chooser, Generator
from shelftalk.engine.huge_pages import use_huge_pages
from shelftalk.engine.invariants import check_invariants
from shelftalk.engine.job import Finished, Job, Waiter
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.engine.request import Completion, Request
from shelftalk.engine.runner import TOP_K, Runner
from shelftalk.engine.scheduler import Scheduler, Turn
from shelftalk.engine.session import Device, open_session
from shelftalk.engine.stats import EngineStats
from shelftalk.errors import (
    BadInputError,
    DeadlineExceededError,
    PromptTooLongError,
)

_MS = 1000.0

#: Prompts whose tokens are remembered, a kilobyte each.
_PROMPTS_REMEMBERED = 1024

#: A model whose cache is smaller lives in the processor's own caches, where the size of pages matters little.
_HUGE_PAGES_PAY_BYTES = 16 << 20


class Engine(ThreadWithDoor):
    """Writes short texts for many callers at once.

    One daemon thread runs the model. Every public method may be called from any thread, and none of them waits for
    the model; futures are settled in the engine's thread, so their callbacks must be short.

    Attributes:
        model_id: names the model, for provenance.
        prompt_variant: how the model wants to be asked, where its manifest says so.
        device: where it runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: Device = Device.AUTO,
        rows: int = 16,
        queue_limit: int = 256,
        threads: int | None = None,
        debug: bool = False,
        row_tokens: int = 256,
        prompt_head: str = "",
        ahead: bool = True,
        cuda_graphs: bool = True,
        bucketed: bool | None = None,
        choose_on_device: bool | None = None,
        gpu_mem_limit_bytes: int | None = None,
    ) -> None:
        """Load a model and start.

        Args:
            folder: the model folder.
            device: AUTO takes the GPU where one works, else the CPU.
            rows: texts written at once; each holds ``row_tokens`` tokens of cache.
            queue_limit: texts that may wait for a row.
            threads: CPU threads of one operator; None leaves it to ONNX Runtime.
            debug: check all invariants after each step.
            row_tokens: prompt and text together may have this many tokens (or the model's context, if shorter).
            prompt_head: a beginning that prompts share, an instruction for instance; its cache is made once.
            ahead: guess tokens ahead for a text that is written alone, where that gives the same bits.
            cuda_graphs: on a GPU, capture decode steps in CUDA graphs where every node runs there.
            bucketed: pad decode steps to a few sizes, as CUDA graphs need it; None does so on a GPU.
            choose_on_device: choose tokens where the candidates are, so that only ids come back; None does so on a GPU.
            gpu_mem_limit_bytes: what ONNX Runtime's arena may take of the GPU.

        Raises:
            ModelFolderError: the folder is corrupt, mismatched or unsupported, or its graph does not run.
            GpuUnavailableError: CUDA was asked for and can't be used.
        """
        super().__init__("shelftalk-engine")
        model = open_model_folder(folder)
        session = open_session(
            model.graph, device, threads=threads, gpu_mem_limit_bytes=gpu_mem_limit_bytes, cuda_graphs=cuda_graphs
        )
        bucketed = session.device is Device.CUDA if bucketed is None else bucketed
        lock = FactLock(model.vocabulary, columns=model.head_ids, capacity=max(32, 2 * rows))
        self.model_id = model.model_id
        self.prompt_variant = model.prompt_variant
        self.device = session.device
        self._tokenizer = model.tokenizer
        # Drafts of a text have one prompt, and a small model's prompts are few: they name no words of the product.
        self._encode = lru_cache(maxsize=_PROMPTS_REMEMBERED)(self._encoded)
        self._lock = lock
        self._runner = Runner(model, session, lock, rows=rows, row_tokens=row_tokens, bucketed=bucketed)
        self._runner.try_out(len(model.vocabulary.pieces) - 1)
        self._runner.cache_head(self._encode(prompt_head) if prompt_head else ())
        if session.device is Device.CPU and self._runner.cache.size_bytes > _HUGE_PAGES_PAY_BYTES:
            use_huge_pages()
        drafter = Drafter(model.vocabulary) if ahead and self._runner.verifies else None
        chooser: Chooser = sampler.choose
        if self._runner.ours and (session.device is Device.CUDA if choose_on_device is None else choose_on_device):
            self._runner.answers_stay = True
            chooser = DeviceChooser(session, TOP_K)
        self._generator = Generator(self._runner, lock, model.vocabulary, drafter, chooser)
        self._scheduler = Scheduler(rows=rows, queue_limit=queue_limit)
        self._debug = debug
        self._numbers = itertools.count()
        self._futures: dict[int, Future[Completion]] = {}
        self._step_ms = 0.0
        self._steps = 0
        self._thread.start()

    def submit(self, request: Request) -> "Future[Completion]":
        """Ask for a text. Cancel it by the future's ``cancel()``.

        Returns:
            A future that gives the text, or fails with `DeadlineExceededError`, `StepFailedError`, or
            `CancelledRequestError` when the engine is closed first.

        Raises:
            QueueFullError: the queue has no place for this priority.
            PromptTooLongError: prompt and text do not fit into a row.
            BadInputError: the prompt is empty or no text.
            ValueError: the key is in flight with another prompt or other slots.
            CancelledRequestError: the engine is closed.
            FatalError: the engine's thread died.
        """
        prompt = self._encode(request.prompt)
        if len(prompt) + request.max_new_tokens > self._runner.row_tokens:
            raise PromptTooLongError(
                f"{len(prompt)} tokens of prompt and {request.max_new_tokens} of text exceed the "
                f"{self._runner.row_tokens} of a row (row_tokens, or the model's context)"
            )
        draws = sampler.draws(request.seed, request.max_new_tokens) if request.temperature > 0 else None
        future: Future[Completion] = Future()
        with self._changed:
            self._refuse_if_stopped()
            number = next(self._numbers)
            waiter = Waiter(number, request.priority, request.deadline_s, time.monotonic())
            running = self._scheduler.jobs.get(request.key)
            if running is None:
                lock = self._lock.start(request.slots, request.script)
                cached = self._generator.cached_tokens(prompt)
                job = Job(request, prompt, order=number, lock=lock, draws=draws, cached=cached)
                self._scheduler.add(job, waiter)
            elif (running.request.prompt, running.request.slots) != (request.prompt, request.slots):
                raise ValueError(f"{request.key!r} is in flight with another prompt or other slots")
            else:
                self._scheduler.join(request.key, waiter)
            self._futures[number] = future
            self._changed.notify()
        future.add_done_callback(partial(self._on_done, request.key, number))
        return future

    def stats(self) -> EngineStats:
        """A snapshot."""
        with self._changed:
            tally = self._scheduler.tally
            running = len(self._scheduler.running)
            return EngineStats(
                queued=len(self._scheduler.jobs) - running,
                running=running,
                submitted=tally.submitted,
                joined=tally.joined,
                completed=tally.completed,
                failed=tally.failed,
                expired=tally.expired,
                cancelled=tally.cancelled,
                evicted=tally.evicted,
                tokens=tally.tokens,
                prompt_tokens=tally.prompt_tokens,
                steps=self._steps,
                batch_sizes=dict(tally.batch_sizes),
                step_ms=self._step_ms,
                drafted=self._generator.drafted,
                confirmed=self._generator.confirmed,
            )

    def _encoded(self, prompt: str) -> tuple[int, ...]:
        if not prompt.strip():
            raise BadInputError("empty_prompt", "there is nothing to write about")
        try:
            ids = tuple(self._tokenizer.encode(prompt, add_special_tokens=False).ids)
        except Exception as error:  # a lone surrogate, for one: no text in UTF-8
            raise BadInputError("bad_prompt", str(error)) from error
        if not ids:
            raise BadInputError("empty_prompt", "the tokenizer makes nothing of it")
        return ids

    def _on_done(self, key: str, number: int, future: "Future[Completion]") -> None:
        if future.cancelled():
            with self._changed:
                self._futures.pop(number, None)
                self._scheduler.cancel(key, number)

    def _abandon(self, error: Exception) -> None:
        with self._changed:
            pending = list(self._futures.values())
            self._futures.clear()
        for future in pending:
            fail(future, error)
        with self._changed:
            self._scheduler.fail_all(error)

    def _turn(self) -> bool:
        """Expire, plan, reserve, run, commit. False once the engine is to stop."""
        with self._changed:
            while self._stopped is None and not self._scheduler.jobs:
                self._changed.wait()
            if self._stopped is not None:
                return False
            begun = time.monotonic()
            late = self._scheduler.expire(begun)
            turn = self._scheduler.reserve(self._scheduler.plan(), begun)
            if self._debug:
                check_invariants(self._scheduler, turn)
        for waiter in late:
            self._settle(waiter, DeadlineExceededError("the deadline came before the text was ready"))
        if turn.prefill or turn.decode:
            self._run(turn, begun)
        return True

    def _run(self, turn: Turn, begun: float) -> None:
        outcomes = self._generator.run(turn)
        with self._changed:
            finished = self._scheduler.commit(outcomes)
            if self._debug:
                check_invariants(self._scheduler)
            now = time.monotonic()
            self._steps += 1
            self._step_ms += (now - begun) * _MS
        for done in finished:
            result = done.result if isinstance(done.result, Exception) else self._generator.text(done.job)
            for waiter in done.waiters:
                given = result if isinstance(result, Exception) else self._completion(done, result, waiter, now)
                self._settle(waiter, given)

    def _settle(self, waiter: Waiter, result: Completion | Exception) -> None:
        """Give a caller the result. Futures are taken out only here, so that `_main` finds those of a thread that dies."""
        future = self._futures.pop(waiter.number, None)
        if future is None:  # its caller has just cancelled it
            return
        if isinstance(result, Exception):
            fail(future, result)
        elif future.set_running_or_notify_cancel():
            future.set_result(result)

    def _completion(self, done: Finished, text: str, waiter: Waiter, now: float) -> Completion:
        job = done.job
        started = job.started_s if job.started_s is not None else now
        return Completion(
            text=text,
            finish_reason="length" if done.result == "length" else "stop",
            prompt_tokens=len(job.prompt),
            new_tokens=len(job.tokens),
            queued_ms=max(0.0, started - waiter.submitted_s) * _MS,
            total_ms=(now - waiter.submitted_s) * _MS,
            model_id=self.model_id,
        )
