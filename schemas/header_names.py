"""Makes aiokafka read records whose header names are not UTF-8.

Kafka accepts such names from any producer. aiokafka's decoder raises for them, so its consumers stop at the record for
ever. Here aiokafka's Python decoder reads the record again and escapes the invalid bytes.
"""

from collections import deque
from typing import Any, Self

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


def tolerate_header_names() -> None:
    """Make every aiokafka consumer of this process accept such names, from its next fetch on. Safe to repeat."""
    fetcher.MemoryRecords = KeptRecords
    fetcher.PartitionRecords = ForgivingRecords


class KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's batches of one fetch, with their bytes, so that they can be read twice."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class ForgivingRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Switches to the forgiving decoder at the first record that aiokafka's own cannot read.

    Raises as aiokafka does for what neither can read: then the log itself is broken.
    """

    _records: Any

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except (UnicodeDecodeError, CorruptRecordException):
            if not isinstance(self._records, KeptRecords):
                raise
            self._records = _ForgivingBatches(self._records.data, self.next_fetch_offset)
            self._records_iterator = self._unpack_records()
            return super().__next__()


class _ForgivingBatches:
    """The batches of a fetch from an offset on. Earlier ones would move the consumer's offset back."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._batches: deque[_ForgivingBatch] = deque()
        stored = _MemoryRecordsPy(data)
        while (slice_of_batch := stored._next_slice) is not None:
            stored.next_batch()
            batch = _ForgivingBatch(slice_of_batch)
            if batch.next_offset > offset:
                self._batches.append(batch)

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return bool(self._batches)

    def next_batch(self) -> "_ForgivingBatch":
        """The next batch. Raises IndexError after the last."""
        return self._batches.popleft()


class _ForgivingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    """One batch. aiokafka unpacks it when it is iterated."""

    _buffer: Any

    def __iter__(self) -> Self:
        super().__iter__()
        self._buffer = _Bytes(self._buffer)
        return self


class _Bytes(bytearray):
    """Bytes that always decode to text: invalid ones are escaped."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
