"""What every contestant is to the process that runs it."""

from collections.abc import Sequence
from typing import Protocol

from shelftalk.bench.engine.clients import Clients, Wanted

#: How long a peer that runs whole batches waits for more callers after the first: all of them think for less.
GATHER_S = 0.06


class Contestant(Protocol):
    """A way to write texts, with its model loaded."""

    def prepare(self, concurrency: int, wanted: Sequence[Wanted]) -> None:
        """Get ready for as many callers, and warm up; `wanted` is the whole workload."""

    def serve(self, clients: Clients) -> None:
        """Serve until the course is over."""
