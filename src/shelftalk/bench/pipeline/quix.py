"""The job in quixstreams, as its users write it: a dataframe a stage, its RocksDB state with changelog topics, at-least-once.

It promises: state on disk and in a changelog, changes written when a checkpoint commits, outputs flushed before it. What a stage
says goes to a topic keyed for the next. The second stage needs both inventory and asks by SKU over one state: `concat` does that,
but it aligns the two topics by time and stood still for seconds where one of them was quiet, so inventory is forwarded to the asks
topic instead. It does not promise: live cards known after a restart (its state cannot be listed, so the cards of a product are kept
in memory as well), anything about an event that takes long (it is one event after the other), metrics.

Runs in an environment of its own (see ``.locks/bench-pipeline.in``) with the pure core on the path.
"""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from quixstreams import Application, message_context
from quixstreams.models import Serializer, Topic
from quixstreams.state import State as QuixState

from shelftalk.bench.pipeline.job import LINGER_MS, TABLES, In, Job, Out
from shelftalk.core.state import LiveCard

_decoders = {table: msgspec.msgpack.Decoder(kind) for table, kind in TABLES.items()}


class KeyState:
    """The framework's state of the key at hand."""

    def __init__(self, live: dict[str, dict[str, LiveCard]]) -> None:
        self._live = live
        self.state: QuixState

    def get(self, table: str, key: str) -> Any:
        """From RocksDB, through the transaction's cache."""
        raw = self.state.get_bytes(f"{table}/{key}")
        return None if raw is None else _decoders[table].decode(raw)

    def put(self, table: str, key: str, value: msgspec.Struct | None) -> None:
        """To the transaction."""
        if value is None:
            self.state.delete(f"{table}/{key}")
        else:
            self.state.set_bytes(f"{table}/{key}", msgspec.msgpack.encode(value))

    def live(self, sku: str) -> dict[str, LiveCard]:
        """Live cards."""
        return self._live.setdefault(sku, {})

    def at_hand(self, _sku: str) -> None:
        """A stage reads its own state, of the key at hand."""


class OutValue(Serializer):
    """The bytes of what goes out, or is forwarded."""

    def __call__(self, value: Out | bytes, *_: Any, **__: Any) -> bytes:
        """The value's."""
        return value if isinstance(value, bytes) else value.value


class OutKey(Serializer):
    """The key of what goes out, or is forwarded."""

    def __call__(self, value: str | bytes, *_: Any, **__: Any) -> bytes:
        """As bytes."""
        return value if isinstance(value, bytes) else value.encode()


#: Marks an inventory event on the asks topic.
_FORWARDED = [("stage", b"inventory")]


def _stage(job: Job, topic: str) -> Callable[[Any, Any, int, Any, QuixState], Iterator[Out]]:
    held = KeyState({})

    def handle(value: Any, key: Any, _timestamp: int, headers: Any, state: QuixState) -> Iterator[Out]:
        context = message_context()
        held.state = state
        record = In(context.topic, context.partition, context.offset, key, value)
        which = "inventory" if headers else topic
        yield from job.handle(which, record, held, time.time_ns() // 1_000_000)

    return handle


def main(servers: str, name: str, prefix: str, commit_s: float, state_dir: str) -> None:
    """Run until SIGTERM."""
    app = Application(
        broker_address=servers,
        consumer_group=name,
        auto_offset_reset="earliest",
        commit_interval=commit_s,
        state_dir=state_dir,
        auto_create_topics=True,  # of its changelogs; ours are there
        consumer_extra_config={"fetch.wait.max.ms": 50},
        producer_extra_config={"linger.ms": LINGER_MS, "compression.type": "lz4", "partitioner": "murmur2_random"},
        loglevel="WARNING",
    )

    def topic(which: str) -> Topic:
        full = f"{prefix}{which.replace('_', '-')}"
        return app.topic(
            full,
            key_deserializer="bytes",
            value_deserializer="bytes",
            key_serializer=OutKey(),
            value_serializer=OutValue(),
        )

    outputs = {which: topic(which) for which in ("asks", "offers", "cards", "copy", "dead_letters")}
    inventory = app.dataframe(topic("inventory")).set_headers(lambda *_: _FORWARDED)
    inventory.to_topic(outputs["asks"])
    job = Job()
    for which in ("behaviour", "asks", "offers"):
        stage = app.dataframe(outputs.get(which) or topic(which))
        said = stage.apply(_stage(job, which), stateful=True, expand=True, metadata=True).set_headers(lambda *_: [])
        said.to_topic(lambda out, *_: outputs[out.topic], key=lambda out: out.key)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5])
