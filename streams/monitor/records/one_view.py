"""Pure: one record as the API and the page show it. What may be personal is `***`; so is all that is not ours."""

import json
from typing import Final

from schemas.documents.headers import HEADERS
from schemas.headers import rfc3339
from schemas.runtime import instants
from schemas.topics import DEAD_LETTERS, QUARANTINE, Topic
from streams.monitor.records.one import Found
from streams.rules.labels import short
from streams.topics.decoding import Decoded, Plain, text_of
from streams.topics.masking import MASK, masked

MAX_SHOWN_BYTES: Final = 128 * 1024
MAX_HEADERS: Final = 50
MAX_CHARS: Final = 200
OURS: Final = frozenset(header.name for header in HEADERS)
# Kept as strangers sent them, so no tag says what is personal in them.
FOREIGN: Final[dict[Topic, frozenset[str]]] = {
    DEAD_LETTERS: frozenset({"key", "headers", "all_headers"}),
    QUARANTINE: frozenset({"headers", "path", "remote_address"}),
}


def record_view(found: Found, as_of_ms: int) -> Plain:
    """{"topic", "partition", "offset", "begin_offset", "end_offset", "as_of", "absent", "record": {...} or null}.

    record.offset is later than `offset` where no reader gets a record at that; `absent` says why.
    """
    return {
        "topic": found.place.topic,
        "partition": found.place.partition,
        "offset": found.offset,
        "begin_offset": found.begin,
        "end_offset": found.end,
        "as_of": instants.text(as_of_ms),
        "absent": found.absent or None,
        "record": None if found.decoded is None else _record(found, found.decoded),
    }


def _record(found: Found, decoded: Decoded) -> Plain:
    stored = decoded.stored
    value, error = _value(found, decoded)
    return {
        "offset": stored.offset,
        "appended_at": rfc3339(stored.timestamp),
        "key_bytes": None if stored.key is None else len(stored.key),
        "value_bytes": None if stored.value is None else len(stored.value),
        "schema_id": found.schema_id,
        "schema_name": found.schema_name,
        "headers": [_header(name, data) for name, data in stored.headers[:MAX_HEADERS]],
        "headers_count": len(stored.headers),
        "value": value,
        "error": error,
    }


def _header(name: str, data: bytes | None) -> Plain:
    """A name that is not ours may be anything, so it is masked like its value."""
    if name not in OURS:
        return {"name": MASK, "value": None if data is None else MASK}
    return {"name": name, "value": None if data is None else short(text_of(data) or "", MAX_CHARS)}


def _value(found: Found, decoded: Decoded) -> tuple[Plain | None, Plain | None]:
    """The value without what may be personal, or what is wrong with it."""
    if decoded.fault:
        return None, {"code": decoded.code, "detail": decoded.fault}
    if decoded.value is None:
        return None, None
    shown = _masked(found, decoded.value)
    size = len(json.dumps(shown))
    if size > MAX_SHOWN_BYTES:
        detail = f"it is sound, but too long to show: {size} bytes as JSON, and {MAX_SHOWN_BYTES} are shown at most"
        return None, {"code": "too_long", "detail": detail}
    return shown, None


def _masked(found: Found, value: Plain) -> Plain:
    """By the tags of our schema; a value by another schema is masked whole."""
    if (found.schema_name or "").rpartition(".")[2] != found.topic.record:
        return dict.fromkeys(value, MASK)
    foreign = FOREIGN.get(found.topic, frozenset())
    return {
        name: MASK if name in foreign and item else item for name, item in masked(value, found.topic.record).items()
    }
