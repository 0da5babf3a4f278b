"""The worker process: settings, topics checked, schemas registered, then the app until a signal."""

import asyncio
import faulthandler
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import structlog
import uvloop

from schemas.errors import RegistryUnavailableError
from schemas.registry import Registry
from schemas.topics import TOPICS
from streams.admin import check_topics
from streams.errors import SettingsError, StreamsError
from streams.settings import WorkerSettings
from streams.snapshot import RegistryAwayError
from streams.worker.app import Worker
from streams.worker.ops import OpsServer, create_ops_app

log = structlog.get_logger()

START_DEADLINE_S: Final = 60.0
RETRY_PAUSE_S: Final = 1.0


def main(environ: Mapping[str, str]) -> int:
    """Run a worker until SIGTERM or SIGINT. Returns the exit code; errors name the remedy on stderr."""
    _configure_logging()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        settings = WorkerSettings.from_env(environ)
        with only_worker_of(settings.data_dir):
            uvloop.run(_run(settings))
    except StreamsError as error:
        log.critical("worker.refused", error=error.code, detail=str(error))
        return error.exit_code
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
    registry = Registry(settings.registry_url)
    try:
        partitions = await _wait_for_topics(settings)
        await _register(registry)
        worker = Worker(settings, partitions, registry)
        server = OpsServer(create_ops_app(worker.state, worker.metrics.registry), settings.ops_host, settings.ops_port)
        server.start()
        try:
            await worker.run()
        finally:
            server.stop()
    finally:
        await registry.aclose()


async def _wait_for_topics(settings: WorkerSettings) -> dict[str, int]:
    """Partitions by topic. A broker that is still starting is waited for, within a bound; a missing topic is not."""
    until = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            return await check_topics(settings.kafka, settings.app_id)
        except StreamsError as error:
            if not error.retriable or time.monotonic() > until:
                raise
            log.warning("broker.waiting", detail=str(error))
        await asyncio.sleep(RETRY_PAUSE_S)


async def _register(registry: Registry) -> None:
    until = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            return await registry.register(TOPICS)
        except RegistryUnavailableError as error:
            if time.monotonic() > until:
                raise RegistryAwayError(str(error)) from error
            log.warning("registry.waiting", detail=str(error))
        await asyncio.sleep(RETRY_PAUSE_S)


@contextmanager
def only_worker_of(data_dir: Path) -> Iterator[None]:
    """Hold the data directory. Raises: SettingsError when another worker has it; RocksDB cannot be shared."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError([f"STREAMS_DATA_DIR {data_dir} is in use: give each worker its own"]) from error
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _configure_logging() -> None:
    """structlog as JSON lines; the libraries' loggers from WARNING on, so that they build nothing for debug."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
