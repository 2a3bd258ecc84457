"""Where a run takes place: a broker and workers of its own, workers of its own on somebody's broker, or what runs there already."""

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import msgspec
from confluent_kafka import Consumer

from shelftalk.demo.child import WorkerProcess, worker_environment, worker_process
from shelftalk.demo.observer import topic_names
from shelftalk.errors import BrokerError, ConfigError
from shelftalk.replay.partitions import partitions_of
from shelftalk.replay.progress import Interrupted
from shelftalk.stream.broker import embedded_broker
from shelftalk.stream.login import Kafka, confluent_config
from shelftalk.stream.settings import Topics, load
from shelftalk.stream.topics import TopicAdmin

#: The model is loaded and the group is joined in some seconds; a cold disk and a busy machine take longer.
READY_S = 120.0

Say = Callable[[str], None]


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        bootstrap: somebody's broker; ``None`` starts the embedded one.
        workers: how many to start; ``None`` is one on the embedded broker, and none on somebody's, whose own are used.
        partitions: of the topics made for workers of our own.
        model: folder of the generator for workers of our own; ``None`` runs them on the phrasebook.
        metrics: addresses of workers that run already, such as ``http://worker-1:6066/metrics``.
        settings: environment of workers of our own beyond ours.
    """

    bootstrap: str | None = None
    workers: int | None = None
    partitions: int = 4
    model: Path | None = None
    metrics: tuple[str, ...] = ()
    settings: dict[str, str] = {}

    @property
    def own(self) -> bool:
        """Whether we start workers."""
        return self.bootstrap is None or self.workers is not None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a run talks to.

    Attributes:
        group: consumer group of the workers.
        workers: ours, if any.
        metrics: where workers show their figures.
        about: in words.
    """

    kafka: Kafka
    topics: Topics
    group: str
    workers: list[WorkerProcess]
    metrics: list[str]
    about: str

    def partitions(self) -> int:
        """Of its topics, as the broker has them.

        Raises:
            BrokerError: it does not answer, or the topic is not there.
        """
        consumer = Consumer(confluent_config(self.kafka) | {"group.id": f"{self.group}-look", "log_level": 0})
        try:
            name = self.topics.name("behaviour")
            return len(partitions_of(consumer, [name], self.kafka.bootstrap_servers)[name])
        finally:
            consumer.close()


@contextlib.contextmanager
def site(where: Where, folder: Path, say: Say, stop: Event) -> Iterator[Site]:
    """Have it ready until the block ends; what we started ends with it, and topics that we made are deleted.

    Args:
        where: what is asked for.
        folder: for the logs of workers.
        say: told what happens.
        stop: ends the wait until workers are ready.

    Raises:
        Interrupted: it was ended before it was ready.
        ConfigError: what is asked for does not go together.
        BrokerError: the brokers do not answer, or a topic is not there.
        WorkerFailedError: a worker of ours did not start.
    """
    if where.own:
        with _own(where, folder, say, stop) as ours:
            yield ours
        return
    if where.metrics and not all(url.startswith(("http://", "https://")) for url in where.metrics):
        raise ConfigError("--metrics: give whole addresses, such as http://worker-1:6066/metrics")
    settings = load(kafka={"bootstrap_servers": where.bootstrap})
    yield Site(
        kafka=settings.kafka,
        topics=settings.topics,
        group=settings.app_id,
        workers=[],
        metrics=list(where.metrics),
        about=f"what runs at {settings.kafka.bootstrap_servers}, topics {settings.topics.prefix}*, group {settings.app_id}",
    )


@contextlib.contextmanager
def _own(where: Where, folder: Path, say: Say, stop: Event) -> Iterator[Site]:
    count = where.workers or 1
    if where.bootstrap is None and count > 1:
        raise ConfigError(
            "the embedded broker serves one worker only; for several start a Kafka (make kafka) and name it: --bootstrap-servers"
        )
    if count > where.partitions:
        raise ConfigError(
            f"{count} workers and {where.partitions} partitions: {count - where.partitions} would have nothing to do"
        )
    with contextlib.ExitStack() as stack:
        if where.bootstrap is None:
            kafka = Kafka(bootstrap_servers=stack.enter_context(embedded_broker()).bootstrap_servers)
            broker = "the embedded broker"
        else:
            kafka = load(kafka={"bootstrap_servers": where.bootstrap}).kafka
            topic_names(kafka)
            broker = f"the broker at {kafka.bootstrap_servers}"
        name = f"shelftalk-replay-{uuid.uuid4().hex[:8]}"
        topics = Topics(prefix=f"{name}.", partitions=where.partitions)
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True)))
        if where.bootstrap is not None:
            stack.callback(_delete_topics, kafka, name, say)
        workers: list[WorkerProcess] = []
        for number in range(count):
            say(f"starting worker {number + 1} of {count} on {broker}")
            workers.append(stack.enter_context(_worker(where, kafka, topics, (folder, state), number)))
            workers[-1].wait_until_ready(READY_S, lambda _waited_s: _unless(stop))
        words = "phrasebook only" if where.model is None else f"model {where.model.name}"
        yield Site(
            kafka=kafka,
            topics=topics,
            group=name,
            workers=workers,
            metrics=[worker.metrics_url for worker in workers],
            about=f"{count} worker{'s' * (count > 1)} on {broker}, {where.partitions} partitions, {words}",
        )
        say("stopping")


def _unless(stop: Event) -> None:
    if stop.is_set():
        raise Interrupted("ended before the workers were ready; nothing was played")


@contextlib.contextmanager
def _worker(
    where: Where, kafka: Kafka, topics: Topics, folders: tuple[Path, Path], number: int
) -> Iterator[WorkerProcess]:
    logs, state = (folder / f"worker-{number}" for folder in folders)
    logs.mkdir(parents=True, exist_ok=True)
    name = topics.prefix.removesuffix(".")
    environment = worker_environment(kafka, topics, name, state, where.model, embedded=where.bootstrap is None)
    environment |= {"SHELFTALK_TOPICS__PARTITIONS": str(where.partitions)} | where.settings
    arguments = ["--create-topics", *(["--phrasebook-only"] if where.model is None else [])]
    with worker_process(arguments, environment, logs) as process:
        yield process


def _delete_topics(kafka: Kafka, prefix: str, say: Say) -> None:
    """A broker of somebody's own is left as it was."""
    try:
        TopicAdmin(kafka).delete([topic for topic in topic_names(kafka) if topic.startswith(prefix)])
    except BrokerError as error:
        say(f"topics {prefix}* could not be deleted: {error}")
