"""The ``shelftalk`` command.

Each command lives in a module of `shelftalk.commands`, and only the one that was asked for is imported: ``shelftalk --help``
must not wait for ONNX Runtime, and ``shelftalk demo`` must not need torch.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple, NoReturn

import typer

from shelftalk import __version__
from shelftalk.errors import FatalError, ShelftalkError

#: Set to 1 to see the stack trace behind a one-line error.
DEBUG_VARIABLE = "SHELFTALK_DEBUG"

#: Import names that only an extra installs, and the extra.
_EXTRA_OF = {
    "torch": "train",
    "pyarrow": "replay",
    "hdrh": "replay",
    "psutil": "replay",
    "matplotlib": "replay",
    "implicit": "evaluate",
    "scipy": "evaluate",
    "transformers": "bench",
    "onnxruntime_genai": "bench",
    "llama_cpp": "bench",
}


class _Entry(NamedTuple):
    """Where a command is found: a function of its name in the module, or, for a group of commands, a `typer.Typer`."""

    module: str
    summary: str


COMMANDS = {
    "demo": _Entry(
        "demo", "Run the whole thing here: a broker, a worker, a simulated shop, cards live in the terminal."
    ),
    "verify": _Entry("demo", "Check a demo's recorded cards against its recorded events, trusting neither."),
    "replay": _Entry("replay", "Load-test with recorded event streams: record, import, run, diff."),
    "worker": _Entry("worker", "Consume events from Kafka and publish cards, until SIGTERM."),
    "topics": _Entry("worker", "Create, check and list the topics on the broker."),
    "dlq": _Entry("dlq", "List, show and re-drive the dead letters."),
    "config": _Entry("worker", "Print the settings in force, secrets masked."),
    "model": _Entry("model", "Build and inspect the generator's model folder."),
    "evaluate": _Entry("evaluate", "Judge recommendations by a log, and texts by figures."),
    "train": _Entry("train", "Fine-tune the generator (needs the train extra)."),
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shelftalk {__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Live shelf-talker copy: Kafka events in, product lines out, never with a wrong price."""


def _stub(name: str) -> Callable[[], None]:
    def never_called() -> NoReturn:  # only lends its name and summary to --help; see build()
        raise AssertionError(f"{name} was dispatched without being loaded")

    return never_called


def _attach(app: typer.Typer, name: str, entry: _Entry) -> None:
    module = importlib.import_module(f"shelftalk.commands.{entry.module}")
    command = getattr(module, name, None) or module.app
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, help=entry.summary, no_args_is_help=True)
    else:
        app.command(name)(command)


def build(arguments: Sequence[str]) -> typer.Typer:
    """Make the app for one command line: the command it names is real, the others are names for ``--help``.

    Args:
        arguments: the command line without the program's name.
    """
    app = typer.Typer(
        name="shelftalk",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    asked_for = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, entry in COMMANDS.items():
        if name == asked_for:
            _attach(app, name, entry)
        else:
            app.command(name, help=entry.summary)(_stub(name))
    return app


def _exit(message: str, code: int) -> NoReturn:
    print(f"shelftalk: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 failed, but the same call may succeed later; 2 change something first (an option, a setting, the broker,
    the model).
    """
    debug = os.environ.get(DEBUG_VARIABLE) == "1"
    arguments = sys.argv[1:]
    del sys.argv[1:]  # Faust, once imported, would take the `--loop` and `--debug` of any program for its own
    try:
        build(arguments)(arguments, prog_name="shelftalk")
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if debug or extra is None:
            raise
        _exit(f"{error.name} is not installed; this needs the {extra} extra: pip install 'shelftalk[{extra}]'", 2)
    except ShelftalkError as error:
        if debug:
            raise
        _exit(str(error) or type(error).__name__, 2 if isinstance(error, FatalError) else 1)
