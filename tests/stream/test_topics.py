"""Creating and checking topics."""

import uuid

import pytest

from shelftalk.errors import BrokerError
from shelftalk.stream.login import Kafka
from shelftalk.stream.settings import load
from shelftalk.stream.topics import TopicAdmin, TopicSpec, topic_specs


def test_what_a_worker_needs() -> None:
    settings = load(app_id="app", topics={"partitions": 7, "prefix": "p."})
    specs = {spec.name: spec for spec in topic_specs(settings, ["live"])}
    assert {spec.partitions for spec in specs.values()} == {7}
    compacted = {name for name, spec in specs.items() if spec.config.get("cleanup.policy") == "compact"}
    assert compacted == {"p.cards", "p.copy", "p.review", "app-live-changelog"}
    assert {name for name, spec in specs.items() if spec.exact} == {
        "p.behaviour",
        "p.inventory",
        "p.asks",
        "p.offers",
        "app-live-changelog",
    }
    assert int(specs["p.dead-letters"].config["retention.ms"]) == 28 * 86_400_000


def test_missing_topics_are_created_once_and_checked(bootstrap: str) -> None:
    admin = TopicAdmin(Kafka(bootstrap_servers=bootstrap))
    name = f"topics-{uuid.uuid4().hex[:8]}"
    specs = [
        TopicSpec(f"{name}-a", 3, 1),
        TopicSpec(f"{name}-b", 2, 1, config={"cleanup.policy": "compact"}),
    ]
    with pytest.raises(BrokerError, match=f"{name}-a is missing; create it with"):
        admin.check(specs)
    assert sorted(admin.ensure(specs)) == [f"{name}-a", f"{name}-b"]
    assert admin.ensure(specs) == []
    with pytest.raises(BrokerError, match=f"{name}-a has 3 partitions, but topics.partitions is 4"):
        admin.check([TopicSpec(f"{name}-a", 4, 1)])
    admin.check([TopicSpec(f"{name}-a", 4, 1, exact=False)])
    with pytest.raises(BrokerError, match=r"cleanup\.policy=delete, which forgets state"):
        admin.check([TopicSpec(f"{name}-a", 3, 1, config={"cleanup.policy": "compact"})])
    admin.delete([f"{name}-a", f"{name}-b"])


def test_no_broker_is_a_clear_error_within_the_deadline() -> None:
    admin = TopicAdmin(Kafka(bootstrap_servers="127.0.0.1:9"), timeout_s=0.5)
    with pytest.raises(BrokerError, match=r"no broker at 127.0.0.1:9 answered within 0.5 s"):
        admin.check([])
