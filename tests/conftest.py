"""Fixtures that several packages' tests use."""

import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shelftalk.core import phrasebook, remarks, word_slots
from shelftalk.modelling.tiny import build_tiny
from tests.kafka.broker import KafkaBroker, KafkaUnavailableError

# Nothing is timed here: a test that is slow on a busy machine is not wrong.
settings.register_profile("shelftalk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shelftalk")

# A shell that runs this in the background ignores Ctrl-C, and so would every process that a test starts to interrupt it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer model in fp32 with slot tokens: real code, nonsense words, milliseconds a text."""
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def few_remarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remarks on a handful of things and points only, so that a test of forms does not hang on what people wrote last week."""
    written = {
        "en": remarks._Part(
            kinds={"kettle | desk lamp | curtains | bedding": ["ready before you are", "company for the first cup"]},
            points={"folds away | machine washable": ["put away again in no time", "gone when guests arrive"]},
        ),
        "zh": remarks._Part(
            kinds={"台灯": ["夜里写字不晃眼"]}, points={"可折叠": ["收起来不占地方", "用完往边上一收"]}
        ),
    }
    monkeypatch.setattr(
        remarks, "read_parts", lambda language: {"any": written[language]} if language in written else {}
    )
    forget_remarks()
    yield
    forget_remarks()


def forget_remarks() -> None:
    """For a test that has put other remarks in their place."""
    for cached in (
        remarks._book,
        remarks.known,
        remarks.family,
        remarks.remarks_for,
        word_slots.word_values,
        word_slots.take_words,
        phrasebook.phrase,
    ):
        cached.cache_clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-kafka", action="store_true", help="a test marked kafka that is skipped has failed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a real Kafka is promised (continuous integration), its absence must not pass quietly."""
    del call
    report = yield
    expected = hasattr(report, "wasxfail")
    if (
        report.skipped
        and not expected
        and item.get_closest_marker("kafka")
        and item.config.getoption("--require-kafka")
    ):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and --require-kafka is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a real Apache Kafka; skips with the reason where none can be had. Tests that use it are marked `kafka`."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
    except KafkaUnavailableError as error:
        pytest.skip(f"no Apache Kafka: {error}")
    yield broker.bootstrap
    broker.stop()
