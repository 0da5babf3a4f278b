"""The registry's schemas as a file: `schemas export` writes it, `schemas import` puts it into an empty registry."""

import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from schemas.connection import RegistryConnection
from schemas.registry_backup import Backup, RegistryBackup, Restored, from_text, to_text
from schemas.registry_client import RegistryClient
from schemas.runtime import disk_faults, instants
from streams.errors import BackupError, DiskError, SchemasError
from streams.topics.registry_errors import registry_errors


async def export_schemas(registry: RegistryConnection, subjects: Iterable[str]) -> Backup:
    """Every version of the subjects, with its id. Raises: SchemasError when none is there, RegistryAwayError."""
    async with _opened(registry) as opened:
        backup = await opened.export(subjects, instants.text(time.time_ns() // 1_000_000))
    if not backup.subjects:
        raise SchemasError("the registry has none of our subjects: is SCHEMA_REGISTRY_URL right?")
    return backup


async def import_schemas(registry: RegistryConnection, backup: Backup) -> Restored:
    """Put the backup into the registry. Repeat: safe. Raises: SchemasError, RegistryAwayError."""
    async with _opened(registry) as opened:
        return await opened.restore(backup)


def write(backup: Backup, path: Path) -> None:
    """Write the file whole or not at all. Raises: DiskError."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}", delete=False) as file:
            file.write(to_text(backup))
        Path(file.name).replace(path)
    except OSError as error:
        raise DiskError(f"{path}: {disk_faults.in_words(error)}") from error


def read(path: Path | None) -> Backup:
    """The backup in a file, or on stdin without one. Raises: BackupError, DiskError."""
    try:
        return from_text(sys.stdin.buffer.read() if path is None else path.read_bytes())
    except OSError as error:
        raise DiskError(f"{path}: {disk_faults.in_words(error)}") from error
    except ValueError as error:
        raise BackupError(f"{path or 'stdin'}: not a file of `schemas export`: {error}") from error


@asynccontextmanager
async def _opened(connection: RegistryConnection) -> AsyncIterator[RegistryBackup]:
    client = RegistryClient(connection)
    try:
        with registry_errors():
            yield RegistryBackup(client)
    finally:
        await client.aclose()
