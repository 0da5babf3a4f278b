"""A record of any topic and of any version as plain values: as its writer wrote it, not as this release knows it."""

import base64
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple

import fastavro
from fastavro.types import Schema

from schemas import codec
from schemas.errors import DecodeError
from schemas.headers import rfc3339
from schemas.reader import StoredRecord
from schemas.registry import Registry
from schemas.topics import Topic

Plain = dict[str, Any]


class Decoded(NamedTuple):
    """A record as it may be printed. value: None for a tombstone, and where `fault` says why it cannot be read.

    Instants are RFC 3339 text, bytes are base64. code: the stable code of the fault, such as undecodable.
    """

    topic: Topic
    stored: StoredRecord
    value: Plain | None
    fault: str = ""
    code: str = ""

    @property
    def key(self) -> str:
        """The key as text; bytes that are no UTF-8 are written as \\xNN."""
        return (self.stored.key or b"").decode("utf-8", "backslashreplace")

    @property
    def record(self) -> str:
        """The name of its schema."""
        return self.topic.record

    @property
    def place(self) -> str:
        """Where it is: topic[partition]@offset."""
        return f"{self.stored.topic}[{self.stored.partition}]@{self.stored.offset}"

    def as_json(self, *, headers: bool = False) -> Plain:
        """The record with its place, as one JSON object."""
        stored = self.stored
        found: Plain = {
            "topic": stored.topic,
            "partition": stored.partition,
            "offset": stored.offset,
            "appended_at": rfc3339(stored.timestamp),
            "key": None if stored.key is None else self.key,
        }
        if headers:
            found["headers"] = [{"name": name, "value": text_of(value)} for name, value in stored.headers]
        found["value"] = self.value
        if self.fault:
            found["error"] = {"code": self.code, "detail": self.fault, "value_bytes": len(stored.value or b"")}
        return found


class Decoder:
    """Decodes records by the schemas of their writers, which it requests once each."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._writers: dict[int, Schema] = {}

    async def decode(self, topic: Topic, stored: StoredRecord) -> Decoded:
        """The record, or why it cannot be read. Raises: RegistryUnavailableError."""
        if stored.value is None:
            return Decoded(topic, stored, None)
        try:
            return Decoded(topic, stored, await self.values_of(stored.value))
        except DecodeError as error:
            return Decoded(topic, stored, None, str(error), error.code)

    async def values_of(self, data: bytes) -> Plain:
        """The values in wire bytes. Raises: DecodeError, RegistryUnavailableError."""
        writer = await self._writer_of(codec.schema_id_of(data))
        buffer = BytesIO(data)
        buffer.seek(codec.PREFIX_BYTES)
        try:
            datum = fastavro.schemaless_reader(buffer, writer, None)
        except EOFError as error:
            raise DecodeError("the bytes end before the record does: it is truncated") from error
        except Exception as error:  # fastavro raises IndexError, OverflowError, ... for bytes that do not fit
            raise DecodeError(f"the bytes do not fit the writer's schema: {type(error).__name__}") from error
        if left := len(data) - buffer.tell():
            raise DecodeError(f"{left} bytes are left over after the record")
        if not isinstance(datum, dict):
            raise DecodeError("the writer's schema is no record")
        return {name: plain(value) for name, value in datum.items()}

    async def schema_name(self, schema_id: int) -> str:
        """The full name of a writer's schema. Raises: UnknownSchemaError, RegistryUnavailableError."""
        writer = await self._writer_of(schema_id)
        return str(writer.get("name", writer.get("type"))) if isinstance(writer, dict) else str(writer)

    async def _writer_of(self, schema_id: int) -> Schema:
        writer = self._writers.get(schema_id)
        if writer is None:
            writer = self._writers[schema_id] = await self._registry.schema(schema_id, logical_types=True)
        return writer


def plain(value: Any) -> Any:
    """A value of fastavro's as JSON has it: instants as RFC 3339 text, bytes as base64."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case None | bool() | int() | float() | str():
            return value
        case _:  # a date, a decimal, a UUID of a foreign schema
            return str(value)


def text_of(value: bytes | None) -> str | None:
    """A header's value as text; bytes that are no UTF-8 are written as \\xNN."""
    return None if value is None else value.decode("utf-8", "backslashreplace")
