"""The parent of several workers, without the workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.serving.workers import HUNG_CHECKS, SILENT_CHECKS, WorkerReport, Workers
from tests.support.requests import settings


@pytest.fixture
def hook_socket() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as hook_socket:
        yield hook_socket


def reported(is_serving: bool = True, *faults: str, notes: tuple[str, ...] = ()) -> WorkerReport:
    return WorkerReport(is_serving, list(faults), list(notes))


async def workers_saying(hook_socket: socket.socket, tmp_path: Path, *reports: WorkerReport | None) -> Workers:
    workers = Workers(settings(workers=len(reports)), hook_socket, tmp_path)
    for worker, report in zip(workers._workers, reports, strict=True):
        worker.report = report
    return workers


AWAY, STARTING = "Kafka: away", "Kafka: not connected yet"


@pytest.mark.parametrize(
    ("reports", "faults", "notes"),
    [
        ((reported(), reported()), [], []),
        ((reported(), None), [], ["worker 2: starting"]),
        ((reported(), reported(False, STARTING)), [], ["worker 2: starting"]),
        ((reported(True, AWAY), reported()), [AWAY], []),
        ((reported(True, AWAY), reported(True, AWAY)), [AWAY], []),
        (
            (reported(False, STARTING), None),
            ["no worker serves", STARTING],
            ["worker 1: starting", "worker 2: starting"],
        ),
        ((None, None), ["no worker serves"], ["worker 1: starting", "worker 2: starting"]),
        ((reported(notes=("spool: a",)), reported(notes=("spool: a",))), [], ["spool: a"]),
    ],
)
async def test_it_is_ready_when_the_workers_that_serve_are(
    hook_socket: socket.socket,
    tmp_path: Path,
    reports: tuple[WorkerReport | None, ...],
    faults: list[str],
    notes: list[str],
) -> None:
    workers = await workers_saying(hook_socket, tmp_path, *reports)

    assert (workers.faults(), workers.notes()) == (faults, notes)
    workers.is_draining = True
    assert workers.faults() == ["stopping", *faults]


async def test_silence_is_a_fault_and_counts_only_what_was_missed(hook_socket: socket.socket, tmp_path: Path) -> None:
    workers = await workers_saying(hook_socket, tmp_path, reported(), reported())

    workers._workers[1].checks = SILENT_CHECKS
    assert workers.faults() == []
    workers._workers[1].checks += 1
    assert workers.faults() == ["worker 2: does not answer"]
    assert HUNG_CHECKS > SILENT_CHECKS


async def test_when_no_process_is_to_be_had_at_the_start_the_gateway_ends(
    hook_socket: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*arguments: Any, **options: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    workers = await workers_saying(hook_socket, tmp_path, None, None)
    workers.start()

    async with asyncio.timeout(5):
        assert await workers.failed == 1
        await workers.stop(5)
