"""Every setting of every role, in groups. A role's settings are a class of some groups.

Every role checks the value of every variable, so the same environment gets the same answer of all. Contradictions
between variables are checked by the role that reads them; those of Kafka and the registry by all.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from schemas.connection import KafkaConnection, RegistryConnection, Variables, is_group, may_be_in_file
from schemas.errors import SettingsError
from schemas.runtime.environment import FILE, read
from schemas.runtime.rules import (
    GroupId,
    GroupPatterns,
    HeaderName,
    Host,
    LogLevel,
    PlainUrl,
    PlainUrls,
    Port,
    Rate,
    Seconds,
    SignatureMode,
    SignatureScheme,
    SigningKeys,
    Text,
    TimezoneName,
    is_loopback,
    key_pairs,
    setting,
)
from schemas.runtime.tracing import TracingVariables
from schemas.topics import DEFAULT_PARTITIONS

DEFAULT_KEYS: Final = "default:airudder"  # public: AiRudder's own documentation names it
DEFAULT_APP_ID: Final = "airudder-streams"
DEFAULT_HISTORY_DAYS: Final = 30  # how long the outcome topics keep a window


class GatewayVariables(Variables):
    """The gateway. Times in seconds, sizes in bytes."""

    host: Host = setting("GATEWAY_HOST", "127.0.0.1")
    port: Port = setting("GATEWAY_PORT", 8000)
    ops_host: Host | None = setting("GATEWAY_OPS_HOST")  # unset: GATEWAY_HOST
    ops_port: Port = setting("GATEWAY_OPS_PORT", 8001)
    workers: Annotated[int, Field(ge=1, le=64)] = setting("GATEWAY_WORKERS", 1)
    max_body_bytes: Annotated[int, Field(ge=1, le=2 * 1024 * 1024)] = setting("GATEWAY_MAX_BODY_BYTES", 1024 * 1024)
    body_timeout_s: Seconds = setting("GATEWAY_BODY_TIMEOUT_S", 10.0)
    headers_timeout_s: Seconds = setting("GATEWAY_HEADERS_TIMEOUT_S", 10.0)
    publish_timeout_s: Seconds = setting("GATEWAY_PUBLISH_TIMEOUT_S", 3.0)
    drain_delay_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = setting("GATEWAY_DRAIN_DELAY_S", 1.0)
    max_connections: Annotated[int, Field(ge=1)] = setting("GATEWAY_MAX_CONNECTIONS", 10_000)
    max_in_flight_requests: Annotated[int, Field(ge=1)] = setting("GATEWAY_MAX_IN_FLIGHT_REQUESTS", 500)
    max_in_flight_bytes: Annotated[int, Field(ge=1)] = setting("GATEWAY_MAX_IN_FLIGHT_BYTES", 128 * 1024 * 1024)
    rate_global_per_s: Rate = setting("GATEWAY_RATE_GLOBAL_PER_S", 0.0)
    rate_source_per_s: Rate = setting("GATEWAY_RATE_SOURCE_PER_S", 0.0)
    quarantine_bytes_per_day: Annotated[int, Field(ge=0)] = setting("GATEWAY_QUARANTINE_BYTES_PER_DAY", 1024**3)
    spool_dir: Text | None = setting("GATEWAY_SPOOL_DIR")
    spool_max_bytes: Annotated[int, Field(ge=1024 * 1024)] = setting("GATEWAY_SPOOL_MAX_BYTES", 1024**3)


class SignatureVariables(Variables):
    """The provider's signatures. The keys are `id:secret`; only the gateway parses them."""

    signing_keys: SigningKeys = setting("AIRUDDER_SIGNING_KEYS", key_pairs(DEFAULT_KEYS), repr=False)
    signing_keys_file: Text | None = setting("AIRUDDER_SIGNING_KEYS_FILE")
    allow_default_key: bool = setting("AIRUDDER_ALLOW_DEFAULT_KEY", False)
    signature_header: HeaderName = setting("AIRUDDER_SIGNATURE_HEADER", "X-AIRudder-Sign")
    signature_scheme: SignatureScheme = setting("AIRUDDER_SIGNATURE_SCHEME", "auto")
    signature_mode: SignatureMode = setting("AIRUDDER_SIGNATURE_MODE", "enforce")

    def shown(self) -> dict[str, str]:
        ids = [key_id for key_id, _ in self.signing_keys]
        return {**super().shown(), "AIRUDDER_SIGNING_KEYS": shown_keys(ids)}


