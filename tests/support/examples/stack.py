"""The live system that all examples read: `up --demo`, our own callbacks, and a stranger's records on every topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from schemas.registry import Registry
from schemas.signatures.keys import Key
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES, Topic
from tests.support.examples.deliveries import CALLS_COUNTED, bodies
from tests.support.examples.strangers import write_strangers
from tests.support.processes.up import Up
from tests.support.requests import signed
from tests.support.topics import Subscriber
from tests.support.waiting import wait_until

READ_BY_EXAMPLES: tuple[Topic, ...] = (CALLS, ANSWERS, CALL_ATTEMPTS, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)
KEY = Key("default", b"airudder")
COUNTED_S = 60.0


@dataclass(frozen=True)
class Stack:
    """Where it is. `sentinels`: by topic the `ce_id` of the last record of each partition that we wrote."""

    bootstrap: str
    registry_url: str
    sentinels: dict[str, frozenset[str]]

    @property
    def environ(self) -> dict[str, str]:
        """The addresses as every example takes them."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap, "SCHEMA_REGISTRY_URL": self.registry_url}


@contextmanager
def running_stack(directory: Path) -> Iterator[Stack]:
    """Start it below `directory`; it is filled when this returns, and the demo goes on."""
    up = Up(directory / "data", demo=True)
    try:
        up.wait_until_ready()
        yield asyncio.run(_filled(up))
    finally:
        up.stop()


async def _filled(up: Up) -> Stack:
    await _post(up.url("post"))
    registry = Registry(up.url("registry"))
    try:
        await _counted(Subscriber(up.url("bootstrap"), registry))
        sentinels = {
            topic.name: await write_strangers(up.url("bootstrap"), registry, up.url("registry"), topic)
            for topic in READ_BY_EXAMPLES
        }
    finally:
        await registry.aclose()
    return Stack(up.url("bootstrap"), up.url("registry"), sentinels)


async def _post(url: str) -> None:
    """One after the other: which delivery of a call is the correction follows from the order."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        for body in bodies():
            answer = await http.post(url, content=body, headers=signed(body, key=KEY))
            assert answer.status_code == 200, answer.text


async def _counted(subscriber: Subscriber) -> None:
    """Until the windows have every call: then all of its other records are there too."""

    async def counted() -> bool:
        latest = {record.key: record.value for record in await subscriber.read(WORKFLOW_OUTCOMES)}
        return sum(int(window.calls) for window in latest.values() if window.value == "wf-1") == CALLS_COUNTED

    await wait_until(counted, COUNTED_S, f"{CALLS_COUNTED} calls in the windows")
