"""``shelftalk worker``, ``topics`` and ``config``."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shelftalk.stream.origins import origins
from shelftalk.stream.settings import Settings, load, unknown_environment

if TYPE_CHECKING:
    from shelftalk.engine import Writer
    from shelftalk.stream.topics import TopicSpec

#: How much the model gives way to everything else in the worker.
_NICENESS = 3

topics = typer.Typer(help="Create, check and list the topics on the broker.")


def worker(
    *,
    create_topics: Annotated[bool, typer.Option(help="Create what is missing rather than refuse to start.")] = False,
    phrasebook_only: Annotated[bool, typer.Option(help="Run without a model.")] = False,
) -> None:
    """Consume events from Kafka and publish cards, until SIGTERM."""
    # Faust and ONNX Runtime are slow to import; `config` and `topics` need neither.
    from shelftalk.stream.app import Worker  # noqa: PLC0415
    from shelftalk.stream.host import run_worker  # noqa: PLC0415
    from shelftalk.stream.logs import set_up_logging  # noqa: PLC0415
    from shelftalk.stream.pipeline import Pipeline  # noqa: PLC0415
    from shelftalk.stream.processes import exit_now  # noqa: PLC0415

    settings = load()
    set_up_logging(settings.log, settings.privacy.pseudonyms())
    with ExitStack() as stack:
        engine = None if phrasebook_only else _engine(settings)
        if engine is not None:
            stack.callback(engine.close)
        process = Worker(settings, lambda ready: _keep(Pipeline(ready, engine)), create_topics=create_topics)
        code = run_worker(process)
    if process.error is not None:
        typer.echo(f"shelftalk: {process.error}", err=True)
    exit_now(code)


def _keep(_pipeline: object) -> None:
    """The worker's callbacks hold the pipeline; nothing more is to be done with it."""


def _engine(settings: Settings) -> "Writer":
    """The generator, in threads that yield to the event loop.

    Where the model runs on the same cores, it would starve heartbeats and deadlines. On Linux niceness is a thread's own and
    inherited, so the engine is made in a nicer thread.
    """
    from shelftalk.engine import Device, open_writer  # noqa: PLC0415
    from shelftalk.modelling.build import ensure_model  # noqa: PLC0415

    chosen = settings.engine
    folder = chosen.model_folder or ensure_model(_say, chosen.model)
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(_NICENESS,)) as nicer:
        return nicer.submit(
            open_writer,
            folder,
            device=Device(chosen.device),
            rows=chosen.rows,
            queue_limit=chosen.queue_limit,
            threads=chosen.threads or None,
        ).result()


def _say(message: str, share: float | None) -> None:
    done = "" if share is None else f" {share:.0%}"
    typer.echo(f"model: {message}{done}", err=True)


def config(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of TOML.")] = False) -> None:
    """Print the settings in force and where each comes from, secrets masked."""
    values = load().masked()
    where = origins(values)
    if as_json:
        typer.echo(json.dumps({"settings": values, "origins": where}, indent=2))
    else:
        typer.echo("\n".join(to_toml(values, where)))
    for name in unknown_environment():
        typer.echo(f"shelftalk: {name} is set but means nothing here; a slip of the pen?", err=True)


def to_toml(values: dict[str, Any], origins: dict[str, str] | None = None, section: str = "") -> list[str]:
    """The settings as a TOML file would say them, with their origins as comments; what is unset is left out."""
    own = {key: value for key, value in values.items() if not isinstance(value, dict) and value is not None}
    lines = []
    for key, value in own.items():
        origin = "" if origins is None else f"  # {origins[section + key]}"
        lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}{origin}")
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{section}{key}"
            inner = to_toml(value, origins, f"{name}.")
            lines += ["", f"[{name}]", *inner] if inner else []
    return lines


@topics.command("list")
def list_topics() -> None:
    """Print the topics that a worker with these settings needs."""
    for spec in _specs(load()):
        policy = spec.config.get("cleanup.policy", "delete")
        typer.echo(f"{spec.name}  partitions={spec.partitions}  cleanup.policy={policy}")


@topics.command()
def create() -> None:
    """Create the topics that are missing, then check them all."""
    from shelftalk.stream.topics import TopicAdmin  # noqa: PLC0415

    settings = load()
    created = TopicAdmin(settings.kafka).ensure(_specs(settings))
    typer.echo("\n".join(f"created {name}" for name in created) or "every topic was there")


@topics.command()
def check() -> None:
    """Compare the broker's topics with what a worker needs."""
    from shelftalk.stream.topics import TopicAdmin  # noqa: PLC0415

    settings = load()
    specs = _specs(settings)
    TopicAdmin(settings.kafka).check(specs)
    typer.echo(f"{len(specs)} topics are as they must be")


def _specs(settings: Settings) -> "list[TopicSpec]":
    from shelftalk.stream.store import TABLES  # noqa: PLC0415
    from shelftalk.stream.topics import topic_specs  # noqa: PLC0415

    return topic_specs(settings, TABLES)
