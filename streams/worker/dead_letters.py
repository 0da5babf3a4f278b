"""A record that cannot be processed, kept whole with its origin and the reason. Pure."""

from typing import Any

from schemas.headers import Headers, headers_for, trace_id_of
from schemas.records import DeadLetter
from streams.ids import id_of

SOURCE = "/airudder/streams"


def dead_letter(record: Any, reason: str, detail: str, now_ms: int) -> DeadLetter:
    """The dead letter of one consumed record (aiokafka's ConsumerRecord).

    reason: a code of the closed set in the schema; detail: a sentence without values of personal fields.
    """
    return DeadLetter(
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        key=record.key,
        value=record.value,
        headers={name: value or b"" for name, value in record.headers},  # Kafka allows a header without a value
        reason=reason,
        detail=detail,
        failed_at=now_ms,
    )


def dead_letter_headers(letter: DeadLetter, headers: Headers) -> Headers:
    """Headers of a dead letter. Its id follows from where the record was read, so a repeat has the same."""
    letter_id = id_of(letter.source_topic, str(letter.source_partition), str(letter.source_offset))
    return headers_for("DeadLetter", letter_id, SOURCE, letter.failed_at, trace_id_of(headers, letter_id))
