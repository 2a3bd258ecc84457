"""The topics a worker needs, created and checked through Kafka's admin API.

Faust crashes in a loop when a topic is missing or partition counts differ (``PartitionsMismatch``), so both are checked
before it starts, with a message that says what to do.
"""

import concurrent.futures
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from shelftalk.errors import BrokerError
from shelftalk.stream.login import Kafka, check_login, confluent_config, refusal
from shelftalk.stream.settings import TOPIC_FIELDS, Settings
from shelftalk.stream.tables import changelog_name

_METADATA_POLL_S: Final = 0.05

#: A login is refused within a second; librdkafka tells only between requests.
_LOGIN_POLL_S: Final = 1.0

_MOST_ERRORS: Final = 20

_DAY_MS: Final = 24 * 3_600_000

#: A compacted topic of small records: clean often, or a restart replays what was overwritten long ago.
_COMPACT: Final = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": str(_DAY_MS)}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must be.

    Attributes:
        exact: whether more or fewer partitions are wrong; so it is for everything a worker reads.
        config: for its creation; of an existing topic only ``cleanup.policy`` is checked.
    """

    name: str
    partitions: int
    replication_factor: int
    exact: bool = True
    config: dict[str, str] = field(default_factory=dict)


def topic_specs(settings: Settings, tables: Iterable[str] = ()) -> list[TopicSpec]:
    """Everything a worker reads and writes.

    Args:
        settings: names and numbers.
        tables: names of state tables; their changelogs need as many partitions as the inputs.
    """
    topics = settings.topics
    configs: dict[str, dict[str, str]] = {
        "asks": _kept_for(topics.internal_retention_days),
        "offers": _kept_for(topics.internal_retention_days),
        "cards": _COMPACT,
        "copy_": _COMPACT,
        "review": _COMPACT,
        "dead_letters": _kept_for(topics.dead_letter_retention_days),
    }
    read = {"behaviour", "inventory", "asks", "offers"}
    specs = [
        TopicSpec(topics.name(name), topics.partitions, topics.replication_factor, name in read, configs.get(name, {}))
        for name in TOPIC_FIELDS
    ]
    changelogs = [
        TopicSpec(changelog_name(settings.app_id, table), topics.partitions, topics.replication_factor, True, _COMPACT)
        for table in tables
    ]
    return specs + changelogs


def _kept_for(days: float) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(int(days * _DAY_MS))}


class TopicAdmin:
    """Talks to the brokers; every call has a deadline.

    Args:
        kafka: the brokers.
        timeout_s: of each call.

    Raises:
        BrokerError: librdkafka refuses the settings, or there is no token to log in with.
    """

    def __init__(self, kafka: Kafka, timeout_s: float = 15.0) -> None:
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._errors: list[KafkaError] = []
        check_login(kafka)
        config = confluent_config(kafka) | {"error_cb": self._remember, "log_level": 0}
        try:
            self._client = AdminClient(config)  # kept: a collected client fails its futures
        except KafkaException as error:
            raise BrokerError(f"kafka: librdkafka refuses the settings: {error}") from error

    def ensure(self, specs: Sequence[TopicSpec]) -> list[str]:
        """Create what is missing, then check everything.

        Returns:
            Names of the topics that were created.

        Raises:
            BrokerError: the brokers cannot be reached, refuse, or a topic is not as it must be.
        """
        there = self.partitions()
        missing = [spec for spec in specs if spec.name not in there]
        created = self._create(missing) if missing else []
        self._await_metadata(created)
        self.check(specs)
        return created

    def check(self, specs: Sequence[TopicSpec]) -> None:
        """Compare topics with what they must be.

        Raises:
            BrokerError: naming everything that is wrong.
        """
        there = self.partitions()
        problems = [problem for spec in specs if (problem := _compare(spec, there.get(spec.name)))]
        compacted = [
            spec for spec in specs if spec.name in there and "compact" in spec.config.get("cleanup.policy", "")
        ]
        policies = self._cleanup_policies([spec.name for spec in compacted])
        problems += [
            f"{name} has cleanup.policy={policy}, which forgets state; set it to compact"
            for name, policy in policies.items()
            if "compact" not in policy
        ]
        if problems:
            raise BrokerError("topics: " + "; ".join(problems))

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics; missing ones are fine.

        Raises:
            BrokerError: the brokers cannot be reached or refuse.
        """
        futures = self._client.delete_topics(list(names), operation_timeout=self._timeout_s)
        self._settle(futures, "delete", KafkaError.UNKNOWN_TOPIC_OR_PART)

    def _create(self, specs: Sequence[TopicSpec]) -> list[str]:
        new = [NewTopic(spec.name, spec.partitions, spec.replication_factor, config=spec.config) for spec in specs]
        futures = self._client.create_topics(new, request_timeout=self._timeout_s, operation_timeout=self._timeout_s)
        return self._settle(futures, "create", KafkaError.TOPIC_ALREADY_EXISTS)

    def _await_metadata(self, names: Sequence[str]) -> None:
        """A broker confirms a topic before all of them (in KRaft even itself) list it."""
        deadline = time.monotonic() + self._timeout_s
        while not self.partitions().keys() >= set(names) and time.monotonic() < deadline:
            time.sleep(_METADATA_POLL_S)

    def _settle(self, futures: dict[str, Any], verb: str, harmless: int) -> list[str]:
        settled = []
        for name, future in futures.items():
            try:
                future.result(self._timeout_s)
            except (KafkaException, concurrent.futures.TimeoutError) as error:
                if isinstance(error, KafkaException) and error.args[0].code() == harmless:
                    continue
                raise BrokerError(f"topics: cannot {verb} {name}: {_text(error)}") from error
            settled.append(name)
        return settled

    def partitions(self) -> dict[str, int]:
        """How many partitions each topic of the brokers has.

        Raises:
            BrokerError: the brokers cannot be reached, or refuse us.
        """
        metadata = self._metadata()
        return {name: len(topic.partitions) for name, topic in metadata.topics.items()}

    def _metadata(self) -> Any:
        """In short waits: a login that was refused is known at once, but a request would wait out its deadline."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            left_s = deadline - time.monotonic()
            try:
                return self._client.list_topics(timeout=max(min(left_s, _LOGIN_POLL_S), 0.05))
            except KafkaException as error:
                self._client.poll(0)  # which calls `_remember`
                refused = refusal(self._kafka, self._errors)
                if refused is not None:
                    raise BrokerError(refused) from error
                if left_s <= 0:
                    said = "; ".join(each.str() for each in self._errors[:3])
                    raise BrokerError(
                        f"no broker at {self._kafka.bootstrap_servers} answered within {self._timeout_s:g} s"
                        f"{f' (librdkafka: {said})' if said else ''}; "
                        "check kafka.bootstrap_servers, kafka.security_protocol and the credentials"
                    ) from error

    def _cleanup_policies(self, names: Sequence[str]) -> dict[str, str]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        futures = self._client.describe_configs(resources, request_timeout=self._timeout_s)
        policies = {}
        for resource, future in futures.items():
            try:
                policies[resource.name] = str(future.result(self._timeout_s)["cleanup.policy"].value)
            except (KafkaException, concurrent.futures.TimeoutError, KeyError) as error:
                raise BrokerError(
                    f"topics: cannot read the configuration of {resource.name}: {_text(error)}"
                ) from error
        return policies

    def _remember(self, error: KafkaError) -> None:
        if len(self._errors) < _MOST_ERRORS and error.str() not in [held.str() for held in self._errors]:
            self._errors.append(error)


def _compare(spec: TopicSpec, partitions: int | None) -> str | None:
    if partitions is None:
        return f"{spec.name} is missing; create it with `shelftalk topics`"
    if spec.exact and partitions != spec.partitions:
        return (
            f"{spec.name} has {partitions} partitions, but topics.partitions is {spec.partitions}; all topics that a worker "
            "reads need the same number, so set that, or recreate the topic"
        )
    return None


def _text(error: BaseException) -> str:
    if isinstance(error, KafkaException):
        return str(error.args[0].str())
    return str(error) or type(error).__name__