def shown_keys(ids: Iterable[str]) -> str:
    """The signing keys without their secrets."""
    return ", ".join(f"{key_id} (secret set)" for key_id in ids) or "unset"


class AccountVariables(Variables):
    """The account at the provider. The provider's times have no zone."""

    account_timezone: TimezoneName = setting("AIRUDDER_ACCOUNT_TIMEZONE", "UTC")

    @property
    def timezone(self) -> ZoneInfo:
        """The account's time zone, in which AiRudder writes its times."""
        return ZoneInfo(self.account_timezone)


class DeploymentVariables(Variables):
    """The identity of a deployment of the streams: worker, monitor and tools must have the same."""

    app_id: GroupId = setting("STREAMS_APP_ID", DEFAULT_APP_ID)
    window_s: Annotated[int, Field(ge=1, le=86_400)] = setting("STREAMS_WINDOW_S", 300)


class WorkerVariables(Variables):
    """One worker. No other may use its `data_dir`."""

    data_dir: Path = setting("STREAMS_DATA_DIR", Path(".data/worker"))
    grace_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = setting("STREAMS_GRACE_S", 3600)
    dedup_days: Annotated[int, Field(ge=1, le=365)] = setting("STREAMS_DEDUP_DAYS", 7)
    ops_host: Host = setting("STREAMS_OPS_HOST", "127.0.0.1")
    ops_port: Port = setting("STREAMS_OPS_PORT", 8002)


class TopicVariables(Variables):
    """How topics are created. `replication_factor` 0: as many copies as there are brokers, up to three."""

    partitions: Annotated[int, Field(ge=1, le=10_000)] = setting("STREAMS_PARTITIONS", DEFAULT_PARTITIONS)
    replication_factor: Annotated[int, Field(ge=0, le=99)] = setting("STREAMS_REPLICATION_FACTOR", 0)


class MonitorVariables(Variables):
    """The monitor. `groups`: patterns of consumer groups that it watches beside our own; unset: none.

    data_dir: where it keeps its history; no other monitor may use it; unset: in memory.
    gateway_urls, worker_urls: the ops addresses of all of them, whose counters it reads; unset: none.
    show_records: whether it shows single records, masked; unset: only where nobody but this machine reaches it.
    """

    host: Host = setting("MONITOR_HOST", "127.0.0.1")
    port: Port = setting("MONITOR_PORT", 8080)
    groups: GroupPatterns | None = setting("MONITOR_GROUPS")
    history_days: Annotated[int, Field(ge=1, le=365)] = setting("MONITOR_HISTORY_DAYS", DEFAULT_HISTORY_DAYS)
    data_dir: Path | None = setting("MONITOR_DATA_DIR")
    gateway_urls: PlainUrls | None = setting("MONITOR_GATEWAY_URLS")
    worker_urls: PlainUrls | None = setting("MONITOR_WORKER_URLS")
    probe_url: PlainUrl | None = setting("MONITOR_PROBE_URL")  # unset: no probes
    probe_interval_s: Annotated[int, Field(ge=0, le=3600)] = setting("MONITOR_PROBE_INTERVAL_S", 10)  # 0: no probes
    show_records: bool | None = setting("MONITOR_SHOW_RECORDS")

    @property
    def shows_records(self) -> bool:
        """Whether single records are shown."""
        return is_loopback(self.host) if self.show_records is None else self.show_records

    @property
    def has_probe(self) -> bool:
        """Whether probes are sent."""
        return self.probe_url is not None and self.probe_interval_s > 0


class LogVariables(Variables):
    """How much every role logs."""

    log_level: LogLevel = setting("AIRUDDER_LOG_LEVEL", "info")


