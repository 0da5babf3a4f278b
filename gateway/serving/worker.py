"""One of several worker processes: it serves connections of the parent's port and reports its state to the parent."""

import asyncio
import contextlib
import shutil
import socket
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.gateway import Gateway
from gateway.publishing.takeover import leftover_spools
from gateway.serving.process import ServingGateway
from gateway.serving.shared_metrics import share_values
from gateway.serving.workers import REPORT_EVERY_S, WorkerReport
from gateway.settings import GatewaySettings
from schemas.runtime.stopping import StopEvent

FIRST_KAFKA_S: Final = 5.0


class WorkerSlot(NamedTuple):
    """What the parent gives a worker: its number from 1, two open sockets, and the directory of shared metrics."""

    number: int
    hook_fd: int
    control_fd: int
    metrics_dir: Path


async def serve_worker(settings: GatewaySettings, slot: WorkerSlot) -> None:
    """Serve as one of several workers until SIGTERM, SIGINT or the parent's end. Raises: SpoolError.

    settings: the whole gateway's; this worker takes its share.
    """
    share_values(slot.metrics_dir, slot.number)
    stop, is_first = StopEvent(), slot.number == 1
    leftovers = leftover_spools(settings.spool_dir, settings.workers) if is_first and settings.spool_dir else []
    process = ServingGateway(settings.share_of(slot.number), leftovers, is_worker=True)
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=slot.control_fd))
    report = WorkerReport(is_serving=False, faults=[], notes=[])
    reporting = asyncio.create_task(_report(process.gateway, report, writer))
    parents_end = asyncio.create_task(_stop_at_end(reader, stop))
    async with process.running():
        await _wait_for_kafka(process.gateway, stop)
        report.is_serving = True
        with socket.socket(fileno=slot.hook_fd) as hook_socket:
            await process.serve_webhook(hook_socket, stop)
    if parents_end.done():
        shutil.rmtree(slot.metrics_dir, ignore_errors=True)  # the parent no longer can
    reporting.cancel()
    parents_end.cancel()
    writer.close()


async def _report(gateway: Gateway, report: WorkerReport, writer: asyncio.StreamWriter) -> None:
    """Send our state to the parent, and refresh the shared gauges."""
    while True:
        report.faults, report.notes = gateway.faults(), gateway.notes()
        gateway.refresh_gauges()
        writer.write(msgspec.json.encode(report) + b"\n")
        await asyncio.sleep(REPORT_EVERY_S)


async def _stop_at_end(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    """Stop at the parent's end: it never writes, so its side of the socket ends with it."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    stop.set()


async def _wait_for_kafka(gateway: Gateway, stop: asyncio.Event) -> None:
    """Leave connections to the workers that serve until this one is ready, for at most FIRST_KAFKA_S."""
    give_up_at = time.monotonic() + FIRST_KAFKA_S
    while gateway.faults() and not stop.is_set() and time.monotonic() < give_up_at:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REPORT_EVERY_S)
