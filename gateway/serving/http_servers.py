"""The two uvicorn servers of a gateway: the webhook's port and the ops port."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from gateway.gateway import Gateway
from gateway.http.app import create_app, create_ops_app
from gateway.http.ops import OpsSource
from gateway.http.protocol import webhook_protocol
from gateway.http.refusals import HttpRefusals
from gateway.http.shedding import Shedding
from gateway.metrics import ops_refusals
from gateway.serving.descriptors import OPS_CONNECTIONS
from gateway.settings import GatewaySettings
from schemas.runtime.listening import BACKLOG

KEEP_ALIVE_S: Final = 75  # longer than a balancer keeps an idle connection, 60 s: else we close under its next request


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the caller: two in one process would take them from each other."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def webhook_server(gateway: Gateway) -> Server:
    """The server of the webhook's port."""
    settings = gateway.settings
    refuse = Shedding(gateway).refusal
    note = HttpRefusals(gateway.metrics.refused, "webhook").note
    protocol = webhook_protocol(settings.headers_timeout_s, refuse, note, settings.max_connections)
    return http_server(create_app(gateway), finish_timeout_s(settings), protocol)


def ops_server(source: OpsSource, settings: GatewaySettings) -> Server:
    """The server of the ops port."""
    note = HttpRefusals(ops_refusals(source.registry), "ops").note
    protocol = webhook_protocol(settings.headers_timeout_s, None, note, OPS_CONNECTIONS)
    return http_server(create_ops_app(source), 1, protocol)


def finish_timeout_s(settings: GatewaySettings) -> int:
    """How long requests in flight may take to finish: a slow body, a slow acknowledgement and a second."""
    return int(settings.body_timeout_s + settings.publish_timeout_s) + 1


def http_server(app: ASGIApp, timeout_s: int, protocol: type[Any]) -> Server:
    """A server of `app`. timeout_s: how long requests in flight may take to finish once it stops."""
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=timeout_s,
        )
    )
