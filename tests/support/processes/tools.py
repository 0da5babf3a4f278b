"""The tools as a user runs them, beside a system of the test's own."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import NamedTuple

from schemas.reader import TopicReader
from schemas.topics import CO_PARTITIONED
from streams.settings import DEFAULT_APP_ID, KafkaSettings
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until


class Ran(NamedTuple):
    """One command that has ended."""

    code: int
    stdout: str
    stderr: str


def environ_of(system: WorkerSystem, **environ: str) -> dict[str, str]:
    """The environment of a shell beside the system."""
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": system.bootstrap,
        "SCHEMA_REGISTRY_URL": system.registry_url,
        "AIRUDDER_TOPIC_PREFIX": system.prefix,
        "COLUMNS": "250",
        **system.settings,
        **environ,
    }


async def run(system: WorkerSystem, *arguments: str, program: str = "streams", **environ: str) -> Ran:
    """`python -m streams ...` with the system's environment, until it ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, *arguments),
        env=environ_of(system, **environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Ran(process.returncode, stdout.decode(), stderr.decode())


async def wait_until_committed(system: WorkerSystem) -> None:
    """Wait until the worker has committed all it was given: nothing is on its way any more."""
    kafka = KafkaSettings(bootstrap_servers=system.bootstrap, topic_prefix=system.prefix)
    async with TopicReader(kafka, kafka.names.group(DEFAULT_APP_ID)) as reader:

        async def is_done() -> bool:
            ends = await reader.ends(*CO_PARTITIONED)
            return await reader.committed(*CO_PARTITIONED) == ends

        await wait_until(is_done, 60, "the worker has committed everything")
