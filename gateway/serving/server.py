"""`gateway serve`: both ports bound, the webhook served by this process or by several workers, until a signal."""

import asyncio
import signal
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog

from gateway.errors import WorkersError
from gateway.publishing.takeover import leftover_spools
from gateway.serving.http_servers import finish_timeout_s, ops_server
from gateway.serving.process import ServingGateway
from gateway.serving.workers import Workers
from gateway.settings import GatewaySettings
from schemas.runtime.listening import listen
from schemas.runtime.stopping import StopEvent

CLOSE_S: Final = 15.0  # for a worker to flush, close and end, each step of which has its bound

log = structlog.get_logger()


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then stop: not ready, finish what is in flight, flush, close.

    Raises: PortError when one cannot be bound, SpoolError, WorkersError.
    """
    ops_host = ("GATEWAY_OPS_HOST", settings.ops_host) if settings.ops_host else ("GATEWAY_HOST", settings.host)
    with (
        listen(settings.host, settings.port, "GATEWAY_HOST", "GATEWAY_PORT") as hook_socket,
        listen(ops_host[1], settings.ops_port, ops_host[0], "GATEWAY_OPS_PORT") as ops_socket,
    ):
        _log_listening(settings, hook_socket, ops_socket)
        stop = StopEvent()
        if settings.workers > 1:
            await _serve_by_workers(settings, hook_socket, ops_socket, stop)
        else:
            await _serve_alone(settings, hook_socket, ops_socket, stop)
        log.info("gateway.stopped", reason=stop.reason)


async def _serve_alone(
    settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket, stop: asyncio.Event
) -> None:
    process = ServingGateway(settings, leftover_spools(settings.spool_dir, 1) if settings.spool_dir else [])
    ops = ops_server(process.gateway, settings)
    async with process.running():
        serving_ops = asyncio.create_task(ops.serve(sockets=[ops_socket]))
        await process.serve_webhook(hook_socket, stop)
        ops.should_exit = True
        await serving_ops


async def _serve_by_workers(
    settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket, stop: asyncio.Event
) -> None:
    with TemporaryDirectory(prefix="gateway-metrics-") as metrics_dir:
        workers = Workers(settings, hook_socket, Path(metrics_dir))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, workers.signal, signal.SIGHUP)
        ops = ops_server(workers, settings)
        serving_ops = asyncio.create_task(ops.serve(sockets=[ops_socket]))
        workers.start()
        ends: list[asyncio.Future[Any]] = [asyncio.create_task(stop.wait()), workers.failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        log.info("gateway.draining")
        await workers.stop(settings.drain_delay_s + finish_timeout_s(settings) + CLOSE_S)
        ops.should_exit = True
        await serving_ops
        ends[0].cancel()
    if workers.failed.done():
        raise WorkersError(workers.failed.result())


def _log_listening(settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket) -> None:
    log.info(
        "gateway.listening",
        port=hook_socket.getsockname()[1],
        ops_port=ops_socket.getsockname()[1],
    )
    if settings.signature_mode != "enforce":
        log.warning("signature.not_enforced", mode=settings.signature_mode, danger="anyone can send callbacks")
    if settings.signature_scheme.startswith("sorted-"):
        log.warning("signature.covers_part", scheme=settings.signature_scheme, danger="details[] is not signed")
    if settings.has_default_key:
        log.warning("signature.default_key", danger="the key is public: it authenticates nobody")
