"""The worker's settings, and how all of the streams' commands read the environment.

One frozen object per role, built by `from_env`, which names every fault at once. An empty variable counts as unset.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.errors import SettingsError

SECURITY_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# Every STREAMS_ name of the contract; anything else under the prefix is a typing error somebody should hear of.
STREAMS_NAMES: Final = frozenset(
    {
        "STREAMS_APP_ID",
        "STREAMS_DATA_DIR",
        "STREAMS_WINDOW_S",
        "STREAMS_GRACE_S",
        "STREAMS_DEDUP_DAYS",
        "STREAMS_OPS_HOST",
        "STREAMS_OPS_PORT",
        "STREAMS_PARTITIONS",
        "STREAMS_REPLICATION_FACTOR",
    }
)
DEFAULT_APP_ID: Final = "airudder-streams"
DEFAULT_REGISTRY_URL: Final = "http://127.0.0.1:8081/apis/ccompat/v7"


@dataclass(frozen=True)
class KafkaSettings:
    """How to reach the broker: the same names in every role."""

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, env: Environment) -> KafkaSettings:
        """The broker's settings; faults are left in `env`."""
        protocol = env.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", SECURITY_PROTOCOLS)
        kafka = cls(
            bootstrap_servers=env.text(
                "KAFKA_BOOTSTRAP_SERVERS", cls.bootstrap_servers, is_server_list, "must be host:port[,host:port]"
            ),
            security_protocol=protocol,
            sasl_mechanism=env.choice("KAFKA_SASL_MECHANISM", "PLAIN", SASL_MECHANISMS),
            sasl_username=env.optional("KAFKA_SASL_USERNAME"),
            sasl_password=env.optional("KAFKA_SASL_PASSWORD"),
            ssl_cafile=env.optional("KAFKA_SSL_CAFILE"),
            ssl_certfile=env.optional("KAFKA_SSL_CERTFILE"),
            ssl_keyfile=env.optional("KAFKA_SSL_KEYFILE"),
            ssl_password=env.optional("KAFKA_SSL_PASSWORD"),
        )
        if protocol.startswith("SASL") and not (kafka.sasl_username and kafka.sasl_password):
            env.faults.append(f"KAFKA_SECURITY_PROTOCOL={protocol} needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        return kafka

    def client_arguments(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes. Reads the certificate files."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            arguments["ssl_context"] = self.ssl_context()
        return arguments

    def ssl_context(self) -> ssl.SSLContext:
        """TLS with the given files, or the system's authorities without one."""
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_password)
        return context


@dataclass(frozen=True)
class WorkerSettings:
    """What the worker runs with. Units are in the names; `data_dir` belongs to one worker alone."""

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    registry_url: str = field(default=DEFAULT_REGISTRY_URL, repr=False)  # may hold user:password
    app_id: str = DEFAULT_APP_ID
    data_dir: Path = Path(".data/worker")
    window_s: int = 300
    grace_s: int = 3600
    dedup_days: int = 7
    ops_host: str = "127.0.0.1"
    ops_port: int = 8002
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> WorkerSettings:
        """Settings from the environment. Raises: SettingsError naming every fault at once."""
        env = Environment(environ)
        settings = cls(
            kafka=KafkaSettings.from_environment(env),
            registry_url=env.text("SCHEMA_REGISTRY_URL", DEFAULT_REGISTRY_URL, is_url, "must start with http(s)://"),
            app_id=env.text("STREAMS_APP_ID", cls.app_id),
            data_dir=Path(env.text("STREAMS_DATA_DIR", str(cls.data_dir))),
            window_s=env.number("STREAMS_WINDOW_S", cls.window_s, 1, 86_400),
            grace_s=env.number("STREAMS_GRACE_S", cls.grace_s, 0, 30 * 86_400),
            dedup_days=env.number("STREAMS_DEDUP_DAYS", cls.dedup_days, 1, 365),
            ops_host=env.text("STREAMS_OPS_HOST", cls.ops_host),
            ops_port=env.number("STREAMS_OPS_PORT", cls.ops_port, 0, 65535),
            timezone=env.zone("AIRUDDER_ACCOUNT_TIMEZONE", "UTC"),
        )
        env.refuse_unknown("STREAMS_", STREAMS_NAMES)
        env.raise_faults()
        return settings


@dataclass(frozen=True)
class TopicSettings:
    """How topics are created. `replication_factor` 0: as many copies as there are brokers, up to three."""

    kafka: KafkaSettings
    app_id: str
    partitions: int
    replication_factor: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str], default_partitions: int) -> TopicSettings:
        """Settings from the environment. Raises: SettingsError naming every fault at once."""
        env = Environment(environ)
        settings = cls(
            kafka=KafkaSettings.from_environment(env),
            app_id=env.text("STREAMS_APP_ID", DEFAULT_APP_ID),
            partitions=env.number("STREAMS_PARTITIONS", default_partitions, 1, 10_000),
            replication_factor=env.number("STREAMS_REPLICATION_FACTOR", 0, 0, 99),
        )
        env.refuse_unknown("STREAMS_", STREAMS_NAMES)
        env.raise_faults()
        return settings


class Environment:
    """Reads variables and collects what is wrong with them; a fault never repeats a value that may be a secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def optional(self, name: str) -> str | None:
        """The value, or None when unset or empty."""
        return self._environ.get(name, "").strip() or None

    def text(
        self, name: str, default: str, is_valid: Callable[[str], bool] = lambda _: True, rule: str = "is not valid"
    ) -> str:
        """The value or the default; a fault when `is_valid` says no."""
        value = self.optional(name) or default
        if not is_valid(value):
            self.faults.append(f"{name} {rule}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self.optional(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
            self.faults.append(f"{name} must be a whole number from {low} to {high}, not {value!r}")
            return default
        return int(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the choices, in capitals."""
        value = (self.optional(name) or default).upper()
        if value not in choices:
            self.faults.append(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def zone(self, name: str, default: str) -> ZoneInfo:
        """A time zone by its IANA name."""
        value = self.optional(name) or default
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):  # not found is a KeyError; a name like ../x a ValueError or OSError
            self.faults.append(f"{name} must be an IANA time zone such as Asia/Manila, not {value!r}")
            return ZoneInfo(default)

    def refuse_unknown(self, prefix: str, known: frozenset[str]) -> None:
        """A fault for each variable under the prefix that nobody reads."""
        for name in sorted(self._environ):
            if name.startswith(prefix) and name not in known:
                self.faults.append(f"{name} is not a setting; known here: {', '.join(sorted(known))}")

    def raise_faults(self) -> None:
        """Raises: SettingsError when there was any fault."""
        if self.faults:
            raise SettingsError(self.faults)


def is_url(value: str) -> bool:
    """True for http(s) URLs."""
    return value.startswith(("http://", "https://"))


def is_server_list(value: str) -> bool:
    """True for host:port[,host:port]."""
    return all(_is_server(server.strip()) for server in value.split(","))


def _is_server(server: str) -> bool:
    host, _, port = server.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) <= 65535
