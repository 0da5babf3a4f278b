"""Schemas with their ids, kept as a file, and put back into an empty registry under the same ids.

A record names its schema by id, so a registry that gives other ids makes every record unreadable, or readable as
something else. Only the Confluent API is used: any registry with that API can take what another one gave.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, ServerConfig

from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.registry_client import RegistryClient, checked_id

FORMAT: Final = "airudder-schemas/1"
PLACEHOLDERS: Final = "airudder-import-placeholders"
MAX_PLACEHOLDERS: Final = 1_000


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a subject: its number, the id of its schema, and the schema's JSON text."""

    version: int
    id: int
    schema: str


class Place(NamedTuple):
    """One version in one subject."""

    subject: str
    version: Version


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One subject: its versions in ascending order, and its own compatibility rule, when it has one."""

    subject: str
    versions: list[Version]
    compatibility: str | None = None


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `exported_at` is ISO 8601, UTC."""

    subjects: list[Subject]
    exported_at: str
    format: str = FORMAT

    @property
    def ids(self) -> dict[int, str]:
        """The schema's text of each id."""
        return {version.id: version.schema for subject in self.subjects for version in subject.versions}

    def places(self, schema_id: int) -> list[Place]:
        """Where a schema is registered, in the order of the file."""
        return [
            Place(subject.subject, version)
            for subject in self.subjects
            for version in subject.versions
            if version.id == schema_id
        ]


class Restored(NamedTuple):
    """How many ids an import brought, and how many were there before."""

    added: int
    present: int


def to_text(backup: Backup) -> str:
    """The backup as JSON, one line a value, so that two of them can be compared."""
    return msgspec.json.format(msgspec.json.encode(backup), indent=1).decode() + "\n"


def from_text(text: bytes) -> Backup:
    """The backup in a file. Raises: ValueError naming what is wrong, by JSON path."""
    backup = msgspec.json.decode(text, type=Backup)
    if backup.format != FORMAT:
        raise ValueError(f"format {backup.format!r}, not {FORMAT!r}")
    texts: dict[int, str] = {}
    for subject in backup.subjects:
        for version in subject.versions:
            if not _are_equal(texts.setdefault(version.id, version.schema), version.schema):
                raise ValueError(f"id {version.id} stands for two schemas")
    return backup


