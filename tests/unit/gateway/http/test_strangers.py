"""Requests that no webhook takes: refused, and a webhook that nobody told us of is counted and named."""

from __future__ import annotations

import json

import structlog

from gateway.webhooks.unknowns import MAX_NAMES
from tests.support.door import Door, assert_problem, open_door
from tests.support.requests import signed

PREFIX = "/webhooks/airudder/"
PHONE = "447700900123"


async def post(door: Door, path: str) -> None:
    assert_problem(await door.hook.post(path, content=b"{}", headers=signed(b"{}")), 404, "not_found")


def counted(door: Door) -> float:
    return door.gateway.metrics.registry.get_sample_value("webhook_unknown_paths_total") or 0


async def test_a_webhook_that_nobody_told_us_of_is_404_counted_each_time_and_logged_once() -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_door() as door:
            for name in ("waba-status", "waba-status", "inbound.callback"):
                await post(door, PREFIX + name)
            count, kept = counted(door), door.publisher.stored

    assert (count, kept) == (3, [])
    assert [line["name"] for line in logs if line["event"] == "webhook.not_found"] == [
        "waba-status",
        "inbound.callback",
    ]


async def test_other_paths_and_methods_are_no_webhooks() -> None:
    async with open_door() as door:
        for path in ("/", "/webhooks/other/x", "/metrics", "/webhooks/airudder"):
            await post(door, path)
        await door.hook.get(PREFIX + "x")
        await door.hook.put(PREFIX + "call-completion")

        assert counted(door) == 0


async def test_nobody_fills_the_log_or_tells_a_number_in_it() -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_door() as door:
            for path in (PHONE, f"tel/{PHONE}", "x" * 300, "é", "a b", "", "%0a", "events/" + PHONE + "/x"):
                await post(door, PREFIX + path)
            for number in range(MAX_NAMES * 2):
                await post(door, f"{PREFIX}name-{number}")
            before = (await door.ops.get("/metrics")).text
            count = counted(door)

    assert count == 8 + 2 * MAX_NAMES
    assert sum(line["event"] == "webhook.not_found" for line in logs) == MAX_NAMES
    assert PHONE not in json.dumps(logs) + before
    assert "name-" not in before


async def test_a_line_break_after_a_path_is_another_path() -> None:
    async with open_door() as door:
        await post(door, PREFIX + "call-completion%0A")
        await post(door, PREFIX + "events/a%0A")
        assert (await door.hook.get(PREFIX + "call-completion%0A")).status_code == 404
