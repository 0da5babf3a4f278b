"""Why this line? From real records and windows: one line fails for one caller prefix only, and the answer says so."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from schemas.topics import SIP_LINE_OUTCOMES
from streams.monitor.errors import TooManyReadsError
from streams.monitor.records.dials import MAX_WAITING, DialReader, Limits
from streams.monitor.settings import MonitorSettings
from tests.support.deliveries import delivery, detail, redial
from tests.support.processes.monitor import MonitorProcess, running_monitor
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

SEEN_S = 30
CALLS = 150  # of each line
BAD_LINE, BAD_PREFIX = "line/bad\nß", "44207"
LINES = (BAD_LINE, "LINE_2", "LINE_3")
CALLERS = ("+442079460011", "+447700900123", "+15550100199")
CALLEE = "+447700900777"

ANSWERED = {"duration": 30, "ring_time": 4, "talk_round": 5, "hangup_type": "ByRobot", "result_label": "A"}
UNANSWERED = {"duration": 0, "ring_time": 25, "talk_round": 0, "hangup_type": "Canceled", "result_label": "NO ANSWER"}
NEVER_RANG = {"duration": 0, "ring_time": 0, "talk_round": 0, "hangup_type": "ByCallee", "result_label": "DECLINED"}


def _calls(line: str, random: Random, at: str) -> list[dict[str, Any]]:
    made = []
    for number in range(CALLS):
        caller = CALLERS[number % len(CALLERS)]
        is_bad = line == BAD_LINE and caller.startswith(f"+{BAD_PREFIX}")
        fields = NEVER_RANG if is_bad else random.choice((ANSWERED, UNANSWERED))
        call_id = f"{LINES.index(line)}-{number}"
        ring = {"ring_time": 0, "hangup_type": "ByCallee"} if is_bad else {}
        again = redial(f"{call_id}-r", at, caller_number=caller, callee_number=CALLEE, **ring)
        redials = [again] if number % 5 == 0 else []
        one = detail(
            call_id, at, callee=CALLEE, caller_number=caller, call_times=1 + len(redials), redail_call=redials, **fields
        )
        made.append(delivery(one, workflow=random.choice(("wf-1", "wf-2")), line=line))
    return made


@pytest.fixture
async def explained(running: WorkerSystem, tmp_path: Path) -> AsyncIterator[tuple[WorkerSystem, MonitorProcess]]:
    """Calls of three lines, counted, and a monitor that has read them."""
    random, now_ms = Random(16), time.time_ns() // 1_000_000
    at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    deliveries = [one for line in LINES for one in _calls(line, random, at)]
    # what a call said first is no longer so: it had failed, and is corrected
    wrong = [
        delivery(
            detail(one["details"][0]["call_id"], at, **NEVER_RANG), workflow=one["workflow_id"], line=one["sip_line"]
        )
        for one in deliveries
        if one["sip_line"] == "LINE_2"
    ]
    await running.writer.write(wrong, now_ms)
    await running.writer.write(deliveries, now_ms)
    await running.writer.write(
        [delivery(detail(f"p-{i}", at), workflow="__probe__", line=BAD_LINE) for i in range(40)], now_ms
    )
    await running.wait_until_processed()
    await running.wait_for_calls(SIP_LINE_OUTCOMES, CALLS * len(LINES), *LINES)
    with running_monitor(running.bootstrap, running.registry_url, tmp_path / "monitor.log") as monitor:
        await wait_until(monitor.is_ready, SEEN_S, "the monitor is ready")
        yield running, monitor


async def test_the_prefix_that_fails_is_named_first_and_nothing_of_the_callee(
    explained: tuple[WorkerSystem, MonitorProcess],
) -> None:
    system, monitor = explained
    answer: Any = await monitor.json(f"/api/lines/{quote(BAD_LINE, safe='')}/explain")
    first = answer["findings"][0]

    assert (answer["value"], answer["verdict"]) == (BAD_LINE, "found")
    assert (first["kind"], first["attribute"], first["value"]) == ("segment", "caller_prefix", BAD_PREFIX)
    assert (first["share"], first["outside"], first["peer_share"], first["n"]) == (1.0, 0.0, 0.0, 60)
    assert answer["summary"].startswith(
        "100 % of its dials from caller prefix 44207 fail; "
        "0 % of its other dials and 0 % of its peers' dials likewise do: z "
    )
    assert (answer["dials"], answer["peer_lines"]) == (180, 2)
    assert answer["records"] == answer["records"] | {"dials": 180, "cut": None, "fault": None, "undecodable": 0}
    assert CALLEE[1:] not in str(answer)
    for caller in CALLERS:
        assert caller[1:7] not in str(answer)

    page = await monitor.get(f"/lines/{quote(BAD_LINE, safe='')}?why=yes")
    assert page is not None
    assert (page.status_code, html.escape(answer["summary"]) in page.text.replace("&#39;", "&#x27;")) == (200, True)
    assert CALLEE[1:] not in page.text

    healthy: Any = await monitor.json("/api/lines/LINE_2/explain")
    assert "LINE_3" not in str(healthy["findings"])
    await _the_alarm_is_raised(monitor)
    await _bounds_hold(system)
    for path, status in (
        ("/api/lines/nobody/explain", 404),
        ("/api/lines/LINE_2/explain?from=2024-01-01T00:00:00Z&to=2023-01-01T00:00:00Z", 400),
        ("/api/lines/LINE_2/explain?bogus=1", 400),
        (f"/api/lines/{quote('é/' * 1000, safe='')}/explain", 404),
    ):
        assert await monitor.status(path) == status, path


async def _the_alarm_is_raised(monitor: MonitorProcess) -> None:
    """A third of the bad line's dials never rang: health, the ranked lines and the metrics say that it is behind."""
    what = f"line {BAD_LINE} falls behind its peers"

    async def is_raised() -> bool:
        health: Any = await monitor.json("/api/health")
        return what in [problem["what"] for problem in health["problems"]]

    await wait_until(is_raised, SEEN_S, "the alarm")
    answer: Any = await monitor.json("/api/lines")
    first, *others = answer["values"]
    assert (first["value"], first["state"], first["peer"]["lines"], first["peer"]["n"]) == (BAD_LINE, "behind", 2, 180)
    assert [line["state"] for line in others] == ["ok", "ok"]


async def _bounds_hold(system: WorkerSystem) -> None:
    """A read takes no more than it may and says what it left out; one at a time, few wait, and the answer is kept."""
    settings = MonitorSettings.from_env(
        {"KAFKA_BOOTSTRAP_SERVERS": system.bootstrap, "SCHEMA_REGISTRY_URL": system.registry_url}
    )
    now_ms = time.time_ns() // 1_000_000
    day_ms = 86_400_000
    few = DialReader(settings, Limits(records=100))
    small = DialReader(settings, Limits(bytes=1000))
    try:
        cut = (await few.read(now_ms - day_ms, now_ms)).reading
        assert cut.records <= 100
        assert cut.cut.startswith("only the newest 100 of ")
        assert (await small.read(now_ms - day_ms, now_ms)).reading.cut == "reading ended after 0 MiB"

        asked = [few.read(now_ms - day_ms - i, now_ms) for i in range(MAX_WAITING + 3)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, TooManyReadsError) for answer in answers) >= 1
        assert await few.read(now_ms - day_ms, now_ms) is not None
        assert await few.read(1, 2) is await few.read(1, 2)
    finally:
        await few.aclose()
        await small.aclose()
