"""Schema ids from a Confluent-compatible registry: ours are registered at start, others' are looked up once.

Everything learnt is kept for the life of the process: an id never changes its meaning. So a registry that goes away
after the start stops nobody who sees only known ids.
"""

from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import TypeVar

import httpx2
from confluent_kafka.schema_registry import (
    AsyncSchemaRegistryClient,
    ConfigCompatibilityLevel,
    Schema,
    SchemaRegistryError,
    ServerConfig,
)
from fastavro.types import Schema as AvroSchema

from schemas import codec
from schemas.connection import RegistryConnection
from schemas.errors import DecodeError, RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.records import Record
from schemas.topics import Topic

REQUEST_TIMEOUT_S = 5.0
_RETRIES = 2
_NOT_FOUND = 404
_SERVER_ERROR = 500

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Registry:
    """Encodes and decodes records under the registry's ids. One per process and event loop.

    Call `register` once before `encode`. Safe to call again: the registry answers the same ids.
    """

    def __init__(self, connection: RegistryConnection | str) -> None:
        """connection: a URL stands for one without user and certificates."""
        where = RegistryConnection(url=connection) if isinstance(connection, str) else connection
        bounds = {"timeout": REQUEST_TIMEOUT_S, "max.retries": _RETRIES, "retries.wait.ms": 200}
        self._client = AsyncSchemaRegistryClient({**where.client_arguments(), **bounds})
        self._ids: dict[str, int] = {}
        self._writers: dict[int, AvroSchema] = {}

    async def register(self, topics: Iterable[Topic]) -> None:
        """Register our schema under each topic's subject, and hold output topics to FULL_TRANSITIVE.

        Raises: RegistryError when it is incompatible with what is there, RegistryUnavailableError without an answer.
        """
        for topic in topics:
            text = codec.schema_text(topic.record)
            schema_id = await self._ask(self._client.register_schema(topic.subject, Schema(text, "AVRO")))
            if topic.is_output:
                await self._hold_to_full_transitive(topic.subject)
            self._ids[topic.name] = schema_id
            self._writers[schema_id] = codec.parsed_schema(topic.record)

    def encode(self, topic: Topic, record: Record) -> bytes:
        """The record's wire bytes for this topic. Raises KeyError when the topic was not registered."""
        return codec.encode(self._ids[topic.name], record)

    async def decode(self, data: bytes, record: type[R]) -> R:
        """The record in wire bytes, whichever schema wrote them; asks the registry for an id not seen before.

        Raises: DecodeError (UnknownSchemaError when the registry has no such id) for good,
        RegistryUnavailableError when it is worth trying again.
        """
        schema_id = codec.schema_id_of(data)
        writer = self._writers.get(schema_id)
        if writer is None:
            writer = await self._look_up(schema_id)
        return codec.decode(data, writer, record)

    def is_known(self, data: bytes) -> bool:
        """Whether wire bytes can be decoded, or given up, without a question to the registry."""
        try:
            return codec.schema_id_of(data) in self._writers
        except DecodeError:
            return True

    async def learn(self, data: bytes) -> None:
        """Ask for the schema that wire bytes name. One that the registry does not have is left for `decode` to tell.

        Raises: RegistryUnavailableError.
        """
        with suppress(UnknownSchemaError):
            await self._look_up(codec.schema_id_of(data))

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._client.aclose()

    async def _hold_to_full_transitive(self, subject: str) -> None:
        """Set the subject's compatibility. Roles that start together do so at once, and the registry refuses one."""
        wanted = ConfigCompatibilityLevel.FULL_TRANSITIVE
        try:
            await self._ask(self._client.set_config(subject, ServerConfig(compatibility=wanted)))
        except RegistryUnavailableError:
            raise
        except RegistryError:
            config = await self._ask(self._client.get_config(subject))
            if wanted not in (config.compatibility, config.compatibility_level):
                raise

    async def _look_up(self, schema_id: int) -> AvroSchema:
        schema = await self._ask(self._client.get_schema(schema_id))
        try:
            writer = codec.parse(schema.schema_str or "")
        except Exception as error:  # JSON and fastavro errors alike: a schema of another kind, such as Protobuf
            raise UnknownSchemaError(f"schema id {schema_id} is not an Avro schema") from error
        self._writers[schema_id] = writer
        return writer

    async def _ask(self, request: Awaitable[T]) -> T:
        try:
            return await request
        except SchemaRegistryError as error:
            raise _translate(error) from error
        except (httpx2.HTTPError, OSError) as error:
            raise RegistryUnavailableError(f"the schema registry did not answer: {type(error).__name__}") from error


def _translate(error: SchemaRegistryError) -> Exception:
    """The registry's answer as one of ours: 5xx can pass, 404 never does for an id, the rest is a refusal."""
    status = error.http_status_code
    if status >= _SERVER_ERROR or status < 0:
        return RegistryUnavailableError(f"the schema registry has trouble: {status}")
    if status == _NOT_FOUND:
        return UnknownSchemaError("the schema registry does not know this id")
    return RegistryError(f"the schema registry refused: {status} {error.error_message}")
