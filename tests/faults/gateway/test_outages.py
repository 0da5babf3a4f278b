"""Every outage, met by a gateway without and one with a spool: an answer in time, a true one, and back by itself."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from schemas.topics import CALLBACKS
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.broker import OUTAGES, Outage, ProxiedKafka
from tests.support.processes.gateway import Client, end_offsets, records_since, running_gateway
from tests.support.processes.proxy import Proxy
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

DEADLINE_S = 3.0
ANSWER_S = DEADLINE_S + 0.5
NOTICED_S = 5.0
RECOVERY_S = 5.0
OUTAGE_S = 6.0
POSTS_EVERY_S = 0.25
PATIENCE_S = 30.0

log = structlog.get_logger()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKafka]:
    with Proxy() as proxy, ProxiedKafka(tmp_path_factory.mktemp("outages"), proxy) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka


class Pair(NamedTuple):
    """Two gateways on one broker."""

    plain: Client
    spooling: Client


@pytest.fixture
async def pair(kafka: ProxiedKafka, registry_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    (tmp_path / "plain").mkdir()
    (tmp_path / "spooling").mkdir()
    async with AsyncExitStack() as stack:
        plain = running_gateway(kafka.bootstrap_servers, registry_url, tmp_path / "plain")
        spooling = running_gateway(
            kafka.bootstrap_servers, registry_url, tmp_path / "spooling", GATEWAY_SPOOL_DIR=str(tmp_path / "spool")
        )
        yield Pair(await stack.enter_async_context(plain), await stack.enter_async_context(spooling))


class Answer(NamedTuple):
    """One answer: how long it took, and the event it was for."""

    event_id: str
    status: int
    took_s: float


POSTED: set[str] = set()  # every event of this module, answered or not


async def post(client: Client, call_id: str) -> Answer:
    body = to_body(with_detail(call_id=call_id))
    POSTED.add(hashlib.sha256(body).hexdigest())
    started = time.monotonic()
    response = await client.post(body)
    took_s = time.monotonic() - started
    assert response.status_code not in (429, 503) or int(response.headers["retry-after"]) >= 1
    return Answer(hashlib.sha256(body).hexdigest(), response.status_code, took_s)


async def post_for_a_while(client: Client, prefix: str) -> list[Answer]:
    """Posts at a steady pace for OUTAGE_S, whether or not the ones before are answered."""
    posts: list[asyncio.Task[Answer]] = []
    loop = asyncio.get_running_loop()
    started = loop.time()
    while loop.time() < started + OUTAGE_S:
        posts.append(asyncio.create_task(post(client, f"{prefix}-{len(posts)}")))
        await _until(started + len(posts) * POSTS_EVERY_S)
    return list(await asyncio.gather(*posts))


async def _until(instant: float) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.call_at(instant, arrived.set_result, None)
    await arrived


async def seconds_until(what: str, client: Client, *, is_ready: bool) -> float:
    started = time.monotonic()

    async def is_so() -> bool:
        return await client.is_ready() == is_ready

    await wait_until(is_so, PATIENCE_S, what)
    return time.monotonic() - started


async def seconds_until_accepted(client: Client, prefix: str) -> float:
    """Until the first 200, trying afresh at a steady pace without waiting for slow answers."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    tries: set[asyncio.Task[Answer]] = set()
    accepted = loop.create_future()

    def note(answer: asyncio.Task[Answer]) -> None:
        if answer.result().status == 200 and not accepted.done():
            accepted.set_result(loop.time() - started)

    while not accepted.done():
        assert loop.time() < started + PATIENCE_S, f"no 200 within {PATIENCE_S} s"
        task = asyncio.create_task(post(client, f"{prefix}-after-{len(tries)}"))
        task.add_done_callback(note)
        tries.add(task)
        await _until(started + len(tries) * POSTS_EVERY_S)
    await asyncio.gather(*tries)
    return float(accepted.result())


async def is_drained(client: Client) -> bool:
    text = (await client.http.get(client.gateway.ops_url + "/metrics")).text
    return 'webhook_spool_entries{state="waiting"} 0.0' in text


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.name)
async def test_an_outage_is_answered_in_time_and_truthfully_and_ends_without_a_restart(
    kafka: ProxiedKafka, pair: Pair, outage: Outage
) -> None:
    pids = [client.gateway.pid for client in pair]
    if outage.prepare:
        await outage.prepare(kafka)
        await asyncio.gather(*(seconds_until_accepted(client, "prepared") for client in pair))
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    await outage.begin(kafka)
    try:
        plain, spooling, noticed_s = await asyncio.gather(
            post_for_a_while(pair.plain, f"{outage.name}-plain"),
            post_for_a_while(pair.spooling, f"{outage.name}-spooling"),
            seconds_until("503", pair.plain, is_ready=False) if outage.is_noticed else _zero(),
        )
        ready_on_disk = await pair.spooling.readyz()
    finally:
        await outage.end(kafka)
    first_200_s = await seconds_until_accepted(pair.plain, outage.name)
    await wait_until(lambda: is_drained(pair.spooling), PATIENCE_S, "the spool to be drained")
    ready_s = await seconds_until("200", pair.plain, is_ready=True)
    if outage.is_set_aside:  # set aside: a start gives it another chance
        await pair.spooling.gateway.stop()
        pair.spooling.gateway.start()
        await pair.spooling.wait_until_ready()
        await wait_until(lambda: is_drained(pair.spooling), PATIENCE_S, "the spool to be drained")
        pids[1] = pair.spooling.gateway.pid

    if outage.is_new_topic:
        start = dict.fromkeys(start, 0)
    stored = {dict(record.headers)["ce_id"].decode() for record in await records_since(kafka.bootstrap_servers, start)}
    slowest_s = max(answer.took_s for answer in [*plain, *spooling])
    log.info(
        outage.name,
        answers=len(plain) + len(spooling),
        slowest_s=round(slowest_s, 2),
        without_spool=dict(Counter(answer.status for answer in plain)),
        with_spool=dict(Counter(answer.status for answer in spooling)),
        not_ready_after_s=round(noticed_s, 1),
        first_200_after_s=round(first_200_s, 2),
        ready_after_s=round(first_200_s + ready_s, 1),
    )
    assert slowest_s < ANSWER_S
    assert {answer.status for answer in plain} <= outage.without_spool
    assert {answer.status for answer in plain} & {413, 503}, "the fault did not bite"
    assert {answer.status for answer in spooling} <= outage.with_spool
    assert noticed_s <= NOTICED_S
    assert ready_on_disk.status_code == 200
    assert ready_on_disk.json()["notes"] or not (outage.is_noticed or outage.is_set_aside)
    assert first_200_s <= RECOVERY_S
    acknowledged = {answer.event_id for answer in [*plain, *spooling] if answer.status == 200}
    assert acknowledged
    assert acknowledged <= stored <= POSTED
    assert pids == [client.gateway.pid for client in pair]


async def _zero() -> float:
    return 0.0
