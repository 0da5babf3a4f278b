"""The worker process: settings, the checks of `startup`, then the app until a signal."""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, Final, NoReturn, TypeVar

import structlog
import uvloop

from schemas.errors import SettingsError
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.runtime.listening import PortError, listen
from schemas.runtime.logs import configure_logging, log_start
from schemas.runtime.stopping import StopEvent
from schemas.runtime.tracing import start_spans
from streams.errors import StreamsError
from streams.settings import WorkerSettings
from streams.worker.app import Worker
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import OpsServer, WorkerState, create_ops_app
from streams.worker.startup import only_worker_of, prepare

log = structlog.get_logger()

STOP_STARTING_S: Final = 5.0

T = TypeVar("T")


def main(environ: Mapping[str, str]) -> int:
    """Run a worker until SIGTERM or SIGINT. Returns the exit code; errors name the remedy on stderr."""
    configure_logging()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    try:
        settings = WorkerSettings.from_env(environ)
        configure_logging(level=settings.log_level)
        log_start("worker", settings.shown(), settings.notes)
        with only_worker_of(settings.data_dir):
            reason = uvloop.run(_run(settings))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return exits.SETTINGS
    except StreamsError as error:
        log.critical("worker.refused", error=error.code, reason=str(error), exit_code=error.exit_code)
        return error.exit_code
    except PortError as error:
        log.critical("worker.refused", error="port_taken", reason=str(error), exit_code=exits.PORT_TAKEN)
        return exits.PORT_TAKEN
    except Exception as error:
        log.critical("worker.failed", error=type(error).__name__, exit_code=exits.INTERNAL, exc_info=error)
        return exits.INTERNAL
    log.info("worker.stopped", reason=reason)
    return 0


def run(environ: Mapping[str, str]) -> NoReturn:
    """`main`, and the end of the process with its exit code.

    A start that is cut short, as by SIGTERM while the broker is away, leaves Faust's consumer thread behind, and Python
    would wait for it for ever. All that must be stored is stored by then, so the process ends without it.
    """
    code = main(environ)
    if left := [thread.name for thread in threading.enumerate() if _keeps_python(thread)]:
        log.warning("worker.threads_left", threads=left)
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _keeps_python(thread: threading.Thread) -> bool:
    return not thread.daemon and thread is not threading.main_thread()


async def _run(settings: WorkerSettings) -> str:
    """Run until a signal; returns its name."""
    stop, state, metrics = StopEvent(), WorkerState(), WorkerMetrics()
    with (
        listen(settings.ops_host, settings.ops_port, "STREAMS_OPS_HOST", "STREAMS_OPS_PORT") as bound,
        OpsServer(create_ops_app(state, metrics.registry), bound),
    ):
        registry, spans = Registry(settings.registry), start_spans(settings.tracing, "worker", metrics.count_spans)
        metrics.schema_registry.watch(registry)
        try:
            partitions = await _unless_stopped(stop, prepare(settings, registry, state))
            if partitions is not None:
                await Worker(settings, partitions, registry, state, metrics, spans).run(stop)
        finally:
            await registry.aclose()
            if spans is not None:
                spans.close()
        return stop.reason


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of the work; None when the stop comes first."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working}, timeout=STOP_STARTING_S)
    return None
