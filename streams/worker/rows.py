"""Rows of one table: written within the limit of its changelog, read back, and kept apart from foreign records.

A row on our own disk that cannot be read means a broken disk, and ends the worker with a remedy: going on would count
wrongly. A record of the changelog that is no row comes from elsewhere, and is left out: it must not stop a recovery.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import structlog

from schemas.topics import MAX_RECORD_BYTES
from streams.errors import NewerFormatError, StateError, TooLargeError
from streams.worker.metrics import WorkerMetrics
from streams.worker.tables import StateTable, pack_row, unpack_row

log = structlog.get_logger()

OVERHEAD_BYTES: Final = 4096  # headers and the batch around one record
MAX_ROW_BYTES: Final = MAX_RECORD_BYTES - OVERHEAD_BYTES
_SHOWN_DIGITS: Final = 16


class Rows:
    """The rows of `table`. `decode`: a row by its key and bytes; raises anything when it is no row."""

    def __init__(
        self,
        table: StateTable,
        decode: Callable[[bytes, bytes], Any],
        metrics: WorkerMetrics,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._decode = decode
        self._metrics = metrics
        self._fail = fail
        table.accepts = self.accepts

    def packed(self, key: bytes, version: int, row: bytes) -> bytes:
        """A row as it is stored. Raises: TooLargeError when it is over the changelog's limit."""
        if len(key) + len(row) > MAX_ROW_BYTES:
            raise TooLargeError(f"{len(row)} bytes are too many for a row of {self._table.name}")
        return pack_row(version, row)

    def read(self, partition: int, key: bytes, stored: bytes) -> Any:
        """A stored row. Raises: StateError when it cannot be read."""
        try:
            return self._decode(key, unpack_row(stored))
        except Exception as error:
            raise StateError(
                f"table {self._table.name}, partition {partition}: the row of the key with SHA-256 "
                f"{sha256(key).hexdigest()[:_SHOWN_DIGITS]} cannot be read: {_why(error)}. {_remedy(error)}"
            ) from error

    def accepts(self, record: Any) -> bool:
        """Whether recovery restores a record of the changelog. A record that is no row is counted and logged.

        Raises: StateError for a row of a later release, which is ours, and ends the process.
        """
        try:
            if record.key is None:
                raise ValueError("no key")
            if record.value is not None:
                self._decode(record.key, unpack_row(record.value))
        except NewerFormatError as error:
            fault = StateError(f"the changelog of {self._table.name}: {error}. {_remedy(error)}")
            self._fail(fault)
            raise fault from error
        except Exception as error:
            self._leave_out(record, error)
            return False
        return True

    def _leave_out(self, record: Any, error: Exception) -> None:
        self._metrics.foreign_rows.labels(self._table.name).inc()
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.error("changelog.foreign_record", **where, reason=f"no row of ours, left out: {_why(error)}")


def _why(error: Exception) -> str:
    """The fault of a row, without its content."""
    return str(error) if isinstance(error, NewerFormatError) else type(error).__name__


def _remedy(error: Exception) -> str:
    if isinstance(error, NewerFormatError):
        return "A later release wrote it: start that release again"
    return "Stop the worker, remove its data directory (STREAMS_DATA_DIR) and start it: the changelogs have every row"
