"""The record at a committed offset, by a fetch that does not wait: where there is none, it returns at once."""

from typing import Any, Final, NamedTuple

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from schemas.header_names import ForgivingRecords, KeptRecords
from streams.monitor.broker import raise_for
from streams.monitor.lag.groups import GroupReader
from streams.monitor.lag.readings import Ahead, Partition

READ_UNCOMMITTED: Final = 0
READ_COMMITTED: Final = 1
# One record is wanted; the broker sends a larger batch whole all the same.
PEEK_BYTES: Final = 16 * 1024
# Records that no reader can see are skipped in larger steps, and a long run of them in several polls.
STEP_BYTES: Final = 1024 * 1024
MAX_FETCHES: Final = 16


class First(NamedTuple):
    """What a reader of committed records meets from an offset on; record: as the client library has it, if any."""

    ahead: Ahead
    record: Any | None = None


async def look_ahead(reader: GroupReader, broker: int, partition: Partition, offset: int, end: int) -> Ahead:
    """Where the first record is that can be read at or after `offset`, or up to where there is none.

    Raises: the client library's errors.
    """
    return (await first_record(reader, broker, partition, offset, end)).ahead


async def first_record(reader: GroupReader, broker: int, partition: Partition, offset: int, end: int) -> First:
    """That record itself; None where there is none, and while its transaction is open.

    Raises: the client library's errors.
    """
    for step in range(MAX_FETCHES):
        size = STEP_BYTES if step else PEEK_BYTES
        found = await _fetch(reader, broker, partition, offset, size, READ_COMMITTED)
        if found.record is not None:
            return First(Ahead(found.record.offset, found.record.timestamp), found.record)
        if found.position == offset < end and found.decided_until <= offset:
            undecided = (await _fetch(reader, broker, partition, offset, size, READ_UNCOMMITTED)).record
            return First(Ahead(offset, undecided.timestamp if undecided else None, is_open=True))
        offset = found.position
        if offset >= end:
            break
    return First(Ahead(offset, None))


class _Fetched(NamedTuple):
    """The first record, if any; where to go on; up to where transactions have ended."""

    record: Any | None
    position: int
    decided_until: int


async def _fetch(
    reader: GroupReader, broker: int, partition: Partition, offset: int, size: int, isolation: int
) -> _Fetched:
    asked = [(partition.topic, [(partition.partition, offset, size)])]
    response = await reader.send(broker, FetchRequest(0, 0, size, isolation, asked))
    [(_, [(_, error_code, _, decided_until, *rest)])] = response.topics
    raise_for(error_code)
    aborted = rest[1] if response.API_VERSION >= 11 else rest[-2]
    records = ForgivingRecords(
        TopicPartition(*partition), KeptRecords(rest[-1] or b""), aborted, offset, None, None, False, isolation
    )
    record = next(records, None)
    return _Fetched(record, records.next_fetch_offset, decided_until)
