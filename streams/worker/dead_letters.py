"""A record that cannot be processed, kept with its origin and the reason: whole, or cut when it is too large. Pure."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from schemas.headers import Headers, headers_for, trace_of
from schemas.records.kept import DeadLetter, KeptHeader
from streams.rules.ids import SOURCE, id_of

KEPT_BYTES: Final = 64 * 1024  # of each part of a record that does not fit whole
KEPT_DETAIL_CHARS: Final = 1000


def dead_letter(record: Any, reason: str, detail: str) -> DeadLetter:
    """The dead letter of one consumed record (aiokafka's ConsumerRecord), whole.

    reason: a code of the closed set in the schema; detail: a sentence without values of personal fields.
    Repeat: safe; the same record gives the same letter, for its instant is that of the record's append.
    """
    headers = {name: value or b"" for name, value in record.headers}  # Kafka allows a header without a value
    return DeadLetter(
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        key=record.key,
        value=record.value,
        headers=headers,
        reason=reason,
        detail=detail[:KEPT_DETAIL_CHARS],
        failed_at=max(record.timestamp, 0),
        all_headers=_as_they_came(record.headers) if len(headers) < len(record.headers) else [],
    )


def cut_letter(record: Any, reason: str, detail: str) -> DeadLetter:
    """The same for a record that does not fit whole: the beginnings of its parts, with the size and SHA-256 of each.

    It names the place of the whole, for as long as the source topic keeps it. It cannot be replayed.
    """
    kept = list(_beginning_of(record.headers))
    return DeadLetter(
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        key=None if record.key is None else record.key[:KEPT_BYTES],
        value=None if record.value is None else record.value[:KEPT_BYTES],
        headers={header.name: header.value or b"" for header in kept},
        reason=reason,
        detail=detail[:KEPT_DETAIL_CHARS],
        failed_at=max(record.timestamp, 0),
        is_cut=True,
        key_bytes=len(record.key or b""),
        key_sha256=sha256(record.key or b"").hexdigest(),
        value_bytes=len(record.value or b""),
        value_sha256=sha256(record.value or b"").hexdigest(),
        headers_count=len(record.headers),
    )


def dead_letter_headers(letter: DeadLetter, headers: Headers) -> Headers:
    """Headers of a dead letter. Its id follows from where the record was read, so a repeat has the same.

    The instant of the append tells two records of one offset apart: those of a topic that was made anew.
    """
    place = (letter.source_topic, str(letter.source_partition), str(letter.source_offset), str(letter.failed_at))
    letter_id = id_of(*place)
    return headers_for("DeadLetter", letter_id, SOURCE, letter.failed_at, trace_of(headers, letter_id))


def _as_they_came(headers: Headers) -> list[KeptHeader]:
    return [KeptHeader(name=name, value=value) for name, value in headers]


def _beginning_of(headers: Headers) -> Iterable[KeptHeader]:
    """The first headers, up to KEPT_BYTES together."""
    room = KEPT_BYTES
    for header in _as_they_came(headers):
        room -= len(header.name.encode()) + len(header.value or b"")
        if room < 0:
            return
        yield header
