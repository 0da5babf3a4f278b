"""Metrics of several worker processes, served by the parent: prometheus_client's multiprocess mode, by worker number.

The values are in memory-mapped files, one set per worker number. What a killed worker had counted stays, and its
successor counts on in the same files: no counter goes back, and a restart leaves no file behind. Each gauge declares
how the workers' values become one (`multiprocess_mode`); the `live` modes leave out a worker that died.
Source: prometheus_client's documentation, "Multiprocess Mode", and `values.MultiProcessValue`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric, multiprocess, values
from prometheus_client.registry import Collector


def share_values(directory: Path, number: int) -> None:
    """Store the values of all metrics that this process creates from now on in `directory`, as worker `number`."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # untyped there


def drop_live_gauges(directory: Path, number: int) -> None:
    """Drop the live gauges of a worker that died; its counters stay."""
    multiprocess.mark_process_dead(number, str(directory))  # type: ignore[no-untyped-call]  # untyped there


class WorkersCollector(Collector):
    """The workers' metrics as those of one process."""

    def __init__(self, directory: Path) -> None:
        self._files: Collector = multiprocess.MultiProcessCollector(None, str(directory))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        yield from self._files.collect()
