"""Records to Kafka: acknowledged by all in-sync replicas, or refused within a deadline.

aiokafka#1101: `send_and_wait` and `stop` can wait for ever while Kafka is down, and its time-outs do not bound the
caller. So every publish has its own deadline, stopping has its own bound, and a supervisor replaces the producer when
the broker stops answering or the producer is fenced. A publish that timed out may still reach Kafka. That is harmless:
the retry has the same event_id.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from gateway.deadlines import Deadlines
from gateway.errors import PublishError, RecordTooLargeError
from gateway.limits import TokenBucket
from gateway.publishing.placement import Placement
from gateway.publishing.publisher import KafkaState, Published
from gateway.publishing.schema_ids import SchemaIds
from gateway.settings import GatewaySettings
from schemas.connection_faults import in_words, is_refusal, missing_right, principal
from schemas.headers import Headers
from schemas.kafka_probe import explain
from schemas.records.record import Record
from schemas.topics import MAX_RECORD_BYTES, Topic

LINGER_MS: Final = 2
BATCH_BYTES: Final = 64 * 1024
PROBE_INTERVAL_S: Final = 1.0
PROBE_TIMEOUT_S: Final = 3.0  # with the interval: not ready within 5 s of an outage
CONNECT_TIMEOUT_S: Final = 2.0  # with the retry: connected within 5 s of an outage that swallowed the first attempt
STUCK_S: Final = 15.0  # without an acknowledgement although Kafka answers: try another producer
RETRY_INTERVAL_S: Final = 0.5
RIGHT_TO_PRODUCE: Final = "Write on any topic, nor IdempotentWrite"  # a producer needs one of them
EXPLAIN_AGAIN_S: Final = 10.0  # the reason of a failed connection, while the error is the same
DOUBT_S: Final = 10.0  # not ready for so long after a publish that failed, when no record is in flight
UNACKNOWLEDGED: Final = "Kafka: it answers, but acknowledges nothing; see min.insync.replicas"
EXAMINED_PER_S: Final = 100.0  # requests processed although nothing can be stored: they notice the end of an outage
STOP_TIMEOUT_S: Final = 2.0  # for each of three steps

log = structlog.get_logger()


class KafkaPublisher:
    """A Publisher on aiokafka. One per process and event loop."""

    def __init__(self, settings: GatewaySettings, topics: Sequence[Topic]) -> None:
        self._settings = settings
        self._topics = topics
        self._deadlines = Deadlines(settings.publish_timeout_s)
        self._producer: AIOKafkaProducer | None = None
        self._schemas: SchemaIds | None = None
        self._names = settings.kafka.names.all_of(topics)
        self._placement = Placement(topics, principal(settings.kafka), settings.kafka.names)
        self._kafka_fault = "Kafka: not connected yet"
        self._overdue: set[asyncio.Future[Any]] = set()  # sent records that are over their deadline
        self._unacknowledged: dict[asyncio.Future[Any], float] = {}  # since when, the oldest first
        self._doubtful_until = 0.0
        self._doubt_reason = UNACKNOWLEDGED
        self._last_ack_at = 0.0
        self._explanation = self._explained_error = ""
        self._explained_at = 0.0
        self._batch_bytes = BATCH_BYTES
        self._examined = TokenBucket(EXAMINED_PER_S, time.monotonic())
        self._is_broken = asyncio.Event()
        self._broken_by = ""
        self._tasks: set[asyncio.Future[None]] = set()
        self._endless: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        self._schemas = SchemaIds(self._settings.registry, self._topics)
        self._endless = [self._spawn(self._schemas.keep()), self._spawn(self._supervise())]

    async def stop(self) -> None:
        self._kafka_fault = "Kafka: stopped"
        for endless in self._endless:
            endless.cancel()
        while self._tasks:  # the supervisor closes its producer at its end
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._schemas is not None:
            await self._schemas.aclose()

    def admit(self) -> None:
        """While nothing is acknowledged, EXAMINED_PER_S requests are processed and the others refused."""
        if not self.faults():
            return
        if self._examined.wait_s(time.monotonic()) > 0:
            raise PublishError("nothing can be stored now")
        self._examined.spend()

    def faults(self) -> list[str]:
        unacknowledged = self._doubt_reason if self._is_unacknowledged() else ""
        schema_fault = self._schemas.fault() if self._schemas else ""
        return [fault for fault in (self._kafka_fault or unacknowledged, schema_fault) if fault]

    def kafka_state(self) -> KafkaState:
        oldest = next(iter(self._unacknowledged.values()), None)
        note = self._schemas.note() if self._schemas else ""
        return KafkaState(
            not self._kafka_fault, 0.0 if oldest is None else time.monotonic() - oldest, (note,) if note else ()
        )

    def spool_state(self) -> None:
        return None

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        producer, schemas = self._producer, self._schemas
        if producer is None or schemas is None:
            raise PublishError("Kafka is away")
        name = self._names[topic.name]
        value, batch_bytes, started = schemas.encode(topic, record), self._batch_bytes, time.monotonic()
        sent: asyncio.Future[Any] | None = None
        try:
            with self._deadlines.one():
                place = self._placement.partition_of(topic, key.encode())
                sent = await producer.send(name, value, key=key.encode(), partition=place, headers=headers)
                self._unacknowledged[sent] = started
                sent.add_done_callback(partial(self._note_result, producer))
                stored = await asyncio.shield(sent)  # a late acknowledgement is still noted
        except TimeoutError as error:
            self._doubt(started, UNACKNOWLEDGED)
            if self._last_ack_at < started and sent is not None and not sent.done():
                self._overdue.add(sent)
            raise PublishError(f"no acknowledgement within {self._settings.publish_timeout_s:g} s") from error
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            if len(value) <= min(batch_bytes, MAX_RECORD_BYTES):
                self._send_smaller_batches(batch_bytes)
                raise PublishError("Kafka refused a batch as too large") from error
            raise RecordTooLargeError(f"{len(value)} bytes are too many for {name}") from error
        except KafkaError as error:
            self._note_error(producer, error)
            reason = self._refusal(name, error)
            self._doubt(started, f"Kafka: it refuses records: {reason}")
            raise PublishError(f"Kafka refused: {reason}") from error
        return Published(name, stored.partition, stored.offset)

    def _refusal(self, name: str, error: KafkaError) -> str:
        kafka = self._settings.kafka
        return missing_right("Write", f"topic {name}", kafka) if is_refusal(error) else in_words(error, kafka)

    def _note_result(self, producer: AIOKafkaProducer, sent: asyncio.Future[Any]) -> None:
        """Note the result of a record that was sent, also when its publish has ended already."""
        self._unacknowledged.pop(sent, None)
        error = None if sent.cancelled() else sent.exception()
        if error is None:
            self._last_ack_at, self._doubtful_until = time.monotonic(), 0.0
            self._overdue.clear()
        else:
            self._note_error(producer, error)

    def _note_error(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """A producer that is fenced, or has a gap in its sequence, never recovers by itself: replace it."""
        if producer is self._producer and not getattr(error, "retriable", False):
            self._broken_by = in_words(error, self._settings.kafka, right="Write")
            self._is_broken.set()

    def _doubt(self, started: float, why: str) -> None:
        """Not ready for DOUBT_S: Kafka may answer and acknowledge nothing, as without enough in-sync replicas."""
        if self._last_ack_at < started:
            self._doubtful_until, self._doubt_reason = time.monotonic() + DOUBT_S, why

    def _is_unacknowledged(self) -> bool:
        """Whether nothing was acknowledged since a record that should have been."""
        return bool(self._overdue) or time.monotonic() < self._doubtful_until

    def _send_smaller_batches(self, refused_bytes: int) -> None:
        """Use smaller batches: a topic whose limit is below our batches refuses small records with their neighbours."""
        if self._batch_bytes == refused_bytes:
            self._batch_bytes = max(1, refused_bytes // 4)
            log.error("kafka.batch_too_large", batch_bytes=refused_bytes, next_batch_bytes=self._batch_bytes)

    async def _supervise(self) -> None:
        """Keep a working producer until the process ends, whatever goes wrong."""
        while True:
            try:
                await self._connect_and_watch()
            except Exception as error:
                self._kafka_fault = f"Kafka: unexpected trouble, {type(error).__name__}"
                log.error("kafka.supervision_failed", exc_info=error)
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def _connect_and_watch(self) -> None:
        """Use one producer from its start until it has to be replaced."""
        producer = await self._connect()
        if producer is None:
            await asyncio.sleep(RETRY_INTERVAL_S)
            return
        self._producer, self._kafka_fault = producer, ""
        self._overdue.clear()  # records of the former producer: this one does not acknowledge them
        self._unacknowledged.clear()
        log.info("kafka.connected")
        try:
            self._kafka_fault = await self._watch(producer)
        finally:
            self._producer = None
            self._spawn(_close(producer))
        log.error("kafka.lost", reason=self._kafka_fault)

    async def _connect(self) -> AIOKafkaProducer | None:
        """A started producer that sees our topics, or None with the reason in `faults()`."""
        try:
            producer = self._new_producer()
        except OSError as error:  # files of TLS that were changed after the start
            self._set_fault(f"Kafka: KAFKA_SSL_CAFILE, _CERTFILE or _KEYFILE cannot be used: {error}")
            return None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await producer.start()
            fault = await self._probe(producer)
        except Exception as error:  # no error may end the supervisor: nothing else connects
            fault = await self._explained(error)
        except BaseException:
            self._spawn(_close(producer))
            raise
        if not fault:
            return producer
        self._spawn(_close(producer))
        self._set_fault(fault)
        return None

    def _set_fault(self, fault: str) -> None:
        if fault != self._kafka_fault:
            log.error("kafka.unavailable", reason=fault)
        self._kafka_fault = fault

    async def _explained(self, error: Exception) -> str:
        """Why there is no connection. The same error is explained again only after EXPLAIN_AGAIN_S."""
        if isinstance(error, TimeoutError):
            return f"Kafka at {self._settings.kafka.bootstrap_servers}: no answer within {CONNECT_TIMEOUT_S:g} s"
        if str(error) != self._explained_error or time.monotonic() - self._explained_at > EXPLAIN_AGAIN_S:
            self._explanation = await explain(error, self._settings.kafka, right=RIGHT_TO_PRODUCE)
            self._explained_error, self._explained_at = str(error), time.monotonic()
        return self._explanation

    async def _watch(self, producer: AIOKafkaProducer) -> str:
        """Returns, once the producer has to be replaced, the reason."""
        self._is_broken.clear()
        self._last_ack_at = stuck_since = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_INTERVAL_S):
                    await self._is_broken.wait()
                return f"Kafka: the producer failed: {self._broken_by}"
            fault = await self._probe(producer)
            if fault:
                return fault
            stuck_since = stuck_since if self._is_unacknowledged() else time.monotonic()
            if time.monotonic() - stuck_since > STUCK_S:
                return UNACKNOWLEDGED

    async def _probe(self, producer: AIOKafkaProducer) -> str:
        """Refresh the metadata; returns what is wrong, or nothing. A request for all topics creates none."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                is_fresh = await producer.client.force_metadata_update()
        except TimeoutError:
            is_fresh = False
        if not is_fresh:
            return "Kafka: the broker does not answer"
        return self._placement.fault(producer.client.cluster)

    def _new_producer(self) -> AIOKafkaProducer:
        kafka = self._settings.kafka
        return AIOKafkaProducer(
            **kafka.client_arguments(),
            client_id="airudder-gateway",
            acks="all",
            enable_idempotence=True,
            compression_type=kafka.producer_compression,
            linger_ms=LINGER_MS,
            max_batch_size=self._batch_bytes,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=int(PROBE_TIMEOUT_S * 1000),
        )

    def _spawn(self, work: Awaitable[None]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _close(producer: AIOKafkaProducer) -> None:
    """Flush and close; after a bound end the producer's own tasks, which would retry for ever (aiokafka#1101)."""
    steps: list[Callable[[], Awaitable[None]]] = [producer.stop, producer._sender.close, producer.client.close]
    for step in steps:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await step()