class RegistryBackup:
    """Export and import of subjects over one registry."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._api = client.api

    async def export(self, subjects: Iterable[str], exported_at: str) -> Backup:
        """Every version of the subjects, foreign ones too. Subjects that the registry lacks are left out.

        Raises: RegistryError, RegistryUnavailableError.
        """
        found = [subject for name in subjects if (subject := await self._subject(name)) is not None]
        return Backup(found, exported_at)

    async def restore(self, backup: Backup) -> Restored:
        """Register what is missing, in the order of the ids. Repeat: safe.

        Nothing is written when an id of the backup stands for another schema already. An import that was cut off in a
        registry that counts its ids itself may need an empty registry again; the error says so.
        Raises: RegistryError naming the fault, RegistryUnavailableError.
        """
        present = await self._present(backup)
        names = [PLACEHOLDERS, *(subject.subject for subject in backup.subjects)]
        try:
            for name in names:
                await self._open(name)
            for schema_id in sorted(set(backup.ids) - present):
                await self._reach(schema_id)
                await self._put(backup.places(schema_id)[0])
            # After all ids are there: a registry that counts uses one up for a schema that it knows.
            for schema_id in sorted(backup.ids):
                for place in backup.places(schema_id):
                    await self._put(place)
        finally:
            await self._remove_placeholders()
            for name in names:
                await self._set_mode(name, "READWRITE")
        for subject in backup.subjects:
            await self._set_rule(subject)
        return Restored(len(backup.ids) - len(present), len(present))

    async def _subject(self, name: str) -> Subject | None:
        try:
            numbers = await self._client.request(self._api.get_versions(name))
        except UnknownSchemaError:
            return None
        versions = [await self._version(name, number) for number in sorted(numbers)]
        return Subject(name, versions, await self._rule_of(name))

    async def _version(self, name: str, number: int) -> Version:
        found = await self._client.request(self._api.get_version(name, number))
        return Version(number, checked_id(found.schema_id), _text(found.schema))

    async def _rule_of(self, name: str) -> str | None:
        try:
            config = await self._client.request(self._api.get_config(name))
        except UnknownSchemaError:  # the subject follows the registry's own rule
            return None
        level = config.compatibility_level or config.compatibility
        return None if level is None else str(level.value)

    async def _present(self, backup: Backup) -> set[int]:
        present, faults = set(), []
        for schema_id, text in backup.ids.items():
            there = await self._text_of(schema_id)
            if there is None:
                continue
            present.add(schema_id)
            if not _are_equal(there, text):
                faults.append(f"id {schema_id} is another schema in this registry")
        if faults:
            raise RegistryError("\n".join([*faults, "nothing was imported: import into an empty registry"]))
        return present

    async def _reach(self, schema_id: int) -> None:
        """Make `schema_id` the next id.

        A registry either takes the id that it is given, or counts up by one. In the latter, placeholders take the ids
        that the backup has not.
        """
        for number in range(MAX_PLACEHOLDERS):
            if schema_id == 1 or await self._text_of(schema_id - 1) is not None:
                return
            placeholder = json.dumps({"type": "fixed", "name": f"Placeholder_{schema_id}_{number}", "size": 1})
            given = await self._register(PLACEHOLDERS, placeholder, schema_id - 1)
            if given >= schema_id:
                raise RegistryError(_past(schema_id, given))
        raise RegistryError(
            f"id {schema_id} is over {MAX_PLACEHOLDERS} ids after the last one, and this registry counts its ids "
            "itself: restore it from a backup of its own"
        )

    async def _put(self, place: Place) -> None:
        version = place.version
        given = await self._register(place.subject, version.schema, version.id, version.version)
        if given != version.id:
            raise RegistryError(_past(version.id, given))

    async def _register(self, subject: str, text: str, schema_id: int, version: int = -1) -> int:
        """Register under the given id, where the registry allows it. Returns the id that it has."""
        body = {"schema": text, "schemaType": "AVRO", "id": schema_id, "version": version}
        path = f"subjects/{quote(subject, safe='')}/versions"
        answer = await self._client.request(self._api._rest_client.post(path, body=body))
        return checked_id(answer.get("id"))

    async def _text_of(self, schema_id: int) -> str | None:
        try:
            return _text(await self._client.request(self._api.get_schema(schema_id)))
        except UnknownSchemaError:
            return None

    async def _open(self, subject: str) -> None:
        """Let the subject take given ids, and its versions in any order of compatibility."""
        await self._set_mode(subject, "IMPORT")
        await self._client.request(self._api.set_config(subject, ServerConfig(ConfigCompatibilityLevel.NONE)))

    async def _set_mode(self, subject: str, mode: str) -> None:
        """Set the mode. Registries without modes refuse, and need none: the ids given are checked in any case."""
        try:
            await self._client.request(self._api.update_mode(subject, mode, force=True))
        except RegistryUnavailableError:
            raise
        except RegistryError:
            return

    async def _set_rule(self, subject: Subject) -> None:
        if subject.compatibility is None:
            await self._client.request(self._api.delete_config(subject.subject))
            return
        rule = ServerConfig(ConfigCompatibilityLevel(subject.compatibility))
        await self._client.request(self._api.set_config(subject.subject, rule))

    async def _remove_placeholders(self) -> None:
        for is_permanent in (False, True):  # a registry forgets for good only what was deleted before
            with suppress(UnknownSchemaError):
                await self._client.request(self._api.delete_subject(PLACEHOLDERS, permanent=is_permanent))
        with suppress(UnknownSchemaError):
            await self._client.request(self._api.delete_config(PLACEHOLDERS))


def _text(schema: Schema) -> str:
    """The text of an Avro schema. Raises: RegistryError for another kind, or one with references."""
    if schema.schema_type not in (None, "AVRO") or schema.references or not schema.schema_str:
        raise RegistryError("a subject holds a schema that is not Avro, or refers to others: it cannot be kept")
    return schema.schema_str


def _are_equal(one: str, other: str) -> bool:
    return bool(json.loads(one) == json.loads(other))


def _past(wanted: int, given: int) -> str:
    return (
        f"this registry gave id {given} where {wanted} is needed, as it counts its ids itself and has given others "
        "before: import into an empty one"
    )
