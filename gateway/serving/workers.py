"""Several worker processes on one port: started, watched, replaced when they die, stopped in order.

The parent binds the port and passes it to the workers. A free worker accepts the next connection, and a connection that
waits outlives a worker. Each worker reports its state over a socket pair several times a second, and stops at the
parent's end. The parent knows no Kafka; it serves /livez, /readyz and /metrics for all workers.
"""

import asyncio
import socket
import sys
import time
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Final

import msgspec
import psutil
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from gateway.serving.shared_metrics import WorkersCollector, drop_live_gauges
from gateway.settings import GatewaySettings

REPORT_EVERY_S: Final = 0.25
SILENT_CHECKS: Final = 8  # without a report before a worker counts as not answering: 2 s
HUNG_CHECKS: Final = 60  # and before it is killed: 15 s. Checks, not seconds: the parent itself may have been stopped
FIRST_RESTART_S: Final = 0.5
SLOWEST_RESTART_S: Final = 30.0
STEADY_S: Final = 60.0  # a worker that ran for so long restarts after the first pause

log = structlog.get_logger()


class WorkerReport(msgspec.Struct):
    """The state of a worker, as a line of JSON."""

    is_serving: bool
    faults: list[str]
    notes: list[str]


class _Worker:
    """One of the workers by number, and the process it has now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.report: WorkerReport | None = None
        self.has_served = False
        self.checks = 0
        self.absence = "starting"

    @property
    def is_silent(self) -> bool:
        return self.checks > SILENT_CHECKS

    def signal(self, number: int) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


class Workers:
    """All workers of one gateway; an OpsSource, as a `Gateway` is."""

    def __init__(self, settings: GatewaySettings, hook_socket: socket.socket, metrics_dir: Path) -> None:
        self.settings = settings
        self.is_draining = False
        self.failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._hook_socket = hook_socket
        self._metrics_dir = metrics_dir
        self._workers = [_Worker(number + 1) for number in range(settings.workers)]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.registry = CollectorRegistry()
        self.registry.register(WorkersCollector(metrics_dir))
        ProcessCollector(registry=self.registry)
        self._serving = self._gauge("gateway_workers", "Workers that serve.")
        self._gauge("gateway_workers_configured", "GATEWAY_WORKERS.").set(settings.workers)
        self._restarts = Counter("gateway_worker_restarts_total", "Workers replaced.", registry=self.registry)
        self._memory = Gauge(
            "gateway_worker_resident_memory_bytes", "process_* are the parent's.", ["worker"], registry=self.registry
        )

    def start(self) -> None:
        """Start all workers; returns at once. `failed` gets the exit code of a worker that ended before it served."""
        self._tasks = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self, timeout_s: float) -> None:
        """Stop all workers once their requests in flight are finished; kill those that take longer than `timeout_s`."""
        self.is_draining = True
        self._stopping.set()
        self._hook_socket.close()  # else connections would wait on it after all workers have closed it
        self.signal(SIGTERM)
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        if late:
            log.error("gateway.workers_killed", reason=f"not stopped within {timeout_s:g} s")
            self.signal(SIGKILL)
            await asyncio.wait(late)

    def signal(self, number: int) -> None:
        """Send a signal to every worker that runs."""
        for worker in self._workers:
            worker.signal(number)

    def faults(self) -> list[str]:
        """The faults of the workers that serve; when none serves, why not."""
        faults = ["stopping"] if self.is_draining else []
        reports = [worker.report for worker in self._workers if worker.report]
        serving = [report for report in reports if report.is_serving]
        if not serving:
            faults.append("no worker serves")
        faults += [fault for report in serving or reports for fault in report.faults]
        faults += [f"worker {worker.number}: does not answer" for worker in self._workers if worker.is_silent]
        return list(dict.fromkeys(faults))

    def notes(self) -> list[str]:
        notes = [note for worker in self._workers if worker.report for note in worker.report.notes]
        absent = [w for w in self._workers if w.report is None or not w.report.is_serving]
        return list(dict.fromkeys([*notes, *(f"worker {worker.number}: {worker.absence}" for worker in absent)]))

    def refresh_gauges(self) -> None:
        """Refresh the parent's own gauges; the workers refresh theirs."""
        self._serving.set(sum(1 for w in self._workers if w.report and w.report.is_serving and not w.is_silent))
        for worker in self._workers:
            memory = _resident_bytes(worker.process.pid) if worker.process else 0
            self._memory.labels(str(worker.number)).set(memory)

    async def _keep(self, worker: _Worker) -> None:
        """Keep a process running for this worker, until `stop`."""
        pause_s = FIRST_RESTART_S
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                exit_code = await self._run(worker)
            except OSError as error:  # too many processes, or no memory
                log.error("gateway.worker_not_started", worker=worker.number, reason=error.strerror)
                exit_code = 1
            if self._stopping.is_set():
                return
            if exit_code > 0 and not worker.has_served and not self.failed.done():
                self.failed.set_result(exit_code)
            pause_s = FIRST_RESTART_S if time.monotonic() - started > STEADY_S else pause_s
            worker.absence = f"ended with exit code {exit_code}, starts again in {pause_s:g} s"
            log.error("gateway.worker_died", worker=worker.number, exit_code=exit_code, restart_in_s=pause_s)
            self._restarts.inc()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            worker.absence = "starting"
            pause_s = min(pause_s * 2, SLOWEST_RESTART_S)

    async def _run(self, worker: _Worker) -> int:
        """Run one process from start to end; returns its exit code, negative for a signal."""
        ours, theirs = socket.socketpair()
        with theirs:
            fds = (self._hook_socket.fileno(), theirs.fileno())
            arguments = (str(worker.number), *map(str, fds), str(self._metrics_dir))
            command = (sys.executable, "-m", "gateway", "serve-worker", *arguments)
            try:
                worker.process = await asyncio.create_subprocess_exec(*command, pass_fds=fds)
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            with suppress(ConnectionError, msgspec.DecodeError):
                async for line in reader:
                    worker.report = msgspec.json.decode(line, type=WorkerReport)
                    worker.has_served, worker.checks = worker.has_served or worker.report.is_serving, 0
            return await worker.process.wait()
        finally:
            writer.close()
            worker.process, worker.report, worker.checks = None, None, 0
            drop_live_gauges(self._metrics_dir, worker.number)

    async def _watch(self) -> None:
        """Count the checks without a report of each worker, and kill a worker that hangs."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), REPORT_EVERY_S)
            for worker in self._workers:
                worker.checks += worker.report is not None
                if worker.checks == HUNG_CHECKS:
                    log.error("gateway.worker_hung", worker=worker.number)
                    worker.signal(SIGKILL)

    def _gauge(self, name: str, description: str) -> Gauge:
        return Gauge(name, description, registry=self.registry)


def _resident_bytes(pid: int) -> int:
    try:
        memory: int = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0
    return memory
