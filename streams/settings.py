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

KafkaSettings = KafkaConnection


class StreamsSettings(Settings):
    """Kafka and the registry, for a tool that needs no more."""


class WorkerSettings(DeploymentVariables, WorkerVariables, AccountVariables, LogVariables, StreamsSettings):
    """What the worker runs with. Units are in the names; `data_dir` belongs to one worker alone."""


class TopicSettings(DeploymentVariables, TopicVariables, StreamsSettings):
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
