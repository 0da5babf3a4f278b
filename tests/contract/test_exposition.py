"""/metrics of every role: Prometheus text or OpenMetrics by Accept, gzip where it is taken, and no doubled counter."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.monitor.api import service
from streams.monitor.monitor import Monitor
from streams.monitor.settings import MonitorSettings
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import WorkerState, create_ops_app
from tests.support.door import open_door

ROLES = ["gateway", "worker", "monitor"]
# what Prometheus 2.42 and 3 ask with
ACCEPTS = {
    "2.42": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "3.5": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
}


@pytest.fixture(params=ROLES)
async def role(request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of one role's /metrics. No role has Kafka: what they tell of themselves is enough."""
    if request.param == "gateway":
        async with open_door() as door:
            await door.post()
            yield door.ops
        return
    app: Any = create_ops_app(WorkerState(), WorkerMetrics().registry)
    if request.param == "monitor":
        app = with_state(
            Starlette(routes=[Route("/metrics", service.metrics)]), {"monitor": Monitor(MonitorSettings())}
        )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://role") as client:
        yield client


def with_state(app: ASGIApp, state: dict[str, object]) -> ASGIApp:
    """The app as its lifespan would have it."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": state}, receive, send)

    return served


def families_of(parse: Callable[[str], object], text: str) -> set[str]:
    return {family.name for family in parse(text)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("accept", ACCEPTS.values(), ids=ACCEPTS)
async def test_prometheus_gets_open_metrics_with_the_same_families(role: httpx2.AsyncClient, accept: str) -> None:
    plain = await role.get("/metrics", headers={"accept": "text/plain"})
    answer = await role.get("/metrics", headers={"accept": accept})

    assert plain.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert answer.text.count("# EOF") == 1
    assert families_of(open_metrics, answer.text) == families_of(prometheus_text, plain.text)


async def test_a_scraper_that_takes_gzip_gets_it(role: httpx2.AsyncClient) -> None:
    async with role.stream("GET", "/metrics", headers={"accept-encoding": "gzip;q=1.0"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    plain = await role.get("/metrics", headers={"accept-encoding": "identity"})

    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert {"Accept", "Accept-Encoding"} == set(re.split(r",\s*", plain.headers["vary"]))
    assert "airudder_build_info" in gzip.decompress(raw).decode()
    assert len(raw) < len(plain.content) / 2


async def test_no_counter_is_doubled_by_the_time_of_its_creation(role: httpx2.AsyncClient) -> None:
    assert "_created" not in (await role.get("/metrics")).text
