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
from tests.support.load.process import send
from tests.support.load.spec import Result, Spec
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.topics import create_topics

SAMPLE_S = 0.05
MIB = 1024 * 1024
MAX_CONNECTIONS = 4000  # beyond, a request waits at the sender, and its latency grows


@dataclass
class Frozen:
    """What came of the load; sizes in MiB, the gateway's time on a processor in seconds."""

    load: Result
    rss_before: float
    rss_peak: float
    cpu_s: float

    def __str__(self) -> str:
        load, latency = self.load, self.load.latency
        return (
            f"{latency.count} answers {load.statuses}, {load.unanswered} requests without one, {load.broken} broken; "
            f"p50 {latency.p50:.0f} ms, p99 {latency.p99:.0f} ms, slowest {latency.worst:.0f} ms; "
            f"RSS {self.rss_before:.0f} MiB before, {self.rss_peak:.0f} MiB at its peak; "
            f"{self.cpu_s:.1f} s on a processor"
        )


async def load_a_frozen_gateway(
    directory: Path, kafka: KafkaProcess, registry_url: str, rate: int, seconds: int, **environ: str
) -> Frozen:
    """`kafka` has the gateway's topics. Freezes it, sends, thaws it and sees a callback accepted again."""
    async with running_gateway(kafka.bootstrap_servers, registry_url, directory, is_ready=True, **environ) as client:
        kafka.freeze()
        try:
            frozen = await _measure(client, rate, seconds)
        finally:
            kafka.thaw()
        await client.wait_until_ready()
        return frozen


async def _measure(client: Client, rate: int, seconds: int) -> Frozen:
    process = psutil.Process(client.gateway.pid)
    port = int(client.gateway.url.rsplit(":", 1)[1])
    spec = Spec(port, "5kB", f"frozen-{rate}", seconds, warm_up_s=0, rate=rate, connections=MAX_CONNECTIONS)
    rss = [process.memory_info().rss / MIB]
    cpu_before = sum(process.cpu_times()[:2])
    sending = asyncio.create_task(send(spec))
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
