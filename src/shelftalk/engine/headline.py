"""The headline models' runtime: the engine's door, one forward pass a text.

A VAE's or a GAN's decoder writes a short headline at once, so there is nothing to schedule: one thread takes whatever waits, up to
``rows`` requests, and runs the graph. Requests, completions, errors and the fact lock are the engine's.
"""

import time
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import structlog

from shelftalk.engine.characters import Script
from shelftalk.engine.door import ThreadWithDoor, fail
from shelftalk.engine.fact_lock import BANNED, FactLock, LockState
from shelftalk.engine.model_folder import check_manifest, read_head_ids, read_tokenizer
from shelftalk.engine.request import Completion, Request
from shelftalk.engine.session import Device, open_session
from shelftalk.engine.stats import EngineStats
from shelftalk.engine.vocabulary import read_vocabulary
from shelftalk.errors import (
    BadInputError,
    DeadlineExceededError,
    ModelFolderError,
    QueueFullError,
    StepFailedError,
)

_log = structlog.get_logger(__name__)

_DESCRIPTION = "headline.json"

#: Sets of offered slots whose masks are kept.
_MASKS_KEPT = 512


class _Description(msgspec.Struct):
    """``headline.json``, as far as it matters here.

    Attributes:
        noise: how much of a Gumbel draw is added to the scores at temperature 1: a GAN is trained with 1, a VAE draws its
            latent alone.
    """

    steps: int
    latent: int
    end: int
    noise: float


class _Waiting(NamedTuple):
    request: Request
    prompt: list[int]
    future: "Future[Completion]"
    since: float


def is_headline_folder(folder: Path) -> bool:
    """Whether a folder holds a headline model."""
    return (folder / _DESCRIPTION).is_file()


