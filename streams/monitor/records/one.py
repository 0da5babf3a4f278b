"""Reads one record: the one that a reader of committed records gets from an offset on. On demand, without a group.

It takes MAX_FETCHES (lag/ahead.py) at most, within DEADLINE_S. What was found is kept for KEPT_S.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from schemas import codec
from schemas.errors import DecodeError, SchemaError
from schemas.reader import StoredRecord
from schemas.registry import Registry
from schemas.topics import Topic
from streams.errors import BrokerUnavailableError
from streams.monitor.broker import translated
from streams.monitor.errors import NotFoundError, NotReadyError, RecordsHiddenError, TooManyReadsError
from streams.monitor.lag.ahead import first_record
from streams.monitor.lag.groups import GroupReader
from streams.monitor.lag.readings import Ahead, Partition
from streams.monitor.settings import MonitorSettings
from streams.topics.decoding import Decoded, Decoder

DEADLINE_S: Final = 5.0
AT_ONCE: Final = 2
KEPT_S: Final = 20.0  # an open page asks every 5 s, and a record stays as it is
MAX_KEPT: Final = 16

HIDDEN: Final = (
    "this monitor shows no records: it can be reached from other machines. To see them, start it with "
    "MONITOR_SHOW_RECORDS=true; personal data stays masked"
)


@dataclass(frozen=True)
class Found:
    """What is at an offset. begin, end: of its partition.

    decoded: the first record from the offset on; None where there is none, and `absent` says why.
    schema_id, schema_name: of its writer, as far as they are known.
    """

    topic: Topic
    place: Partition
    offset: int
    begin: int
    end: int
    decoded: Decoded | None
    absent: str = ""
    schema_id: int | None = None
    schema_name: str | None = None


class RecordReader:
    """AT_ONCE reads at once, each with a connection of its own. One per process and event loop."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings
        self._registry = Registry(settings.registry)
        self._decoder = Decoder(self._registry)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[tuple[Partition, int], tuple[float, Found]] = {}

    async def aclose(self) -> None:
        """Disconnect from the registry."""
        await self._registry.aclose()

    def topic_of(self, name: str) -> Topic:
        """The topic with this real name. Raises: RecordsHiddenError; NotFoundError for a topic that is not ours."""
        if not self._settings.shows_records:
            raise RecordsHiddenError(HIDDEN)
        topic = self._settings.kafka.names.topic(name)
        if topic is None:
            raise NotFoundError("this is no topic of ours; records of others are not shown")
        return topic

    async def read(self, place: Partition, offset: int) -> Found:
        """The record at this offset, or the first one after it that a reader gets.

        Raises: RecordsHiddenError, NotFoundError; TooManyReadsError; NotReadyError when Kafka does not answer.
        """
        topic = self.topic_of(place.topic)
        read_at, kept = self._kept.get((place, offset), (0.0, None))
        if kept is not None and time.monotonic() - read_at <= KEPT_S:
            return kept
        if self._room.locked():
            raise TooManyReadsError("records are being read for others; ask again in a moment")
        try:
            async with self._room, asyncio.timeout(DEADLINE_S):
                return self._keep(await self._read(topic, place, offset))
        except TimeoutError as error:
            raise NotReadyError(f"Kafka or the schema registry did not answer within {DEADLINE_S:g} s") from error
        except BrokerUnavailableError as error:
            raise NotReadyError(str(error)) from error

    def _keep(self, found: Found) -> Found:
        if found.decoded is not None:
            self._kept[found.place, found.offset] = time.monotonic(), found
            while len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    async def _read(self, topic: Topic, place: Partition, offset: int) -> Found:
        reader = GroupReader(self._settings.kafka)
        try:
            await reader.open()
            leaders = (await reader.topology()).leaders
            if place not in leaders:
                raise NotFoundError(f"{place.topic} has no partition {place.partition}")
            begins, ends, unseen = await reader.water_marks({place: leaders[place]})
            if unseen:
                raise BrokerUnavailableError(f"{unseen[0].what}: {unseen[0].why}")
            begin, end = begins[place], ends[place]
            start = max(begin, offset)
            if start >= end:
                absent = "it does not exist yet" if offset >= end else "retention has removed it, and nothing follows"
                return Found(topic, place, offset, begin, end, None, absent)
            async with translated(self._settings.kafka):
                ahead, record = await first_record(reader, leaders[place], place, start, end)
        finally:
            await reader.close()
        if record is None:
            return Found(topic, place, offset, begin, end, None, _why_absent(ahead, end))
        return await self._decoded(Found(topic, place, offset, begin, end, None), record)

    async def _decoded(self, found: Found, record: StoredRecord) -> Found:
        schema_id = schema_name = None
        try:
            decoded = await self._decoder.decode(found.topic, record)
        except SchemaError as error:  # the registry is away; a retry may mend it
            decoded = Decoded(found.topic, record, None, str(error), error.code)
        if record.value is not None:
            try:
                schema_id = codec.schema_id_of(record.value)
                schema_name = await self._decoder.schema_name(schema_id)
            except (DecodeError, SchemaError):
                schema_name = None
        absent = _why_later(found, record.offset)
        return Found(*_place(found), decoded, absent, schema_id, schema_name)


def _place(found: Found) -> tuple[Topic, Partition, int, int, int]:
    return found.topic, found.place, found.offset, found.begin, found.end


def _why_absent(ahead: Ahead, end: int) -> str:
    if ahead.is_open:
        return "its transaction has not ended: readers of committed records wait for that"
    if ahead.offset >= end:
        return "only markers of transactions and aborted or removed records follow: there is nothing to read"
    return f"no record was found before offset {ahead.offset}; ask for that one"


def _why_later(found: Found, offset: int) -> str:
    """Empty when the record is the one that was asked for."""
    if offset == found.offset:
        return ""
    if found.offset < found.begin:
        return "retention has removed it; this is the first record that is left"
    return "a marker, an aborted or a removed record is there; this is the next one that a reader gets"
