"""Faust's aiokafka transport, mended, with commits decided by the ledger.

Written against faust-streaming 0.15.3 and aiokafka 0.14.0, whose private methods it overrides: both are pinned, and
``tests/stream/test_transport.py`` tests this subclass itself. Each override states the race it closes and how it was seen.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import faust
import structlog
from aiokafka.protocol.group import JoinGroupRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from shelftalk.core.ledger import Ledger
from shelftalk.stream.batch import Batch, BatchScheduler
from shelftalk.stream.lease import Lease

log = structlog.get_logger(__name__)

#: Faust logs through its services' class attribute; without this its "Starting..." would come under our name.
_faust_logger = logging.getLogger("faust.transport")

#: How long a fetch sleeps when there is nothing it may fetch (Faust sleeps a second).
_PAUSE_S = 0.01

#: How long a fetch waits for records during a rebalance: the seek at its end waits for the fetch.
_BRIEFLY_S = 0.05

UNKNOWN_MEMBER_ID = JoinGroupRequest.UNKNOWN_MEMBER_ID

Drain = Callable[[], Awaitable[None]]

#: Answers by which the group says that we are no member, or not of this generation, or that somebody else has our name.
_EXPELLED = frozenset({22, 25, 82})  # ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns aiokafka's consumer."""

    logger = _faust_logger

    def _create_worker_consumer(self, transport: "Transport") -> Any:
        """Faust hard-codes ``fetch_max_wait_ms=1500``: idle p50 latency was 376-845 ms, with 50 ms it is 10 ms."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = transport.fetch_max_wait_ms
        renew_by_answers(consumer._client, transport.lease, lambda: consumer._coordinator.request_rejoin())  # noqa: PLW0108  made later
        return consumer

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109
        """Never fetch with an empty active set, with a set that changes under the fetch, or during a seek.

        An *empty* set means "all partitions" to aiokafka, and the set that Faust passes is its live one: emptied while the
        request waits in the thread's queue, it fetched records of paused partitions, moved their position, and Faust then
        dropped them. A fetch racing `perform_seek` did the same ("below read offset"). Seen: 5 of 18 kill -9 restarts with
        a table skipped 255-533 events for good; none of 10 with this method.
        """
        consumer = self.consumer
        if consumer.seeking or (active_partitions is not None and not active_partitions):
            await asyncio.sleep(_PAUSE_S)
            return {}
        active = None if active_partitions is None else set(active_partitions)
        consumer.not_fetching.clear()
        try:
            records: Mapping[TP, list[Any]] = await super().getmany(active, timeout)
            if consumer.seeking:
                return {}  # they come again, from where the seek goes
            for place, fetched in records.items():
                consumer.last_fetched[TP(place.topic, place.partition)] = fetched[-1].offset
        finally:
            consumer.not_fetching.set()
        return records

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP] | None,
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        """In the thread: aiokafka is to fetch what is read, and no more."""
        fetch_only(consumer._fetcher, active_partitions)
        records: Mapping[TP, list[Any]] = await super()._fetch_records(
            consumer, active_partitions, timeout, max_records
        )
        return records

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek where nothing was committed as well: to the beginning.

        aiokafka leaves such a partition where it is, behind what was fetched and dropped before the seek. Those records never
        came, and the next one that did was committed past them. Seen with two workers on new topics, 1 of 12 starts: the
        catalogue's first records were gone, so no product was known and 200 shoppers got no card.
        """
        found: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def _seek_to_committed(self) -> Mapping[Any, int | None]:
        """In the thread. Changelogs are never committed; where they are read from is the recovery's to say."""
        consumer, changelogs = self._ensure_consumer(), self.app.tables.changelog_topics
        ours = [place for place in consumer.assignment() if place.topic not in changelogs]
        committed: Mapping[Any, int | None] = await consumer.seek_to_committed(*ours) if ours else {}
        if anew := [place for place, offset in committed.items() if not offset]:
            await consumer.seek_to_beginning(*anew)
        return committed


def renew_by_answers(client: Any, lease: Lease, rejoin: Callable[[], None]) -> None:
    """The coordinator's session begins anew with each of our heartbeats, so the lease does from before it was sent.

    Not with one that is answered by REBALANCE_IN_PROGRESS: the group waits for us to join until its rebalance timeout is over, and
    not for a session from now on.

    Args:
        client: aiokafka's; its `send` is wrapped.
        lease: of the worker.
        rejoin: called where the group answers a heartbeat, and the lease was over before it was sent.
    """
    send = client.send

    async def sending(node_id: Any, request: Any, **kwargs: Any) -> Any:
        began_s = time.monotonic()
        answer = await send(node_id, request, **kwargs)
        kind = type(answer).__name__.partition("Response")[0]
        if kind not in {"Heartbeat", "SyncGroup"}:
            return answer
        if answer.error_code in _EXPELLED:
            lease.end()
        elif answer.error_code == 0 and kind == "SyncGroup":
            lease.joined(request._generation_id, began_s)
        elif answer.error_code == 0 and not lease.renew(request._generation_id, began_s):
            log.warning("the lease was over, so we join the group anew", generation=request._generation_id)
            rejoin()
        return answer

    client.send = sending


