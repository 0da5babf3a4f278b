"""The monitor's settings; the only reader of the environment here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streams.monitor.errors import SettingsError

EXIT_CONFIG = 78
"""sysexits.h, EX_CONFIG: the settings are wrong, starting again will not help."""

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
PREFIX = "MONITOR_"
KNOWN = frozenset({"MONITOR_HOST", "MONITOR_PORT"})


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


@dataclass(frozen=True)
class MonitorSettings:
    """What the monitor runs with.

    window_s: the pane's length, as the worker has it; requests may ask for its multiples.
    app_id: the worker's consumer group, shown even before it was ever seen.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    registry_url: str = field(default="http://127.0.0.1:8081/apis/ccompat/v7", repr=False)  # may hold user:password
    app_id: str = "airudder-streams"
    window_s: int = 300

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MonitorSettings:
        """Settings from the environment; an empty variable counts as unset.

        STREAMS_* names of the worker are left alone; an unknown MONITOR_* is a fault.
        Raises: SettingsError naming every fault at once.
        """
        env = _Environment(environ)
        settings = cls(
            host=env.text("MONITOR_HOST", cls.host),
            port=env.number("MONITOR_PORT", cls.port, 0, 65535),
            kafka=_kafka(env),
            registry_url=env.text("SCHEMA_REGISTRY_URL", cls().registry_url, _is_url, "must start with http(s)://"),
            app_id=env.text("STREAMS_APP_ID", cls.app_id),
            window_s=env.number("STREAMS_WINDOW_S", cls.window_s, 1, 86_400),
        )
        env.refuse_unknown()
        if env.faults:
            raise SettingsError(env.faults)
        return settings


def _kafka(env: _Environment) -> KafkaSettings:
    protocol = env.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", SECURITY_PROTOCOLS)
    kafka = KafkaSettings(
        bootstrap_servers=env.text(
            "KAFKA_BOOTSTRAP_SERVERS", KafkaSettings.bootstrap_servers, _is_server_list, "must be host:port[,host:port]"
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


class _Environment:
    """Reads variables and collects what is wrong with them; a fault never repeats a value that may be a secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def optional(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def text(
        self, name: str, default: str, is_valid: Callable[[str], bool] = lambda _: True, rule: str = "is not valid"
    ) -> str:
        value = self.optional(name) or default
        if not is_valid(value):
            self.faults.append(f"{name} {rule}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.optional(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
            self.faults.append(f"{name} must be a whole number from {low} to {high}, not {value!r}")
            return default
        return int(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = (self.optional(name) or default).upper()
        if value not in choices:
            self.faults.append(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def refuse_unknown(self) -> None:
        for name in sorted(self._environ):
            if name.startswith(PREFIX) and name not in KNOWN:
                self.faults.append(f"{name} is not a setting; known here: {', '.join(sorted(KNOWN))}")


def _is_url(value: str) -> bool:
    return value.startswith(("http://", "https://"))


def _is_server_list(value: str) -> bool:
    return all(_is_server(server.strip()) for server in value.split(","))


def _is_server(server: str) -> bool:
    host, _, port = server.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) <= 65535
