"""Metrics of several worker processes, told by one: prometheus_client's multiprocess mode, by worker number.

The values are in memory-mapped files, so what a killed worker had counted is there to be told, and its successor, which
has its number and so its files, counts on from it: no counter goes back, and no file is left over by a restart.
Each gauge says how the workers' values become one (`multiprocess_mode`): `live` ones leave out a worker that died.
Source: prometheus_client's documentation, "Multiprocess Mode", and `values.MultiProcessValue`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric, multiprocess, values
from prometheus_client.registry import Collector


def share_values(directory: Path, number: int) -> None:
    """Keep the values of all metrics made in this process from now on in `directory`, as those of worker `number`."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # untyped there


def forget_moment(directory: Path, number: int) -> None:
    """A worker died: what was so at its last moment is so no more. What it counted stays."""
    multiprocess.mark_process_dead(number, str(directory))  # type: ignore[no-untyped-call]  # untyped there


class WorkersCollector(Collector):
    """The workers' metrics as one process would tell them."""

    def __init__(self, directory: Path) -> None:
        self._files: Collector = multiprocess.MultiProcessCollector(None, str(directory))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        yield from self._files.collect()
