"""The brokers, and how both of the worker's clients (Faust's aiokafka and librdkafka) log in there.

What can go wrong with a login is told by librdkafka within a second or two, while its requests only time out: `refusal` makes of
that what to do about it.
"""

import enum
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from confluent_kafka import KafkaError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from shelftalk.errors import ConfigError
from shelftalk.stream.oauth import TokenSource, token_source


class Part(BaseModel):
    """A section of the settings. Its errors quote no values: one of them may be a password."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )


class Security(enum.StrEnum):
    """How clients talk to the brokers."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def sasl(self) -> bool:
        """Whether clients log in by SASL."""
        return self.value.startswith("SASL")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.value.endswith("SSL")


class Mechanism(enum.StrEnum):
    """How SASL logs in. Both clients of the worker must speak it, so GSSAPI is not here."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class Kafka(Part):
    """The brokers, and how both clients (Faust's aiokafka and librdkafka) reach them.

    Attributes:
        bootstrap_servers: ``host:port``, several separated by commas.
        sasl_username: with `sasl_password`; for OAUTHBEARER they are the client's id and secret at the token endpoint.
        oauth_token_url: of OAUTHBEARER: the endpoint that gives tokens for client credentials, https or on loopback.
        oauth_scope: what to ask of it; empty asks for nothing in particular.
        ca_file: certificates that sign the brokers'; the system's if unset.
        cert_file: the client's own certificate, with `key_file`, for mutual TLS.
        check_hostname: whether a broker's certificate must name the host.
        commit_interval_s: how often offsets are committed; what a crash repeats.
        session_timeout_s: a worker that was silent for so long has lost its partitions.
        fetch_max_wait_ms: how long a broker may wait for data; aiokafka's share of idle latency.
        request_timeout_s: deadline of one request.
    """

    bootstrap_servers: str = "localhost:9092"
    security_protocol: Security = Security.PLAINTEXT
    sasl_mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    oauth_token_url: str = ""
    oauth_scope: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr = SecretStr("")
    check_hostname: bool = True
    client_id: str = "shelftalk"
    commit_interval_s: float = Field(default=1.0, gt=0, le=60)
    session_timeout_s: float = Field(default=10.0, ge=1, le=300)
    fetch_max_wait_ms: int = Field(default=50, ge=1, le=5000)
    request_timeout_s: float = Field(default=30.0, ge=1, le=300)

    @field_validator("bootstrap_servers")
    @classmethod
    def _servers(cls, value: str) -> str:
        servers = [server.strip() for server in value.split(",") if server.strip()]
        if "@" in value:
            raise ValueError("no login belongs into an address; use sasl_username and sasl_password")
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or "/" in host:
                raise ValueError(f"{server!r} is not host:port; give host:port, several separated by commas")
        if not servers:
            raise ValueError("give at least one host:port")
        return ",".join(servers)

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value} is not a file")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Kafka":
        protocol = self.security_protocol
        if protocol.sasl and not (self.sasl_username and self.sasl_password.get_secret_value()):
            raise ValueError(f"{protocol} needs sasl_username and sasl_password")
        if protocol.sasl and self.sasl_mechanism is Mechanism.OAUTHBEARER:
            _check_endpoint(self.oauth_token_url)
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if not protocol.tls and (self.ca_file or self.cert_file):
            raise ValueError(f"certificates are set, but security_protocol is {protocol}; set SSL or SASL_SSL")
        if self.session_timeout_s > self.request_timeout_s:
            raise ValueError("session_timeout_s must not exceed request_timeout_s")
        return self


#: Of every producer of ours. In order and once, whatever is tried again: without it a new broker's first refusals put a topic's
#: first records behind later ones (seen: of thirty the eighth came nineteenth). And in the partition where the clients of Java and
#: of Faust put a key, for all must agree where it lives.
KEYED: Final[dict[str, Any]] = {"enable.idempotence": True, "partitioner": "murmur2_random"}


def confluent_config(kafka: Kafka) -> dict[str, Any]:
    """Options of librdkafka's clients."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": kafka.client_id,
        "security.protocol": kafka.security_protocol.value,
        "socket.timeout.ms": int(kafka.request_timeout_s * 1000),
        "socket.keepalive.enable": True,
    }
    if kafka.security_protocol.sasl:
        config["sasl.mechanism"] = kafka.sasl_mechanism.value
    if kafka.security_protocol.sasl and kafka.sasl_mechanism is Mechanism.OAUTHBEARER:
        config["oauth_cb"] = _tokens(kafka).for_librdkafka
    elif kafka.security_protocol.sasl:
        config["sasl.username"] = kafka.sasl_username
        config["sasl.password"] = kafka.sasl_password.get_secret_value()
    if kafka.security_protocol.tls:
        if kafka.ca_file is not None:
            config["ssl.ca.location"] = str(kafka.ca_file)
        if kafka.cert_file is not None:
            config["ssl.certificate.location"] = str(kafka.cert_file)
            config["ssl.key.location"] = str(kafka.key_file)
            if kafka.key_password.get_secret_value():
                config["ssl.key.password"] = kafka.key_password.get_secret_value()
        config["ssl.endpoint.identification.algorithm"] = "https" if kafka.check_hostname else "none"
    return config


