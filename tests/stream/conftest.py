"""Brokers for the tests of the Kafka shell: the embedded one for all, a real Kafka for the promises about Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shelftalk.stream.broker import embedded_broker
from shelftalk.stream.settings import CONFIG_VARIABLE, PREFIX
from tests.stream.harness import Site


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os  # noqa: PLC0415

    for name in list(os.environ):
        if name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def embedded_bootstrap() -> Iterator[str]:
    with embedded_broker() as broker:
        yield broker.bootstrap_servers


@pytest.fixture(
    params=[pytest.param("embedded", marks=pytest.mark.broker), pytest.param("kafka", marks=pytest.mark.kafka)]
)
def bootstrap(request: pytest.FixtureRequest) -> str:
    """``host:port`` of each broker in turn."""
    name = "embedded_bootstrap" if request.param == "embedded" else "kafka_bootstrap"
    servers: str = request.getfixturevalue(name)
    return servers


@pytest.fixture
def site(bootstrap: str, tmp_path: Path) -> Iterator[Site]:
    """Topics of its own on a broker, and worker processes that do not outlive the test."""
    with Site(bootstrap, tmp_path) as site:
        yield site
