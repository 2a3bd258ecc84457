"""Settings: where they come from, what is refused and how both clients get them."""

import ssl
from pathlib import Path

import faust
import pytest

from shelftalk.core.policy import Policy
from shelftalk.errors import ConfigError
from shelftalk.stream.login import Kafka, Mechanism, Security, confluent_config, faust_broker
from shelftalk.stream.settings import load, unknown_environment

SASL = {"security_protocol": "SASL_SSL", "sasl_username": "me", "sasl_password": "geheim"}


def test_defaults_run_against_a_local_broker() -> None:
    settings = load()
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.topics.name("behaviour") == "shelftalk.behaviour"
    assert settings.topics.name("copy") == "shelftalk.copy"
    assert settings.react_policy() == Policy()
    assert settings.web.host == "127.0.0.1"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "our.toml"
    file.write_text('app_id = "file"\n[kafka]\nbootstrap_servers = "file:1"\n[policy]\ndebounce_ms = 7\n')
    monkeypatch.setenv("SHELFTALK_CONFIG", str(file))
    monkeypatch.setenv("SHELFTALK_KAFKA__BOOTSTRAP_SERVERS", "env:1, env:2")
    monkeypatch.setenv("SHELFTALK_POLICY__PLACEMENTS", '["only"]')
    settings = load()
    assert (settings.app_id, settings.kafka.bootstrap_servers) == ("file", "env:1,env:2")
    assert settings.react_policy() == Policy(debounce_ms=7, placements=("only",))


def test_a_file_in_the_working_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "shelftalk.toml").write_text('app_id = "here"\n')
    assert load().app_id == "here"


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_CONFIG", "/nowhere.toml")
    with pytest.raises(ConfigError, match="there is no such file"):
        load()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"kafka": {"bootstrap_servers": "kafka://x:1"}}, "host:port"),
        ({"kafka": {"bootstrap_servers": ""}}, "at least one"),
        ({"kafka": {"security_protocol": "SASL_SSL"}}, "needs sasl_username and sasl_password"),
        ({"kafka": {"ca_file": "/nowhere"}}, r"/nowhere is not a file"),
        ({"kafka": {"session_timeout_s": 60}}, "must not exceed"),
        ({"kafka": {"bootstrap": "x:1"}}, r"kafka.bootstrap \(SHELFTALK_KAFKA__BOOTSTRAP\)"),
        ({"topics": {"cards": "a b"}}, "no legal topic name"),
        ({"topics": {"cards": "asks"}}, "same name"),
        ({"policy": {"debounce": 1}}, "unknown: debounce; known are"),
        ({"policy": {"debounce_ms": "soon"}}, "Expected `int`"),
        ({"app_id": "a b"}, "app_id"),
        ({"engine": {"device": "tpu"}}, "'auto', 'cuda' or 'cpu'"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_to_do(override: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**override)


def test_secrets_are_masked_everywhere() -> None:
    settings = load(kafka=SASL)
    assert "geheim" not in f"{settings!r} {settings.masked()} {settings.model_dump_json()}"
    assert settings.masked()["kafka"]["sasl_password"] == "**********"  # noqa: S105


def test_slips_of_the_pen_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFTALK_KAFAK__BOOTSTRAP_SERVERS", "x:1")
    monkeypatch.setenv("SHELFTALK_APP_ID", "fine")
    assert unknown_environment() == ["SHELFTALK_KAFAK__BOOTSTRAP_SERVERS"]


def test_both_clients_get_the_same_login() -> None:
    kafka = load(kafka=SASL).kafka
    config = confluent_config(kafka)
    assert config["security.protocol"] == "SASL_SSL"
    assert (config["sasl.mechanism"], config["sasl.password"]) == ("SCRAM-SHA-512", "geheim")
    arguments = faust_broker(kafka)
    credentials = arguments["broker_credentials"]
    assert arguments["broker"] == ["kafka://localhost:9092"]
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password, credentials.mechanism.value) == (
        "me",
        "geheim",
        "SCRAM-SHA-512",
    )
    assert credentials.protocol.value == "SASL_SSL"
    assert isinstance(credentials.ssl_context, ssl.SSLContext)


def test_plain_connections_need_no_credentials() -> None:
    assert faust_broker(Kafka())["broker_credentials"] is None
    assert "sasl.mechanism" not in confluent_config(Kafka())


def test_a_broken_certificate_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    kafka = Kafka(security_protocol=Security.SSL, ca_file=tmp_path / "ca.pem", sasl_mechanism=Mechanism.PLAIN)
    with pytest.raises(ConfigError, match="cannot load the certificates"):
        faust_broker(kafka)
