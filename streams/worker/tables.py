"""The worker's state: plain Faust tables on RocksDB, written by partition and versioned.

Faust has changelogs, recovery, and one store per partition that comes and goes with assignments. Its writes are not
used: rows of a run are written at once, and their changelog records travel in the pipeline's order.

A value is 8 bytes of version, a byte of format, a CRC-32 of the row, and the row. Recovery ignores a row older than the
one it has: a worker that was paused and lost its partition may still deliver rows, after those of its successor. And it
leaves out a record that is no row of ours (`accepts`): any writer to a changelog could else stop its workers.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast
from zlib import crc32

import faust
from faust.stores.rocksdb import Store as RocksDBStore
from faust.types import TP, EventT
from rocksdict import WriteBatch

from streams.errors import NewerFormatError
from streams.worker.outbox import Outgoing

_VERSION: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">QBI")
# Raise it when a row is written that the release before cannot read, and go on reading the old ones. The head stays:
# with its checksum a row of a later release differs from a record that is no row. Rows without a format have the head
# of a msgpack array behind the version, 0x90 to 0x9f, which is no format.
FORMAT: Final = 1
_WITHOUT_FORMAT: Final = range(0x90, 0xA0)
# Per partition and table; the defaults of Faust are made for one table on a large machine.
STORE_OPTIONS: Final = {
    "block_cache_size": 8 * 1024 * 1024,
    "write_buffer_size": 8 * 1024 * 1024,
    "max_write_buffer_number": 2,
    "target_file_size_base": 16 * 1024 * 1024,
}


def pack_row(version: int, row: bytes) -> bytes:
    """A row as it is stored."""
    return _HEAD.pack(version, FORMAT, crc32(row)) + row


def unpack_row(stored: bytes) -> bytes:
    """The row in a stored value.

    Raises: NewerFormatError when a later release wrote it, ValueError or struct.error when it is none.
    """
    if len(stored) > _VERSION.size and stored[_VERSION.size] in _WITHOUT_FORMAT:
        return stored[_VERSION.size :]
    row = stored[_HEAD.size :]
    _, found, checksum = _HEAD.unpack_from(stored)
    if checksum != crc32(row):
        raise ValueError("the checksum is another")
    if found != FORMAT:
        raise NewerFormatError(f"a row has format {found}, and this release knows {FORMAT}")
    return row


class VersionedStore(RocksDBStore):
    """RocksDB by explicit partition, with a recovery that never goes back."""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The stored value, or None."""
        value: bytes | None = self._db_for_partition(partition).get(key)
        return value

    def write(self, partition: int, rows: Mapping[bytes, bytes | None]) -> None:
        """Store rows at once; None deletes."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._db_for_partition(partition).write(batch)

    def scan(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """All rows of a partition, in the order of their keys."""
        yield from self._visible_items(self._db_for_partition(partition))

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Restore runs of rows from the changelog and the offset reached; rows older than those here stay out."""
        table = cast(StateTable, self.table)
        for event in batch:
            message: Any = event.message
            rows: dict[bytes, bytes | None] = {}
            for record in message.value:
                if table.accepts(record) and not self._is_older(
                    record.value, self._latest(rows, message.partition, record.key)
                ):
                    rows[record.key] = record.value
            self.write(message.partition, rows)
            self.set_persisted_offset(message.tp, message.offset)
            table.restored()

    def _latest(self, rows: dict[bytes, bytes | None], partition: int, key: bytes) -> bytes | None:
        return rows[key] if key in rows else self.read(partition, key)

    @staticmethod
    def _is_older(value: bytes | None, than: bytes | None) -> bool:
        # Of two rows of one version the first stands: the other's writer had lost the partition by then.
        return value is not None and than is not None and value[: _VERSION.size] <= than[: _VERSION.size]


class StateTable(faust.Table[bytes, bytes]):
    """A Faust table whose rows are read and written by partition. Keys and values are bytes.

    `accepts`: whether a record of its changelog is a row, or the deletion of one, that recovery restores; the table's
    agent sets it. `restored` is called for each run of rows that recovery restored; the worker sets it.
    """

    accepts: Callable[[Any], bool] = staticmethod(lambda record: True)
    restored: Callable[[], None] = staticmethod(lambda: None)

    @property
    def store(self) -> VersionedStore:
        """The RocksDB behind this table."""
        return self.data  # type: ignore[return-value]  # made by _new_store

    def _new_store(self) -> VersionedStore:
        return VersionedStore(
            "rocksdb://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
            options={**STORE_OPTIONS, "driver": "rocksdict"},
        )

    def put(self, partition: int, rows: Mapping[bytes, bytes | None]) -> list[Outgoing]:
        """Store rows, and return the changelog records that make them durable. None deletes."""
        self.store.write(partition, rows)
        return self.changelog(partition, rows)

    def changelog(self, partition: int, rows: Mapping[bytes, bytes | None]) -> list[Outgoing]:
        """The changelog records of rows."""
        topic = self.changelog_topic.get_topic_name()
        return [Outgoing(topic, partition, key, value, []) for key, value in rows.items()]

    def stored(self, partition: int, first_offset: int, last_offset: int) -> None:
        """Rows landed in the changelog from the first to the last offset: recovery here may start behind them.

        They must follow the last known offset. In a gap lie rows of another worker, from while this one was paused;
        recovery must read them.
        """
        tp = TP(self.changelog_topic.get_topic_name(), partition)
        known = self.store.persisted_offset(tp)
        if first_offset == (0 if known is None else known + 1):
            self.store.set_persisted_offset(tp, last_offset)
