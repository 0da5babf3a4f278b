"""Schema ids from a Confluent-compatible registry: `topics apply` registers our schemas, roles look their ids up.

A process keeps every id and schema that it has read: an id never changes its meaning in one registry. So a role that
meets only known ids goes on without the registry. `check` finds out whether the registry was replaced.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, ServerConfig
from fastavro.types import Schema as AvroSchema

from schemas import codec
from schemas.connection import RegistryConnection
from schemas.errors import (
    DecodeError,
    IncompatibleSchemaError,
    MissingSchemaError,
    RegistryError,
    RegistryReplacedError,
    RegistryUnavailableError,
    UnknownSchemaError,
)
from schemas.evolution.refusals import refusal_in_words
from schemas.records.record import Record
from schemas.registry_client import RegistryClient, checked_id
from schemas.topics import Topic
from schemas.writers import UnboundedSchemaError

APPLY: Final = "run `python -m streams topics apply`"

R = TypeVar("R", bound=Record)


class Registry:
    """Encodes and decodes records under the registry's ids. One per process and event loop.

    Call `look_up` (or `register`) before `encode`. Safe to call again.
    """

    def __init__(self, connection: RegistryConnection | str) -> None:
        """connection: a URL stands for one without user and certificates."""
        where = RegistryConnection(url=connection) if isinstance(connection, str) else connection
        self._subject = where.names.subject_of
        self._client = RegistryClient(where)
        self._api = self._client.api
        self._ids: dict[str, int] = {}
        self._writers: dict[int, AvroSchema] = {}

    def on_request(self, note: Callable[[str, str], None]) -> None:
        """Call this with operation and outcome of each request from now on."""
        self._client.on_request = note

    @property
    def schemas_kept(self) -> int:
        """How many schemas are known by their ids."""
        return len(self._writers)

    async def register(self, topics: Iterable[Topic]) -> None:
        """Set each subject's compatibility and register our schema, in the order given: the ids are then the same in
        every installation. A refused subject does not stop the others.

        Raises: RegistryError naming every subject that was refused, RegistryUnavailableError without an answer.
        """
        await self._each(topics, self._register, RegistryError)

    async def look_up(self, topics: Iterable[Topic]) -> None:
        """Look up the ids of our schemas. A missing one does not stop the others: see `has`.

        Raises: MissingSchemaError naming every subject, RegistryUnavailableError without an answer.
        """
        await self._each([topic for topic in topics if not self.has(topic)], self._learn_own, MissingSchemaError)

    def has(self, topic: Topic) -> bool:
        """Whether records of the topic can be encoded."""
        return topic.name in self._ids

    def id_of(self, topic: Topic) -> int:
        """The id that records of the topic are written under. Only when `has` says so."""
        return self._ids[topic.name]

    async def check(self, topic: Topic) -> None:
        """Check that our schema still has the id that we write under. If not, all ids are forgotten.

        Raises: RegistryReplacedError, RegistryUnavailableError.
        """
        known, subject = self._ids[topic.name], self._subject(topic)
        try:
            found = str(await self._id_of(topic))
        except MissingSchemaError:
            found = "none"
        if found != str(known):
            self._ids.clear()
            self._writers.clear()
            raise RegistryReplacedError(
                f"schema registry: the schema of {subject} had id {known} and now has {found}. The registry "
                f"was replaced, or came back without its data: restore it together with Kafka, or {APPLY}; records "
                "written before may not be readable any more"
            )

    async def foreign_versions(self, topic: Topic) -> list[str]:
        """The versions of the topic's subject that our schema is not compatible with, as faults, a line each.

        Raises: RegistryError, MissingSchemaError when ours is not there.
        """
        ours, subject = (await self._own(topic)).version, self._subject(topic)
        faults = []
        for version in await self._client.request(self._api.get_versions(subject)):
            if version != ours and not await self._is_compatible(topic, version):
                faults.append(
                    f"subject {subject} has a foreign schema, version {version}, that ours (version {ours}) is "
                    "not compatible with: nothing can be registered after it; delete that version"
                )
        return faults

    def encode(self, topic: Topic, record: Record) -> bytes:
        """The record's wire bytes for this topic. Raises: MissingSchemaError when its id is not known."""
        if topic.name not in self._ids:
            raise MissingSchemaError(f"the schema of {self._subject(topic)} has no id")
        return codec.encode(self._ids[topic.name], record)

    async def decode(self, data: bytes, record: type[R]) -> R:
        """The record in wire bytes of any writer's schema. Requests an unknown id from the registry.

        Raises: DecodeError (UnknownSchemaError when the registry has no such id), which is permanent;
        RegistryUnavailableError, which a retry may mend.
        """
        schema_id = codec.schema_id_of(data)
        writer = self._writers.get(schema_id)
        if writer is None:
            writer = await self._writer_of(schema_id)
        return codec.decode(data, writer, record)

    def is_known(self, data: bytes) -> bool:
        """Whether `decode` needs no request to the registry for these bytes."""
        try:
            return codec.schema_id_of(data) in self._writers
        except DecodeError:
            return True

    async def learn(self, data: bytes) -> None:
        """Request the schema that wire bytes name. `decode` reports a schema that the registry does not have.

        Raises: RegistryUnavailableError.
        """
        with suppress(UnknownSchemaError):
            await self._writer_of(codec.schema_id_of(data))

    async def schema(self, schema_id: int, *, logical_types: bool = False) -> AvroSchema:
        """The schema of an id, ready to read with: see `codec.parse`. It is requested each time.

        Only the registry's own 404, and a schema that we cannot read with, are final; the rest may pass.
        Raises: UnknownSchemaError, RegistryUnavailableError.
        """
        text = await self._text_of(schema_id)
        try:
            return codec.parse(text, logical_types=logical_types)
        except UnboundedSchemaError as error:
            raise UnknownSchemaError(f"schema id {schema_id} cannot be read safely: {error}") from error
        except Exception as error:  # JSON and fastavro errors alike
            raise UnknownSchemaError(f"schema id {schema_id} is not an Avro schema") from error

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._client.aclose()

    @staticmethod
    async def _each(
        topics: Iterable[Topic], one: Callable[[Topic], Awaitable[None]], kind: type[RegistryError]
    ) -> None:
        faults = []
        for topic in topics:
            try:
                await one(topic)
            except RegistryUnavailableError:
                raise
            except RegistryError as error:
                faults.append(str(error))
        if faults:
            raise kind("\n".join(faults))

    async def _register(self, topic: Topic) -> None:
        if topic.is_output:
            await self._hold_to_full_transitive(self._subject(topic))
        try:
            registered = await self._client.request(
                self._api.register_schema_full_response(self._subject(topic), _schema_of(topic))
            )
        except IncompatibleSchemaError as error:
            raise RegistryError(await self._refusal(topic)) from error
        except RegistryUnavailableError:
            raise
        except RegistryError as error:
            raise RegistryError(f"subject {self._subject(topic)}: {error}") from error
        self._keep(topic, checked_id(registered.schema_id))

    async def _refusal(self, topic: Topic) -> str:
        """Why the subject refuses our schema, by the versions that it has."""
        subject, texts = self._subject(topic), dict[int, str]()
        for number in await self._client.request(self._api.get_versions(subject)):
            found = await self._client.request(self._api.get_version(subject, number))
            texts[number] = found.schema.schema_str or ""
        return refusal_in_words(subject, topic.record, texts, APPLY)

    async def _learn_own(self, topic: Topic) -> None:
        self._keep(topic, await self._id_of(topic))

    def _keep(self, topic: Topic, schema_id: int) -> None:
        self._ids[topic.name] = schema_id
        self._writers[schema_id] = codec.parsed_schema(topic.record)

    async def _id_of(self, topic: Topic) -> int:
        return checked_id((await self._own(topic)).schema_id)

    async def _own(self, topic: Topic) -> Any:
        try:
            return await self._client.request(self._api.lookup_schema(self._subject(topic), _schema_of(topic)))
        except UnknownSchemaError as error:
            raise MissingSchemaError(
                f"subject {self._subject(topic)} does not have this release's schema: {APPLY}"
            ) from error

    async def _is_compatible(self, topic: Topic, version: int) -> bool:
        return bool(
            await self._client.request(self._api.test_compatibility(self._subject(topic), _schema_of(topic), version))
        )

    async def _hold_to_full_transitive(self, subject: str) -> None:
        """Set the subject's compatibility. The registry may refuse when two apply at once."""
        wanted = ConfigCompatibilityLevel.FULL_TRANSITIVE
        try:
            await self._client.request(self._api.set_config(subject, ServerConfig(compatibility=wanted)))
        except RegistryUnavailableError:
            raise
        except (RegistryError, UnknownSchemaError):
            config = await self._client.request(self._api.get_config(subject))
            if wanted not in (config.compatibility, config.compatibility_level):
                raise

    async def _writer_of(self, schema_id: int) -> AvroSchema:
        writer = self._writers[schema_id] = await self.schema(schema_id)
        return writer

    async def _text_of(self, schema_id: int) -> str:
        try:
            schema = await self._client.request(self._api.get_schema(schema_id))
        except RegistryError as error:
            raise RegistryUnavailableError(str(error)) from error
        if schema.schema_type not in (None, "AVRO"):
            raise UnknownSchemaError(f"schema id {schema_id} is not an Avro schema")
        if not isinstance(schema.schema_str, str) or not schema.schema_str:
            raise RegistryUnavailableError(f"the schema registry's answer for id {schema_id} has no schema in it")
        return schema.schema_str


def _schema_of(topic: Topic) -> Schema:
    return Schema(codec.schema_text(topic.record), "AVRO")
