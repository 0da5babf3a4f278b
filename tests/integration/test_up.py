"""`python -m streams up` as its user runs it: everything real, from the front door to the page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from schemas.registry import Registry
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, SYNTHETIC_HEADER, TOPICS
from tests.support.deliveries import EXAMPLE
from tests.support.processes.up import Up, sourced
from tests.support.topics import Read, Subscriber
from tests.support.waiting import wait_until


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    running = psutil.Process()
    yield tmp_path / "data"
    for child in running.children():
        if "up" in child.cmdline() and str(tmp_path / "data") in " ".join(child.cmdline()):
            child.terminate()
            child.wait(60)


async def read_all(up: Up) -> dict[str, list[Read]]:
    """What is on the public topics, without the monitor's probes."""
    registry = Registry(up.url("registry"))
    try:
        subscriber = Subscriber(up.url("bootstrap"), registry)
        found = {topic.name: await subscriber.read(topic) for topic in (CALLBACKS, CALLS, ANSWERS, CALL_ATTEMPTS)}
        return {name: [one for one in reads if SYNTHETIC_HEADER not in one.headers] for name, reads in found.items()}
    finally:
        await registry.aclose()


async def schema_ids(up: Up) -> dict[str, int]:
    async with httpx2.AsyncClient() as client:
        answers = {
            topic.subject: await client.get(f"{up.url('registry')}/subjects/{topic.subject}/versions/latest")
            for topic in TOPICS
        }
    return {subject: answer.json()["id"] for subject, answer in answers.items()}


async def calls_counted(up: Up, kind: str) -> int:
    """Calls over all windows of all workflows or SIP lines, as the monitor tells."""
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{up.url('monitor')}api/outcomes/{kind}")
    if answer.status_code != 200:
        return -1
    return sum(window["calls"] for value in answer.json()["values"] for window in value["windows"])


async def counted_everywhere(up: Up, calls: int) -> None:
    async def counted() -> bool:
        return [await calls_counted(up, kind) for kind in ("workflows", "sip-lines")] == [calls, calls]

    await wait_until(counted, 60, f"{calls} calls in the windows of workflows and SIP lines")


async def probed(up: Up) -> None:
    """A probe has passed every hop since `up` began."""

    async def passed() -> bool:
        async with httpx2.AsyncClient() as client:
            told = (await client.get(f"{up.url('monitor')}api/probe")).json()
        return bool(told["state"] == "ok" and told["hops"][-1]["received"])

    await wait_until(passed, 60, "a probe passing every hop")


async def subscribe(up: Up, *options: str) -> list[dict[str, Any]]:
    """What the line prints that `up` ends with, typed into a shell without settings."""
    said = await wait_until(
        lambda: re.search("^subscribe: (.+)$", up.output, re.MULTILINE), 10, "the subscriber's line"
    )
    assert isinstance(said, re.Match)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SCHEMA_"))}
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-c", " ".join([said[1], *options])), env=environ, stdout=asyncio.subprocess.PIPE
    )
    stdout, _ = await asyncio.wait_for(shell.communicate(), 60)
    assert shell.returncode == 0
    return [json.loads(line) for line in stdout.splitlines()]


async def test_the_example_passes_through_everything_and_is_there_once_after_a_restart(
    data_dir: Path, tmp_path: Path
) -> None:
    example = tmp_path / "example.json"
    example.write_text(json.dumps(EXAMPLE))
    up = Up(data_dir)
    up.wait_until_ready()
    assert up.gateway("send", str(example)).split() == ["200", "{}"]
    await probed(up)
    await counted_everywhere(up, 1)
    records = await read_all(up)
    ids = await schema_ids(up)
    assert {name: len(found) for name, found in records.items()} == {
        CALLBACKS.name: 1,
        CALLS.name: 1,
        ANSWERS.name: 8,
        CALL_ATTEMPTS.name: 2,
    }
    assert records[ANSWERS.name][0].value.question_content == "意愿确认 Willingness Check"
    async with httpx2.AsyncClient() as client:
        page = await client.get(f"{up.url('monitor')}lines?from=2024-03-11T13:00:00Z&to=2024-03-11T14:00:00Z")
        workflow = await client.get(f"{up.url('monitor')}api/outcomes/workflows/{EXAMPLE['workflow_id']}")
    assert EXAMPLE["sip_line"] in page.text
    [window] = workflow.json()["windows"]
    assert (window["window_start_at"], window["calls"], window["revision"]) == ("2024-03-11T13:25:00Z", 1, 1)
    assert window["kpis"]["asr"] is None, "no percentage from one call"
    subscribed = await subscribe(up, "--no-follow")
    assert [call["value"]["call_id"] for call in subscribed] == [EXAMPLE["details"][0]["call_id"]]
    assert "probe" not in up.output
    environ = sourced(data_dir)
    assert up.stop() == 0

    again = Up(data_dir, environ)  # a broker of its own: the one that the shell names is gone
    again.wait_until_ready()
    await counted_everywhere(again, 1)
    after = await read_all(again)
    assert await schema_ids(again) == ids
    assert {name: [r.ce_id for r in found] for name, found in after.items()} == {
        name: [r.ce_id for r in found] for name, found in records.items()
    }
    assert again.stop(signal.SIGTERM) == 0


async def test_a_worker_killed_in_the_middle_is_restarted_and_the_counts_equal_the_calls_sent(data_dir: Path) -> None:
    up = Up(data_dir)
    up.wait_until_ready()
    command = [sys.executable, "-m", "gateway", "simulate", "--url", up.url("post"), "--rate=200", "--count=1500"]
    simulate = await asyncio.create_subprocess_exec(*command, "--seed=7", stdout=asyncio.subprocess.PIPE)
    for _ in range(2):
        counted = await calls_counted(up, "workflows")

        async def more(than: int = counted) -> bool:
            return await calls_counted(up, "workflows") > than

        await wait_until(more, 60, "the worker counting")
        up.role("streams", "worker").kill()
    said = (await simulate.communicate())[0].decode()
    accepted = int(re.findall(r"accepted (\d+) distinct calls", said)[0])
    assert accepted == 1500

    await counted_everywhere(up, accepted)

    calls = (await read_all(up))[CALLS.name]
    assert len({call.key for call in calls}) == accepted
    assert len({call.ce_id for call in calls}) == accepted
    assert "worker" in up.output.split("ready", 1)[1], "the restart is said on the console"
    assert up.stop() == 0
