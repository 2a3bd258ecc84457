"""The broker, and everybody who runs on it."""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from shelftalk.bench.pipeline.course import COMMIT_S, Course, settings_for
from shelftalk.bench.pipeline.processes import Contestant, contestant
from shelftalk.commands.worker import to_toml
from shelftalk.stream.broker import embedded_broker
from shelftalk.stream.store import TABLES
from shelftalk.stream.topics import TopicAdmin, TopicSpec

ROOT = Path(__file__).resolve().parents[4]
KAFKA = ROOT / "tests/kafka/broker.py"
QUIX_PYTHON = ROOT / ".venv-bench-pipeline/bin/python"

Entrant = tuple[Course, Contestant]

#: How long the worker lets a shopper wait for the model. Cards are of use for a second (`holding.DEADLINE_MS`), seen from outside:
#: what is left is for the way through Kafka, as somebody with that deadline would set it. The default leaves a tenth.
CARD_MS = 800

#: In the names of topics and groups, so that a broker of one's own can be used again.
_RUN = uuid.uuid4().hex[:6]


def say(line: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


@contextlib.contextmanager
def broker(given: str | None) -> Iterator[str]:
    """The broker of this run: the given one, else an Apache Kafka of our own, else the embedded one; says which."""
    if given is not None:
        say(f"broker: {given}, as told")
        yield given
        return
    with _apache_kafka() as bootstrap:
        if bootstrap is not None:
            say("broker: Apache Kafka, one node, on the same machine")
            yield bootstrap
            return
    say("broker: the embedded one, for there is no Java 17 with Maven here; the same for all")
    with embedded_broker() as embedded:
        yield embedded.bootstrap_servers


@contextlib.contextmanager
def _apache_kafka() -> Iterator[str | None]:
    if not KAFKA.is_file():
        yield None
        return
    command = [sys.executable, str(KAFKA), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        try:
            ready = next((line for line in process.stdout or () if line.startswith("Ready: ")), None)
            yield ready.split()[1] if ready else None
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def worker(
    bootstrap: str, folder: Path, *options: str, name: str = "shelftalk", model: Path | None = None
) -> Iterator[Entrant]:
    """`shelftalk worker`."""
    name = f"{name}-{_RUN}"
    settings = settings_for(
        name,
        bootstrap,
        str(folder),
        engine={"model_folder": None if model is None else str(model)},
        deadlines={"card_ms": CARD_MS},
    )
    config = folder / f"{name}.toml"
    config.write_text("\n".join(to_toml(settings.masked())))
    course = Course(settings, TABLES)
    environment = os.environ | {"SHELFTALK_CONFIG": str(config)}
    with (
        contextlib.closing(course),
        contestant(name, [sys.executable, "-m", "shelftalk", "worker", *options], environment, folder) as process,
    ):
        yield course, process


@contextlib.contextmanager
def quix(bootstrap: str, folder: Path) -> Iterator[Entrant]:
    """The job in quixstreams."""
    name = f"quixstreams-{_RUN}"
    settings = settings_for(name, bootstrap, str(folder))
    course = Course(settings)
    command = [str(QUIX_PYTHON), "-m", "shelftalk.bench.pipeline.quix", bootstrap, name, f"{name}."]
    command += [str(COMMIT_S), str(folder / "quix-state")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with contextlib.closing(course), contestant(name, command, environment, folder) as process:
        yield course, process


@contextlib.contextmanager
def bare(bootstrap: str, folder: Path) -> Iterator[Entrant]:
    """The job in a loop around confluent-kafka."""
    name = f"bare-{_RUN}"
    settings = settings_for(name, bootstrap, str(folder))
    course = Course(settings)
    TopicAdmin(settings.kafka).ensure([TopicSpec(f"{name}-state-changelog", settings.topics.partitions, 1)])
    command = [sys.executable, "-m", "shelftalk.bench.pipeline.bare", bootstrap, name, f"{name}.", str(COMMIT_S)]
    with contextlib.closing(course), contestant(name, command, os.environ, folder) as process:
        yield course, process


@contextlib.contextmanager
def naive(bootstrap: str, folder: Path, model: Path, *, name: str, form: str) -> Iterator[Entrant]:
    """A Faust agent that calls the model for each event: in a plain ``loop``, or through our ``engine``."""
    name = f"{name}-{_RUN}"
    settings = settings_for(name, bootstrap, str(folder))
    course = Course(settings)
    command = [
        sys.executable,
        "-m",
        "shelftalk.bench.pipeline.naive",
        bootstrap,
        name,
        f"{name}.",
        str(model),
        form,
    ]
    with contextlib.closing(course), contestant(name, command, os.environ, folder) as process:
        yield course, process
