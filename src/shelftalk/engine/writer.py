"""What everybody may ask of a generator, whichever family it is of."""

from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from shelftalk.engine.engine import Engine
from shelftalk.engine.headline import HeadlineEngine, is_headline_folder
from shelftalk.engine.request import Completion, Request
from shelftalk.engine.session import Device
from shelftalk.engine.stats import EngineStats


class Writer(Protocol):
    """A running generator: `Engine` for causal transformers, `HeadlineEngine` for VAE and GAN.

    Attributes:
        model_id: names the model, for provenance.
        prompt_variant: how the model wants to be asked (`core.prompt`), where its manifest says so.
    """

    model_id: str
    prompt_variant: str | None

    @property
    def alive(self) -> bool:
        """Whether requests are taken."""

    def submit(self, request: Request) -> "Future[Completion]":
        """Ask for a text."""

    def stats(self) -> EngineStats:
        """What was done so far."""

    def close(self) -> object:
        """Stop."""


def open_writer(
    folder: Path,
    *,
    device: Device = Device.AUTO,
    rows: int = 16,
    queue_limit: int = 256,
    threads: int | None = None,
) -> Engine | HeadlineEngine:
    """Open a built model of any family.

    Raises:
        ModelFolderError: the folder is corrupt, mismatched or unsupported.
        GpuUnavailableError: CUDA was asked for and can't be used.
    """
    kind = HeadlineEngine if is_headline_folder(folder) else Engine
    return kind(folder, device=device, rows=rows, queue_limit=queue_limit, threads=threads)
