"""The monitor over HTTP: its endpoints, its start and its stop. The only wiring."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from schemas.errors import SettingsError
from schemas.runtime import exits
from schemas.runtime.listening import PortError, listen
from schemas.runtime.logs import configure_logging, log_start
from schemas.runtime.stopping import STOP_SIGNALS
from streams.monitor.api import (
    conservation,
    history,
    lag,
    line,
    lines,
    losses,
    outcomes,
    overview,
    records,
    service,
    workflows,
)
from streams.monitor.history.problems import history_notes
from streams.monitor.http_limits import BoundedRequests, bounded_protocol, raise_descriptor_limit
from streams.monitor.monitor import Monitor
from streams.monitor.openapi.document import endpoint_of
from streams.monitor.pages import endpoints as pages
from streams.monitor.probe import endpoints as probe
from streams.monitor.problems import EXCEPTION_HANDLERS
from streams.monitor.settings import MonitorSettings

SHUTDOWN_TIMEOUT_S: Final = 5

log = structlog.get_logger("monitor")


class AnythingConvertor(StringConvertor):
    """The rest of a path. Provider's names may hold anything, slashes and line breaks included."""

    regex = r"[\s\S]*"


register_url_convertor("anything", AnythingConvertor())


_LISTED: Final = (
    *pages.ENDPOINTS,
    *service.ENDPOINTS,
    *lag.ENDPOINTS,
    *history.ENDPOINTS,
    *conservation.ENDPOINTS,
    *lines.ENDPOINTS,
    *line.ENDPOINTS,
    *losses.ENDPOINTS,
    *outcomes.ENDPOINTS,
    *overview.ENDPOINTS,
    *workflows.ENDPOINTS,
    *records.ENDPOINTS,
    *probe.ENDPOINTS,
)
# Every path but that of this list itself, /api, and /assets.
ENDPOINTS: Final = (*_LISTED, endpoint_of(_LISTED))


def create_app(settings: MonitorSettings) -> Starlette:
    """The application. Its lifespan starts and stops the reading of Kafka, and does not wait for Kafka."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Monitor]]:
        monitor = Monitor(settings)
        await monitor.start()
        try:
            yield {"monitor": monitor}
        finally:
            await monitor.stop()

    assets = files("streams.monitor").joinpath("assets")
    app = Starlette(
        routes=[
            *(endpoint.route() for endpoint in ENDPOINTS),
            Route("/api", service.index_of(ENDPOINTS, history_notes(settings.data_dir))),
            Mount("/assets", StaticFiles(directory=str(assets))),
        ],
        middleware=[Middleware(BoundedRequests)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.state.topic_prefix = settings.kafka.topic_prefix
    return app


def serve(settings: MonitorSettings) -> int:
    """Serve until SIGTERM or Ctrl-C, then stop within seconds; the process's exit code."""
    descriptors, connections = raise_descriptor_limit()
    try:
        with listen(settings.host, settings.port, "MONITOR_HOST", "MONITOR_PORT") as bound:
            log.info(
                "monitor.listening",
                port=bound.getsockname()[1],
                descriptors=descriptors,
                max_connections=connections,
            )
            return _serve_on(bound, settings, connections)
    except PortError as error:
        log.critical("monitor.refused", reason=str(error), exit_code=exits.PORT_TAKEN)
        return exits.PORT_TAKEN
    except Exception as error:
        log.critical("monitor.failed", reason=type(error).__name__, exit_code=exits.INTERNAL, exc_info=error)
        return exits.INTERNAL


def _serve_on(bound: socket.socket, settings: MonitorSettings, connections: int) -> int:
    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http=bounded_protocol(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    # uvicorn raises the signals again after it has stopped, the first one last; without a handler that would be a kill.
    received: list[str] = []
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, lambda number, _: received.append(signal.Signals(number).name))
    server = uvicorn.Server(config)
    server.run(sockets=[bound])
    if not server.started:
        return exits.INTERNAL
    log.info("monitor.stopped", reason=received[-1] if received else "")
    return 0


def main() -> int:
    """`python -m streams monitor`: settings from the environment, then serve. 78 when the settings are refused."""
    try:
        settings = MonitorSettings.from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return exits.SETTINGS
    configure_logging(level=settings.log_level, quiet=("aiokafka",))
    log_start("monitor", settings.shown(), settings.notes)
    return serve(settings)
