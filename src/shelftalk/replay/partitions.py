"""The partitions of topics, asked of the brokers."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException

from shelftalk.errors import BrokerError

_TIMEOUT_S = 10.0


def partitions_of(client: Any, topics: Sequence[str], servers: str, said: Sequence[str] = ()) -> dict[str, list[int]]:
    """The partitions of topics.

    Raises:
        BrokerError: the brokers do not answer, or a topic is not there.
    """
    try:
        there = client.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        seen = f" (librdkafka: {'; '.join(said[:2])})" if said else ""
        raise BrokerError(
            f"no broker at {servers} answered within {_TIMEOUT_S:g} s{seen}; check kafka.bootstrap_servers and the credentials"
        ) from error
    missing = [topic for topic in topics if topic not in there or there[topic].error is not None]
    if missing:
        ours = sorted(name for name in there if not name.startswith("__"))
        raise BrokerError(
            f"there is no topic {', '.join(missing)} at {servers}; there are: {', '.join(ours) or 'none'} (settings topics.prefix, "
            "topics.behaviour, ... name them)"
        )
    return {topic: sorted(there[topic].partitions) for topic in topics}
