"""The workers that the tests run, kill and restart: ``python -m tests.stream.program NAME SETTINGS``."""

import asyncio
import json
import os
import sys
import time

import msgspec

from shelftalk.core.ledger import Entry
from shelftalk.errors import BadInputError, FatalError, RetryableError
from shelftalk.stream.app import Worker
from shelftalk.stream.host import run_worker
from shelftalk.stream.logs import set_up_logging
from shelftalk.stream.processes import exit_now
from shelftalk.stream.record import Record
from shelftalk.stream.settings import load


class Count(msgspec.Struct, frozen=True):
    """How many events a key had, and the newest: a redelivery is not counted again."""

    n: int
    newest: int


def counting(worker: Worker) -> None:
    """Count by key in a table and say the count; ``{"delete": true}`` starts over."""
    counts = worker.table("counts", Count)
    cards = worker.settings.topics.name("cards")

    def handle(record: Record, entry: Entry) -> None:
        event = json.loads(record.value or b"")
        key = (record.key or b"").decode()
        old = counts.get(key, record.partition) or Count(0, -1)
        if event.get("delete"):
            counts.delete(key, record.partition, entry)
            new = Count(0, record.offset)
        elif record.offset > old.newest:
            new = Count(old.n + 1, record.offset)
            counts.put(key, new, record.partition, entry)
        else:
            new = old
        card = {"i": event["i"], "n": new.n, "pid": os.getpid()}
        worker.outbox.post(cards, key, json.dumps(card).encode(), entry=entry)

    worker.agent("counting", "behaviour", handle)


def sleeping(worker: Worker) -> None:
    """Work on all events at once, each for as long as it says (at most MAX_SLEEP_S): so they finish out of order."""
    cards = worker.settings.topics.name("cards")
    most = float(os.environ.get("MAX_SLEEP_S", "3600"))
    tasks: set[asyncio.Task[None]] = set()

    async def work(record: Record, entry: Entry, seconds: float) -> None:
        await asyncio.sleep(min(seconds, most))
        worker.outbox.post(cards, record.key, record.value, entry=entry)
        entry.done()

    def handle(record: Record, entry: Entry) -> None:
        event = json.loads(record.value or b"")
        entry.hold()
        task = asyncio.get_running_loop().create_task(work(record, entry, event.get("sleep_s", 0)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    worker.agent("sleeping", "behaviour", handle)


def hanging(worker: Worker) -> None:
    """Never finish what says so, or block the whole event loop with it."""
    cards = worker.settings.topics.name("cards")

    async def handle(record: Record, entry: Entry) -> None:
        event = json.loads(record.value or b"{}")
        if event.get("hang") == "handler":
            await asyncio.Event().wait()
        if event.get("hang") == "loop":
            time.sleep(3600)  # noqa: ASYNC251  the point of it
        worker.outbox.post(cards, record.key, record.value, entry=entry)

    worker.agent("hanging", "behaviour", handle)


def raising(worker: Worker) -> None:
    """Raise what the event says."""
    cards = worker.settings.topics.name("cards")
    errors = {"bad": BadInputError("not_json", "no"), "retry": RetryableError("later"), "bug": KeyError("x")}

    async def handle(record: Record, entry: Entry) -> None:
        event = json.loads(record.value or b"{}")
        if event.get("raise") == "fatal":
            raise FatalError("as told")
        if event.get("raise"):
            raise errors[event["raise"]]
        worker.outbox.post(cards, record.key, record.value, entry=entry)

    worker.agent("raising", "behaviour", handle)


if __name__ == "__main__":
    settings = load(**json.loads(sys.argv[2]))
    set_up_logging(settings.log, settings.privacy.pseudonyms())
    exit_now(run_worker(Worker(settings, globals()[sys.argv[1]], create_topics=True)))
