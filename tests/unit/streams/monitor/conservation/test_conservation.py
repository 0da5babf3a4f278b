"""What the last look saw is said as long as it is fresh; after that nobody knows, and health says so."""

from __future__ import annotations

import asyncio

from schemas.runtime import instants
from streams.monitor.conservation.conservation import STALE_AFTER_S
from streams.monitor.conservation.exposition import Scraped, samples_of
from streams.monitor.conservation.metrics import ConservationMetrics
from streams.monitor.conservation.steps import Look
from streams.monitor.conservation.views import conservation_view
from streams.monitor.monitor import Monitor
from streams.monitor.settings import MonitorSettings
from tests.support.pages import Tags, rendered
from tests.support.waiting import wait_until

URL = "http://127.0.0.1:8001"
SAID = """
webhook_requests_total{outcome="accepted"} 3
http_server_request_duration_seconds_count{http_request_method="POST",http_route="/webhooks/airudder/x"} 3
"""
HOUR_MS = 3_600_000


def looked(at_ms: int) -> Monitor:
    monitor = Monitor(MonitorSettings(gateway_urls=URL))
    gateways = Scraped(at_ms, {URL: samples_of(SAID)})
    monitor.conservation._note(Look(at_ms, None, at_ms, None, None, gateways))
    return monitor


def blind(monitor: Monitor, now_ms: int) -> list[str]:
    problems = monitor.health(now_ms).problems
    return [f"{p.what}: {p.evidence}" for p in problems if p.state == "blind" and p.what.startswith("conservation")]


async def test_an_old_look_says_nothing_of_now() -> None:
    at_ms = 1_800_000_000_000
    monitor = looked(at_ms)
    fresh, stale = (
        conservation_view(monitor.conservation, at_ms - HOUR_MS, at_ms, at_ms + later) for later in (1_000, HOUR_MS)
    )
    assert (fresh["state"], fresh["steps"][0]["difference"], fresh["as_of"]) == ("balanced", 0, instants.text(at_ms))
    why = f"last read at {instants.text(at_ms)}"
    assert (stale["state"], stale["difference"]) == ("not_known", None)
    assert (stale["steps"][0]["difference"], stale["steps"][0]["why"]) == (None, why)

    assert blind(monitor, at_ms + 1_000) == []
    assert blind(monitor, at_ms + HOUR_MS) == [f"conservation cannot be read: {why}"]
    text = " ".join(Tags(rendered(monitor, "/", now_ms=at_ms + HOUR_MS)).text.split())
    assert "Not known: no step can be looked at now. Last looked at 60 min ago." in text


async def test_the_metric_of_an_old_look_has_no_series() -> None:
    [family] = ConservationMetrics(looked(1).conservation).collect()
    assert family.samples == []


async def test_the_first_look_has_its_time_and_then_health_says_that_there_is_none() -> None:
    monitor = Monitor(MonitorSettings(gateway_urls=URL))
    began_ms = monitor.conservation._began_ms
    assert blind(monitor, began_ms + 1_000) == []
    late_ms = began_ms + round(STALE_AFTER_S * 1000) + 1
    assert blind(monitor, late_ms) == ["conservation not read yet: nothing read yet"]
    assert blind(Monitor(MonitorSettings()), late_ms) == [], "nobody asked for it"


async def test_a_look_that_fails_is_named() -> None:
    monitor = looked(1_000)

    async def failing() -> Look:
        raise KeyError

    monitor.conservation._look = failing  # type: ignore[method-assign]
    task = asyncio.create_task(monitor.conservation.run())
    await wait_until(lambda: "KeyError" in "".join(blind(monitor, HOUR_MS)), 5, "the failure is named")
    task.cancel()
