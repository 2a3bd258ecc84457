"""Where a setting comes from, and that no way of printing settings prints a secret."""

import json
import os
import re
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from shelftalk import cli
from shelftalk.commands.worker import to_toml
from shelftalk.errors import ConfigError
from shelftalk.stream.origins import origins
from shelftalk.stream.settings import Settings, load
from tests.stream.harness import ROOT

CANARY = "canary-5f1c9e77"

SECRETS = {
    "SHELFTALK_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "SHELFTALK_KAFKA__SASL_USERNAME": "ada",
    "SHELFTALK_KAFKA__SASL_PASSWORD": CANARY,
    "SHELFTALK_KAFKA__KEY_PASSWORD": CANARY,
    "SHELFTALK_WEB__TOKEN": CANARY,
    "SHELFTALK_PRIVACY__PSEUDONYM_KEY": CANARY * 3,
}


def test_each_value_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "our.toml"
    file.write_text(
        'app_id = "file"\n[kafka]\nclient_id = "file"\nbootstrap_servers = "file:1"\n[policy]\ndebounce_ms = 7\n'
    )
    monkeypatch.setenv("SHELFTALK_CONFIG", str(file))
    monkeypatch.setenv("SHELFTALK_KAFKA__BOOTSTRAP_SERVERS", "env:1")
    monkeypatch.setenv("shelftalk_retry", '{"attempts": 2}')
    monkeypatch.setenv("SHELFTALK_TOPICS__COPY", "texts")
    found = origins(load().masked())
    expected = {
        "app_id": f"file {file}",
        "kafka.client_id": f"file {file}",
        "kafka.bootstrap_servers": "environment SHELFTALK_KAFKA__BOOTSTRAP_SERVERS",
        "policy.debounce_ms": f"file {file}",
        "retry.attempts": "environment shelftalk_retry",
        "retry.first_backoff_ms": "default",
        "topics.copy": "environment SHELFTALK_TOPICS__COPY",
        "web.port": "default",
    }
    assert {name: found[name] for name in expected} == expected


def test_every_value_is_what_its_origin_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What claims to be a default is what there is without any environment."""
    plain = load().masked()
    monkeypatch.setenv("SHELFTALK_LOG__LEVEL", "ERROR")
    values = load().masked()
    changed = {name for name, origin in origins(values).items() if origin != "default"}
    assert changed == {"log.level"}
    assert plain | {"log": values["log"]} == values


def test_what_is_printed_is_toml_that_means_the_same() -> None:
    values = load().masked()
    assert tomllib.loads("\n".join(to_toml(values, origins(values)))) == tomllib.loads("\n".join(to_toml(values)))


BROKEN: list[dict[str, str]] = [
    {},
    {"SHELFTALK_KAFKA__SASL_USERNAME": ""},
    {"SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": f"ada:{CANARY}@kafka:9092"},
    {"SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": f"kafka://ada:{CANARY}@kafka/x"},
    {"SHELFTALK_KAFKA__SASL_MECHANISM": "OAUTHBEARER"},
    {"SHELFTALK_KAFKA__SASL_MECHANISM": "OAUTHBEARER", "SHELFTALK_KAFKA__OAUTH_TOKEN_URL": f"https://a:{CANARY}@x/"},
    {
        "SHELFTALK_KAFKA__SASL_MECHANISM": "OAUTHBEARER",
        "SHELFTALK_KAFKA__OAUTH_TOKEN_URL": f"http://localhost:9/token?key={CANARY}#{CANARY}",
    },
    {"SHELFTALK_KAFKA__SESSION_TIMEOUT_S": "299"},
    {"SHELFTALK_KAFKA": f'{{"sasl_pasword": "{CANARY}"}}'},
    {"SHELFTALK_KAFKA": f'{{"sasl_password": "{CANARY}'},
    {"SHELFTALK_KAFKA": f'{{"sasl_password": ["{CANARY}"]}}'},
    {"SHELFTALK_PRIVACY__PSEUDONYM_KEY": CANARY},
    {"SHELFTALK_SASL_PASSWORD": CANARY},
]


@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"], ["topics", "list"]])
@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("debug", ["0", "1"])
def test_no_secret_is_printed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    broken: dict[str, str],
    debug: str,
) -> None:
    for name, value in (SECRETS | broken | {"SHELFTALK_DEBUG": debug}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["shelftalk", *arguments])
    trace = ""
    try:
        cli.main()
    except SystemExit:
        pass
    except ConfigError:
        trace = traceback.format_exc()
    printed = capsys.readouterr()
    assert printed.out + printed.err + trace
    assert CANARY not in printed.out + printed.err + trace
    if not broken and arguments[1:] == ["--json"]:
        values = json.loads(printed.out)
        assert values["settings"]["web"]["token"] == "**********"  # noqa: S105
        assert values["origins"]["web.token"] == "environment SHELFTALK_WEB__TOKEN"


def leaves(model: type[BaseModel], path: str = "SHELFTALK") -> Iterator[tuple[str, object]]:
    """Every setting by its variable, with its type."""
    for name, field in model.model_fields.items():
        where = f"{path}_{name.upper()}" if path == "SHELFTALK" else f"{path}__{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, where)
        else:
            yield where, field.annotation


def test_whatever_is_a_secret_is_typed_as_one_and_tried_here() -> None:
    secret = {name for name, kind in leaves(Settings) if kind is SecretStr}
    assert secret == {name for name, value in SECRETS.items() if CANARY in value}
    sounds = {name for name, _ in leaves(Settings) if re.search("PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL", name)}
    assert sounds - secret == {"SHELFTALK_KAFKA__OAUTH_TOKEN_URL", "SHELFTALK_KAFKA__KEY_FILE"}


@pytest.mark.parametrize("arguments", [["topics", "check"], ["worker", "--phrasebook-only"]])
def test_no_secret_is_printed_when_no_broker_answers(tmp_path: Path, arguments: list[str]) -> None:
    environment = SECRETS | {
        "PYTHONPATH": f"{ROOT}/src",
        "PATH": os.environ["PATH"],
        "SHELFTALK_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "SHELFTALK_KAFKA__REQUEST_TIMEOUT_S": "1",
        "SHELFTALK_KAFKA__SESSION_TIMEOUT_S": "1",
        "SHELFTALK_DEADLINES__DRAIN_S": "1",
        "SHELFTALK_LOG__LEVEL": "DEBUG",
        "SHELFTALK_WEB__PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "shelftalk", *arguments],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "no broker at 127.0.0.1:9" in done.stderr
    assert CANARY not in done.stdout + done.stderr
