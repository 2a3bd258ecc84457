"""The outbox: deliveries, failures, back-pressure, and that it partitions as Faust does."""

import asyncio
import uuid

import pytest
from aiokafka.partitioner import DefaultPartitioner

from shelftalk.core.ledger import Entry, Ledger
from shelftalk.errors import BadInputError, CancelledRequestError, DeliveryError, QueueFullError
from shelftalk.stream.login import Kafka
from shelftalk.stream.outbox import MAX_MESSAGE_BYTES, Outbox, Outcome, Receipt
from shelftalk.stream.topics import TopicAdmin, TopicSpec


def opened() -> tuple[Ledger[str], Entry]:
    ledger: Ledger[str] = Ledger()
    entry = ledger.open("p", 0)
    assert entry is not None
    return ledger, entry


@pytest.fixture
def topic(bootstrap: str) -> str:
    name = f"outbox-{uuid.uuid4().hex[:8]}"
    TopicAdmin(Kafka(bootstrap_servers=bootstrap)).ensure([TopicSpec(name, 4, 1)])
    return name


async def test_all_is_delivered_in_the_partition_that_faust_would_choose(bootstrap: str, topic: str) -> None:
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox.start()
    keys = [f"schlüssel-{number}" for number in range(50)]
    futures = [outbox.send(topic, key, b"x", headers={"a": b"1"}) for key in keys]
    receipts = await asyncio.wait_for(asyncio.gather(*futures), 10)
    choose = DefaultPartitioner()
    assert [receipt.partition for receipt in receipts] == [choose(key.encode(), range(4), range(4)) for key in keys]
    explicit = await asyncio.wait_for(outbox.send(topic, "k", None, partition=3), 10)
    assert explicit.partition == 3
    assert await outbox.close(10)
    assert (outbox.counts.posted, outbox.counts.delivered, outbox.counts.in_flight) == (51, 51, 0)


async def test_an_entry_is_held_until_the_delivery(bootstrap: str, topic: str) -> None:
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox.start()
    ledger, entry = opened()
    told = asyncio.Event()
    ledger.on_change = told.set
    outbox.post(topic, b"k", b"v", entry=entry)
    entry.done()
    assert ledger.committable() == {}
    await asyncio.wait_for(told.wait(), 10)
    assert ledger.committable() == {"p": 1}
    assert await outbox.close(10)


async def test_what_cannot_be_delivered_fails_its_entry_after_the_deadline() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1)
    outbox.start()
    ledger, entry = opened()
    failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    ledger.on_failed = lambda _entry, error: failed.set_result(error)
    outbox.post("t", b"k", b"v", entry=entry)
    entry.done()
    assert isinstance(await asyncio.wait_for(failed, 10), DeliveryError)
    assert ledger.committable() == {}
    with pytest.raises(DeliveryError):
        await asyncio.wait_for(outbox.send("t", b"k", b"v"), 10)
    assert outbox.counts.failed == 2
    assert await outbox.close(5)


async def test_room_waits_while_much_is_in_flight() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1, soft_limit=2)
    outbox.start()
    await asyncio.wait_for(outbox.room(), 1)
    outcomes: list[Outcome] = []
    for _ in range(2):
        outbox.post("t", b"k", b"v", on_outcome=outcomes.append)
    waiting = asyncio.ensure_future(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not await outbox.flush(0.05)
    await asyncio.wait_for(waiting, 10)  # once they failed
    assert outcomes
    assert not any(isinstance(outcome, Receipt) for outcome in outcomes)
    assert await outbox.close(5)


async def test_an_absurd_message_is_bad_input_and_no_failure_of_the_broker() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1)
    outbox.start()
    _, entry = opened()
    with pytest.raises(BadInputError, match="output_refused"):
        outbox.post("t", b"k", b"x" * (MAX_MESSAGE_BYTES + 1), entry=entry)
    assert (entry.holds, outbox.counts.posted) == (1, 0)
    assert await outbox.close(1)


async def test_what_only_librdkafka_refuses_fails_its_entry() -> None:
    """A key is counted by its letters here, and by its bytes there."""
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1)
    outbox.start()
    ledger, entry = opened()
    failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    ledger.on_failed = lambda _entry, error: failed.set_result(error)
    outbox.post("t", "ü" * 4_000, b"x" * (MAX_MESSAGE_BYTES - 8_000), entry=entry)
    entry.done()
    assert isinstance(await asyncio.wait_for(failed, 10), BadInputError)
    assert (outbox.counts.failed, outbox.counts.in_flight) == (1, 0)
    assert await outbox.close(1)


