"""How many callbacks a second one worker processes: fan-out, dedup, both windows, all committed.

    python -m tests.benchmarks.worker --callbacks 30000 [--repetitions 3] [--answers 8] [--against-fastavro]

Real broker and registry, 4 partitions, fresh topics each time. The callbacks are there before the worker starts. The
clock runs from the first record worked on to the commit of the last, and the windows must then count every call.
With --against-fastavro each repetition also runs a worker without `schemas.compiled`, one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import CO_PARTITIONED, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from streams.settings import DEFAULT_APP_ID
from tests.benchmarks import machine
from tests.support.deliveries import delivery, detail, question, redial
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

PARTITIONS = 4
WORKFLOWS = 50
LINES = 10
AT_ONCE = 2000

WORKER = ("-m", "streams", "worker")
BY_FASTAVRO = (
    "-c",
    "import sys; from schemas import codec; codec._writer = codec._reader = lambda record: None;"
    "from streams.worker.main import main; import os; sys.exit(main(os.environ))",
)


def one(number: int, answers: int) -> dict[str, Any]:
    """One callback of an answered call with one redial."""
    call = detail(
        f"call-{number}",
        question_answer=[question(f"Q{i}") for i in range(answers)],
        redail_call=[redial(f"call-{number}-1", "2024-03-11 13:20:00")],
        call_times=2,
    )
    return delivery(call, workflow=f"wf-{number % WORKFLOWS}", line=f"LINE_{number % LINES}")


class Progress:
    """What the worker's group has committed, of all it reads."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    async def __aenter__(self) -> Progress:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def of(self, topic: str) -> tuple[int, int]:
        """Committed and end offsets, summed over the partitions."""
        committed = await self._admin.list_consumer_group_offsets(DEFAULT_APP_ID)
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = await self._consumer.end_offsets(partitions)
        return sum(committed[tp].offset for tp in partitions if tp in committed), sum(ends.values())


async def measure(
    kafka: KafkaProcess,
    registry: RegistryProcess,
    directory: Path,
    callbacks: int,
    answers: int,
    command: tuple[str, ...],
) -> dict[str, float]:
    """One run: callbacks a second, CPU cores used, CPU microseconds a callback, MiB resident."""
    system = WorkerSystem(kafka.bootstrap_servers, registry.url, directory, partitions=PARTITIONS, command=command)
    async with system:
        for first in range(0, callbacks, AT_ONCE):
            batch = [one(number, answers) for number in range(first, min(first + AT_ONCE, callbacks))]
            await system.writer.write(batch, 1_710_163_600_000)
        worker = system.launch_worker()
        process = psutil.Process(worker.process.pid)
        await wait_until(worker.is_ready, 180, "the worker is ready")
        started, cpu = time.monotonic(), sum(process.cpu_times()[:2])
        async with Progress(kafka.bootstrap_servers) as progress:
            await wait_until(lambda: _is_done(progress, callbacks), 3600, "everything committed")
        seconds, used = time.monotonic() - started, sum(process.cpu_times()[:2]) - cpu
        for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
            counted = sum(window.calls for window in (await system.windows(topic)).values())
            assert counted == callbacks, f"{counted} of {callbacks} counted in {topic.name}"
        rss = process.memory_info().rss / 2**20
        return {
            "callbacks/s": callbacks / seconds,
            "cores": used / seconds,
            "CPU us": used / callbacks * 1e6,
            "MiB": rss,
        }


async def _is_done(progress: Progress, callbacks: int) -> bool:
    for topic in CO_PARTITIONED:
        committed, end = await progress.of(topic.name)
        if committed < end:
            return False
    return (await progress.of(CO_PARTITIONED[0].name))[0] == callbacks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callbacks", type=int, default=30_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--answers", type=int, default=8)
    parser.add_argument("--against-fastavro", action="store_true")
    options = parser.parse_args()
    print(machine.describe())
    commands = {"worker": WORKER, "by fastavro": BY_FASTAVRO} if options.against_fastavro else {"worker": WORKER}
    directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
    rates: dict[str, list[float]] = {name: [] for name in commands}
    with RegistryProcess(directory / "registry") as registry:
        for number, name in itertools.product(range(options.repetitions), commands):
            here = directory / f"{number}-{name.replace(' ', '-')}"
            here.mkdir()
            with KafkaProcess(here / "kafka", steady=True) as kafka:
                arguments = (kafka, registry, here, options.callbacks, options.answers, commands[name])
                run = asyncio.run(measure(*arguments))
            rates[name].append(run["callbacks/s"])
            print(f"{name:12}", "  ".join(f"{unit} {value:,.1f}" for unit, value in run.items()), flush=True)
    for name, some in rates.items():
        print(f"{name:12} median {statistics.median(some):,.0f} callbacks/s of {len(some)} runs")


if __name__ == "__main__":
    main()