def fetch_only(fetcher: Any, active: set[TP] | None) -> None:
    """Keep aiokafka from fetching partitions that are assigned and not read.

    Faust pauses partitions in its own books only. So aiokafka asked for the changelogs, too (28 of 44 partitions), and what we had
    just written came back. Nobody takes it, and while it lay there untaken, no other partition of that broker was fetched for
    100 ms (aiokafka's prefetch backoff), once for each changelog partition after every start.

    Args:
        fetcher: of aiokafka.
        active: what is read; ``None`` for all. Where no position is known yet, one is still looked up.
    """
    if getattr(fetcher, "active", ...) == active:
        return
    if not hasattr(fetcher, "active"):
        decide = fetcher._get_actions_per_node
        fetcher._get_actions_per_node = lambda assignment: decide(_Read(assignment, fetcher.active))
    fetcher.active = active
    fetcher._notify(fetcher._wait_consume_future)  # it may sleep over what it was not to fetch until now


class _Read:
    """An assignment as if it had only the partitions that are read."""

    def __init__(self, assignment: Any, active: set[TP] | None) -> None:
        state = self.state_value = assignment.state_value
        tps = assignment.tps
        self.tps = tps if active is None else [tp for tp in tps if tp in active or not state(tp).has_valid_position]


class Consumer(driver.Consumer):
    """A consumer that commits what the ledger releases, and nothing else. Faust's acks count for nothing."""

    logger = _faust_logger

    seeking = 0
    seeks = 0
    terms = 0  # how often partitions were given up
    fetch_term = 0  # and how often they had been when what is at hand was asked for

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scheduler = BatchScheduler()
        self.confirmed: dict[TP, int] = {}  # offsets that the broker took
        self.not_fetching = asyncio.Event()
        self.not_fetching.set()
        self.last_fetched: dict[TP, int] = {}  # by partition, since the last seek

    @property
    def ledger(self) -> "Ledger[TP]":
        """Of the worker."""
        return self.transport.ledger

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Mapping[TP, list[Any]], set[TP]]:  # noqa: ASYNC109
        """Faust sleeps a second where nothing may be fetched, or fetches for one: two of the seconds of each recovery.

        What comes of a fetch under which partitions were given up is of no assignment; the seek goes to where that begins. Seen
        under chaos: the rest of one such fetch came first, another that had waited for a busy thread brought offset 0 after it,
        and the ledger stopped the worker.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active, self.fetch_term = self._get_active_partitions(), self.terms
        records = await self._getmany(active, _BRIEFLY_S if self.app.rebalancing else timeout)
        return (records if self.fetch_term == self.terms else {}), active

    async def handed_on(self, tp: TP, end: int) -> int | None:
        """How far a partition was fetched, once all before an offset was.

        Args:
            tp: a partition of ours.
            end: the offset.

        Returns:
            The last offset that went on towards a handler since the last seek, -1 for none; ``None`` while some before `end` is
            still to be fetched, or a seek is to come.
        """
        seeks = self.seeks
        position = await self.position(tp)
        await self.not_fetching.wait()  # the position is that of before a fetch has come back
        if self.app.rebalancing or self.seeking or self.seeks != seeks or (position or 0) < end:
            return None
        return self.last_fetched.get(tp, -1)

    def _to_message(self, tp: TP, record: Any) -> Any:
        """One message of Faust's for a whole batch of records.

        Called exactly once for each batch that goes on to a stream: the ledger expects its records from here on. Faust drops
        messages between here and the agent (a cleared queue, a changed generation) and would ack them; expected but never
        opened, they stop the commit instead.
        """
        where = TP(tp.topic, tp.partition)
        last, generation, app, term = record[-1], self.app.consumer_generation_id, self.app, self.fetch_term
        if term == self.terms and not self._is_changelog_tp(where):  # which nobody commits
            expect = self.ledger.expect
            for each in record:
                expect(where, each.offset)

        # What Faust asks of each message before it hands it over, but that the group may also give us our generation again.
        def current() -> bool:
            return app.flow_control.is_active() and self.terms == term

        return ConsumerMessage(
            where.topic,
            where.partition,
            last.offset,
            (last.timestamp or 0) / 1000,
            last.timestamp_type,
            None,
            None,
            Batch(where, record, current),
            None,
            0,
            0,
            where,
            generation_id=generation,
        )

    def ack(self, message: Any) -> bool:
        """Faust lets go of a message. That is no permission to commit.

        In 0.15.3 acks out of order committed past an unfinished event (offset 0 in flight, 1-5 acked, committed 6, event 0
        lost on kill -9), and an exception in an agent acks and skips the event.
        """
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps (compaction, transaction markers) are no matter to the ledger; Faust's interval trees only grew."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterable[TP]:
        return [tp for tp in self.ledger.committable() if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        """Faust's is off by one at the committed offset and checks no gap before the first commit (issue 606)."""
        return self.ledger.committable().get(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        """Only what is new. Faust forgets what it committed before it commits for the last time at a rebalance."""
        return offset > self.confirmed.get(tp, -1)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Faust counts an offset as committed even if the broker refused it, and does not try again before there is a newer one."""
        done: bool = await super()._commit(offsets)
        if done:
            self.confirmed.update(offsets)
        for acked in (*self._acked.values(), *self._acked_index.values()):
            acked.clear()  # Faust's own account of acks, which nobody reads and nobody else would ever shorten
        return done

    async def perform_seek(self) -> None:
        """Go back to the committed offsets. Fetches wait meanwhile, and the ledger begins anew.

        A fetch that was under way through a rebalance brought later records than the committed ones first. To the ledger those
        that came after the seek were then repeats: four events were committed without having been handled (seen under chaos).
        """
        self.seeking += 1
        try:
            await self.not_fetching.wait()
            await super().perform_seek()
            self.seeks += 1
            self.last_fetched.clear()
            self.ledger.forget(TP(tp.topic, tp.partition) for tp in self.assignment())
        finally:
            self.seeking -= 1

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """A recovery begins here: what was read of these changelogs before must not be seen any more.

        Faust takes an event for read when its offset is above the last one's. One left over from a recovery that a rebalance
        overtook (in the queue, in a buffer, in a fetch under way) made it skip all before it: whole shelves were gone, seen under
        chaos.
        """
        self.seeking += 1
        try:
            await self.not_fetching.wait()
            await super().seek_wait(partitions)
            forget_changelogs(self.app.tables, partitions)
        finally:
            self.seeking -= 1

    async def wait_empty(self) -> None:
        """Called by Faust before partitions are given up, at a rebalance and at the end.

        Its own waits without a deadline for messages that are only weakly referenced. Ours waits for the ledger and the
        outbox, with a deadline, then commits.
        """
        await self.transport.drain()
        await self.commit_and_end_transactions()

    @property
    def expelled(self) -> bool:
        """Whether the group has gone on without us: aiokafka then forgets who it was there."""
        return bool(self._thread._ensure_consumer()._coordinator.member_id == UNKNOWN_MEMBER_ID)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain and commit, as Faust does, then forget: whoever gets these partitions starts at the committed offset.

        After an eager rebalance that may be this worker itself, so even kept partitions are read again from there.
        Faust forgets what was acked *before* it commits for the last time; the ledger forgets after. Where others have the
        partitions already, there is nothing to drain or commit: what is under way would come after what they have written.
        """
        if revoked and self.expelled:
            self.ledger.forget(revoked)
            self.transport.on_expelled()
        await super().on_partitions_revoked(revoked)
        self.transport.lease.give_up()
        self.terms += 1
        self.ledger.forget(revoked)
        for tp in revoked:
            self.confirmed.pop(tp, None)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take the partitions, as Faust does: at its end the tables have dropped what went elsewhere."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not self.app.should_stop:  # for then it has taken nothing
            self.transport.lease.take(generation_id)


def forget_changelogs(tables: Any, partitions: Mapping[TP, int]) -> None:
    """Drop what is left of earlier recoveries.

    Args:
        tables: Faust's table manager.
        partitions: the offsets from which changelogs are about to be read; from 0 means all anew, and what a table holds goes, too.
    """
    recovery, queue = tables.recovery, tables.changelog_queue._queue
    waiting = [event for event in queue if event.message.tp not in partitions]
    queue.clear()
    queue.extend(waiting)
    for buffer in recovery.buffers.values():
        buffer[:] = [event for event in buffer if event.message.tp not in partitions]
    for tp, offset in partitions.items():
        if offset <= 0 and tp in recovery.tp_to_table:
            recovery.tp_to_table[tp].data.drop([tp.partition])
        if tp in recovery.active_tps:
            recovery.active_offsets[tp] = offset if offset > 0 else -1


class Transport(driver.Transport):
    """Hand it to an app before that starts: ``app.transport = Transport(app, ledger, ...)``.

    Args:
        app: of Faust.
        ledger: decides what is committed.
        drain: waits, within a deadline of its own, until open entries are finished.
        on_expelled: told that the group has gone on without us, before we join it anew.
        lease: renewed with each heartbeat that the group answers.
        fetch_max_wait_ms: see `ConsumerThread`.
    """

    Consumer = Consumer

    def __init__(
        self,
        app: faust.App,
        ledger: "Ledger[TP]",
        drain: Drain,
        on_expelled: Callable[[], None],
        lease: Lease,
        *,
        fetch_max_wait_ms: int = 50,
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.ledger = ledger
        self.lease = lease
        self.drain = drain
        self.on_expelled = on_expelled
        self.fetch_max_wait_ms = fetch_max_wait_ms
