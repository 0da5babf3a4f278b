"""Windowed outcomes over HTTP: what lies in the compacted topics is what the API, the page and the metrics say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from aiokafka import AIOKafkaProducer

from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from schemas.topics import WORKFLOW_OUTCOMES
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane, question
from tests.support.processes.monitor import (
    MonitorProcess,
    kafka_producer,
    key_of,
    running_monitor,
    send_outcomes,
)
from tests.support.processes.service import KafkaProcess
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

READY_S = 30
SEEN_S = 15


class Stack:
    """A broker of these tests' own (the outcome topics have fixed names), the session's registry, and a monitor."""

    def __init__(self, bootstrap: str, registry_url: str, monitor: MonitorProcess) -> None:
        self.bootstrap, self.registry_url, self.monitor = bootstrap, registry_url, monitor

    async def send(self, *records: WindowedOutcomes) -> None:
        await send_outcomes(self.bootstrap, self.registry_url, *records)

    async def windows(self, path: str) -> list[dict[str, Any]]:
        answer = await self.monitor.get(path)
        assert answer is not None
        return list(answer.json()["windows"]) if answer.status_code == 200 else []

    async def seen(self, path: str, count: int = 1) -> list[dict[str, Any]]:
        """The windows of a path once there are `count`."""

        async def enough() -> list[dict[str, Any]] | None:
            windows = await self.windows(path)
            return windows if len(windows) == count else None

        found: Any = await wait_until(enough, SEEN_S, f"{count} windows at {path}")
        return list(found)


@pytest.fixture(scope="module")
def stack(registry_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("monitor")
    with KafkaProcess(home / "kafka") as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        with running_monitor(kafka.bootstrap_servers, registry_url, home / "monitor.log") as monitor:
            yield Stack(kafka.bootstrap_servers, registry_url, monitor)


@pytest.fixture(autouse=True)
async def _ready(stack: Stack) -> None:
    await wait_until(stack.monitor.is_ready, READY_S, "the monitor is ready")


async def test_a_window_comes_back_with_every_count_and_its_kpis(stack: Stack) -> None:
    record = pane(
        value="full",
        calls=40,
        answered=21,
        attempts=40,
        results={"finished": 40},
        attempt_dispositions={"answered": 21, "no_answer": 19},
        questions={"q1": question(completed=1)},
        revision=7,
    )
    await stack.send(record)
    [window] = await stack.seen("/api/outcomes/workflows/full")

    datum = record.to_datum()
    bounds = {"window_start_at": "2024-03-11T13:25:00Z", "window_end_at": "2024-03-11T13:30:00Z"}
    counts = {name: value for name, value in datum.items() if name not in {*bounds, "dimension", "value"}}
    assert {name: window[name] for name in counts} == counts
    assert {name: window[name] for name in bounds} == bounds
    assert window["kpis"]["asr"] == pytest.approx({"value": 0.525, "n": 40, "low": 0.375, "high": 0.671}, abs=1e-3)
    assert (window["kpis"]["acd_s"], window["kpi_samples"]["acd_s"]) == (None, 21)


async def test_the_envelopes_have_the_contracts_shape(stack: Stack) -> None:
    await stack.send(pane(value="shape", calls=1, workflow_names={"Survey": 1}))
    await stack.seen("/api/outcomes/workflows/shape")
    one = await stack.monitor.json("/api/outcomes/workflows/shape")
    every = await stack.monitor.json("/api/outcomes/workflows")

    assert list(one) == ["dimension", "value", "workflow_name", "window_s", "as_of", "windows"]
    assert list(every) == ["dimension", "window_s", "as_of", "values"]
    assert (one["dimension"], one["window_s"]) == ("workflow", 300)
    values: Any = every["values"]
    assert {"value": "shape", "workflow_name": "Survey", "windows": one["windows"]} in values


async def test_panes_are_summed_to_the_window_asked_for(stack: Stack) -> None:
    await stack.send(*(pane(NOON_MS + i * PANE_MS, value="merged", calls=i + 1) for i in range(3)))
    path = "/api/outcomes/workflows/merged"
    await stack.seen(path, 3)

    quarters = await stack.windows(f"{path}?window=15m")
    assert [(w["window_start_at"], w["calls"]) for w in quarters] == [
        ("2024-03-11T13:15:00Z", 1),
        ("2024-03-11T13:30:00Z", 5),
    ]
    assert [w["calls"] for w in await stack.windows(f"{path}?window=1d")] == [6]
    assert [w["calls"] for w in await stack.windows(f"{path}?from=2024-03-11T13:30:00Z&to=2024-03-11T13:31:00Z")] == [2]


async def test_a_correction_replaces_and_a_tombstone_removes(stack: Stack) -> None:
    gone, kept = pane(value="revised", calls=1), pane(NOON_MS + PANE_MS, value="revised", calls=5, revision=2)
    await stack.send(gone, kept, pane(NOON_MS + PANE_MS, value="revised", calls=4, revision=1))
    await stack.seen("/api/outcomes/workflows/revised", 2)
    async with kafka_producer(stack.bootstrap) as producer:
        await producer.send_and_wait(WORKFLOW_OUTCOMES.name, None, key_of(gone))
    [window] = await stack.seen("/api/outcomes/workflows/revised")

    assert (window["calls"], window["revision"]) == (5, 2)


@pytest.mark.parametrize(
    "line", ["trunk/north 1", "ligne-é中", "a?b#c%2F", "..", "<script>alert(1)</script>", "two\nlines\n"]
)
async def test_a_sip_line_may_be_called_anything(stack: Stack, line: str) -> None:
    record = pane(dimension="sip_line", value=line, attempts=9, by_workflow={"wf": line_workflow(9, 3)})
    await stack.send(record)
    [window] = await stack.seen(f"/api/outcomes/sip-lines/{quote(line, safe='').replace('.', '%2E')}")

    assert window["by_workflow"]["wf"]["attempts"] == 9


async def test_the_page_escapes_what_the_provider_sent(stack: Stack) -> None:
    await stack.send(pane(value="<b>bold</b>&", calls=3, attempts=3, attempt_dispositions={"answered": 3}))
    await stack.seen(f"/api/outcomes/workflows/{quote('<b>bold</b>&', safe='')}")
    page = await stack.monitor.get("/workflows?from=2024-03-11T13:00:00Z&to=2024-03-11T14:00:00Z")

    assert page is not None
    assert "&lt;b&gt;bold&lt;/b&gt;&amp;" in page.text
    assert "<b>bold" not in page.text
    assert re.search(r"n/a</span>\s*<small>n 3</small>", page.text)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/outcomes/workflows/never-seen", 404),
        ("/api/outcomes/sip-lines/", 404),
        ("/api/outcomes/workflows?window=7m", 400),
        ("/api/outcomes/workflows?window=0", 400),
        ("/api/outcomes/workflows?from=yesterday", 400),
        ("/api/outcomes/workflows?from=2024-03-12T00:00:00Z&to=2024-03-11T00:00:00Z", 400),
        ("/api/outcomes/workflows?limit=none", 400),
        ("/api/outcomes/workflows?bogus=1", 400),
        ("/api/outcomes/workflows?window=1d&tz=Mars/Olympus", 400),
        ("/api/lag?group=x", 400),
        ("/api/health?x=", 400),
        ("/nothing", 404),
    ],
)
async def test_an_error_is_a_problem_document(stack: Stack, path: str, status: int) -> None:
    answer = await stack.monitor.get(path)

    assert answer is not None
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_a_record_that_cannot_be_decoded_is_counted_and_passed_over(stack: Stack) -> None:
    async with kafka_producer(stack.bootstrap) as producer:
        for i, value in enumerate((b"", b"junk", b"\x00\x00\xff\xff\xff*")):
            await producer.send_and_wait(WORKFLOW_OUTCOMES.name, value, b"junk|%d" % i, partition=0)
            await producer.send_and_wait(WORKFLOW_OUTCOMES.name, value, b"junk|%d" % i, partition=1)
    await stack.send(pane(value="after the junk"))
    await stack.seen("/api/outcomes/workflows/after the junk")
    metrics = await stack.monitor.get("/metrics")

    assert metrics is not None
    assert "monitor_undecodable_records_total 6.0" in metrics.text


async def test_a_record_that_no_worker_sends_spoils_nothing_for_others(stack: Stack) -> None:
    await stack.send(pane(2**55, value="year 1143677"), pane(value="minus", calls=-1), pane(value="beside it"))
    await stack.seen("/api/outcomes/workflows/beside%20it")

    for path in ("/", "/api/outcomes/workflows", "/metrics", "/readyz"):
        assert await stack.monitor.status(path) == 200
    assert await stack.monitor.status("/api/outcomes/workflows/year%201143677") == 404


async def test_what_a_transaction_took_back_was_never_there(stack: Stack) -> None:
    record, registry = pane(value="taken back", calls=7), Registry(stack.registry_url)
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap, transactional_id="stranger")
    await producer.start()
    try:
        await registry.register((WORKFLOW_OUTCOMES,))
        await producer.begin_transaction()
        value = registry.encode(WORKFLOW_OUTCOMES, record)
        for partition in (0, 1):
            await producer.send_and_wait(WORKFLOW_OUTCOMES.name, value, key_of(record), partition=partition)
        await producer.abort_transaction()
    finally:
        await producer.stop()
        await registry.aclose()
    await stack.send(*(pane(value=f"after it {i}") for i in range(4)))
    for i in range(4):
        await stack.seen(f"/api/outcomes/workflows/after%20it%20{i}")

    assert await stack.monitor.status("/api/outcomes/workflows/taken%20back") == 404


async def test_health_has_the_contracts_shape(stack: Stack) -> None:
    found: Any = await stack.monitor.json("/api/health")

    assert found["state"] == "degraded"
    assert found["problems"][0]["what"] == "airudder-streams has never read anything"
    assert {tuple(problem) for problem in found["problems"]} == {("what", "since", "evidence", "link")}
    page = await stack.monitor.get("/")
    assert page is not None
    assert "<title>DEGRADED" in page.text


async def test_listeners_hear_of_lag_and_of_new_outcomes(stack: Stack) -> None:
    heard: set[str] = set()

    @asynccontextmanager
    async def _sending() -> Any:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(stack.send(pane(value="heard")))
            yield
            await task

    async with (
        httpx2.AsyncClient(base_url=stack.monitor.url, timeout=20) as client,
        client.stream("GET", "/api/events") as events,
        _sending(),
    ):
        assert events.headers["content-type"].startswith("text/event-stream")
        async for line in events.aiter_lines():
            if line.startswith("event: "):
                heard.add(line.removeprefix("event: "))
            if heard == {"beat", "lag", "outcomes"}:
                break

    assert heard == {"beat", "lag", "outcomes"}


@pytest.mark.parametrize("asset", ["page.css", "page.js"])
async def test_the_pages_assets_come_from_the_monitor_itself(stack: Stack, asset: str) -> None:
    page, found = await stack.monitor.get("/"), await stack.monitor.status(f"/assets/{asset}")

    assert page is not None
    assert f"/assets/{asset}" in page.text
    assert found == 200
