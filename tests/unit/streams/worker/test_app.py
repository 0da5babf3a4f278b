"""What a worker sets up for its process when it starts. No broker."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from schemas.registry import Registry
from schemas.topics import BY_NAME
from streams.settings import WorkerSettings
from streams.worker.app import COLLECT_AFTER, Worker
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import WorkerState


@pytest.fixture
def _same_gc_after() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("_same_gc_after")
async def test_once_started_it_looks_for_cycles_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("http://127.0.0.1:1")
    worker = Worker(
        WorkerSettings(data_dir=tmp_path), dict.fromkeys(BY_NAME, 1), registry, WorkerState(), WorkerMetrics()
    )
    monkeypatch.setattr(worker.app, "start", AsyncMock())
    monkeypatch.setattr(worker.housekeeping, "run", AsyncMock())

    await worker._work()

    assert gc.get_threshold()[0] == COLLECT_AFTER
    assert gc.get_freeze_count() > 0
    worker.app.consumer._thread.thread_loop.close()
    await registry.aclose()
