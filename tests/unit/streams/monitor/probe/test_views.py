"""What a probe's fate looks like: in the API, on the page and in health, by one builder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from streams.monitor.health import HealthState
from streams.monitor.probe.hops import NAMES
from streams.monitor.probe.ledger import Probe
from streams.monitor.probe.prober import MAX_DEADLINE_S, Prober
from streams.monitor.probe.problems import probe_problems
from streams.monitor.probe.views import probe_view
from streams.monitor.settings import MonitorSettings
from streams.monitor.templating import environment

AT_MS = 1_710_163_600_000
ON = {"MONITOR_PROBE_URL": "http://127.0.0.1:1/x"}


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    prober = Prober(MonitorSettings.from_env(ON), CollectorRegistry())
    yield prober
    await prober._sender.aclose()


def send(prober: Prober, *hops: str, lost: str = "", is_unseen: bool = False) -> Probe:
    probe = Probe("__probe__1")
    prober.ledger.send(probe, AT_MS)
    for hop in hops:
        prober.ledger.arrive(probe, hop, AT_MS + 250)
    if lost:
        prober.ledger.lose(probe, lost, is_unseen=is_unseen)
    return probe


def states(prober: Prober) -> list[str]:
    return [hop["state"] for hop in probe_view(prober)["hops"]]


def problems(prober: Prober) -> list[tuple[HealthState, str, str]]:
    return [(problem.state, problem.what, problem.evidence) for problem in probe_problems(prober)]


async def test_a_probe_that_passed_is_ok_at_every_hop_and_no_problem(prober: Prober) -> None:
    assert states(prober) == ["unknown"] * len(NAMES)
    send(prober, *NAMES)
    view = probe_view(prober)

    assert (view["state"], view["lost_at"], view["lost_since"]) == ("ok", None, None)
    assert {hop["roundtrip_s"] for hop in view["hops"]} == {0.25}
    assert problems(prober) == []


async def test_one_lost_probe_is_degraded_and_two_in_a_row_are_broken(prober: Prober) -> None:
    send(prober, *NAMES[:2], lost="not in airudder.calls.v1 within 10 s")
    assert problems(prober) == [
        ("degraded", "probe lost at hop calls", "1 probe: not in airudder.calls.v1 within 10 s")
    ]
    probe = send(prober, *NAMES[:2], lost="not in airudder.calls.v1 within 10 s")
    prober.ledger.arrive(probe, "calls", AT_MS + 12_400)

    [(state, what, evidence)] = problems(prober)
    assert (state, what) == ("broken", "probe lost at hop calls")
    assert evidence == "2 probes in a row: not in airudder.calls.v1 within 10 s; the last one came after 12 s"
    assert states(prober) == ["ok", "ok", "lost", "not reached", "not reached"]


async def test_where_we_could_not_look_we_are_blind(prober: Prober) -> None:
    for _ in range(3):
        send(prober, "gateway", lost="not in airudder.callbacks.v1 within 10 s; no broker", is_unseen=True)

    assert [state for state, _, _ in problems(prober)] == ["blind"]


async def test_a_probe_that_cannot_be_signed_is_said(prober: Prober) -> None:
    prober.unsent.set("no signing key is valid now")

    assert problems(prober) == [("blind", "probe cannot be sent", "no signing key is valid now")]
    assert probe_view(prober)["fault"] == "no signing key is valid now"


async def test_the_deadline_is_the_interval_and_never_above_its_bound() -> None:
    for interval, deadline in (("3", 3), ("10", MAX_DEADLINE_S), ("3600", MAX_DEADLINE_S)):
        prober = Prober(MonitorSettings.from_env({**ON, "MONITOR_PROBE_INTERVAL_S": interval}), CollectorRegistry())
        assert prober.deadline_s == deadline
        await prober._sender.aclose()


@pytest.mark.parametrize("environ", [{}, {**ON, "MONITOR_PROBE_INTERVAL_S": "0"}])
def test_without_a_url_or_an_interval_there_is_no_probe(environ: dict[str, str]) -> None:
    assert not MonitorSettings.from_env(environ).has_probe
    assert probe_view(None) == {"is_on": False}


async def test_the_page_shows_the_numbers_of_the_api(prober: Prober) -> None:
    send(prober, *NAMES)
    send(prober, "gateway", lost="not in airudder.callbacks.v1 within 10 s")
    view = json.loads(json.dumps(probe_view(prober)))
    page = environment.get_template("probe.html").render(probe=view)

    facts = re.findall(r'data-fact="/api/probe#/([^"]+)" data-value="([^"]*)"', page)
    assert len(facts) >= 2 * len(NAMES)
    for pointer, value in facts:
        found = view
        for part in pointer.split("/"):
            found = found[int(part)] if isinstance(found, list) else found[part]
        assert json.dumps(found) == html.unescape(value)
    assert "is lost at hop callbacks: 1 in a row" in " ".join(re.sub("<[^>]+>", "", page).split()).replace(" :", ":")
    assert "MONITOR_PROBE_URL" in environment.get_template("probe.html").render(probe=probe_view(None))
