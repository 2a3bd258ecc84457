"""Everything that can be set: from the environment (``SHELFTALK_KAFKA__BOOTSTRAP_SERVERS=...``) and one TOML file.

The environment wins over the file. The file is named by ``SHELFTALK_CONFIG``; without it ``./shelftalk.toml`` is read if
it is there. Units are the last word of a name.
"""

import os
import secrets
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from shelftalk.core.policy import Policy
from shelftalk.core.prompt import DEFAULT_VARIANT, variants
from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.core.rules import ShelfRules
from shelftalk.errors import ConfigError
from shelftalk.stream.login import Kafka, Part
from shelftalk.stream.oauth import shown

CONFIG_VARIABLE = "SHELFTALK_CONFIG"

#: Ours too, but no settings of a worker: this file, stack traces, the model's cache, the tests' real data.
OTHER_VARIABLES = {CONFIG_VARIABLE, "SHELFTALK_DEBUG", "SHELFTALK_CACHE", "SHELFTALK_DATA"}
Struct = TypeVar("Struct", bound=msgspec.Struct)

DEFAULT_FILE = Path("shelftalk.toml")
PREFIX = "SHELFTALK_"

#: Rules that the model brings along, unless a shop says otherwise.
_MODELS_OWN = frozenset({"model", "variant", "languages", "written"})

#: 128 bits in hexadecimal, at the least.
_SHORTEST_KEY = 32


class Topics(Part):
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


class Deadlines(Part):
    """How long anything may take.

    Attributes:
        card_ms: how long a shopper's card waits for the model before the phrasebook answers.
        drain_s: after SIGTERM, for work in flight.
        rebalance_drain_s: when partitions are taken away.
        delivery_s: for one output, retries included; then the worker stops rather than lose it.
        start_s: from start to the first assignment.
        stall_s: a worker with lag that made no progress for so long ends, non-zero. Recovering state and catching up with the
            inventory of a partition that was just taken may take longer, as long as they get on; nothing is answered before.
    """

    card_ms: int = Field(default=900, ge=1, le=60_000)
    drain_s: float = Field(default=20, gt=0, le=600)
    rebalance_drain_s: float = Field(default=5, gt=0, le=120)
    delivery_s: float = Field(default=60, ge=1, le=900)
    start_s: float = Field(default=60, gt=0, le=600)
    stall_s: float = Field(default=120, gt=0, le=3600)


class Retry(Part):
    """How often a handler is tried again on `RetryableError`, and how long between."""

    attempts: int = Field(default=5, ge=1, le=100)
    first_backoff_ms: int = Field(default=100, ge=1)
    max_backoff_ms: int = Field(default=5_000, ge=1)


class Web(Part):
    """Where /metrics and /health are served.

    Attributes:
        host: beyond loopback only if told so.
        port: 0 takes a free one.
        token: what a reader of /metrics shows, as ``Authorization: Bearer ...``. Beyond loopback there are no metrics without one.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=6066, ge=0, le=65535)
    enabled: bool = True
    token: SecretStr = SecretStr("")


class Engine(Part):
    """The generator.

    Attributes:
        model: one that comes with shelftalk: ``shelftalk-mini`` (English and Chinese, no download) or ``smollm2-135m-line``.
        model_folder: a built model instead.
        rows: texts written at once.
        threads: of the session; 0 is one fewer than there are cores, which is the event loop's.
        queue_limit: requests that may wait.
    """

    model: Literal["shelftalk-mini", "smollm2-135m-line"] = "shelftalk-mini"
    model_folder: Path | None = None
    device: Literal["auto", "cuda", "cpu"] = "auto"
    rows: int = Field(default=16, ge=1, le=1024)
    threads: int = Field(default=0, ge=0, le=512)
    queue_limit: int = Field(default=2048, ge=1)


class Log(Part):
    """How the log looks."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    form: Literal["json", "console"] = "console"


class Privacy(Part):
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
        store: where state lives while a worker runs; either is recovered from the changelogs. ``sqlite://`` keeps `store_rows` rows
            of each table and partition in memory and the rest in files in `data_dir`, for a catalogue that memory would not do
            for. Live cards are in memory always.
        in_flight: events that may be open at once.
        policy: fields of `shelftalk.core.react.Policy` that differ from its defaults.
        rules: fields of `shelftalk.core.rules.ShelfRules`, likewise.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    app_id: str = Field(default="shelftalk", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    instance_id: str | None = None
    store: Literal["memory://", "sqlite://"] = "memory://"
    store_rows: int = Field(default=20_000, ge=100)
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
        """All of it for printing, secrets as ``**********``; of policy and rules what is in force, not only what differs."""
        values = self.model_dump(mode="json", by_alias=True)
        values["kafka"]["oauth_token_url"] = shown(self.kafka.oauth_token_url)
        values["policy"] = msgspec.to_builtins(self.react_policy())
        rules = msgspec.to_builtins(convert(self.rules, ShelfRules))
        values["rules"] = {
            name: value for name, value in rules.items() if name in self.rules or name not in _MODELS_OWN
        }
        return values

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file())


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


def settings_file() -> Path | None:
    """The TOML file that is read, if there is one.

    Raises:
        ConfigError: the environment names one that is not there.
    """
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
