"""Hostile and valid callbacks through the whole system: `python -m tests.faults.hostile --seed 1 --callbacks 10000`.

A real broker, registry, gateway and worker. Signed callbacks go in over HTTP; a stranger writes to the topics and to
the changelogs. Then: each callback was answered 200, the worker is the one that was started, each call is in the topics
or in dead letters, and the windows are the oracle's. At last a worker without a disk restores from those changelogs and
goes on. Exit code 1 when anything differs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaProducer

from schemas.errors import SchemaError
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, DEAD_LETTERS, SIP_LINE_OUTCOMES, TABLES, WORKFLOW_OUTCOMES, changelog_name
from streams.tools.dead_letters.letters import Origin, origin_of
from tests.support.comparison import Poison, Report, compare
from tests.support.hostile import Hostile, Json, is_over
from tests.support.oracle import Arrival, event_id_of
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.system import GROUP, FaultySystem, faulty_system
from tests.support.topics import callback_of

AT_ONCE = 16
EACH = 200
STRANGERS_PER_CALLBACK = 0.1
AFTER_RESTORE = 20
SHOWN = 20
DAY_MS = 86_400_000

Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What a run came to. `faults`: all that must not be, in words."""

    sent: int = 0
    strangers: set[Origin] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    report: Report = field(default_factory=Report)
    faults: list[str] = field(default_factory=list)
    other: int = 0
    seconds: float = 0.0


@dataclass
class Attack:
    """One run."""

    faulty: FaultySystem
    client: Client
    producer: Any
    hostile: Hostile
    chance: Random
    tell: Tell
    outcome: Outcome = field(default_factory=Outcome)

    async def send(self, count: int) -> None:
        """Callbacks over HTTP, with foreign records among them."""
        for _ in range(0, count, EACH):
            some = [self.hostile.delivery(_ended()) for _ in range(min(EACH, count - self.outcome.sent))]
            self.outcome.sent += len(some)
            await self._post_all(some)
            await self._intrude(some)
            self.tell(f"{self.outcome.sent} callbacks sent, {len(self.outcome.strangers)} records of strangers")

    async def _post_all(self, some: Sequence[Json]) -> None:
        at_once = asyncio.Semaphore(AT_ONCE)

        async def post(made: Json) -> None:
            async with at_once:
                body = json.dumps(made, ensure_ascii=False).encode()
                self.faulty.sent[event_id_of(made)] = made
                self.outcome.answers[(await self.client.post(body)).status_code] += 1

        await asyncio.gather(*map(post, some))

    async def _intrude(self, some: Sequence[Json]) -> None:
        now_ms = time.time_ns() // 1_000_000
        for made in some:
            if self.chance.random() < STRANGERS_PER_CALLBACK:
                foreign = self.hostile.foreign(callback_of(made, now_ms), now_ms)
                value = foreign.value
                if value is not None and not isinstance(value, bytes):
                    value = self.faulty.system.registry.encode(foreign.topic, value)
                headers = [(name, given or b"") for name, given in foreign.headers]
                key = b"" if value is None and foreign.key is None else foreign.key  # aiokafka sends no nothing
                sent = await self.producer.send_and_wait(foreign.topic.name, value, key=key, headers=headers)
                self.outcome.strangers.add(Origin(sent.topic, sent.partition, sent.offset))
        for table in TABLES:
            garbage = self.chance.choice((b"", b"not a row", b"\xff" * 8 + b"\x02" + b"a later format"))
            await self.producer.send_and_wait(changelog_name(GROUP, table), garbage, key=self.chance.randbytes(4))

    async def check(self) -> None:
        """Hold everything against what was sent."""
        await self.faulty.wait_until_processed()
        arrivals, poison = await self._log()
        outputs = await self.faulty.outputs()
        letters = outputs[DEAD_LETTERS.name]
        self.outcome.reasons = Counter(read.value.reason for read in letters)
        elsewhere = {origin_of(read.value) for read in letters if read.value.source_topic != CALLBACKS.name}
        expected = {origin for origin in self.outcome.strangers if origin.topic != CALLBACKS.name}
        windows = [read.value for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES) for read in outputs[topic.name]]
        self.outcome.other = len({(one.value, one.window_start_at) for one in windows if one.overflow})
        here = [read for read in letters if read.value.source_topic == CALLBACKS.name]
        self.outcome.report = compare(arrivals, poison, {**outputs, DEAD_LETTERS.name: here})
        faults = [f"{answer}: {count} answers" for answer, count in self.outcome.answers.items() if answer != 200]
        faults += [f"{origin}: a foreign record is no dead letter" for origin in expected - elsewhere]
        faults += [f"{origin}: a dead letter of no foreign record" for origin in elsewhere - expected]
        missing = self.faulty.sent.keys() - {arrival.event_id for arrival in arrivals} - self._over()
        faults += [f"{event_id}: acknowledged and not in the topic" for event_id in missing]
        self.outcome.faults += [*faults, *self.outcome.report.differences]

    def _over(self) -> set[str]:
        return {event_id for event_id, made in self.faulty.sent.items() if is_over(made)}

    async def _log(self) -> tuple[list[Arrival], list[Poison]]:
        """The callbacks topic: what the oracle counts, and what must be a dead letter."""
        arrivals, poison = [], []
        for record in await self.faulty._raw(CALLBACKS.name):
            origin = Origin(record.topic, record.partition, record.offset)
            delivery = None if origin in self.outcome.strangers else await self._delivery(record)
            if delivery is None or is_over(delivery[0]):
                poison.append(Poison(record.partition, record.offset, record.key, record.value))
            else:
                arrivals.append(Arrival(*delivery, record.partition))
        return arrivals, poison

    async def _delivery(self, record: Any) -> tuple[Json, int] | None:
        try:
            callback = await self.faulty.system.registry.decode(record.value or b"", Callback)
        except SchemaError:
            return None
        return self.faulty.sent[callback.event_id], callback.received_at


