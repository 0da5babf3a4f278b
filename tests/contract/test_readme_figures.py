"""A figure in the prose of a README is the constant that the code uses."""

from __future__ import annotations

import pytest

from schemas.topics import MAX_KEPT_BYTES
from streams.monitor import events, health, http_limits, monitor
from streams.monitor.lag import command, metrics, poller, readings, verdicts, watched
from streams.monitor.outcomes import paging, parameters, reader
from streams.rules import calls, clocks, times
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.worker import app, dead_letters, faust_app, run_agent, startup, vitals, watchdog
from tests.support.readmes import ROOT

WORKER = " ".join((ROOT / "streams" / "README.md").read_text(encoding="utf-8").split())
MONITOR = " ".join((ROOT / "streams" / "monitor" / "README.md").read_text(encoding="utf-8").split())
KIB = 1024

OF_THE_WORKER = [
    f"`event_id`s of a call's latest {calls.MAX_DELIVERIES} deliveries, its latest {calls.MAX_DECISIONS} decisions",
    f"an eighth of its latest {clocks.CLOCK_CALLS} calls",
    f"lies over {times.FUTURE_TOLERANCE_MS // 60_000} minutes after the receipt",
    f"leads to over {run_agent.MAX_PRODUCT_BYTES // KIB**2} MiB of records",
    f"A record over {MAX_KEPT_BYTES // KIB**2} MiB is a dead letter cut to {dead_letters.KEPT_BYTES // KIB} KiB a part",
    f"when nothing moved for {watchdog.NO_PROGRESS_S:.0f} s while records waited",
    f"stopped for over {vitals.PAUSE_LIMIT_S:.0f} s",
    f"SIGTERM is done within {app.STOP_TIMEOUT_S:.0f} s",
    f"A starting worker waits {startup.START_DEADLINE_S:.0f} s",
    f"until its session ends ({faust_app.SESSION_TIMEOUT_S:.0f} s)",
]
OF_THE_MONITOR = [
    f"At most {http_limits.MAX_REQUESTS} requests are in work at once",
    f"After {paging.MAX_WINDOWS:,} windows or {paging.MAX_PANES:,} panes",
    f"1 to {parameters.MAX_LIMIT}: the newest so many",
    f"every {monitor.BEAT_S:.0f} s, whether polls succeed or not",
    f"At most {events.MAX_LISTENERS} clients listen",
    f"no member for {health.NO_MEMBER_AFTER_S:.0f} s, or has not committed for {verdicts.LAG_SLO_S:.0f} s",
    f"lag older than {poller.STALE_AFTER_S:.0f} s, outcomes older than {reader.STALE_AFTER_S:.0f} s",
    f"not moved for {verdicts.STOP_AFTER_S:.0f} s, and no live member",
    f"not moved for {verdicts.STALL_AFTER_S:.0f} s, or three",
    f"would take over {verdicts.ALLOWED_DRAIN_S:.0f} s to read",
    f"the next record is over {verdicts.LAG_SLO_S:.0f} s old",
    f"polls twice, {command.LOOKS_APART_S:.0f} s apart",
    f"beyond the first {metrics.MAX_PARTITIONS:,}",
    f"the first {watched.MAX_GROUPS} |",
    f"{WORKFLOW.max_labels} workflows and {SIP_LINE.max_labels} lines have series of their own",
]


@pytest.mark.parametrize("sentence", OF_THE_WORKER)
def test_a_figure_of_the_worker_is_the_codes(sentence: str) -> None:
    assert sentence in WORKER


@pytest.mark.parametrize("sentence", OF_THE_MONITOR)
def test_a_figure_of_the_monitor_is_the_codes(sentence: str) -> None:
    assert sentence in MONITOR


def test_dead_letters_degrade_health_for_the_hour_that_the_pages_name() -> None:
    assert readings.RECENT_S == 3600
    assert "dead letters within the hour" in MONITOR
    assert "`degraded` for an hour" in WORKER
