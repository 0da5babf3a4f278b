"""How long a worker without its disk takes to be ready, by rows in the changelog of its calls table.

    python -m tests.benchmarks.restore --rows 1000000

Real broker and registry, one worker, 12 partitions. The clock runs from the start of the process to /readyz.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psutil
from aiokafka import AIOKafkaProducer
from msgspec import msgpack

from schemas.placement import partition_of
from schemas.topics import CALLS_TABLE, changelog_name
from streams.rules.calls import CallState, Decision
from streams.rules.fanout import fan_out
from streams.settings import DEFAULT_APP_ID, WorkerSettings
from streams.worker.tables import pack_row
from tests.benchmarks import machine
from tests.support.deliveries import EXAMPLE
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.processes.worker import WorkerSystem
from tests.support.topics import callback_of

PARTITIONS = 12


def row() -> bytes:
    """The row of one call like the provider's example."""
    callback = callback_of(EXAMPLE, 1_710_163_600_000)
    fanned = fan_out(callback, callback.details[0], 1, WorkerSettings().timezone)
    state = CallState(1, b"0" * 16, fanned.outcome, callback.received_at, ["0" * 18], [Decision(0, 0, 1, None)], 1)
    return pack_row(1, msgpack.encode(state))


async def fill(bootstrap: str, rows: int) -> None:
    """Write the changelog."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, max_batch_size=512 * 1024)
    await producer.start()
    topic, value = changelog_name(DEFAULT_APP_ID, CALLS_TABLE), row()
    for number in range(rows):
        key = f"call-{number}".encode()
        await producer.send(topic, value, key=key, partition=partition_of(key, PARTITIONS))
    await producer.stop()


async def measure(bootstrap: str, registry_url: str, directory: Path, rows: int) -> tuple[float, float]:
    """Seconds to ready, and the worker's resident set in MiB then."""
    async with WorkerSystem(bootstrap, registry_url, directory, partitions=PARTITIONS) as system:
        await fill(bootstrap, rows)
        started = time.monotonic()
        worker = await system.start_worker()
        seconds = time.monotonic() - started
        rss = psutil.Process(worker.process.pid).memory_info().rss / 2**20
        assert worker.terminate() == 0
        return seconds, rss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(machine.describe())
    print(f"one row is {len(row())} bytes")
    directory = Path(tempfile.mkdtemp(prefix="restore-"))
    with KafkaProcess(directory / "kafka", steady=True) as kafka, RegistryProcess(directory / "registry") as registry:
        seconds, rss = asyncio.run(measure(kafka.bootstrap_servers, registry.url, directory, rows))
    print(f"{rows} rows: ready after {seconds:.1f} s ({rows / seconds:,.0f} rows/s), {rss:.0f} MiB resident")


if __name__ == "__main__":
    main()
