"""A publisher that keeps what Kafka does not acknowledge in time, and sends it later in the order of each key.

While a record of a key waits, later ones of that key wait behind it. Other keys go straight to Kafka. What waits is
sent at least once: an acknowledgement that comes too late, or a crash before the entry is removed, sends it again
under the same `ce_id`. The spool encodes under schema id 0, because the registry may be away when a record is spooled
and may have given the schema another id when it is sent: then it is decoded and encoded again.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Final

import structlog
from fastavro.types import Schema

from gateway.errors import PublishError, RecordTooLargeError, SpoolError
from gateway.publishing.publisher import KafkaState, Publisher, Spooled, SpoolState, Stored
from gateway.publishing.spool import Spool, size_of
from gateway.publishing.spool_file import Content, Entry
from schemas import codec
from schemas.headers import Headers
from schemas.records.record import Record
from schemas.records.types import TYPES
from schemas.runtime.logs import StateReports
from schemas.topics import MAX_RECORD_BYTES, QUARANTINE, Topic

DRAIN_ENTRIES: Final = 50  # encoded on the event loop without a pause
DRAIN_RETRY_S: Final = 0.25
FULL_AT: Final = 0.95  # of its bytes: not ready before the first callback is refused
SPOOL_MARGIN_S: Final = 0.4  # for the disk, after a publish has used up its deadline
STOP_TIMEOUT_S: Final = 2.0
_NO_ID: Final = 0
_ID: Final = "ce_id"

log = structlog.get_logger()


class SpoolingPublisher:
    """A Publisher around another, with a spool. Quarantined requests are not spooled: anyone can send them."""

    def __init__(self, inner: Publisher, spool: Spool, publish_timeout_s: float) -> None:
        self._inner = inner
        self._spool = spool
        self._names = spool.names.all_of()
        self._publish_timeout_s = publish_timeout_s
        self._draining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises: SpoolError when the spool's directory cannot be used."""
        await self._spool.open()
        await self._inner.start()
        self._draining = asyncio.create_task(self._drain())
        log.info("spool.opened", **_shown(self._spool.state()))
        if note := self._spool.room_note():
            log.warning("spool.disk_small", reason=note)

    async def stop(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait([self._draining], timeout=STOP_TIMEOUT_S)
        await self._inner.stop()
        await self._spool.close()

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Stored:
        if topic == QUARANTINE:
            return await self._inner.publish(topic, key, record, headers)
        name, started = self._names[topic.name], time.monotonic()
        if not self._spool.holds(name, key) and not self._inner.faults():
            with contextlib.suppress(PublishError):
                return await self._inner.publish(topic, key, record, headers)
        left_s = self._publish_timeout_s - (time.monotonic() - started)
        await self._keep(_content(name, key, record, headers), max(left_s, SPOOL_MARGIN_S))
        return Spooled(name)

    def admit(self) -> None:
        if self.faults():
            self._inner.admit()

    def faults(self) -> list[str]:
        """Why nothing can be stored: an absent Kafka is no fault while the spool has room."""
        faults = self._inner.faults()
        state = self._spool.state()
        if not faults:
            return []
        if state.bytes > FULL_AT * state.max_bytes:
            return [*faults, f"spool: {state.bytes} of {state.max_bytes} bytes in use"]
        return [*faults, self._spool.fault] if self._spool.fault else []

    def kafka_state(self) -> KafkaState:
        return self._inner.kafka_state()

    def spool_state(self) -> SpoolState | None:
        state = self._spool.state()
        notes = [f"{fault}; callbacks go to the spool" for fault in self._inner.faults()]
        notes += [note for note in (self._spool.fault, self._spool.room_note()) if note]
        notes += [f"spool: {state.refused} records that Kafka refused are set aside"] if state.refused else []
        return state._replace(notes=tuple(notes), free_bytes=self._spool.free_bytes())

    async def _keep(self, content: Content, timeout_s: float) -> None:
        if size_of(content) > MAX_RECORD_BYTES:
            raise RecordTooLargeError(f"over {MAX_RECORD_BYTES} bytes as a record of {content.topic}")
        try:
            async with asyncio.timeout(timeout_s):
                await self._spool.put(content)
        except TimeoutError as error:
            raise SpoolError(f"the disk took over {timeout_s:.1f} s") from error

    async def _drain(self) -> None:
        """Send what waits, until the process ends. While Kafka is away, one record at a time is tried."""
        stuck = StateReports()
        while True:
            await self._spool.is_filled.wait()
            try:
                is_done = await self._send_some(1 if self._inner.faults() else DRAIN_ENTRIES)
                stuck.is_due("")
            except SpoolError as error:
                is_done = False
                if stuck.is_due(str(error)):
                    log.error("spool.stuck", reason=str(error), remedy="make room on the disk of GATEWAY_SPOOL_DIR")
            if not is_done:
                await asyncio.sleep(DRAIN_RETRY_S)

    async def _send_some(self, count: int) -> bool:
        """Send the first entries, keys side by side, each key in order; True when some were sent or none waits."""
        entries = await self._spool.first(count)
        chains: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            chains[(entry.content.topic, entry.content.key) if entry.content else ("", str(entry.seq))].append(entry)
        sent = [seq for seqs in await asyncio.gather(*map(self._send_in_order, chains.values())) for seq in seqs]
        if sent:
            await self._spool.remove(sent)
            if not self._spool.is_filled.is_set():
                log.info("spool.drained")
        return bool(sent) or not entries

    async def _send_in_order(self, entries: Sequence[Entry]) -> list[int]:
        """Send entries of one key until one is not acknowledged; returns the numbers of those that were."""
        sent: list[int] = []
        for seq, content in entries:
            try:
                if content is None:
                    raise ValueError("its checksum does not hold")
                topic, record = self._record(content)
                await self._inner.publish(topic, content.key, record, content.headers)
                sent.append(seq)
            except PublishError:
                break
            except Exception as error:  # one bad record must not stop those behind it
                await self._set_aside(seq, content, error)
        return sent

    def _record(self, content: Content) -> tuple[Topic, Record]:
        """The record, read with the schema it was written with, which may be an older one."""
        topic = self._spool.names.topic(content.topic)
        if topic is None:
            raise ValueError(f"{content.topic} is no topic of this release")
        return topic, codec.decode(content.value, _parsed(content.schema), TYPES[topic.record])

    async def _set_aside(self, seq: int, content: Content | None, error: Exception) -> None:
        reason = str(error) if isinstance(error, (RecordTooLargeError, ValueError)) else type(error).__name__
        log.error("spool.set_aside", event_id=content.record_id if content else None, seq=seq, reason=reason)
        await self._spool.set_aside(seq, reason)


def _content(topic: str, key: str, record: Record, headers: Headers) -> Content:
    kind = type(record).__name__
    value = codec.encode(_NO_ID, record)
    record_id = next(value.decode() for header, value in headers if header == _ID)
    return Content(topic, key, record_id, codec.schema_text(kind), headers, value)


@cache
def _parsed(schema: str) -> Schema:
    return codec.parse(schema)


def _shown(state: SpoolState) -> dict[str, int]:
    return {"entries": state.entries, "refused": state.refused, "bytes": state.bytes}
