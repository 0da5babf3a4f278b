"""The headers of the public records, each once: what the documents say of them. Tests hold `schemas.headers` to it."""

from dataclasses import dataclass
from typing import Any, Final

from schemas.headers import CONTENT_TYPE, REPLAYED_FROM
from schemas.topics import SYNTHETIC_HEADER

EVERY: Final = "every record"


@dataclass(frozen=True)
class Header:
    """One header. `on`: which records have it; `value`: what it says; `schema`: its JSON schema beyond the type."""

    name: str
    on: str
    value: str
    schema: dict[str, Any]


HEADERS: Final = (
    Header("ce_specversion", EVERY, "`1.0`: CloudEvents, binary mode", {"const": "1.0"}),
    Header(
        "ce_id",
        EVERY,
        "the record's own id, equal on every repeat; equals `record_id` where the record has one, except on "
        "`late-calls`",
        {"pattern": "^[0-9a-f]{32,64}$"},
    ),
    Header(
        "ce_source",
        EVERY,
        "`/airudder/gateway` or `/airudder/streams`",
        {"enum": ["/airudder/gateway", "/airudder/streams"]},
    ),
    Header(
        "ce_type",
        EVERY,
        "`airudder.<record>.v1`; `airudder.LateCall.v1` on `late-calls`",
        {"pattern": "^airudder\\.[A-Za-z]+\\.v1$"},
    ),
    Header(
        "ce_time", EVERY, "when the event happened, RFC 3339; never later than the arrival", {"format": "date-time"}
    ),
    Header("content-type", EVERY, "`application/avro`", {"const": CONTENT_TYPE.decode()}),
    Header(
        "traceparent",
        EVERY,
        "W3C trace context, with the sender's flags; flags `00` when the sender sent none. With `AIRUDDER_TRACING` on, "
        "the span that wrote the record, and what the sampler decided",
        {"pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    ),
    Header("tracestate", "records of a sender that sent one", "as sent", {"maxLength": 512}),
    Header(SYNTHETIC_HEADER, "probe traffic", "`1`: skip these records; they enter no window", {"const": "1"}),
    Header(
        REPLAYED_FROM,
        "records that a replay sent again",
        "where the kept record was read: `topic[partition]@offset`",
        {"pattern": "^.+\\[[0-9]+\\]@[0-9]+$"},
    ),
)


def headers_schema() -> dict[str, Any]:
    """The JSON schema of the headers of any public record, as text. Foreign headers may come beside them."""
    return {
        "type": "object",
        "required": [header.name for header in HEADERS if header.on == EVERY],
        "properties": {
            header.name: {"type": "string", "description": f"On {header.on}: {header.value}.", **header.schema}
            for header in HEADERS
        },
    }
