"""The command line's own promises: quick help, one clear line for an error, a stack trace only on request."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from shelftalk import cli
from shelftalk.errors import ConfigError, DeliveryError

#: What ``--help`` must not wait for.
SLOW_IMPORTS = ("onnxruntime", "numpy", "faust", "aiokafka", "confluent_kafka", "onnx", "torch", "tokenizers")


class Result(NamedTuple):
    code: int | str
    out: str
    err: str


Run = Callable[..., Result]
Install = Callable[[BaseException], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def _run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["shelftalk", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        out, err = capsys.readouterr()
        return Result(exit_info.value.code or 0, out, err)

    return _run


@pytest.fixture
def command_that_raises(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a command into the app that raises what it is given."""

    def _install(error: BaseException) -> None:
        def broken() -> None:
            raise error

        monkeypatch.setitem(sys.modules, "shelftalk.commands.broken", SimpleNamespace(broken=broken))
        monkeypatch.setitem(cli.COMMANDS, "broken", cli._Entry("broken", "Raises."))

    return _install


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    for name in cli.COMMANDS:
        assert f"  {name} " in result.out


def test_version(run: Run) -> None:
    result = run("--version")
    assert result.code == 0
    assert result.out.startswith("shelftalk 0.")


def test_help_imports_nothing_slow() -> None:
    script = (
        "import sys; sys.argv = ['shelftalk', '--help']\n"
        "from shelftalk.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"sys.exit([m for m in {SLOW_IMPORTS!r} if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_loads_and_helps(run: Run, name: str) -> None:
    result = run(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: shelftalk {name}")


def test_no_arguments_show_the_help(run: Run) -> None:
    assert "Commands:" in "".join(map(str, run()))


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    result = run("wrker")
    assert result.code == 2
    assert "No such command 'wrker'. Did you mean 'worker'?" in result.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("bootstrap_servers is empty:\n  set it"), 2),
        (DeliveryError("bootstrap_servers is empty:  set it"), 1),
    ],
)
def test_our_errors_are_one_line(run: Run, command_that_raises: Install, error: Exception, code: int) -> None:
    command_that_raises(error)
    result = run("broken")
    assert result.code == code
    assert result.err == "shelftalk: bootstrap_servers is empty: set it\n"
    assert result.out == ""


def test_a_missing_extra_is_named(run: Run, command_that_raises: Install) -> None:
    command_that_raises(ModuleNotFoundError("No module named 'torch'", name="torch.nn"))
    result = run("broken")
    assert result.code == 2
    assert "pip install 'shelftalk[train]'" in result.err


def test_debug_keeps_the_stack_trace(monkeypatch: pytest.MonkeyPatch, command_that_raises: Install) -> None:
    command_that_raises(ConfigError("x"))
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    monkeypatch.setattr(sys, "argv", ["shelftalk", "broken"])
    with pytest.raises(ConfigError):
        cli.main()


def test_an_error_that_is_ours_to_mend_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, command_that_raises: Install
) -> None:
    command_that_raises(ModuleNotFoundError("No module named 'shelftalk.typo'", name="shelftalk.typo"))
    monkeypatch.setattr(sys, "argv", ["shelftalk", "broken"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_dash_m_runs_the_same_program() -> None:
    assert importlib.util.find_spec("shelftalk.__main__") is not None
    done = subprocess.run(
        [sys.executable, "-m", "shelftalk", "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert "Commands:" in done.stdout


def test_variables_of_ours_are_no_slips_of_the_pen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHELFTALK_DEBUG", "SHELFTALK_CACHE", "SHELFTALK_DATA"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("SHELFTALK_KAFAK__BOOTSTRAP_SERVERS", "x:1")
    result = run("config")
    assert result.code == 0
    assert result.err.splitlines() == [
        "shelftalk: SHELFTALK_KAFAK__BOOTSTRAP_SERVERS is set but means nothing here; a slip of the pen?"
    ]


def test_secrets_are_masked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_KAFKA__SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("SHELFTALK_KAFKA__SASL_USERNAME", "ada")
    monkeypatch.setenv("SHELFTALK_KAFKA__SASL_PASSWORD", "hunter2")
    result = run("config")
    assert 'sasl_username = "ada"' in result.out
    assert "hunter2" not in result.out + result.err
    assert 'sasl_password = "**********"  # environment SHELFTALK_KAFKA__SASL_PASSWORD' in result.out
