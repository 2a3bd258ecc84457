"""The pipeline: the two stages wired to their topics, tables, outbox and engine."""

import asyncio
import time
from collections.abc import Awaitable, Iterator

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from shelftalk.core.ledger import Entry
from shelftalk.core.messages import decode_message
from shelftalk.core.shelf import PHRASEBOOK
from shelftalk.engine import Writer
from shelftalk.errors import BadInputError, CancelledRequestError, FatalError
from shelftalk.events.codec import decode_inventory
from shelftalk.stream.app import Worker
from shelftalk.stream.catch_up import CatchUp
from shelftalk.stream.desk import DeskSettings, EngineDesk, NoDesk
from shelftalk.stream.fence import Fence
from shelftalk.stream.keeper import Keeper, Limits
from shelftalk.stream.letterbox import Letterbox
from shelftalk.stream.outlet import TopicOutlet
from shelftalk.stream.react_handler import ReactHandler
from shelftalk.stream.record import Record, origin_of, require_key
from shelftalk.stream.store import TableStore

log = structlog.get_logger(__name__)

#: How often the keeper has a turn when nothing presses: a tenth of the shortest deadline that anybody would set.
TURN_S = 0.01

#: How often what is remembered of erasures is looked through.
TIDY_MS = 60_000


def now_ms() -> int:
    """Wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Pipeline:
    """Everything of a worker that is about cards.

    Attributes:
        keeper: the shelves.
        react: the first stage.
        store: their tables.
    """

    def __init__(self, worker: Worker, engine: Writer | None) -> None:
        settings = worker.settings
        self.store = TableStore(worker.table)
        outlet = TopicOutlet(worker.outbox, settings.topics)
        rules = settings.shelf_rules(PHRASEBOOK if engine is None else engine.model_id)
        if engine is not None and engine.prompt_variant is not None:
            rules = rules.for_model(engine.model_id, engine.prompt_variant, chosen=settings.rules)
        self.desk = None if engine is None else EngineDesk(engine, DeskSettings(drafts=rules.drafts))
        self.keeper = Keeper(
            rules,
            Limits(deadline_ms=settings.deadlines.card_ms),
            self.store,
            outlet,
            self.desk or NoDesk(),
            partitions=settings.topics.partitions,
        )
        policy = settings.react_policy()
        self.react = ReactHandler(policy, self.store.profiles, self.store.erased, outlet, self.keeper.at_hand)
        self.fence = Fence(self.store.shown, self.store.erased, outlet, policy.page)
        self.engine = engine
        self._held: frozenset[int] = frozenset()
        self._catch_up = CatchUp(settings.topics.name("inventory"), lambda: worker.app.consumer, self._caught_up)
        worker.catching_up = lambda: self._catch_up.records if self._catch_up.behind else None
        self.store.live.on_recovered.append(self._recovered)
        self.store.live.on_lost.append(self._lost)
        worker.agent("react", "behaviour", self.behaviour)
        worker.agent("shelf_inventory", "inventory", self.inventory)
        worker.agent("shelf_asks", "asks", self.asks)
        worker.agent("fence", "offers", self.fence.handle)
        worker.registry.register(_Collector(self))
        # Not a task of Faust's: it must go on while the worker drains.
        self._turning = asyncio.get_running_loop().create_task(self._turns(worker))
        worker.on_drain.append(lambda: self.keeper.hurry(now_ms()))
        worker.on_stopped.append(self._end_turns)

    # --- handlers, one for each input topic --------------------------------------------------------------------------

    def behaviour(self, record: Record, entry: Entry) -> None:
        """A record of the behaviour topic."""
        self.react.handle(record, entry, now_ms())

    def inventory(self, record: Record, entry: Entry) -> None:
        """A record of the inventory topic."""
        try:
            self._inventory(record, entry, now_ms())
        finally:
            self._catch_up.handled(record.partition, record.offset)

    def _inventory(self, record: Record, entry: Entry, at_ms: int) -> None:
        event = decode_inventory(record.value, at_ms)
        require_key(record, event.sku)
        self.keeper.inventory(event, origin_of(record, event.event_id, event.occurred_at_ms), entry, at_ms)

    def asks(self, record: Record, entry: Entry) -> Awaitable[None] | None:
        """A record of the internal asks topic; it waits where the inventory of its partition is still to be read."""
        if self.keeper.is_catching_up(record.partition):
            return self._asks_later(record, entry)
        self._asks(record, entry)
        return None

    async def _asks_later(self, record: Record, entry: Entry) -> None:
        await self._catch_up.wait(record.partition)
        if not entry.forgotten:
            self._asks(record, entry)

    def _asks(self, record: Record, entry: Entry) -> None:
        try:
            message = decode_message(record.value or b"")
        except ValueError as error:
            raise BadInputError("not_a_message", str(error)) from None
        self.keeper.message(message, record.partition, entry, now_ms())

    # --- the keeper's turns ------------------------------------------------------------------------------------------

    async def _turns(self, worker: Worker) -> None:
        """Give the keeper its turns, for ever: deadlines, refreshes, what time alone changes."""
        letters = Letterbox(self.keeper, lambda: worker.lease.valid)
        if self.desk is not None:
            self.desk.serve(letters, asyncio.get_running_loop())
        tidied_ms = 0
        while True:
            more = False
            try:
                await worker.outbox.room()
                await worker.lease.held()
                at_ms = now_ms()
                letters.empty(at_ms)
                more = self.keeper.tick(at_ms)
                self.fence.sweep(self.store.shown.ready, at_ms)
                self.react.sweep(self.store.profiles.ready)
                if at_ms - tidied_ms > TIDY_MS:
                    tidied_ms = at_ms
                    self.store.forget_erasures(at_ms)
            except CancelledRequestError:
                log.info("a partition was taken away during a turn")
            except Exception as error:  # a rule that fails here would fail again: better a restart than silence
                log.exception("the keeper failed")
                worker.fatal(FatalError(f"the keeper failed: {type(error).__name__}; the traceback is in the log"))
                return
            await asyncio.sleep(0 if more else TURN_S)

    def _end_turns(self) -> None:
        self._turning.cancel()

    def _recovered(self, partitions: frozenset[int]) -> None:
        taken = sorted(partitions - self._held)
        for partition in taken:
            self.keeper.recovered(partition, now_ms(), catching_up=True)
        self._catch_up.begin(taken)
        self._held |= partitions

    def _caught_up(self, partition: int) -> None:
        self.keeper.caught_up(partition, now_ms())

    def _lost(self, partitions: frozenset[int]) -> None:
        self._catch_up.lost(partitions)
        for partition in sorted(partitions):
            self.keeper.revoked(partition)
        self._held -= partitions


class _Collector:
    """The stages' own figures for Prometheus, read when asked."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def collect(self) -> Iterator[Metric]:
        pipeline = self._pipeline
        reactions = CounterMetricFamily("shelftalk_reactions", "Behaviour events by type and outcome", labels=["what"])
        for what, count in pipeline.react.counts.items():
            reactions.add_metric([what], count)
        yield reactions
        shelf = CounterMetricFamily("shelftalk_shelf", "What shelves did", labels=["what"])
        for what, count in pipeline.keeper.counts.items():
            shelf.add_metric([what], count)
        yield shelf
        fence = CounterMetricFamily("shelftalk_fence", "Offers by outcome", labels=["outcome"])
        for outcome, count in pipeline.fence.counts.items():
            fence.add_metric([outcome], count)
        yield fence
        for name, size in pipeline.keeper.gauges().items():
            yield GaugeMetricFamily(f"shelftalk_shelf_{name}", f"Shelves: {name.replace('_', ' ')}", size)
        if pipeline.desk is not None:
            yield GaugeMetricFamily("shelftalk_desk_queued", "Texts to be written at leisure", pipeline.desk.queued())
            yield CounterMetricFamily("shelftalk_desk_shed", "Texts given up for want of room", pipeline.desk.shed)
            yield CounterMetricFamily("shelftalk_desk_drafts", "Drafts asked for, some a text", pipeline.desk.drafts)
        if pipeline.engine is not None:
            stats = pipeline.engine.stats()
            for name in ("completed", "failed", "expired", "cancelled", "tokens", "steps"):
                yield CounterMetricFamily(f"shelftalk_engine_{name}", f"Engine: {name}", getattr(stats, name))
            for name in ("queued", "running"):
                yield GaugeMetricFamily(f"shelftalk_engine_{name}", f"Engine: {name}", getattr(stats, name))