GROUPS: Final[tuple[type[Variables], ...]] = (
    KafkaConnection,
    RegistryConnection,
    SignatureVariables,
    AccountVariables,
    LogVariables,
    TracingVariables,
    GatewayVariables,
    DeploymentVariables,
    WorkerVariables,
    TopicVariables,
    MonitorVariables,
)
_FIELDS: Final[Mapping[str, FieldInfo]] = {name: field for group in GROUPS for name, field in group.variables()}
NAMES: Final = frozenset(_FIELDS)
KEYS_FILE: Final = "AIRUDDER_SIGNING_KEYS_FILE"
IN_FILES: Final = frozenset(name for name, field in _FIELDS.items() if may_be_in_file(field))


class Settings(Variables, BaseSettings):
    """The settings of a role: Kafka, the registry, and the groups that the role adds.

    notes: for the operator, such as ignored variables of an orchestrator.
    """

    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    registry: RegistryConnection = Field(default_factory=RegistryConnection)
    notes: tuple[str, ...] = ()

    @property
    def has_kafka(self) -> bool:
        """Whether the environment names a Kafka."""
        return "bootstrap_servers" in self.kafka.model_fields_set

    @property
    def has_registry(self) -> bool:
        """Whether the environment names a registry."""
        return "url" in self.registry.model_fields_set

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no environment here: only `from_env` does."""
        return (init_settings,)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, required: Collection[str] = ()) -> Self:
        """Read the settings from an environment. required: variables that this command needs.

        Raises: SettingsError naming every fault at once, never a value.
        """
        given = read(environ, NAMES, IN_FILES)
        values: dict[str, Any] = {**given.values}
        if KEYS_FILE in values:  # a file of keys replaces the default key
            values.setdefault(KEYS_FILE.removesuffix(FILE), ())
        groups: tuple[type[Variables], ...] = (*GROUPS, cls)
        wrong = {name: fault for group in groups for name, fault in _faults_in(group, values).items()}
        faulty = {*wrong, *given.faulty}
        settings = cls._of({name: value for name, value in values.items() if name not in faulty})
        faults = [*given.faults, *(f"{name}: {fault}" for name, fault in wrong.items())]
        faults += [f"{name}: required" for name in required if name not in {*values, *faulty}]
        faults += [fault for fault in settings._all_contradictions() if not _names_one_of(faulty, fault)]
        if faults:
            raise SettingsError(sorted(set(faults)))
        return settings.model_copy(update={"notes": given.notes})

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        return cls(**EnvironmentSource(cls, values)())

    def _all_contradictions(self) -> list[str]:
        fields = type(self).model_fields.items()
        groups = [getattr(self, name) for name, field in fields if is_group(field.annotation)]
        return [fault for part in (*groups, self) for fault in part.contradictions()]


class EnvironmentSource(PydanticBaseSettingsSource):
    """A source of pydantic-settings: values by variable, for a role and its groups."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The field's value and its key."""
        if is_group(field.annotation):
            return _of_group(field.annotation, self._values), field_name, False
        name = str(field.validation_alias)
        return self._values.get(name), name, False

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {key: value for value, key, _ in found if value is not None}


def _of_group(group: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name, _ in group.variables() if name in values}


def _faults_in(group: type[Variables], values: Mapping[str, Any]) -> dict[str, str]:
    """The faults of the values that a group or a role reads, by variable."""
    source = EnvironmentSource(group, values)() if issubclass(group, Settings) else _of_group(group, values)
    try:
        group(**source)
    except ValidationError as error:
        names = {fault["loc"]: next(part for part in fault["loc"] if part in NAMES) for fault in error.errors()}
        return {str(names[f["loc"]]): str(f["msg"]).removeprefix("Value error, ") for f in error.errors()}
    return {}


def _names_one_of(faulty: Collection[str], fault: str) -> bool:
    """True for a contradiction with a faulty value: it may vanish with the fault."""
    return any(re.search(rf"\b{re.escape(name)}\b", fault) for name in faulty)
