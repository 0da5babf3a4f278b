"""What the HTTP side knows of Kafka: a place where records go, and how it does."""

from typing import NamedTuple, Protocol

from gateway.publishing.spool import SpoolState
from schemas.headers import Headers
from schemas.records.record import Record
from schemas.topics import Topic


class Position(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int
    is_spooled: bool = False  # then not there yet, and without partition and offset


class KafkaState(NamedTuple):
    """How Kafka does. `unacknowledged_s`: age of the oldest record given to the producer and not answered for.

    notes: what an operator should know although callbacks are accepted.
    """

    is_up: bool
    unacknowledged_s: float = 0.0
    notes: tuple[str, ...] = ()


class Publisher(Protocol):
    """Where records go; Kafka, in the end."""

    async def start(self) -> None:
        """Begin connecting; returns at once, also while Kafka is away."""

    async def stop(self) -> None:
        """Flush and close within a bounded time. Safe to call twice."""

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Position:
        """Store one record; returns when it is acknowledged with acks=all.

        Raises: PublishError within the deadline when that cannot be had now, RecordTooLargeError for good.
        Repeat: stores it again.
        """

    def admit(self) -> None:
        """Ask before any work on a request. Raises: PublishError at once for what would be worked on in vain."""

    def faults(self) -> list[str]:
        """Why publishing would fail now; empty when ready."""

    def kafka_state(self) -> KafkaState:
        """How Kafka does at this moment."""

    def spool_state(self) -> SpoolState | None:
        """What waits on disk; None without a spool."""
