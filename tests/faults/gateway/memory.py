"""What a gateway takes and answers while Kafka is frozen and requests go on arriving, whether or not they are answered.

`python -m tests.faults.gateway.memory --rate 1000 --rate 2000 --seconds 30`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
import uvloop

from streams.topics.schemas import apply_schemas
from tests.faults.gateway.sender import Load, make_requests, send
from tests.support.processes.gateway import Client, create_topics, running_gateway
from tests.support.processes.service import KafkaProcess, RegistryProcess

SAMPLE_S = 0.05
MIB = 1024 * 1024


@dataclass
class Frozen:
    """What came of the load; sizes in MiB, the gateway's time on a processor in seconds."""

    load: Load
    rss_before: float
    rss_peak: float
    cpu_s: float

    def __str__(self) -> str:
        return (
            f"{self.load}; RSS {self.rss_before:.0f} MiB before, {self.rss_peak:.0f} MiB at its peak; "
            f"{self.cpu_s:.1f} s on a processor"
        )


async def load_a_frozen_gateway(
    directory: Path, kafka: KafkaProcess, registry_url: str, rate: int, seconds: int, **environ: str
) -> Frozen:
    """`kafka` has the gateway's topics. Freezes it, sends, thaws it and sees a callback accepted again."""
    requests = make_requests(rate * seconds)
    async with running_gateway(kafka.bootstrap_servers, registry_url, directory, is_ready=True, **environ) as client:
        kafka.freeze()
        try:
            frozen = await _measure(client, requests, rate)
        finally:
            kafka.thaw()
        await client.wait_until_ready()
        return frozen


async def _measure(client: Client, requests: list[bytes], rate: int) -> Frozen:
    process = psutil.Process(client.gateway.pid)
    host, port = client.gateway.url.removeprefix("http://").split(":")
    rss = [process.memory_info().rss / MIB]
    cpu_before = sum(process.cpu_times()[:2])
    sending = asyncio.create_task(send(host, int(port), requests, rate))
    while not sending.done():
        rss.append(process.memory_info().rss / MIB)
        await asyncio.wait([sending], timeout=SAMPLE_S)
    return Frozen(sending.result(), rss[0], max(rss), sum(process.cpu_times()[:2]) - cpu_before)


def main(
    rates: Annotated[list[int], typer.Option("--rate", help="Requests a second; give several, one after another.")],
    seconds: Annotated[int, typer.Option(help="How long each.")] = 30,
    settings: Annotated[list[str] | None, typer.Option("--setting", help="Of the gateway, as NAME=VALUE.")] = None,
) -> None:
    """Start Kafka, registry and a gateway, freeze Kafka, send, and print memory and answers."""
    environ = dict(setting.split("=", 1) for setting in settings or [])
    with tempfile.TemporaryDirectory() as name, KafkaProcess(Path(name) / "kafka") as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        with RegistryProcess(Path(name) / "registry") as registry:
            asyncio.run(apply_schemas(registry.url))
            for rate in rates:
                frozen = uvloop.run(load_a_frozen_gateway(Path(name), kafka, registry.url, rate, seconds, **environ))
                sys.stdout.write(f"{frozen}\n")


if __name__ == "__main__":
    typer.run(main)
