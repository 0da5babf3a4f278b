"""The settings of the streams' roles: which of `schemas.runtime.settings` each is made of."""

from pydantic import Field

from schemas.connection import KafkaConnection
from schemas.runtime.settings import DEFAULT_APP_ID as DEFAULT_APP_ID
from schemas.runtime.settings import (
    AccountVariables,
    DeploymentVariables,
    GatewayVariables,
    LogVariables,
    MonitorVariables,
    Settings,
    SignatureVariables,
    TopicVariables,
    WorkerVariables,
)
from schemas.runtime.tracing import TracingVariables
from schemas.topic_names import MAX_NAME_CHARS

KafkaSettings = KafkaConnection


class StreamsSettings(Settings):
    """Kafka and the registry, for a tool that needs no more."""


class DeploymentSettings(DeploymentVariables, StreamsSettings):
    """What worker, monitor and tools of one deployment have in common."""

    @property
    def group(self) -> str:
        """The worker's consumer group by its real name, which also begins the names of its changelogs."""
        return self.kafka.names.group(self.app_id)

    def contradictions(self) -> list[str]:
        """Faults between settings that are each valid."""
        longest = self.kafka.names.longest(self.app_id)
        if longest <= MAX_NAME_CHARS:
            return []
        return [
            f"AIRUDDER_TOPIC_PREFIX, STREAMS_APP_ID: the longest name of a topic would have {longest} characters, and "
            f"Kafka takes {MAX_NAME_CHARS}"
        ]


class WorkerSettings(DeploymentSettings, WorkerVariables, AccountVariables, LogVariables):
    """What the worker runs with. Units are in the names; `data_dir` belongs to one worker alone."""

    tracing: TracingVariables = Field(default_factory=TracingVariables)


class TopicSettings(DeploymentSettings, TopicVariables):
    """How topics are created."""


class UpSettings(StreamsSettings):
    """What `up` needs to know of the environment that it hands to the roles."""

    gateway: GatewayVariables = Field(default_factory=GatewayVariables)
    worker: WorkerVariables = Field(default_factory=WorkerVariables)
    monitor: MonitorVariables = Field(default_factory=MonitorVariables)

    @property
    def has_ops_port(self) -> bool:
        """True when the environment has the worker's ops port."""
        return "ops_port" in self.worker.model_fields_set


class FrontDoorSettings(GatewayVariables, SignatureVariables, AccountVariables, LogVariables, StreamsSettings):
    """The gateway's settings as far as they can be known here: only the gateway reads signing keys as keys."""

    tracing: TracingVariables = Field(default_factory=TracingVariables)
