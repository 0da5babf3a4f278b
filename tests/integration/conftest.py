"""A broker and a worker that the tests of one file share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.processes.service import KafkaProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One broker for the tests that look at one worker; each has its own workflows, SIP lines and calls."""
    with KafkaProcess(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture(scope="module")
def shared_workers() -> Iterator[list[WorkerProcess]]:
    workers: list[WorkerProcess] = []
    yield workers
    for worker in workers:
        worker.terminate()


@pytest.fixture
async def running(
    shared_broker: str, registry_url: str, shared_workers: list[WorkerProcess], tmp_path: Path
) -> AsyncIterator[WorkerSystem]:
    """A system with a worker, started by the first test of the file that asks."""
    async with WorkerSystem(shared_broker, registry_url, tmp_path) as system:
        if not shared_workers:
            shared_workers.append(await system.start_worker())
            system.workers.clear()
        yield system