def _ended() -> str:
    return f"{datetime.now(UTC) - timedelta(seconds=60):%Y-%m-%d %H:%M:%S}"


async def attack(directory: Path, seed: int, callbacks: int, tell: Tell) -> Outcome:
    """One run in a new installation below `directory`."""
    began, chance = time.monotonic(), Random(seed)
    async with faulty_system(directory, {}, partitions=3) as faulty:
        system = faulty.system
        worker = await system.start_worker()
        producer = AIOKafkaProducer(bootstrap_servers=system.bootstrap, max_request_size=5_000_000)
        await producer.start()
        try:
            async with running_gateway(system.bootstrap, system.registry_url, directory) as client:
                run = Attack(faulty, client, producer, Hostile(chance, prefix=f"s{seed}"), chance, tell)
                await run.send(callbacks)
                tell("all sent; waiting until the worker has done it")
                await run.check()
                if worker.process.poll() is not None:
                    run.outcome.faults.append(f"the worker ended with {worker.process.returncode}")
                tell("a worker without a disk takes over")
                worker.terminate()
                await system.start_worker("w2")
                await run.send(callbacks + AFTER_RESTORE)
                await run.check()
        finally:
            await producer.stop()
    run.outcome.seconds = time.monotonic() - began
    return run.outcome


def main(
    seed: Annotated[int, typer.Option(help="Where chance begins: the same seed, the same callbacks.")] = 1,
    callbacks: Annotated[int, typer.Option(help="How many are sent over HTTP.")] = 10_000,
    keep: Annotated[Path | None, typer.Option(help="Keep data and logs here.")] = None,
) -> None:
    """Send hostile but valid callbacks and foreign records through the whole system, then check everything."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        directory = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print(f"seed {seed}: data and logs in {directory}", flush=True)
        outcome = asyncio.run(attack(directory, seed, callbacks, partial(print, flush=True)))
    for fault in outcome.faults[:SHOWN]:
        print(f"  {fault}"[:600], flush=True)
    print(told(outcome), flush=True)
    raise typer.Exit(int(bool(outcome.faults)))


def told(outcome: Outcome) -> str:
    """The figures of a run."""
    records = ", ".join(f"{count} {topic}" for topic, count in outcome.report.records.items())
    reasons = ", ".join(f"{count} {reason}" for reason, count in outcome.reasons.items())
    windows = f"{outcome.report.windows} windows, {outcome.other} with `other`"
    return (
        f"{outcome.sent} callbacks, {len(outcome.strangers)} records of strangers, answers {dict(outcome.answers)}\n"
        f"{records}; {windows}; {outcome.report.revised} calls revised\n"
        f"dead letters: {reasons or 'none'}; {len(outcome.faults)} differences; {outcome.seconds:.0f} s"
    )


if __name__ == "__main__":
    typer.run(main)
