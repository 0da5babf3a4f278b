"""The worker process: settings, topics checked, schemas looked up, then the app until a signal."""

import asyncio
import faulthandler
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO, TypeVar

import structlog
import uvloop

from schemas.errors import RegistryUnavailableError, SchemaError
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.runtime.disk_faults import in_words
from schemas.runtime.listening import PortError, listen
from schemas.runtime.logs import Told, configure_logging
from schemas.topics import TOPICS
from streams.errors import (
    BrokerUnavailableError,
    DataDirInUseError,
    DiskError,
    RegistryAwayError,
    SchemasError,
    StreamsError,
)
from streams.settings import WorkerSettings
from streams.topics.admin import check_group, check_topics
from streams.worker.app import Worker
from streams.worker.faust_app import SESSION_TIMEOUT_S
from streams.worker.identity import identity_of
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import OpsServer, WorkerState, create_ops_app
from streams.worker.premises import check_name, check_state

log = structlog.get_logger()

START_DEADLINE_S: Final = 60.0
RETRY_PAUSE_S: Final = 1.0
FORGOTTEN_S: Final = SESSION_TIMEOUT_S + 3.0  # by when Kafka has forgotten a worker that died
STOP_STARTING_S: Final = 5.0

T = TypeVar("T")


def main(environ: Mapping[str, str]) -> int:
    """Run a worker until SIGTERM or SIGINT. Returns the exit code; errors name the remedy on stderr."""
    configure_logging()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        settings = WorkerSettings.from_env(environ)
        log.info("worker.starting", settings=settings.shown(), notes=settings.notes)
        with only_worker_of(settings.data_dir):
            uvloop.run(_run(settings))
    except StreamsError as error:
        log.critical("worker.refused", error=error.code, reason=str(error), exit_code=error.exit_code)
        return error.exit_code
    except PortError as error:
        log.critical("worker.refused", error="port_taken", reason=str(error), exit_code=exits.PORT_TAKEN)
        return exits.PORT_TAKEN
    except Exception as error:
        log.critical("worker.failed", error=type(error).__name__, exit_code=exits.INTERNAL, exc_info=error)
        return exits.INTERNAL
    return 0


def run(environ: Mapping[str, str]) -> NoReturn:
    """`main`, and the end of the process with its exit code.

    A start that is cut short, as by SIGTERM while the broker is away, leaves Faust's consumer thread behind, and Python
    would wait for it without end. What had to be stored is stored by then, so the process ends over it.
    """
    code = main(environ)
    if left := [thread.name for thread in threading.enumerate() if _keeps_python(thread)]:
        log.warning("worker.threads_left", threads=left)
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _keeps_python(thread: threading.Thread) -> bool:
    return not thread.daemon and thread is not threading.main_thread()


async def _run(settings: WorkerSettings) -> None:
    state, metrics = WorkerState(), WorkerMetrics()
    with (
        listen(settings.ops_host, settings.ops_port, "STREAMS_OPS_HOST", "STREAMS_OPS_PORT") as bound,
        OpsServer(create_ops_app(state, metrics.registry), bound),
    ):
        registry, stop = Registry(settings.registry), _stop_event()
        try:
            partitions = await _unless_stopped(stop, _prepare(settings, registry, state))
            if partitions is not None:
                await Worker(settings, partitions, registry, state, metrics).run(stop)
        finally:
            await registry.aclose()


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None when the stop comes first."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working}, timeout=STOP_STARTING_S)
    return None


async def _prepare(settings: WorkerSettings, registry: Registry, state: WorkerState) -> dict[str, int]:
    """What must be there before anything is read: topics, then schemas. Returns partitions by topic."""
    partitions = await _wait_for_topics(settings, state)
    await _look_up_schemas(registry, state)
    await _wait_for_name(settings, state)
    return partitions


async def _wait_for_topics(settings: WorkerSettings, state: WorkerState) -> dict[str, int]:
    """Partitions by topic. A broker that is still starting is waited for, within a bound; a missing topic is not."""
    until, told = time.monotonic() + START_DEADLINE_S, Told()
    while True:
        try:
            await check_group(settings.kafka, settings.app_id)
            partitions = await check_topics(settings.kafka, settings.app_id)
            await check_state(settings.kafka, settings.app_id, partitions)
            return partitions
        except StreamsError as error:
            if not error.retriable or time.monotonic() > until:
                raise
            state.wait_for(str(error))
            if told.is_due(str(error)):
                log.warning("broker.waiting", reason=str(error))
        await asyncio.sleep(RETRY_PAUSE_S)


async def _wait_for_name(settings: WorkerSettings, state: WorkerState) -> None:
    """Wait until Kafka has forgotten a worker of the same name elsewhere, as one whose volume was moved here."""
    until, told = time.monotonic() + FORGOTTEN_S, Told()
    identity = identity_of(settings.app_id, settings.data_dir)
    while True:
        try:
            return await check_name(settings.kafka, settings.app_id, identity)
        except (DataDirInUseError, BrokerUnavailableError) as error:
            if time.monotonic() > until:
                raise
            state.wait_for(str(error))
            if told.is_due(str(error)):
                log.warning("name.waiting", reason=str(error))
        await asyncio.sleep(RETRY_PAUSE_S)


async def _look_up_schemas(registry: Registry, state: WorkerState) -> None:
    """Learn the ids of our schemas. A registry that is still starting is waited for, within a bound."""
    until, told = time.monotonic() + START_DEADLINE_S, Told()
    while True:
        try:
            return await registry.look_up(TOPICS)
        except RegistryUnavailableError as error:
            if time.monotonic() > until:
                raise RegistryAwayError(str(error)) from error
            state.wait_for(str(error))
            if told.is_due(str(error)):
                log.warning("registry.waiting", reason=str(error))
        except SchemaError as error:
            raise SchemasError(str(error)) from error
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
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # rows hold numbers
        return (data_dir / "lock").open("a")
    except OSError as error:
        raise DiskError(
            f"STREAMS_DATA_DIR {data_dir} cannot be used: {in_words(error)}; mend that, or set another directory"
        ) from error
