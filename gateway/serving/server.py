"""Two ports served by one process, or the webhook's by several workers, from the first bind to a bounded stop."""

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.errors import WorkersError
from gateway.gateway import Gateway
from gateway.http.app import create_app, create_ops_app
from gateway.http.ops import OpsSource
from gateway.http.protocol import patient_protocol
from gateway.http.refusals import HttpRefusals
from gateway.http.shedding import Shedding
from gateway.metrics import ops_refusals
from gateway.publishing.kafka import KafkaPublisher
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool import Spool
from gateway.publishing.spooled import SpoolingPublisher
from gateway.publishing.takeover import leftover_spools, take_over
from gateway.serving.descriptors import OPS_CONNECTIONS, connections_within, raise_limit
from gateway.serving.shared_metrics import share_values
from gateway.serving.workers import REPORT_EVERY_S, Report, Workers
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import TOPICS
from schemas.runtime.garbage import collect_seldom
from schemas.runtime.listening import BACKLOG, listen

FIRST_KAFKA_S = 5.0
KEEP_ALIVE_S = 75  # longer than balancers keep an idle connection, 60 s: who closes first cuts the other's next request
COLLECT_AFTER = 10_000  # containers made and not yet freed: a few hundred callbacks
CLOSE_S = 15.0  # for a worker to flush, close and end, each step of which has its bound

log = structlog.get_logger()


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us: two in one process would take them from each other."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Place(NamedTuple):
    """What a worker is given by its parent: its number from 1, two open sockets, and where metrics are shared."""

    number: int
    hook_fd: int
    control_fd: int
    metrics_dir: Path


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then stop: not ready, finish what is in flight, flush, close.

    Raises: PortError when one cannot be bound, SpoolError, WorkersError.
    """
    ops_host = ("GATEWAY_OPS_HOST", settings.ops_host) if settings.ops_host else ("GATEWAY_HOST", settings.host)
    with (
        listen(settings.host, settings.port, "GATEWAY_HOST", "GATEWAY_PORT") as hook_socket,
        listen(ops_host[1], settings.ops_port, ops_host[0], "GATEWAY_OPS_PORT") as ops_socket,
    ):
        _log_start(settings, hook_socket, ops_socket)
        if settings.workers > 1:
            await _serve_by_workers(settings, hook_socket, ops_socket)
        else:
            await _serve_alone(settings, hook_socket, ops_socket)
        log.info("gateway.stopped")


async def _serve_alone(settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket) -> None:
    settings = _within_descriptors(settings)
    stop, spool = _stop_event(), _spool(settings)
    gateway = Gateway(settings, _publisher(settings, spool))
    ops = _ops_server(gateway, settings)
    async with _open(gateway, spool, leftover_spools(settings.spool_dir, 1) if settings.spool_dir else []):
        serving_ops = asyncio.create_task(ops.serve(sockets=[ops_socket]))
        await _serve_webhook(gateway, hook_socket, stop)
        ops.should_exit = True
        await serving_ops


async def _serve_by_workers(settings: GatewaySettings, hook_socket: socket.socket, ops_socket: socket.socket) -> None:
    stop = _stop_event()
    with TemporaryDirectory(prefix="gateway-metrics-") as metrics_dir:
        workers = Workers(settings, hook_socket, Path(metrics_dir))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, workers.signal, signal.SIGHUP)
        ops = _ops_server(workers, settings)
        serving_ops = asyncio.create_task(ops.serve(sockets=[ops_socket]))
        workers.start()
        ends: list[asyncio.Future[Any]] = [asyncio.create_task(stop.wait()), workers.failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        log.info("gateway.draining")
        await workers.stop(settings.drain_delay_s + _finish_timeout_s(settings) + CLOSE_S)
        ops.should_exit = True
        await serving_ops
        ends[0].cancel()
    if workers.failed.done():
        raise WorkersError(workers.failed.result())


async def serve_worker(settings: GatewaySettings, place: Place) -> None:
    """Serve as one of several workers until SIGTERM, SIGINT or the parent's end. Raises: SpoolError.

    settings: the whole gateway's; this worker takes its share.
    """
    share_values(place.metrics_dir, place.number)
    share, stop = _within_descriptors(settings.share_of(place.number)), _stop_event()
    spool = _spool(share)
    gateway = Gateway(share, _publisher(share, spool), is_worker=True)
    is_first = place.number == 1 and settings.spool_dir is not None
    leftovers = leftover_spools(settings.spool_dir or "", settings.workers) if is_first else []
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=place.control_fd))
    report = Report(is_serving=False, faults=[], notes=[])
    telling = asyncio.create_task(_report(gateway, report, writer))
    parents_end = asyncio.create_task(_stop_at_end(reader, stop))
    async with _open(gateway, spool, leftovers):
        await _wait_for_kafka(gateway, stop)
        report.is_serving = True
        with socket.socket(fileno=place.hook_fd) as hook_socket:
            await _serve_webhook(gateway, hook_socket, stop)
    if parents_end.done():
        shutil.rmtree(place.metrics_dir, ignore_errors=True)  # the parent cannot any more
    telling.cancel()
    parents_end.cancel()
    writer.close()


async def _report(gateway: Gateway, report: Report, writer: asyncio.StreamWriter) -> None:
    """Tell the parent how we are, and the shared metrics what is so at this moment."""
    while True:
        report.faults, report.notes = gateway.faults(), gateway.notes()
        gateway.refresh_gauges()
        writer.write(msgspec.json.encode(report) + b"\n")
        await asyncio.sleep(REPORT_EVERY_S)


async def _stop_at_end(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    """The parent never writes: the end of its side is the end of the parent."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    stop.set()


