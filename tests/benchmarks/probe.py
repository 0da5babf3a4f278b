"""What looking for a probe costs the monitor, by records that lie beside it.

    python -m tests.benchmarks.probe --callbacks 20000

Real broker, 12 partitions, the records of callbacks like the provider's example. Processor time of this process alone,
while it reads one partition of each topic from before the records to their end.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from schemas.headers import TraceContext, headers_for
from schemas.placement import partition_of
from schemas.registry import Registry
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, TOPICS, Topic
from streams.monitor.probe.arrivals import CLOCKS_DIFFER_MS, ArrivalReader
from streams.monitor.probe.ledger import Probe
from streams.rules.fanout import fan_out
from streams.settings import KafkaSettings, WorkerSettings
from tests.benchmarks import machine
from tests.support.deliveries import EXAMPLE
from tests.support.processes.service import KafkaProcess
from tests.support.topics import callback_of, create_topics

PARTITIONS = 12
RATE = 3_000  # callbacks a second
INTERVAL_S, SEEN_AFTER_S = 10, 1.0


def records_of_one() -> list[tuple[Topic, bytes]]:
    """Topic and value of each record that one callback becomes."""
    registry = Registry("http://127.0.0.1:1")
    registry._ids.update({topic.name: number for number, topic in enumerate(TOPICS, start=1)})
    callback = callback_of(EXAMPLE, 1_710_163_600_000)
    made = fan_out(callback, callback.details[0], 1, WorkerSettings().timezone)
    parts = [(CALLBACKS, callback), (CALLS, made.call)]
    parts += [(ANSWERS, answer) for answer in made.answers] + [(CALL_ATTEMPTS, one) for one in made.attempts]
    return [(topic, registry.encode(topic, record)) for topic, record in parts]


async def fill(bootstrap: str, callbacks: int) -> None:
    """Write the records of so many callbacks."""
    one = records_of_one()
    headers = headers_for("Call", "1" * 32, "/airudder/streams", 1_710_163_600_000, TraceContext("2" * 32))
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, compression_type="zstd")
    await producer.start()
    for number in range(callbacks):
        key = f"call-{number}".encode()
        for topic, value in one:
            await producer.send(topic.name, value, key, partition_of(key, PARTITIONS), headers=headers)
    await producer.stop()


async def measure(bootstrap: str, callbacks: int) -> tuple[int, float, float]:
    """Records read, and processor and wall seconds."""
    await create_topics(bootstrap, PARTITIONS)
    probe = Probe("__probe__nowhere", sent_ms=time.time_ns() // 1_000_000 + CLOCKS_DIFFER_MS)
    await fill(bootstrap, callbacks)
    reader = ArrivalReader(KafkaSettings(bootstrap_servers=bootstrap))
    await reader.open()
    await reader.watch([probe])
    starts = sum(reader._next.values())
    read, cpu, wall, empty = 0, time.process_time(), time.monotonic(), 0
    while empty < 4:
        assert await reader.read(0.25) == []
        before, read = read, sum(reader._next.values()) - starts
        empty = empty + 1 if read == before else 0
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    await reader.close()
    return read, cpu, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callbacks", type=int, default=20_000)
    callbacks = parser.parse_args().callbacks
    print(machine.describe())
    with KafkaProcess(Path(tempfile.mkdtemp(prefix="probe-")) / "kafka", steady=True) as kafka:
        read, cpu, wall = asyncio.run(measure(kafka.bootstrap_servers, callbacks))
    each = cpu / read
    beside = RATE * len(records_of_one()) / PARTITIONS
    print(f"{read} records in {wall:.1f} s: {1e6 * each:.1f} microseconds of processor each")
    print(
        f"at {RATE} callbacks/s {beside:.0f} records/s lie beside a probe: seen after {SEEN_AFTER_S:g} s, once in "
        f"{INTERVAL_S} s, {100 * each * beside * SEEN_AFTER_S / INTERVAL_S:.2f} % of a core; looked for all the time, "
        f"{100 * each * beside:.1f} %"
    )


if __name__ == "__main__":
    main()
