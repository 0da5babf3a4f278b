"""A publisher as the HTTP side knows it: where records go, and the state of Kafka and the spool."""

from typing import NamedTuple, Protocol

from schemas.headers import Headers
from schemas.records.record import Record
from schemas.topics import Topic


class Published(NamedTuple):
    """A record that is in its topic."""

    topic: str
    partition: int
    offset: int


class Spooled(NamedTuple):
    """A record that is on disk and will be in its topic."""

    topic: str


Stored = Published | Spooled


class KafkaState(NamedTuple):
    """The state of Kafka. `unacknowledged_s`: age of the oldest record given to the producer and not acknowledged.

    notes: what an operator should know although callbacks are accepted.
    """

    is_up: bool
    unacknowledged_s: float = 0.0
    notes: tuple[str, ...] = ()


class SpoolState(NamedTuple):
    """What is in the spool now. `oldest_at`: epoch ms, None when nothing waits. `notes`: for an operator."""

    entries: int
    refused: int
    bytes: int
    max_bytes: int
    oldest_at: int | None
    notes: tuple[str, ...] = ()
    free_bytes: int = 0  # of its disk


class Publishing(Protocol):
    """Where records go; Kafka, in the end."""

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Stored:
        """Store one record; returns once it is acknowledged with acks=all, or is on disk.

        Raises: PublishError within the deadline when it cannot be stored now, RecordTooLargeError for good.
        Repeat: stores it again.
        """


class Publisher(Publishing, Protocol):
    """The same, with its life and its state."""

    async def start(self) -> None:
        """Begin connecting; returns at once, also while Kafka is away."""

    async def stop(self) -> None:
        """Flush and close within a bounded time. Repeat: safe."""

    def admit(self) -> None:
        """Call before any work on a request. Raises: PublishError at once when the work would be wasted."""

    def faults(self) -> list[str]:
        """Why publishing would fail now; empty when ready."""

    def kafka_state(self) -> KafkaState:
        """The state of Kafka at this moment."""

    def spool_state(self) -> SpoolState | None:
        """What waits on disk; None without a spool."""
