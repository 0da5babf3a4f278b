"""What the monitor costs with many workflows and lines: its first views, /metrics, memory, processor.

    python -m tests.benchmarks.monitor --values 10000 --busy 100 --days 30

Real broker and registry, one monitor. Each workflow and each line has a pane of each of the last three five minutes and
of each hour of the last day; the first `--busy` of them have every pane of `--days`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx2
import psutil
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from schemas.topics import SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES, Topic
from tests.benchmarks import machine
from tests.support.panes import PANE_MS, line_workflow, pane, question
from tests.support.processes.monitor import MonitorProcess, key_of, running_monitor
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

HOUR_MS = 3_600_000
PANES_A_DAY = 86_400_000 // PANE_MS
LOADED_S = 1_800.0
REPEATS = 5
IDLE_S = 20.0
DRAWN = 64  # different panes; all others repeat their counts

PATHS = ("/", "/api/health", "/metrics")


def outcomes(dimension: str, random: Random) -> WindowedOutcomes:
    """The pane of a busy line or workflow; value and time come later."""
    attempts = random.randrange(20, 200)
    answered, busy, failed = attempts // 2, attempts // 5, attempts // 20
    silent = attempts - answered - busy - failed
    workflow = f"wf-{random.randrange(100)}"
    words = {"answered": answered, "user_busy": busy, "pre_alert_failure": failed, "no_answer": silent}
    return pane(
        dimension=dimension,
        calls=attempts,
        answered=answered,
        attempts=attempts,
        results={"finished": attempts},
        hangup_types={"ByCallee": attempts - answered, "ByRobot": answered},
        ring_types={"normal": attempts - busy, "busy": busy},
        dispositions=words,
        attempt_dispositions=words,
        duration_s_sum=40 * answered,
        answered_duration_s_sum=40 * answered,
        questions={f"Q{n}": question(answered // 2, answered // 4, answered // 8, attempts) for n in range(4)},
        answered_on_attempt={"1": answered},
        reached_attempt={"1": attempts},
        by_workflow={workflow: line_workflow(attempts, answered, attempts - failed, failed)}
        if dimension == "sip_line"
        else {},
    )


def starts(number: int, busy: int, days: int, now_ms: int) -> Iterator[int]:
    """Where the panes of one value begin, the newest last."""
    newest = now_ms // PANE_MS * PANE_MS
    if number < busy:
        yield from range(newest - (days * PANES_A_DAY - 1) * PANE_MS, newest + 1, PANE_MS)
        return
    yield from (newest - hours * HOUR_MS for hours in range(24, 0, -1))
    yield from (newest - 2 * PANE_MS, newest - PANE_MS, newest)


async def fill(bootstrap: str, registry: Registry, topic: Topic, values: int, busy: int, days: int) -> int:
    """Write the panes of one dimension; how many."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, max_batch_size=512 * 1024)
    await producer.start()
    dimension, prefix = ("workflow", "wf") if topic is WORKFLOW_OUTCOMES else ("sip_line", "line")
    drawn = [outcomes(dimension, Random(seed)) for seed in range(DRAWN)]
    sent, now_ms = 0, int(time.time() * 1000)
    for number in range(values):
        for start in starts(number, busy, days, now_ms):
            bounds = {"window_start_at": start, "window_end_at": start + PANE_MS}
            record = replace(drawn[sent % DRAWN], value=f"{prefix}-{number}", **bounds)
            await producer.send(topic.name, registry.encode(topic, record), key_of(record))
            sent += 1
    await producer.stop()
    return sent


async def timed(client: httpx2.AsyncClient, path: str) -> tuple[float, int]:
    """Milliseconds until the answer is here whole, and its bytes."""
    began = time.perf_counter()
    answer = await client.get(path)
    answer.raise_for_status()
    return (time.perf_counter() - began) * 1000, len(answer.content)


async def look(url: str) -> None:
    """Print what each path took at first and afterwards."""
    async with httpx2.AsyncClient(base_url=url, timeout=120) as client:
        for path in PATHS:
            first, size = await timed(client, path)
            again = [(await timed(client, path))[0] for _ in range(REPEATS)]
            print(f"{path:12} first {first:7.0f} ms, then {statistics.median(again):6.0f} ms, {size / 1024:8.0f} KiB")


async def loaded_mib(monitor: MonitorProcess) -> float:
    """The resident set once every outcome is read."""

    async def is_loaded() -> bool:
        return await monitor.status("/api/outcomes/workflows?limit=1") == 200

    await wait_until(is_loaded, LOADED_S, "the outcomes read")
    return float(psutil.Process(monitor.process.pid).memory_info().rss / 2**20)


async def measure(bootstrap: str, registry_url: str, directory: Path, values: int, busy: int, days: int) -> None:
    """Fill the topics, start a monitor, look at it."""
    await create_topics(bootstrap)
    registry = Registry(registry_url)
    await registry.register((WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES))
    with running_monitor(bootstrap, registry_url, directory / "empty.log") as monitor:
        empty_mib = await loaded_mib(monitor)
    topics = (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)
    panes = sum([await fill(bootstrap, registry, topic, values, busy, days) for topic in topics])
    await registry.aclose()
    began = time.monotonic()
    with running_monitor(bootstrap, registry_url, directory / "monitor.log") as monitor:
        process, full_mib = psutil.Process(monitor.process.pid), await loaded_mib(monitor)
        print(
            f"{panes} panes read in {time.monotonic() - began:.0f} s; {full_mib:.0f} MiB, {empty_mib:.0f} without any"
        )
        print(f"{(full_mib - empty_mib) * 2**20 / panes:.0f} bytes a pane")
        await look(monitor.url)
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        await asyncio.sleep(IDLE_S)
        share = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
        print(f"with nobody looking: {100 * share:.1f} % of a core; {process.memory_info().rss / 2**20:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=10_000, help="workflows, and as many lines")
    parser.add_argument("--busy", type=int, default=100, help="how many of them have every pane")
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    print(machine.describe())
    directory = Path(tempfile.mkdtemp(prefix="monitor-"))
    with KafkaProcess(directory / "kafka", steady=True) as kafka, RegistryProcess(directory / "registry") as registry:
        asyncio.run(measure(kafka.bootstrap_servers, registry.url, directory, asked.values, asked.busy, asked.days))


if __name__ == "__main__":
    main()
