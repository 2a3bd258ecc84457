"""TLS and SASL against a real Kafka: both clients of a worker log in, and who is refused is told what to do, soon."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from shelftalk.errors import BrokerError
from shelftalk.stream.login import Kafka
from shelftalk.stream.topics import TopicAdmin
from tests.kafka.broker import KafkaBroker, KafkaUnavailableError, Secured
from tests.stream.harness import ROOT, Site, wait_for

pytestmark = pytest.mark.kafka

PASSWORD = "canary-0f3a9c"  # noqa: S105

#: A refusal comes within two seconds, and says something else than that this is over.
DEADLINE_S = 30.0


class TokenServer(BaseHTTPRequestHandler):
    """Gives unsigned tokens to who knows the password."""

    def do_POST(self) -> None:
        expected = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
        known = self.headers["Authorization"] == f"Basic {expected}"
        form = self.rfile.read(int(self.headers["Content-Length"]))
        assert b"grant_type=client_credentials" in form
        now_s = 1_700_000_000
        parts = [{"alg": "none"}, {"sub": "ada", "iat": now_s, "exp": now_s * 2, "scope": "kafka"}]
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        body = json.dumps({"access_token": f"{token}.", "expires_in": 3600} if known else {"error": "no"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class Secrets:
    """A broker that asks who is there, and all that is needed to answer."""

    def __init__(self, folder: Path) -> None:
        authority, other = trustme.CA(), trustme.CA()
        server, client, stranger = (
            authority.issue_cert("localhost"),
            authority.issue_cert("ada@x.y"),
            other.issue_cert("ada@x.y"),
        )
        key = load_pem_private_key(server.private_key_pem.bytes(), None)
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.ca, self.other_ca, keystore = folder / "ca.pem", folder / "other.pem", folder / "server.pem"
        keystore.write_bytes(pkcs8 + b"".join(blob.bytes() for blob in server.cert_chain_pems))
        authority.cert_pem.write_to_path(self.ca)
        other.cert_pem.write_to_path(self.other_ca)
        self.client, self.stranger = folder / "client.pem", folder / "stranger.pem"
        client.private_key_and_cert_chain_pem.write_to_path(self.client)
        stranger.private_key_and_cert_chain_pem.write_to_path(self.stranger)
        self.broker = KafkaBroker(folder / "broker", secured=Secured(keystore, self.ca, "ada", PASSWORD))
        self.tokens = HTTPServer(("127.0.0.1", 0), TokenServer)
        threading.Thread(target=self.tokens.serve_forever, daemon=True).start()

    def login(self, kind: str, **changes: Any) -> dict[str, Any]:
        """Settings of `Kafka`."""
        settings: dict[str, Any] = {"bootstrap_servers": self.broker.sasl, "ca_file": str(self.ca)}
        if kind == "certificate":
            settings |= {"bootstrap_servers": self.broker.tls, "security_protocol": "SSL"}
            settings |= {"cert_file": str(self.client), "key_file": str(self.client)}
        else:
            settings |= {"security_protocol": "SASL_SSL", "sasl_mechanism": kind}
            settings |= {"sasl_username": "ada", "sasl_password": PASSWORD}
        if kind == "OAUTHBEARER":
            settings["oauth_token_url"] = f"http://127.0.0.1:{self.tokens.server_port}/token"
        return settings | changes


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secrets]:
    made = Secrets(tmp_path_factory.mktemp("secured"))
    try:
        made.broker.start()
    except KafkaUnavailableError as error:
        pytest.skip(f"no Apache Kafka: {error}")
    yield made
    made.tokens.shutdown()
    made.tokens.server_close()
    made.broker.stop()


@pytest.mark.parametrize("kind", ["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER", "certificate"])
def test_both_clients_log_in_and_nothing_secret_is_logged(secrets: Secrets, tmp_path: Path, kind: str) -> None:
    """Faust's aiokafka consumes and recovers the table, librdkafka creates topics and produces."""
    with Site(secrets.broker.bootstrap, tmp_path) as site:
        login = secrets.login(kind)
        worker = site.start("counting", settings=site.settings(kafka=login, log={"level": "DEBUG"}))
        site.produce("behaviour", [("k", {"i": i}) for i in range(20)])
        assert site.until("cards", lambda seen: len(seen.numbers) == 20, 40).highest() == {"k": 20}
        wait_for(lambda: sum(site.committed("behaviour").values()) == 20, 20, "all is committed")
        worker.terminate()
        assert worker.wait(30) == 0
        log = worker.log.read_text()
        assert '"level": "debug"' in log
        assert PASSWORD not in log


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (
            "SCRAM-SHA-512",
            {"sasl_password": "canary-wrong"},
            "refuse 'ada' .* check kafka.sasl_username, kafka.sasl_password",
        ),
        ("SCRAM-SHA-512", {"sasl_username": "bea"}, "refuse 'bea'"),
        ("PLAIN", {"sasl_password": "canary-wrong"}, "refuse 'ada'"),
        ("SCRAM-SHA-256", {}, "refuse 'ada' .*SCRAM-SHA-256.* check .*kafka.sasl_mechanism"),
        ("OAUTHBEARER", {"sasl_password": "canary-wrong"}, r"refuses a token to 'ada' \(HTTP 401\)"),
        (
            "OAUTHBEARER",
            {"oauth_token_url": "http://127.0.0.1:9/token"},
            "no token from .* check kafka.oauth_token_url",
        ),
        ("SCRAM-SHA-512", {"ca_file": "other_ca"}, "not signed by .*other.pem; set kafka.ca_file"),
        ("SCRAM-SHA-512", {"ca_file": None}, "not signed by a CA that this system trusts; set kafka.ca_file"),
        (
            "SCRAM-SHA-512",
            {"bootstrap_servers": "127.0.0.1"},
            "certificate is not for 127.0.0.1; .*kafka.check_hostname",
        ),
        ("certificate", {"cert_file": "stranger", "key_file": "stranger"}, "kafka.cert_file and kafka.key_file"),
        ("certificate", {"cert_file": None, "key_file": None}, "kafka.cert_file and kafka.key_file"),
        ("SCRAM-SHA-512", {"bootstrap_servers": "plain"}, "speaks no TLS; check the port and kafka.security_protocol"),
    ],
)
def test_who_is_refused_is_told_what_to_do(secrets: Secrets, kind: str, changes: dict[str, Any], said: str) -> None:
    port = secrets.broker.sasl.rpartition(":")[2]
    named = {
        "other_ca": str(secrets.other_ca),
        "stranger": str(secrets.stranger),
        "plain": secrets.broker.bootstrap,
        "127.0.0.1": f"127.0.0.1:{port}",
    }
    changes = {name: named.get(str(value), value) for name, value in changes.items()}
    with pytest.raises(BrokerError, match=said) as caught:
        TopicAdmin(Kafka(**secrets.login(kind, **changes)), DEADLINE_S).check([])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("arguments", [["topics", "check"], ["worker", "--phrasebook-only"]])
def test_the_command_line_says_it_in_one_line(secrets: Secrets, tmp_path: Path, arguments: list[str]) -> None:
    login = secrets.login("SCRAM-SHA-512", sasl_password="canary-wrong")  # noqa: S106
    environment = {f"SHELFTALK_KAFKA__{name.upper()}": str(value) for name, value in login.items()}
    environment |= {"PYTHONPATH": f"{ROOT}/src", "SHELFTALK_WEB__PORT": "0", "SHELFTALK_DEBUG": "0", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "shelftalk", *arguments],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {1, 2}
    assert "refuse 'ada' (SCRAM-SHA-512); check kafka.sasl_username" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
