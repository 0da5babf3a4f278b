"""What must be there before a worker reads anything: its data directory, topics, schemas, and its name in the group."""

import asyncio
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO, TypeVar

import structlog

from schemas.errors import RegistryUnavailableError, SchemaError
from schemas.registry import Registry
from schemas.runtime.disk_faults import in_words
from schemas.runtime.logs import StateReports
from schemas.topics import TOPICS
from streams.errors import DataDirInUseError, DiskError, RegistryAwayError, SchemasError, StreamsError
from streams.settings import WorkerSettings
from streams.topics.admin import check_group, check_topics
from streams.worker.faust_app import SESSION_TIMEOUT_S
from streams.worker.identity import identity_of
from streams.worker.ops import WorkerState
from streams.worker.premises import check_name, check_state

log = structlog.get_logger()

START_DEADLINE_S: Final = 60.0
RETRY_PAUSE_S: Final = 1.0
FORGOTTEN_S: Final = SESSION_TIMEOUT_S + 3.0  # Kafka has forgotten a dead worker after so long

T = TypeVar("T")


async def prepare(settings: WorkerSettings, registry: Registry, state: WorkerState) -> dict[str, int]:
    """Check topics, then schemas, then the name. Returns partitions by topic. Raises: StreamsError."""
    partitions = await check_kafka(settings, state)
    await check_registry(registry, state)
    await check_identity(settings, state)
    return partitions


async def check_kafka(settings: WorkerSettings, state: WorkerState) -> dict[str, int]:
    """Partitions by topic. Waits, within a bound, for a broker that is still starting; not for a missing topic."""

    async def check() -> dict[str, int]:
        await check_group(settings.kafka, settings.group)
        partitions = await check_topics(settings.kafka, settings.group)
        await check_state(settings.kafka, settings.group, partitions)
        return partitions

    return await _retried(check, state, "broker.waiting", START_DEADLINE_S)


async def check_registry(registry: Registry, state: WorkerState) -> None:
    """Look up the ids of our schemas. Waits, within a bound, for a registry that is still starting."""

    async def look_up() -> None:
        try:
            await registry.look_up(TOPICS)
        except RegistryUnavailableError as error:
            raise RegistryAwayError(str(error)) from error
        except SchemaError as error:
            raise SchemasError(str(error)) from error

    await _retried(look_up, state, "registry.waiting", START_DEADLINE_S)


async def check_identity(settings: WorkerSettings, state: WorkerState) -> None:
    """Wait until Kafka has forgotten a worker of the same name elsewhere, as one whose volume was moved here."""
    identity = identity_of(settings.group, settings.data_dir)

    async def check() -> None:
        await check_name(settings.kafka, settings.group, identity)

    await _retried(check, state, "name.waiting", FORGOTTEN_S, DataDirInUseError)


async def _retried(
    attempt: Callable[[], Awaitable[T]], state: WorkerState, event: str, within_s: float, *also: type[StreamsError]
) -> T:
    """The result of the attempt, repeated while its error is retriable or one of `also`. Raises that error at last."""
    until, reports = time.monotonic() + within_s, StateReports()
    while True:
        try:
            return await attempt()
        except StreamsError as error:
            if time.monotonic() > until or not (error.retriable or isinstance(error, also)):
                raise
            state.wait_for(str(error))
            if reports.is_due(str(error)):
                log.warning(event, reason=str(error))
        await asyncio.sleep(RETRY_PAUSE_S)


@contextmanager
def only_worker_of(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: RocksDB cannot be shared. Raises: DataDirInUseError, DiskError."""
    with _open_lock(data_dir) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataDirInUseError(
                f"STREAMS_DATA_DIR {data_dir} is in use by another worker: give each worker its own"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _open_lock(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # rows hold phone numbers
        return (data_dir / "lock").open("a")
    except OSError as error:
        raise DiskError(
            f"STREAMS_DATA_DIR {data_dir} cannot be used: {in_words(error)}; mend that, or set another directory"
        ) from error