async def test_no_more_is_posted_than_can_be_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shelftalk.stream.outbox.HARD_LIMIT", 3)
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1)
    outbox.start()
    for _ in range(3):
        outbox.post("t", b"k", b"v")
    _, entry = opened()
    with pytest.raises(QueueFullError):
        outbox.post("t", b"k", b"v", entry=entry)
    assert entry.holds == 1
    outbox.drop()
    assert await outbox.close(1)


async def test_messages_that_find_no_room_follow_in_their_order(bootstrap: str, topic: str) -> None:
    """librdkafka bounds them by their number as well as by their bytes; here there is room for a few at a time."""
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox._config["queue.buffering.max.messages"] = 10
    outbox.start()
    receipts = await asyncio.wait_for(
        asyncio.gather(*(outbox.send(topic, "a", b"%d" % number, partition=0) for number in range(100))), 30
    )
    offsets = [receipt.offset for receipt in receipts]
    assert offsets == list(range(offsets[0], offsets[0] + 100))
    assert await outbox.close(10)


async def test_nothing_is_said_for_an_event_that_another_worker_has() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=1)
    outbox.start()
    ledger, entry = opened()
    ledger.forget(["p"])
    with pytest.raises(CancelledRequestError):
        outbox.post("t", b"k", b"v", entry=entry)
    assert outbox.counts.posted == 0
    assert await outbox.close(1)


async def test_closing_gives_up_at_its_deadline() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"), delivery_timeout_s=60)
    outbox.start()
    outbox.post("t", b"k", b"v")
    assert not await asyncio.wait_for(outbox.close(0.05), 5)


async def test_what_is_written_later_is_written_with_the_rest_before_a_flush_ends(bootstrap: str, topic: str) -> None:
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox.start()
    outbox.later(lambda: outbox.post(topic, "a", b"1"))
    outbox.later(lambda: outbox.post(topic, "b", b"2"))
    assert outbox.counts.posted == 0
    assert await outbox.flush(10)
    assert outbox.counts.delivered == 2
    assert await outbox.close(10)


async def test_what_is_written_later_needs_no_flush(bootstrap: str) -> None:
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox.start()
    written = asyncio.Event()
    outbox.later(written.set)
    await asyncio.wait_for(written.wait(), 10)
    assert await outbox.close(10)


async def test_what_is_dropped_is_not_sent_and_what_follows_is(bootstrap: str, topic: str) -> None:
    """Whatever of it was on the wire: the producer goes on in order, and without a gap that would stop it."""
    outbox = Outbox(Kafka(bootstrap_servers=bootstrap))
    outbox.start()
    await asyncio.wait_for(outbox.send(topic, "a", b"before", partition=0), 10)
    outcomes: list[Outcome] = []
    for number in range(500):
        outbox.post(topic, "a", b"dropped", partition=0, on_outcome=outcomes.append)
        if number == 250:
            await asyncio.sleep(0)  # these are librdkafka's by now, the rest is still here
    assert outbox.drop() == 500
    receipts = [await asyncio.wait_for(outbox.send(topic, "a", b"after", partition=0), 30) for _ in range(3)]
    assert await outbox.flush(10)
    gone = [outcome for outcome in outcomes if isinstance(outcome, CancelledRequestError)]
    arrived = [outcome.offset for outcome in outcomes if isinstance(outcome, Receipt)]
    assert len(gone) + len(arrived) == 500
    assert len(gone) >= 249
    offsets = [receipt.offset for receipt in receipts]
    assert offsets == sorted(offsets)
    assert max(arrived, default=0) < offsets[0]
    assert outbox.drop() == 0
    assert await outbox.close(10)


async def test_what_is_dropped_fails_its_entry_at_once() -> None:
    outbox = Outbox(Kafka(bootstrap_servers="127.0.0.1:9"))
    outbox.start()
    _, entry = opened()
    outbox.post("t", b"k", b"v", entry=entry)
    entry.done()
    assert outbox.drop() == 1
    assert await outbox.flush(5)
    assert isinstance(entry.error, CancelledRequestError)
    assert await outbox.close(1)
