"""One trace from the sender's request through Kafka to every topic that tells of the call."""

from __future__ import annotations

import time
from pathlib import Path

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    REKEYED_DETAILS,
)
from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail, to_body
from tests.support.processes.gateway import running_gateway
from tests.support.processes.worker import WorkerSystem
from tests.support.requests import signed

TRACE = "0af7651916cd43dd8448eb211c80319c"
STATE = "vendor=1,other=2"
RECORDS = {  # of one delivery of two calls, each with two questions and one dial
    CALLBACKS: 1,
    CALLS: 2,
    ANSWERS: 4,
    CALL_ATTEMPTS: 2,
    REKEYED_DETAILS: 1,
    OUTCOMES_BY_WORKFLOW: 2,
    OUTCOMES_BY_SIP_LINE: 2,
}


async def test_the_senders_trace_or_one_of_ours_goes_from_http_to_every_topic(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    bodies = {
        workflow: to_body(delivery(detail(f"{workflow}-1", now), detail(f"{workflow}-2", now), workflow=workflow))
        for workflow in ("traced", "untraced")
    }
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        await system.start_worker()
        async with running_gateway(system.bootstrap, registry_url, tmp_path) as client:
            for workflow, body in bodies.items():
                sent = (
                    {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": STATE}
                    if workflow == "traced"
                    else {}
                )
                assert (await client.post(body, {**signed(body), **sent})).status_code == 200

        traces: dict[str, set[tuple[str, str, str]]] = {workflow: set() for workflow in bodies}
        for topic, count in RECORDS.items():
            for record in await system.read(topic, 2 * count):
                workflow = "untraced" if "untraced" in repr(record.value) else "traced"
                parent = record.headers["traceparent"].decode()
                traces[workflow].add((parent[3:35], parent[53:], record.headers.get("tracestate", b"").decode()))

    assert traces["traced"] == {(TRACE, "01", STATE)}
    [(own, flags, state)] = traces["untraced"]
    assert (flags, state) == ("00", "")
    assert len(own) == 32
    assert own != TRACE