def faust_broker(kafka: Kafka) -> dict[str, Any]:
    """Arguments of ``faust.App``: the brokers and how to log in there.

    Raises:
        ConfigError: a certificate cannot be loaded.
    """
    import faust  # noqa: PLC0415  slow to import, and `shelftalk config` needs it not

    urls = [f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")]
    protocol = kafka.security_protocol
    context = ssl_context(kafka) if protocol.tls else None
    credentials = None
    if protocol.sasl and kafka.sasl_mechanism is Mechanism.OAUTHBEARER:
        credentials = faust.OAuthCredentials(oauth_cb=_tokens(kafka).for_aiokafka(), ssl_context=context)
    elif protocol.sasl:
        credentials = faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=kafka.sasl_mechanism.value,
        )
    elif context is not None:
        credentials = faust.SSLCredentials(context)
    return {"broker": urls, "broker_credentials": credentials}


def ssl_context(kafka: Kafka) -> ssl.SSLContext:
    """TLS as Python's ssl wants it.

    Raises:
        ConfigError: a certificate cannot be loaded.
    """
    try:
        context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
        context.check_hostname = kafka.check_hostname
        if kafka.cert_file is not None:
            password = kafka.key_password.get_secret_value() or None
            context.load_cert_chain(kafka.cert_file, kafka.key_file, password)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"kafka: cannot load the certificates (ca_file, cert_file, key_file): {error}") from error
    return context


def _tokens(kafka: Kafka) -> TokenSource:
    secret = kafka.sasl_password.get_secret_value()
    return token_source(kafka.oauth_token_url, kafka.sasl_username, secret, kafka.oauth_scope)


def _check_endpoint(url: str) -> None:
    parts = urlsplit(url)
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
        raise ValueError("OAUTHBEARER needs oauth_token_url, an https address: the client's secret is sent there")
    if parts.username or parts.password:
        raise ValueError("no login belongs into oauth_token_url; use sasl_username and sasl_password")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_login(kafka: Kafka) -> None:
    """Whatever can be said of a login before a client is made: librdkafka's would wait ten seconds for a token that never comes.

    Raises:
        BrokerError: there is no token to be had.
    """
    if kafka.security_protocol.sasl and kafka.sasl_mechanism is Mechanism.OAUTHBEARER:
        _tokens(kafka).token()


def refusal(kafka: Kafka, errors: Iterable[KafkaError]) -> str | None:
    """What to do about what librdkafka's ``error_cb`` was told, if that is about the login; ``None`` if it is not."""
    for error in errors:
        said = error.str()
        advice = _advice(kafka, error.code(), said.lower())
        if advice is not None:
            return f"{advice} (librdkafka: {said[:200]})"
    return None


def _advice(kafka: Kafka, code: int, said: str) -> str | None:
    servers = kafka.bootstrap_servers
    if code == KafkaError._AUTHENTICATION:  # noqa: SLF001  its names begin so
        return (
            f"the brokers at {servers} refuse {kafka.sasl_username!r} ({kafka.sasl_mechanism}); "
            "check kafka.sasl_username, kafka.sasl_password and kafka.sasl_mechanism"
        )
    if "certificate verify failed" in said:
        return f"no TLS with the brokers at {servers}: {_why_not_trusted(kafka)}"
    if "alert" in said and "certificate" in said:
        mine = kafka.cert_file or "none"
        return f"the brokers at {servers} refuse our certificate ({mine}); check kafka.cert_file and kafka.key_file"
    if "plaintext broker listener" in said:
        return f"the port at {servers} speaks no TLS; check the port and kafka.security_protocol"
    if code == KafkaError._SSL:  # noqa: SLF001
        return f"no TLS with the brokers at {servers}; check kafka.ca_file, kafka.cert_file and kafka.key_file"
    return None


def _why_not_trusted(kafka: Kafka) -> str:
    """Librdkafka says the same of a wrong CA and of a wrong host, so we shake hands ourselves."""
    host, _, port = kafka.bootstrap_servers.split(",")[0].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), _HANDSHAKE_S) as plain:
            ssl_context(kafka).wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _OTHER_HOST:
            return f"their certificate is not for {host}; use a name that it has, or set kafka.check_hostname to false"
        if error.verify_code == _EXPIRED:
            return "their certificate has expired; it must be renewed there"
    except (OSError, ConfigError):
        pass  # what librdkafka said has to do
    signed = kafka.ca_file or "a CA that this system trusts"
    return f"their certificate is not signed by {signed}; set kafka.ca_file to the CA that signs it"


#: OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED.
_OTHER_HOST, _EXPIRED = frozenset({62, 64}), 10
_HANDSHAKE_S = 5
