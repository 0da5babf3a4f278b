"""The monitor's settings; the only reader of the environment here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.settings import DEFAULT_APP_ID, DEFAULT_REGISTRY_URL, STREAMS_NAMES, Environment, KafkaSettings, is_url

PREFIX = "MONITOR_"
NAMES = frozenset({"MONITOR_HOST", "MONITOR_PORT"})


@dataclass(frozen=True)
class MonitorSettings:
    """What the monitor runs with.

    window_s: the pane's length, as the worker has it; requests may ask for its multiples.
    app_id: the worker's consumer group, shown even before it was ever seen.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    registry_url: str = field(default=DEFAULT_REGISTRY_URL, repr=False)  # may hold user:password
    app_id: str = DEFAULT_APP_ID
    window_s: int = 300

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MonitorSettings:
        """Settings from the environment; what only the worker reads is left alone.

        Raises: SettingsError naming every fault at once, unknown names among them.
        """
        env = Environment(environ)
        settings = cls(
            host=env.text("MONITOR_HOST", cls.host),
            port=env.number("MONITOR_PORT", cls.port, 0, 65535),
            kafka=KafkaSettings.from_environment(env),
            registry_url=env.text("SCHEMA_REGISTRY_URL", DEFAULT_REGISTRY_URL, is_url, "must start with http(s)://"),
            app_id=env.text("STREAMS_APP_ID", cls.app_id),
            window_s=env.number("STREAMS_WINDOW_S", cls.window_s, 1, 86_400),
        )
        env.refuse_unknown(PREFIX, NAMES)
        env.refuse_unknown("STREAMS_", STREAMS_NAMES)
        env.raise_faults()
        return settings
