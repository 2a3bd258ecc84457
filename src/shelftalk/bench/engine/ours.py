"""This engine."""

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from shelftalk.bench.engine.clients import Arrival, Clients, Wanted
from shelftalk.engine import Completion, Device, Engine, Priority, Request

#: Texts that it has written before it meets a lone caller: what a worker writes in its first quarter of a minute.
LEARNED = 256

#: Places in the batch, as a worker has them.
_ROWS = 16


class Ours:
    """`Engine` as a worker uses it: text in, text out, the fact lock on. It ends each text by itself."""

    def __init__(self, folder: Path, threads: int, *, own_lengths: bool = True) -> None:
        """Keep what to load.

        Args:
            folder: the model's.
            threads: CPU threads.
            own_lengths: the workload's lengths are those of this model's texts, so every text must have its own.
        """
        self._folder = folder
        self._own_lengths = own_lengths
        self._threads = threads
        self._engine: Engine | None = None

    def prepare(self, concurrency: int, wanted: Sequence[Wanted]) -> None:
        """See `Contestant`. For one caller it writes some texts first that no course asks for: its guesses learn from texts."""
        if self._engine is not None:
            self._engine.close()
        rows = max(_ROWS, concurrency)
        self._engine = Engine(
            self._folder, device=Device.CPU, rows=rows, threads=self._threads, queue_limit=LEARNED + rows
        )
        prompts = [f"<|im_start|>user\nwarm up {number}<|im_end|>\n" for number in range(concurrency)]
        asked = [Request(prompt, prompt, (), 8, Priority.SHOPPER, None) for prompt in prompts]
        if concurrency == 1:
            asked += [
                Request(one.text, one.text, tuple(one.slots), one.most, Priority.SHOPPER, None)
                for one in wanted[-LEARNED:]
            ]
        for future in [self._engine.submit(request) for request in asked]:
            future.result()

    def serve(self, clients: Clients) -> None:
        """See `Contestant`."""
        engine = self._engine
        if engine is None:
            raise RuntimeError("prepare comes first")
        wrong: list[str] = []

        def done(arrival: Arrival, future: "Future[Completion]") -> None:
            clients.finish(arrival)
            other = (
                self._own_lengths and not future.exception() and future.result().new_tokens != arrival.wanted.new_tokens
            )
            if future.exception() or other:
                wrong.append(f"{arrival.number}: {future.exception() or future.result()}")

        while arrivals := clients.take(clients.concurrency):
            for arrival in arrivals:
                wanted = arrival.wanted
                slots = tuple(wanted.slots)
                request = Request(str(arrival.number), wanted.text, slots, wanted.most, Priority.SHOPPER, None)
                engine.submit(request).add_done_callback(partial(done, arrival))
        if wrong:  # the same request, another text: what the engine promises is broken
            raise RuntimeError(f"{len(wrong)} texts were not as long as alone: {wrong[:3]}")
