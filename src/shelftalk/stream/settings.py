"""Everything that can be set: from the environment (``SHELFTALK_KAFKA__BOOTSTRAP_SERVERS=...``) and one TOML file.

The environment wins over the file. The file is named by ``SHELFTALK_CONFIG``; without it ``./shelftalk.toml`` is read if
it is there. Units are the last word of a name.
"""

import enum
import os
import secrets
import ssl
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from shelftalk.core.prompt import DEFAULT_VARIANT, variants
from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.core.react import Policy
from shelftalk.core.rules import ShelfRules
from shelftalk.errors import ConfigError

CONFIG_VARIABLE = "SHELFTALK_CONFIG"

#: Ours too, but no settings of a worker: this file, stack traces, the model's cache, the tests' real data.
OTHER_VARIABLES = {CONFIG_VARIABLE, "SHELFTALK_DEBUG", "SHELFTALK_CACHE", "SHELFTALK_DATA"}
Struct = TypeVar("Struct", bound=msgspec.Struct)

DEFAULT_FILE = Path("shelftalk.toml")
PREFIX = "SHELFTALK_"

#: 128 bits in hexadecimal, at the least.
_SHORTEST_KEY = 32


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
    """How SASL logs in. Both clients of the worker must speak it, so GSSAPI and OAUTHBEARER are not here."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Kafka(_Part):
    """The brokers, and how both clients (Faust's aiokafka and librdkafka) reach them.

    Attributes:
        bootstrap_servers: ``host:port``, several separated by commas.
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
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if not protocol.tls and (self.ca_file or self.cert_file):
            raise ValueError(f"certificates are set, but security_protocol is {protocol}; set SSL or SASL_SSL")
        if self.session_timeout_s > self.request_timeout_s:
            raise ValueError("session_timeout_s must not exceed request_timeout_s")
        return self


class Topics(_Part):
    """Topic names, each with `prefix` before it.

    Attributes:
        internal_retention_days: how long *asks* and *offers* are kept, which name shoppers: longer than any worker is down.
        dead_letter_retention_days: likewise. An erased shopper's events may be among them, and GDPR's article 12 gives a month.
    """

    prefix: str = "shelftalk."
    behaviour: str = "behaviour"
    inventory: str = "inventory"
    asks: str = "asks"
    offers: str = "offers"
    cards: str = "cards"
    copy_: str = Field(default="copy", alias="copy")
    review: str = "review"
    dead_letters: str = "dead-letters"
    partitions: int = Field(default=4, ge=1, le=1000)
    replication_factor: int = Field(default=1, ge=1, le=10)
    internal_retention_days: float = Field(default=7, gt=0)
    dead_letter_retention_days: float = Field(default=28, gt=0)

    def name(self, topic: str) -> str:
        """The full name of one of the fields, such as ``"cards"``."""
        field = "copy_" if topic == "copy" else topic
        if field not in TOPIC_FIELDS:
            raise KeyError(f"no topic {topic!r}; there are {', '.join(sorted(TOPIC_FIELDS))}")
        return f"{self.prefix}{getattr(self, field)}"

    @model_validator(mode="after")
    def _distinct(self) -> "Topics":
        names = [self.name(field) for field in TOPIC_FIELDS]
        legal = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        for name in names:
            if not set(name) <= legal or not 0 < len(name) <= 249:  # noqa: PLR2004  Kafka's limit
                raise ValueError(f"{name!r} is no legal topic name; use letters, digits, '.', '_' and '-'")
        if len(set(names)) != len(names):
            raise ValueError("two topics have the same name")
        return self


#: Every topic of `Topics`, by field.
TOPIC_FIELDS = ("behaviour", "inventory", "asks", "offers", "cards", "copy_", "review", "dead_letters")


class Deadlines(_Part):
    """How long anything may take.

    Attributes:
        card_ms: how long a shopper's card waits for the model before the phrasebook answers.
        drain_s: after SIGTERM, for work in flight.
        rebalance_drain_s: when partitions are taken away.
        delivery_s: for one output, retries included; then the worker stops rather than lose it.
        start_s: from start to the first assignment.
        stall_s: a worker with lag that made no progress for so long ends, non-zero.
    """

    card_ms: int = Field(default=900, ge=1, le=60_000)
    drain_s: float = Field(default=20, gt=0, le=600)
    rebalance_drain_s: float = Field(default=5, gt=0, le=120)
    delivery_s: float = Field(default=60, ge=1, le=900)
    start_s: float = Field(default=60, gt=0, le=600)
    stall_s: float = Field(default=120, gt=0, le=3600)


class Retry(_Part):
    """How often a handler is tried again on `RetryableError`, and how long between."""

    attempts: int = Field(default=5, ge=1, le=100)
    first_backoff_ms: int = Field(default=100, ge=1)
    max_backoff_ms: int = Field(default=5_000, ge=1)


class Web(_Part):
    """Where /metrics and /health are served. Beyond loopback only if told so; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = Field(default=6066, ge=0, le=65535)
    enabled: bool = True


class Engine(_Part):
    """The generator.

    Attributes:
        rows: texts written at once.
        threads: of the session; 0 is one fewer than there are cores, which is the event loop's.
        queue_limit: requests that may wait.
    """

    model_folder: Path | None = None
    device: Literal["auto", "cuda", "cpu"] = "auto"
    rows: int = Field(default=16, ge=1, le=1024)
    threads: int = Field(default=0, ge=0, le=512)
    queue_limit: int = Field(default=2048, ge=1)


class Log(_Part):
    """How the log looks."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    form: Literal["json", "console"] = "console"


class Privacy(_Part):
    """What is known of shoppers outside of the topics.

    Attributes:
        pseudonym_key: the secret behind the pseudonyms in logs and recordings: the same for all workers whose logs are
            read together (``openssl rand -hex 32``). Without it each process makes one up, and nobody can follow a
            shopper from one to the next.
    """

    pseudonym_key: SecretStr = SecretStr("")

    @field_validator("pseudonym_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"at least {_SHORTEST_KEY} characters, such as `openssl rand -hex 32` prints")
        return value

    def pseudonyms(self) -> Pseudonyms:
        """What shoppers are called."""
        return Pseudonyms(self.pseudonym_key.get_secret_value().encode() or secrets.token_bytes(32))


class Settings(BaseSettings):
    """All settings of a worker.

    Attributes:
        app_id: consumer group, and the prefix of the state's changelog topics.
        instance_id: names this worker for good, so that a restart gets its partitions back without a rebalance.
        store: where state lives: ``memory://``.
        in_flight: events that may be open at once.
        policy: fields of `shelftalk.core.react.Policy` that differ from its defaults.
        rules: fields of `shelftalk.core.rules.ShelfRules`, likewise.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    app_id: str = Field(default="shelftalk", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    instance_id: str | None = None
    store: Literal["memory://"] = "memory://"
    data_dir: Path = Path(".state")
    in_flight: int = Field(default=4096, ge=1)
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    deadlines: Deadlines = Deadlines()
    retry: Retry = Retry()
    web: Web = Web()
    engine: Engine = Engine()
    log: Log = Log()
    privacy: Privacy = Privacy()
    policy: dict[str, Any] = {}
    rules: dict[str, Any] = {}

    @field_validator("policy")
    @classmethod
    def _policy(cls, value: dict[str, Any]) -> dict[str, Any]:
        convert(value, Policy)
        return value

    def react_policy(self) -> Policy:
        """When to speak."""
        return convert(self.policy, Policy)

    @field_validator("rules")
    @classmethod
    def _rules(cls, value: dict[str, Any]) -> dict[str, Any]:
        convert(value, ShelfRules)
        if value.get("variant", DEFAULT_VARIANT) not in variants():
            raise ValueError(f"variant: there is no prompt {value['variant']!r}; known are {', '.join(variants())}")
        return value

    def shelf_rules(self, model: str) -> ShelfRules:
        """How shelves decide.

        Args:
            model: id of the generator that writes for them.
        """
        return msgspec.structs.replace(convert(self.rules, ShelfRules), model=model)

    def masked(self) -> dict[str, Any]:
        """All of it for printing, secrets as ``**********``."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic calls by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=_file())


def convert(fields: dict[str, Any], struct: type[Struct]) -> Struct:
    """Make a struct of settings; strings from the environment become numbers where the struct wants them.

    Raises:
        ValueError: an unknown name or a wrong value.
    """
    known = {field.encode_name for field in msgspec.structs.fields(struct)}
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        plain = {name: _from_json(value) for name, value in fields.items()}
        return msgspec.convert(plain, struct, strict=False)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def _from_json(value: Any) -> Any:
    """An array or object that came as a string from the environment."""
    return msgspec.json.decode(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Args:
        overrides: win over everything else; nested ones as dicts.

    Raises:
        ConfigError: something is missing or cannot be right; the message says what to do.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{_where(problem['loc'])}: {_plain(problem['msg'])}" for problem in error.errors()]
        raise ConfigError("settings: " + "; ".join(lines)) from error
    except (SettingsError, OSError, ValueError) as error:
        raise ConfigError(f"settings: {error}") from error


def unknown_environment() -> list[str]:
    """Variables that begin like ours but set nothing: most likely a slip of the pen."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    given = [name for name in os.environ if name.upper().startswith(PREFIX)]
    return sorted(name for name in given if name.upper().split("__")[0] not in known)


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
    if protocol.sasl:
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


def _file() -> Path | None:
    given = os.environ.get(CONFIG_VARIABLE)
    if given is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not Path(given).is_file():
        raise ConfigError(f"{CONFIG_VARIABLE}={given}: there is no such file; unset it or create the file")
    return Path(given)


def _where(location: tuple[int | str, ...]) -> str:
    path = [str(part) for part in location]
    return f"{'.'.join(path)} ({PREFIX}{'__'.join(path).upper()})"


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
