"""`lag` looks twice where one look leaves a verdict open, and its exit code answers for scripts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from schemas.runtime import exits
from streams.errors import BrokerUnavailableError
from streams.monitor.lag import command, watching
from streams.monitor.lag.command import LagOptions, print_lag
from streams.monitor.lag.readings import Unseen
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.views import lag_view
from streams.monitor.settings import MonitorSettings
from streams.output import PIPE_WIDTH
from tests.support.waiting import wait_until

ROW = PartitionLag("airudder.callbacks.v1", 0, 10, 0, 14, 4, 1.25, "ok")
OTHER = GroupLag("billing", "Stable", 1, (replace(ROW, topic="orders"),), {})


def snapshot(row: PartitionLag = ROW, *, is_known: bool = True) -> LagSnapshot:
    worker = GroupLag("airudder-streams", "Stable", 1, (row,), {}, is_known)
    return LagSnapshot(0, (worker, OTHER), {}, {}, {})


class Poller:
    """Finds these, one after the other, and the last one again and again."""

    def __init__(self, *looks: LagSnapshot | Exception) -> None:
        self.looks = list(looks)
        self.count = 0
        self.closed = False
        self.settings: MonitorSettings | None = None

    def __call__(self, settings: MonitorSettings) -> Poller:
        self.settings = settings
        return self

    async def poll_once(self) -> LagSnapshot:
        self.count += 1
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LOOKS_APART_S", 0.0)
    monkeypatch.setattr(watching, "POLL_INTERVAL_S", 0.0)


async def run(poller: Poller, monkeypatch: pytest.MonkeyPatch, options: LagOptions | None = None) -> tuple[int, str]:
    monkeypatch.setattr(command, "LagPoller", poller)
    out = StringIO()
    code = await print_lag({}, options or LagOptions(), Console(file=out, width=PIPE_WIDTH))
    assert poller.closed
    return code, out.getvalue()


async def test_all_ok_is_reported_at_once_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    poller = Poller(snapshot())
    code, printed = await run(poller, monkeypatch)

    assert (code, poller.count) == (0, 1)
    assert "airudder-streams is not behind" in printed


async def test_what_is_open_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    poller = Poller(snapshot(replace(ROW, verdict="unknown")), snapshot(replace(ROW, verdict="stop")))
    code, printed = await run(poller, monkeypatch)

    assert (code, poller.count) == (exits.NO, 2)
    assert "is behind" in printed
    assert "unknown" not in printed


@pytest.mark.parametrize(
    "found", [snapshot(is_known=False), replace(snapshot(), unseen=(Unseen("group g", "hidden"),))]
)
async def test_what_is_not_known_to_be_well_is_1(monkeypatch: pytest.MonkeyPatch, found: LagSnapshot) -> None:
    code, _ = await run(Poller(found), monkeypatch)

    assert code == exits.NO


async def test_one_group_alone_is_shown_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = replace(snapshot(replace(ROW, verdict="stop")), unseen=(Unseen("x", "y", topic=ROW.topic),))
    poller = Poller(stopped)
    code, printed = await run(poller, monkeypatch, LagOptions(groups=("bill*",)))

    assert code == 0
    assert "airudder-streams" not in printed
    assert poller.settings is not None
    assert poller.settings.groups == "bill*"


async def test_a_group_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = await run(Poller(snapshot()), monkeypatch, LagOptions(groups=("biling",)))

    assert (code, capsys.readouterr().err) == (exits.NO, "no consumer group fits biling\n")


async def test_json_has_the_shape_of_the_api_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _, printed = await run(Poller(snapshot()), monkeypatch, LagOptions(as_json=True))

    assert printed.count("\n") == 1
    assert json.loads(printed) == lag_view(snapshot())


async def test_a_watch_without_a_terminal_goes_on_through_trouble_and_ends_as_its_last_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    poller = Poller(snapshot(), BrokerUnavailableError("away"), snapshot(replace(ROW, verdict="stop")))
    task = asyncio.create_task(run(poller, monkeypatch, LagOptions(watch=True)))
    await wait_until(lambda: poller.count >= 5, 5, "it has looked five times")
    task.cancel()
    code, printed = await task

    assert code == exits.NO
    assert printed.count("is not behind: ") > 2
    assert "is behind" in printed
    assert "away" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (snapshot(), 0),
        (snapshot(replace(ROW, verdict="stop")), exits.NO),
        (BrokerUnavailableError("away"), exits.UNAVAILABLE),
    ],
    ids=["ok", "stop", "away"],
)
async def test_a_live_watch_ends_as_its_last_look_and_leaves_it_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, last: LagSnapshot | Exception, code: int
) -> None:
    poller = Poller(snapshot(), last)
    monkeypatch.setattr(command, "LagPoller", poller)
    out = StringIO()
    terminal = Console(file=out, width=100, height=40, force_terminal=True, legacy_windows=False)
    task = asyncio.create_task(print_lag({}, LagOptions(watch=True), terminal))
    await wait_until(lambda: poller.count >= 5, 5, "it has looked five times")
    task.cancel()

    assert await task == code
    final = out.getvalue().rpartition("Consumer lag at ")[2]
    assert "Ctrl-C ends" in final
    assert ("not read since: away" in final) == isinstance(last, Exception)
    assert ("is behind" in final) == (code == exits.NO)
