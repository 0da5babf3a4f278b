"""The callback that a probe is: what the provider documents, of nobody, in the partition that is asked for."""

from __future__ import annotations

import json
from collections import defaultdict
from zoneinfo import ZoneInfo

import pytest

from gateway.webhooks.kinds import CALL_COMPLETION
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope
from gateway.webhooks.unknowns import Unknowns
from schemas.headers import SYNTHETIC, TraceContext
from schemas.placement import partition_of
from streams.monitor.probe.callback import MAX_TRIES, call_id_in, probe_body
from streams.rules.fanout import check, fan_out

NOW_MS = 1_710_163_600_000
ENVELOPE = Envelope("e" * 64, NOW_MS, "hmac-sha256", "k")
ZONES = [ZoneInfo("UTC"), ZoneInfo("Asia/Jakarta"), ZoneInfo("America/Mexico_City")]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_the_gateway_reads_it_as_documented_and_marks_it(zone: ZoneInfo) -> None:
    deviations: Deviations = defaultdict(int)
    callback = CALL_COMPLETION.read(probe_body("__probe__1", NOW_MS, zone), ENVELOPE, deviations)
    unknowns = Unknowns(CALL_COMPLETION.mapping.model, CALL_COMPLETION.words, CALL_COMPLETION.shown).find(callback)
    key, headers = CALL_COMPLETION.key_and_headers(callback, ENVELOPE, TraceContext("1" * 32))

    assert (dict(deviations), dict(unknowns.fields), dict(unknowns.words)) == ({}, {}, {})
    assert (key, SYNTHETIC in headers) == ("__probe__1", True)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_the_worker_makes_one_record_for_each_hop_and_finds_no_fault(zone: ZoneInfo) -> None:
    callback = CALL_COMPLETION.read(probe_body("__probe__1", NOW_MS, zone), ENVELOPE)
    detail = check(callback)
    assert detail is not None
    made = fan_out(callback, detail, 1, zone)

    assert (made.call.disposition, made.call.callee, len(made.answers), len(made.attempts)) == ("answered", "", 1, 1)
    assert made.event_time.is_trusted
    assert (made.outcome.contradiction, made.outcome.call_times_conflict) == (None, False)


@pytest.mark.parametrize("partitions", [1, 2, 12, 100])
def test_every_partition_can_be_asked_for(partitions: int) -> None:
    for partition in range(partitions):
        call_id = call_id_in(partition, partitions, f"seed{partition}")
        assert partition_of(call_id.encode(), partitions) == partition


def test_among_very_many_partitions_it_does_not_search_for_ever() -> None:
    assert call_id_in(9_999_999, 10_000_000, "s") == f"__probe__s.{MAX_TRIES - 1}"


def test_two_probes_are_never_one_event() -> None:
    bodies = {probe_body(call_id_in(0, 1, seed), NOW_MS, ZONES[0]) for seed in ("a", "b")}

    assert len(bodies) == 2
    assert all(json.loads(body)["workflow_id"] == "__probe__" for body in bodies)
