"""Records whose header names are no UTF-8, which Kafka takes from any producer."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from schemas.header_names import ForgivingRecords, KeptRecords

NAME = "odd-name"
ODD = b"odd\xff\xfeame"
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def batch(
    first: int, names: list[str], codec: int = 0, *, is_transactional: bool = False, producer_id: int = -1
) -> bytes:
    """One batch of records from offset `first` on, each with one header."""
    builder = DefaultRecordBatchBuilder(2, codec, is_transactional, producer_id, 0, 0, 1_000_000)
    for place, name in enumerate(names):
        assert builder.append(place, 1_700_000_000_000, b"k", b"v%d" % (first + place), [(name, b"1"), ("x", None)])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")  # not under the checksum
    return bytes(data)


def with_odd_names(data: bytes) -> bytes:
    """The same bytes with NAME replaced by one that is no UTF-8."""
    assert len(ODD) == len(NAME)
    return data.replace(NAME.encode(), ODD)


def read(kind: Any, records: Any, offset: int = 0, aborted: list[tuple[int, int]] | None = None) -> list[Any]:
    """What a consumer is given."""
    return list(kind(TopicPartition("t", 0), records, aborted, offset, None, None, False, 1))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_record_with_an_odd_header_name_is_read_between_the_others(codec: int) -> None:
    odd = with_odd_names(batch(10, ["a", NAME, "b"])) if not codec else _compressed(10, codec)
    data = batch(0, ["a"] * 3) + odd + batch(13, ["z"])

    records = read(ForgivingRecords, KeptRecords(data))

    assert [record.offset for record in records] == [0, 1, 2, 10, 11, 12, 13]
    assert [record.value for record in records] == [b"v%d" % record.offset for record in records]
    assert records[4].headers == (("odd\\xff\\xfeame", b"1"), ("x", None))
    assert records[3].headers == (("a", b"1"), ("x", None))


def _compressed(first: int, codec: int) -> bytes:
    """A batch whose odd name was there before it was compressed: aiokafka's builder takes surrogates as bytes."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, 0, 0, 1_000_000)
    for place, name in enumerate(["a", NAME, "b"]):
        builder.append(place, 1_700_000_000_000, b"k", b"v%d" % (first + place), [(name, b"1"), ("x", None)])
    plain = with_odd_names(bytes(builder.build()))
    data = bytearray(plain[:61] + _COMPRESS[codec](plain[61:]))
    data[:8] = first.to_bytes(8, "big")
    data[8:12] = (len(data) - 12).to_bytes(4, "big")
    data[21:23] = codec.to_bytes(2, "big")
    return bytes(data)


def _codecs() -> dict[int, Any]:
    from aiokafka import codec

    return {1: codec.gzip_encode, 2: codec.snappy_encode, 3: codec.lz4_encode, 4: codec.zstd_encode}


_COMPRESS = _codecs()


def test_aiokafka_alone_does_not_get_past_it() -> None:
    """When this fails, aiokafka reads such names itself, and schemas/header_names.py may go."""
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        read(PartitionRecords, MemoryRecords(with_odd_names(batch(0, [NAME]))))


def test_what_was_aborted_before_and_behind_it_stays_out() -> None:
    data = (
        batch(0, ["a", "b"], is_transactional=True, producer_id=7)
        + batch(2, ["kept"])
        + with_odd_names(batch(3, [NAME, "kept"]))
        + batch(5, ["c"], is_transactional=True, producer_id=7)
    )

    records = read(ForgivingRecords, KeptRecords(data), aborted=[(7, 0)])

    assert [record.offset for record in records] == [2, 3, 4]


def test_reading_goes_on_from_an_offset_within_the_odd_batch() -> None:
    data = with_odd_names(batch(0, [NAME] * 4))

    assert [record.offset for record in read(ForgivingRecords, KeptRecords(data), offset=2)] == [2, 3]


def test_a_record_that_no_decoder_can_read_is_still_an_error() -> None:
    data = bytearray(batch(0, ["a"]))
    data[61] = 0x7E  # a record longer than the batch

    with pytest.raises(CorruptRecordException):
        read(ForgivingRecords, KeptRecords(bytes(data)))