async def _wait_for_kafka(gateway: Gateway, stop: asyncio.Event) -> None:
    """The other workers serve: leave connections to them until we can do as well, but not for ever."""
    give_up_at = time.monotonic() + FIRST_KAFKA_S
    while gateway.faults() and not stop.is_set() and time.monotonic() < give_up_at:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REPORT_EVERY_S)


@contextlib.asynccontextmanager
async def _open(gateway: Gateway, spool: Spool | None, leftovers: Sequence[Path]) -> AsyncIterator[None]:
    """Keys watched, publisher and spool open, other spools taken over."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.keys.reload)
    watching = asyncio.create_task(gateway.keys.watch())
    await gateway.publisher.start()
    try:
        if spool is not None:
            await take_over(spool, leftovers)
        yield
    finally:
        watching.cancel()
        await gateway.publisher.stop()


async def _serve_webhook(gateway: Gateway, hook_socket: socket.socket, stop: asyncio.Event) -> None:
    """Until told to stop, and then until what is in flight is finished."""
    settings = gateway.settings
    collect_seldom(COLLECT_AFTER)
    refuse = Shedding(gateway).refusal
    note = HttpRefusals(gateway.metrics.refused, "webhook").note
    protocol = patient_protocol(settings.headers_timeout_s, refuse, note, settings.max_connections)
    webhook = _server(create_app(gateway), _finish_timeout_s(settings), protocol)
    serving = asyncio.create_task(webhook.serve(sockets=[hook_socket]))
    await stop.wait()
    await _drain(gateway, webhook, serving)


def _within_descriptors(settings: GatewaySettings) -> GatewaySettings:
    """Each process has its own: as many as the system gives, and no more connections than leave some for us."""
    descriptors = raise_limit()
    most = connections_within(descriptors, settings.max_connections)
    log.info("gateway.serving.descriptors", limit=descriptors, max_connections=most)
    return settings.model_copy(update={"max_connections": most})


def _spool(settings: GatewaySettings) -> Spool | None:
    return Spool(Path(settings.spool_dir), settings.spool_max_bytes) if settings.spool_dir else None


def _publisher(settings: GatewaySettings, spool: Spool | None) -> Publisher:
    publisher = KafkaPublisher(settings, TOPICS)
    return publisher if spool is None else SpoolingPublisher(publisher, spool, settings.publish_timeout_s)


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


def _ops_server(source: OpsSource, settings: GatewaySettings) -> Server:
    note = HttpRefusals(ops_refusals(source.registry), "ops").note
    protocol = patient_protocol(settings.headers_timeout_s, None, note, OPS_CONNECTIONS)
    return _server(create_ops_app(source), 1, protocol)


def _server(app: ASGIApp, timeout_s: int, protocol: type[Any]) -> Server:
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
        notes=settings.notes,
    )
    if settings.signature_mode != "enforce":
        log.warning("signature.not_enforced", mode=settings.signature_mode, danger="anyone can send callbacks")
    if settings.signature_scheme.startswith("sorted-"):
        log.warning("signature.covers_part", scheme=settings.signature_scheme, danger="details[] is not signed")
    if settings.has_default_key:
        log.warning("signature.default_key", danger="the key is public: it authenticates nobody")