class HeadlineEngine(ThreadWithDoor):
    """Writes headlines for many callers; every public method may be called from any thread.

    Attributes:
        model_id: names the model, for provenance.
        prompt_variant: how the model wants to be asked.
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
    ) -> None:
        """Load a model and start.

        Raises:
            ModelFolderError: the folder is corrupt or incomplete, or its graph does not run.
            GpuUnavailableError: CUDA was asked for and can't be used.
        """
        super().__init__("shelftalk-headlines")
        try:
            described = msgspec.json.decode((folder / _DESCRIPTION).read_bytes(), type=_Description)
        except (OSError, msgspec.DecodeError) as error:
            raise ModelFolderError(f"{folder / _DESCRIPTION}: {error}") from error
        manifest = check_manifest(folder)
        tokenizer_json = msgspec.json.decode((folder / "tokenizer.json").read_bytes(), type=dict[str, Any])
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._vocabulary = read_vocabulary(tokenizer_json, None, frozenset({described.end}))
        self._ids = read_head_ids(folder / "head_ids.npy", self._vocabulary)
        self._lock = FactLock(self._vocabulary, columns=self._ids)
        session = open_session(folder / "model.onnx", device, threads=threads)
        self._session = session.ort
        self.model_id, self.prompt_variant, self.device = manifest.model_id, manifest.prompt_variant, session.device
        self._described, self._rows, self._limit = described, rows, queue_limit
        self._masks: dict[LockState, npt.NDArray[np.float32]] = {}
        self._queue: deque[_Waiting] = deque()
        self._taken: list[_Waiting] = []
        self._counts: Counter[str] = Counter()
        self._batches: Counter[int] = Counter()
        self._step_ms = 0.0
        self._thread.start()

    def submit(self, request: Request) -> "Future[Completion]":
        """Ask for a headline; as `Engine.submit`.

        Raises:
            QueueFullError: too many wait.
            BadInputError: the prompt is empty.
            CancelledRequestError: the engine is closed.
            FatalError: its thread died.
        """
        prompt = self._tokenizer.encode(request.prompt, add_special_tokens=False).ids
        if not prompt:
            raise BadInputError("empty_prompt", "the prompt has no token")
        future: Future[Completion] = Future()
        with self._changed:
            self._refuse_if_stopped()
            if len(self._queue) >= self._limit:
                raise QueueFullError(f"{self._limit} headlines wait already")
            self._counts["submitted"] += 1
            self._queue.append(_Waiting(request, prompt, future, time.monotonic()))
            self._changed.notify()
        return future

    def stats(self) -> EngineStats:
        """What was done so far."""
        with self._changed:
            counts = self._counts
            return EngineStats(
                queued=len(self._queue),
                running=0,
                submitted=counts["submitted"],
                joined=0,
                completed=counts["completed"],
                failed=counts["failed"],
                expired=counts["expired"],
                cancelled=counts["cancelled"],
                evicted=0,
                tokens=counts["tokens"],
                prompt_tokens=counts["prompt_tokens"],
                steps=counts["steps"],
                batch_sizes=dict(self._batches),
                step_ms=self._step_ms,
            )

    def _turn(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or not self.alive)
            if not self.alive:
                return False
            batch = [self._queue.popleft() for _ in range(min(self._rows, len(self._queue)))]
        self._taken = [waiting for waiting in batch if self._still_wanted(waiting)]
        if self._taken:
            self._run(self._taken)
        return True

    def _abandon(self, error: Exception) -> None:
        with self._changed:
            pending = list(self._queue)
            self._queue.clear()
        for waiting in pending:
            fail(waiting.future, error)
        for waiting in self._taken:
            if not waiting.future.done():  # the thread died on the way
                waiting.future.set_exception(error)

    def _still_wanted(self, waiting: _Waiting) -> bool:
        if not waiting.future.set_running_or_notify_cancel():
            self._counts["cancelled"] += 1
            return False
        deadline_s = waiting.request.deadline_s
        if deadline_s is not None and time.monotonic() > deadline_s:
            self._counts["expired"] += 1
            waiting.future.set_exception(DeadlineExceededError("the deadline came before the headline's turn"))
            return False
        return True

    def _run(self, batch: list[_Waiting]) -> None:
        started = time.monotonic()
        try:
            columns = self._columns(batch)
        except Exception as error:  # noqa: BLE001 ONNX Runtime's exceptions share no public base
            _log.error("a forward pass failed", rows=len(batch), error=repr(error))
            self._counts["failed"] += len(batch)
            for waiting in batch:
                failure = StepFailedError(f"a forward pass of {len(batch)} headlines failed: {error}")
                waiting.future.set_exception(failure)
            return
        now = time.monotonic()
        self._counts["steps"] += 1
        self._batches[len(batch)] += 1
        self._step_ms += (now - started) * 1000
        for waiting, row in zip(batch, columns, strict=True):
            completion = self._completion(waiting, self._ids[row].tolist(), started, now)
            self._counts["completed"] += 1
            self._counts["tokens"] += completion.new_tokens
            self._counts["prompt_tokens"] += completion.prompt_tokens
            waiting.future.set_result(completion)

    def _columns(self, batch: list[_Waiting]) -> npt.NDArray[np.int64]:
        prompts = np.zeros((len(batch), max(len(waiting.prompt) for waiting in batch)), np.int64)
        latent = np.zeros((len(batch), self._described.latent), np.float32)
        noise = np.zeros((len(batch), self._described.steps, len(self._ids)), np.float32)
        for row, waiting in enumerate(batch):
            prompts[row, : len(waiting.prompt)] = waiting.prompt
            # Seed and temperature decide the draw, never the neighbours: temperature 0 is the middle of the latent space.
            rng = np.random.Generator(np.random.Philox(waiting.request.seed))
            temperature = np.float32(waiting.request.temperature)
            latent[row] = rng.standard_normal(self._described.latent, np.float32) * temperature
            if self._described.noise:
                noise[row] = rng.gumbel(size=noise.shape[1:]) * (self._described.noise * temperature)
        mask = np.stack([self._mask(waiting.request.slots, waiting.request.script) for waiting in batch])
        columns: npt.NDArray[np.int64] = self._session.run(
            ["columns"], {"prompt_ids": prompts, "latent": latent, "mask": mask, "noise": noise}
        )[0]
        return columns

    def _mask(self, slots: tuple[str, ...], script: Script | None) -> npt.NDArray[np.float32]:
        """What the fact lock allows for these slots at any place: only whole characters, so that one mask serves all steps."""
        state = self._lock.start(slots, script)
        found = self._masks.get(state)
        if found is None:
            found = np.array([0 if self._allowed(state, int(token)) else BANNED for token in self._ids], np.float32)
            if len(self._masks) >= _MASKS_KEPT:
                self._masks.clear()
            self._masks[state] = found
        return found

    def _allowed(self, state: LockState, token: int) -> bool:
        if token in self._vocabulary.end_ids:
            return True
        try:
            return not self._lock.after(state, token).tail
        except ValueError:
            return False

    def _completion(self, waiting: _Waiting, tokens: list[int], started: float, now: float) -> Completion:
        end = self._described.end
        stopped = end in tokens
        tokens = tokens[: tokens.index(end)] if stopped else tokens
        limit = waiting.request.max_new_tokens
        stopped = stopped and len(tokens) < limit
        return Completion(
            text=self._vocabulary.text_bytes(tokens[:limit]).decode().strip(),
            finish_reason="stop" if stopped else "length",
            prompt_tokens=len(waiting.prompt),
            new_tokens=min(len(tokens) + 1, limit),
            queued_ms=(started - waiting.since) * 1000,
            total_ms=(now - waiting.since) * 1000,
            model_id=self.model_id,
        )
