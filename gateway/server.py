"""Two HTTP servers in one process and event loop, from the first bind to a bounded, orderly stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.app import create_app, create_ops_app
from gateway.gateway import Gateway
from gateway.kinds import TOPICS
from gateway.patience import patient_protocol
from gateway.publisher import KafkaPublisher, Publisher
from gateway.settings import GatewaySettings
from gateway.spool import Spool
from gateway.spooling import SpoolingPublisher

log = structlog.get_logger()


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us: two in one process would take them from each other."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then stop: not ready, finish what is in flight, flush, close.

    Raises: OSError when a port cannot be bound.
    """
    with _listen(settings.host, settings.port) as hook_socket, _listen(settings.host, settings.ops_port) as ops_socket:
        gateway = Gateway(settings, _publisher(settings))
        webhook = _server(create_app(gateway), _finish_timeout_s(settings), settings.headers_timeout_s)
        ops = _server(create_ops_app(gateway), 1, settings.headers_timeout_s)
        _log_start(settings, hook_socket, ops_socket)
        stop = _stop_event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.keys.reload)
        watching = asyncio.create_task(gateway.keys.watch())
        await gateway.publisher.start()
        serving = [
            asyncio.create_task(webhook.serve(sockets=[hook_socket])),
            asyncio.create_task(ops.serve(sockets=[ops_socket])),
        ]
        await stop.wait()
        watching.cancel()
        await _drain(gateway, webhook, serving[0])
        ops.should_exit = True
        await serving[1]
        await gateway.publisher.stop()
        log.info("gateway.stopped")


def _publisher(settings: GatewaySettings) -> Publisher:
    publisher = KafkaPublisher(settings, TOPICS)
    if settings.spool_dir is None:
        return publisher
    spool = Spool(Path(settings.spool_dir), settings.spool_max_bytes)
    return SpoolingPublisher(publisher, spool, settings.publish_timeout_s)


async def _drain(gateway: Gateway, webhook: Server, serving: asyncio.Task[None]) -> None:
    """Say not ready, keep serving while balancers notice, then finish what is in flight."""
    gateway.is_draining = True
    log.info("gateway.draining", in_flight=gateway.in_flight.requests)
    await asyncio.sleep(gateway.settings.drain_delay_s)
    webhook.should_exit = True
    await serving


def _finish_timeout_s(settings: GatewaySettings) -> int:
    """How long requests in flight may take to finish: a slow body, a slow acknowledgement and a little."""
    return int(settings.body_timeout_s + settings.publish_timeout_s) + 1


def _server(app: ASGIApp, timeout_s: int, headers_timeout_s: float) -> Server:
    return Server(
        uvicorn.Config(
            app,
            http=patient_protocol(headers_timeout_s),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=timeout_s,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _log_start(settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket) -> None:
    log.info(
        "gateway.listening",
        port=hook_socket.getsockname()[1],
        ops_port=ops_socket.getsockname()[1],
        settings=settings.shown(),
    )
    if settings.signature_mode != "enforce":
        log.warning("signature.not_enforced", mode=settings.signature_mode, danger="anyone can send callbacks")
    if settings.signature_scheme.startswith("sorted-"):
        log.warning("signature.covers_part", scheme=settings.signature_scheme, danger="details[] is not signed")
    if settings.has_default_key:
        log.warning("signature.default_key", danger="the key is public: it authenticates nobody")
