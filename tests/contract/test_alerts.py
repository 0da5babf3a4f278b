"""Every alert fires when it should and is silent when it should be: promtool runs the rules over made-up series.

The series here have the names and labels that we export; tests/integration/test_prometheus.py holds every expression
against what the roles really answer.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.support.runbook import ENTRIES, commands_of
from tests.support.toolchains import Toolchain

PROMTOOL = Toolchain(("promtool",), "apt-get install --no-install-recommends prometheus")
ROOM = Path(__file__).parents[2] / "streams" / "monitor" / "prometheus"
FILES = sorted(ROOM.glob("*.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for file in FILES
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in RULES if "record" in rule}

Series = dict[str, str]  # what promtool takes: a series, and its values a step apart
GROUP = 'consumergroup="my-streams",topic="airudder.callbacks.v1"'
STATE = f"kafka_consumergroup_partition_state{{{GROUP}"
REQUESTS = 'webhook_requests_total{source="airudder",outcome='
AGE = 'stream_event_age_seconds_bucket{stage="table",le="10.0"}'
AGES = 'stream_event_age_seconds_count{stage="table"}'
STEP_M = 5  # of the cases that last for days
DAY, WEEK = 24 * 60 // STEP_M, 7 * 24 * 60 // STEP_M


class Case(NamedTuple):
    """What is there, and at which step the alert is looked at; a step is `step_m` minutes.

    fires: the labels, and the summary; None: silent.
    """

    alert: str
    what: str
    series: Series
    at: int
    fires: tuple[dict[str, str], str] | None = None
    step_m: int = 1


def of(group: str = "my-streams", topic: str = "airudder.callbacks.v1", **more: str) -> dict[str, str]:
    return {"consumergroup": group, "topic": topic} | more


CASES = [
    Case(
        "LagSecondsHigh",
        "ten minutes behind",
        {f'kafka_consumergroup_lag_seconds{{{GROUP},partition="0"}}': "0 0 90x10"},
        8,
        (of(), "my-streams is 1m 30s behind in airudder.callbacks.v1"),
    ),
    Case(
        "LagSecondsHigh",
        "a burst of four minutes",
        {f'kafka_consumergroup_lag_seconds{{{GROUP},partition="0"}}': "0 90x3 0x10"},
        4,
    ),
    Case(
        "PartitionStopped",
        "two partitions without a reader",
        {
            f'{STATE},partition="0",state="stop"}}': "1x10",
            f'{STATE},partition="1",state="stop"}}': "1x10",
            f'{STATE},partition="2",state="stop"}}': "0x10",
        },
        5,
        (of(), "my-streams reads nothing of 2 partitions of airudder.callbacks.v1"),
    ),
    Case("PartitionStopped", "a restart of a minute", {f'{STATE},partition="0",state="stop"}}': "0 1 0x10"}, 1),
    Case(
        "PartitionStopped",
        "the committed offset lies beyond the end",
        {f'{STATE},partition="0",state="beyond"}}': "1x10"},
        5,
        (of(), "my-streams reads nothing of 1 partitions of airudder.callbacks.v1"),
    ),
    Case(
        "PartitionStalled",
        "one partition at a poison record",
        {f'{STATE},partition="3",state="stall"}}': "1x10", f'{STATE},partition="4",state="stall"}}': "0x10"},
        5,
        (of(partition="3", state="stall"), "my-streams stands still in airudder.callbacks.v1/3"),
    ),
    Case("PartitionStalled", "a stop is no stall", {f'{STATE},partition="3",state="stop"}}': "1x10"}, 5),
    Case(
        "RecordsLost",
        "retention took forty",
        {f"kafka_consumergroup_records_lost_total{{{GROUP}}}": "0x5 40x10"},
        8,
        (of(), "my-streams lost records of airudder.callbacks.v1"),
    ),
    Case(
        "RecordsLost",
        "what was lost two hours ago",
        {f"kafka_consumergroup_records_lost_total{{{GROUP}}}": "0 40x200"},
        150,
    ),
    Case("RecordsLost", "nothing lost", {f"kafka_consumergroup_records_lost_total{{{GROUP}}}": "0x200"}, 150),
    Case(
        "FreshnessBurnFast",
        "a fifth of the calls is late, for an hour",
        {AGE: "0+80x70", AGES: "0+100x70"},
        65,
        ({}, "20% of calls are counted later than 10 s"),
    ),
    Case("FreshnessBurnFast", "it was late, and is well again", {AGE: "0+60x50 3100+100x20", AGES: "0+100x70"}, 65),
    Case("FreshnessBurnFast", "half a percent is late", {AGE: "0+199x70", AGES: "0+200x70"}, 65),
    Case(
        "FreshnessBurnSlow",
        "eight percent are late, for six hours",
        {AGE: "0+92x400", AGES: "0+100x400"},
        380,
        ({}, "8% of calls are counted later than 10 s"),
    ),
    Case("FreshnessBurnSlow", "no call at all", {AGE: "500x400", AGES: "500x400"}, 380),
    Case(
        "LagPollerStale",
        "the last poll was two minutes ago",
        {"kafka_lag_last_success_timestamp_seconds": "0x10"},
        3,
        ({}, "The monitor knows nothing of lag"),
    ),
    Case("LagPollerStale", "the monitor is gone", {"unrelated": "1x10"}, 3, ({}, "The monitor knows nothing of lag")),
    Case("LagPollerStale", "every poll succeeds", {"kafka_lag_last_success_timestamp_seconds": "0+60x10"}, 8),
    Case(
        "OutcomesStale",
        "not heard of for minutes",
        {"monitor_outcomes_as_of_timestamp_seconds": "0x10"},
        3,
        ({}, "The monitor does not read outcomes"),
    ),
    Case("OutcomesStale", "heard of all the time", {"monitor_outcomes_as_of_timestamp_seconds": "0+60x10"}, 8),
    Case(
        "ConservationBroken",
        "three calls are missing",
        {'conservation_difference{step="calls"}': "0 3x20"},
        15,
        ({"step": "calls"}, "3 are not accounted for at calls"),
    ),
    Case("ConservationBroken", "it evens out", {'conservation_difference{step="calls"}': "0 3x5 0x20"}, 6),
    Case(
        "ProbeLost",
        "the worker is cut off",
        {'probe_lost_total{hop="calls"}': "0 0 2+6x8"},
        6,
        ({"hop": "calls"}, "Probes get lost at calls"),
    ),
    Case("ProbeLost", "every probe comes through", {'probe_lost_total{hop="calls"}': "4x10"}, 6),
    *(
        Case("NoCallbacks", what, series, at, fires, STEP_M)
        for what, series, at, fires in (
            (
                "they came at this time last week",
                {f'{REQUESTS}"accepted"}}': f"0+5x{WEEK} {5 * WEEK}x9"},
                WEEK + 6,
                ({}, "No callback for a quarter of an hour"),
            ),
            (
                "the second day, and nothing comes",
                {f'{REQUESTS}"accepted"}}': f"0+5x{DAY} {5 * DAY}x9"},
                DAY + 6,
                ({}, "No callback for a quarter of an hour"),
            ),
            (
                "nobody calls at this time of the week",
                {f'{REQUESTS}"accepted"}}': f"0x12 0+5x{WEEK - 12} {5 * WEEK - 60}x12"},
                WEEK + 9,
                None,
            ),
            (
                "probes alone are no callbacks, and none came yesterday",
                {
                    'webhook_requests_total{source="probe",outcome="accepted"}': f"0+5x{DAY + 9}",
                    f'{REQUESTS}"accepted"}}': f"0x{DAY + 9}",
                },
                DAY + 6,
                None,
            ),
            ("callbacks come", {f'{REQUESTS}"accepted"}}': f"0+5x{DAY + 9}"}, DAY + 6, None),
        )
    ),
    Case(
        "BadSignatureShare",
        "a tenth is refused",
        {f'{REQUESTS}"accepted"}}': "0+90x40", f'{REQUESTS}"bad_signature"}}': "0+10x40"},
        30,
        ({}, "Over 5 % of callbacks have a bad signature"),
    ),
    Case(
        "BadSignatureShare",
        "a scanner tries four times",
        {f'{REQUESTS}"accepted"}}': "0x40", f'{REQUESTS}"bad_signature"}}': "0 1 2 3 4x40"},
        10,
    ),
    Case(
        "BadSignatureShare",
        "one in a hundred",
        {f'{REQUESTS}"accepted"}}': "0+990x40", f'{REQUESTS}"bad_signature"}}': "0+10x40"},
        30,
    ),
    Case(
        "QuarantineFull",
        "nine tenths of the day's bytes",
        {
            'webhook_quarantine_bytes_today{instance="g"}': "90x10",
            'webhook_quarantine_bytes_limit{instance="g"}': "100x10",
        },
        5,
        ({"instance": "g"}, "The quarantine of g is nearly full"),
    ),
    Case(
        "QuarantineFull",
        "a request was over the cap",
        {'webhook_quarantined_total{instance="g",reason="malformed",outcome="over_cap"}': "0 0 3x10"},
        5,
        ({"instance": "g"}, "The quarantine of g is nearly full"),
    ),
    Case(
        "QuarantineFull",
        "half of it",
        {
            'webhook_quarantine_bytes_today{instance="g"}': "50x10",
            'webhook_quarantine_bytes_limit{instance="g"}': "100x10",
        },
        5,
    ),
    Case(
        "SpoolOldest",
        "ten minutes on disk",
        {'webhook_spool_oldest_age_seconds{instance="g"}': "0 60 120 300 360 600x9"},
        8,
        ({"instance": "g"}, "Callbacks wait on the disk of g for 10m 0s"),
    ),
    Case(
        "SpoolOldest", "an outage of two minutes", {'webhook_spool_oldest_age_seconds{instance="g"}': "0 60 120 0x9"}, 8
    ),
    Case(
        "DeadLetters",
        "one of the calls",
        {'stream_dead_letter_total{stage="call",reason="undecodable"}': "0x5 1x9"},
        8,
        ({"stage": "call", "reason": "undecodable"}, "Records ended as dead letters: undecodable"),
    ),
    Case("DeadLetters", "none new", {'stream_dead_letter_total{stage="call",reason="undecodable"}': "7x30"}, 20),
    Case(
        "LineNerBelowPeers",
        "the monitor finds it below",
        {'sip_line_anomaly{sip_line="+1555",kpi="ner"}': "1x5"},
        2,
        ({"sip_line": "+1555", "kpi": "ner"}, "+1555 reaches fewer phones than its peers"),
    ),
    Case("LineNerBelowPeers", "as good as its peers", {'sip_line_anomaly{sip_line="+1555",kpi="ner"}': "0x5"}, 2),
    Case(
        "LineNeverRings",
        "never a ring",
        {'sip_line_anomaly{sip_line="+1555",kpi="never_rang"}': "1x5"},
        2,
        ({"sip_line": "+1555", "kpi": "never_rang"}, "+1555 never rings"),
    ),
    Case(
        "LineNeverRings",
        "it rings, and falls behind its peers",
        {
            'sip_line_anomaly{sip_line="+1555",kpi="ner"}': "1x5",
            'sip_line_anomaly{sip_line="+1555",kpi="never_rang"}': "0x5",
        },
        2,
    ),
    Case(
        "WorkflowAllLinesDown",
        "all fell together",
        {'workflow_anomaly{workflow="wf",kpi="delivered"}': "1x5"},
        2,
        ({"workflow": "wf", "kpi": "delivered"}, "All lines of workflow wf fell together"),
    ),
    Case(
        "WorkflowAllLinesDown",
        "one line fell",
        {
            'workflow_anomaly{workflow="wf",kpi="delivered"}': "0x5",
            'sip_line_anomaly{sip_line="+1555",kpi="ner"}': "1x5",
        },
        2,
    ),
]

DIALS = 'call_attempts_total{sip_line="+1555",class='
RATIOS = {
    "sip_line:call_asr:ratio15m": 0.5,
    "sip_line:call_ner:ratio15m": 0.75,
    "sip_line:call_acd_seconds:mean15m": 30.0,
    "workflow:call_asr:ratio15m": 0.5,
    "workflow:call_ner:ratio15m": 0.75,
    "workflow:call_acd_seconds:mean15m": 30.0,
}
DIALLED = {"answered": 100, "no_answer": 50, "pre_alert_failure": 50, "bad_number": 0, "unknown": 0}


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    PROMTOOL.require()


def run(tmp_path: Path, rules: list[dict[str, Any]], tests: list[dict[str, Any]], evaluated_m: int = 1) -> None:
    """Run promtool with these rules, and with the recorded ones that they name."""
    needed = [rule for name, rule in RECORDED.items() if any(name in one["expr"] for one in rules)]
    files = {
        "rules.yml": {"groups": [{"name": "needed", "rules": needed}, {"name": "tested", "rules": rules}]},
        "cases.yml": {"rule_files": ["rules.yml"], "evaluation_interval": f"{evaluated_m}m", "tests": tests},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, allow_unicode=True, width=1000), encoding="utf-8")
    command = ["promtool", "test", "rules", str(tmp_path / "cases.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def as_test(case: Case) -> dict[str, Any]:
    rule, expected = ALERTS[case.alert], []
    if case.fires is not None:
        labels, summary = case.fires
        annotations = rule["annotations"] | {"summary": summary}
        expected = [{"exp_labels": rule["labels"] | labels, "exp_annotations": annotations}]
    look = {"eval_time": f"{case.at * case.step_m}m", "alertname": case.alert, "exp_alerts": expected}
    return {
        "name": f"{case.alert}: {case.what}",
        "interval": f"{case.step_m}m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [look],
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_then_only(alert: str, tmp_path: Path) -> None:
    cases = [case for case in CASES if case.alert == alert]

    evaluated_m = 1 if cases[0].step_m == 1 else 15  # a week is many evaluations

    run(tmp_path, [ALERTS[alert]], [as_test(case) for case in cases], evaluated_m)


def test_every_alert_has_a_case_that_fires_and_one_that_is_silent() -> None:
    for fires in (True, False):
        assert {case.alert for case in CASES if (case.fires is not None) is fires} == set(ALERTS)


def test_a_ratio_is_that_of_the_last_quarter_of_an_hour_and_absent_of_few_dials(tmp_path: Path) -> None:
    tests = [
        dials(record, scale, [{"labels": f'{record}{{{label_of(record)}="+1555"}}', "value": value}] if value else [])
        for record, ratio in RATIOS.items()
        for scale, value in ((1.0, ratio), (0.005, None))
    ]

    run(tmp_path, list(RECORDED.values()), tests)


def label_of(record: str) -> str:
    return record.split(":")[0]


def dials(record: str, scale: float, expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Twenty minutes of 200 dials a minute, times `scale`, of a line and of a workflow."""
    label, prefix = label_of(record), "workflow_" if record.startswith("workflow") else ""
    series = {
        f'{prefix}call_attempts_total{{{label}="+1555",class="{word}"}}': f"0+{count * scale}x30"
        for word, count in DIALLED.items()
    }
    series[f'{prefix}call_duration_seconds_sum{{{label}="+1555"}}'] = f"0+{3000 * scale}x30"
    series[f'{prefix}call_duration_seconds_count{{{label}="+1555"}}'] = f"0+{100 * scale}x30"
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": record, "eval_time": "20m", "exp_samples": expected}],
    }


def test_every_recorded_name_says_what_it_is_of() -> None:
    assert [name for name in RECORDED if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z]+\d+[mh]", name)] == []


def test_the_rules_are_what_promtool_takes() -> None:
    ran = subprocess.run(["promtool", "check", "rules", *map(str, FILES)], capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_who_is_woken_what_is_wrong_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"streams/monitor/RUNBOOK.md#{name.lower()}"


# -- the runbook


def test_every_alert_has_its_entry_in_the_runbook_and_none_besides() -> None:
    assert set(ENTRIES) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_entry_says_what_it_means_what_to_look_at_and_what_not_to_do(alert: str) -> None:
    entry = ENTRIES[alert]

    assert [part for part in ("**Means**", "**Look**", "**Do**", "**Do not**") if part not in entry] == []
    assert commands_of(entry)
