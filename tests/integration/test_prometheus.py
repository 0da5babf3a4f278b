"""What the roles really export: a real Prometheus scrapes `up --demo`, and every expression of ours is asked of it.

Rules, dashboard and the expressions of others' dashboards name only metrics and labels that are there; the runbook's
commands run against the same system.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes.prometheus import Prometheus
from tests.support.processes.up import Up, sourced
from tests.support.promql import Selector, grouped_by, selectors
from tests.support.readmes import ROOT, tables, word
from tests.support.runbook import COMMANDS, Command
from tests.support.waiting import wait_until_true

MONITOR = ROOT / "streams" / "monitor"
RULE_FILES = sorted((MONITOR / "prometheus").glob("*.yml"))
RULES: list[dict[str, Any]] = [
    rule
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS = json.loads((MONITOR / "grafana" / "dashboard.json").read_text(encoding="utf-8"))["panels"]
DASHBOARD = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
OURS = [*(rule["expr"] for rule in RULES), *DASHBOARD]

# Those of others that name what kafka_exporter exports, with every choice of a variable in its place.
# 7589 is Grafana's "Kafka Exporter Overview"; the comparison with a number is left out: it says when, and not what.
OTHERS = {
    "7589 records in a second": 'sum(rate(kafka_topic_partition_current_offset{instance=~".+",topic=~".+"}[1m]))'
    " by (topic)",
    "7589 lag": 'sum(kafka_consumergroup_lag{instance=~".+",topic=~".+"}) by (consumergroup, topic)',
    "7589 records in a minute": 'sum(delta(kafka_topic_partition_current_offset{instance=~".+",topic=~".+"}[5m])/5)'
    " by (topic)",
    "7589 records read in a minute": 'sum(delta(kafka_consumergroup_current_offset{instance=~".+",topic=~".+"}[5m])/5)'
    " by (consumergroup, topic)",
    "7589 partitions": 'sum by(topic) (kafka_topic_partitions{instance=~".+",topic=~".+"})',
    "Strimzi TooLargeConsumerGroupLag": "kafka_consumergroup_lag",
    "Strimzi NoMessageForTooLong": "changes(kafka_topic_partition_current_offset[10m])",
    "kafka-observ-lib KafkaLagKeepsIncreasing": "sum without (partition) (delta(kafka_consumergroup_lag[5m]))",
    "kafka-observ-lib KafkaLagIsTooHigh": "sum without (partition) (kafka_consumergroup_lag)",
    "awesome-prometheus-alerts KafkaConsumerGroupLag": "sum by (consumergroup) (kafka_consumergroup_lag)",
}
OF_PROMETHEUS = {"instance", "job", "alertname"}
# kafka_exporter's name of a gauge, which we keep
KNOWN_COMPLAINT = 'kafka_consumergroup_lag_sum non-histogram and non-summary metrics should not have "_sum" suffix'
CALLS = 1500
DATA_S = 90.0


class System(NamedTuple):
    """The running system, and what watches it. exported: labels by the name of each sample."""

    environ: dict[str, str]
    urls: dict[str, str]
    prometheus: Prometheus
    texts: dict[str, str]
    exported: dict[str, set[str]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    scratch = tmp_path_factory.mktemp("prometheus")
    up = Up(scratch / "data", demo=True)
    try:
        up.wait_until_ready()
        environ = sourced(scratch / "data")
        targets = {
            "gateway": f"127.0.0.1:{environ['GATEWAY_OPS_PORT']}",
            "worker": f"127.0.0.1:{environ['STREAMS_OPS_PORT']}",
            "monitor": f"127.0.0.1:{environ['MONITOR_PORT']}",
        }
        prometheus = Prometheus(scratch, targets, RULE_FILES)
        try:
            prometheus.wait_until_scraped(len(targets))
            up.gateway("simulate", "--rate=200", f"--count={CALLS}", "--seed=7")
            wait_until_true(lambda: has_data(prometheus), DATA_S, "rates and ratios in Prometheus")
            texts = {role: scraped(target) for role, target in targets.items()}
            urls = {role: f"http://{target}" for role, target in targets.items()}
            yield System(environ, urls, prometheus, texts, labels_of(texts.values()))
        finally:
            prometheus.stop()
    finally:
        up.stop()


def has_data(prometheus: Prometheus) -> bool:
    return all(map(prometheus.query, ('sip_line_kpi_ratio{kpi="ner"}', "increase(call_attempts_total[15m]) > 0")))


def scraped(target: str) -> str:
    with urlopen(f"http://{target}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def labels_of(texts: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def recorded() -> dict[str, set[str]]:
    return {rule["record"]: grouped_by(rule["expr"]) for rule in RULES if "record" in rule}


def told_of() -> dict[str, set[str]]:
    """The monitor's metrics by its README, which tests/contract holds against the code: some come with an alarm."""
    rows = [row for row in tables(MONITOR / "README.md")["Metrics"] if "metric" in row]
    return {word(row["metric"]): set(row["labels"].split(", ")) - {"-"} for row in rows}


@pytest.mark.parametrize("role", ["gateway", "worker", "monitor"])
def test_promtool_has_nothing_to_say_about_what_a_role_exports(system: System, role: str) -> None:
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=system.texts[role], capture_output=True, text=True, timeout=60
    )
    said = (ran.stdout + ran.stderr).splitlines()

    assert [line for line in said if line != KNOWN_COMPLAINT] == []
    assert (KNOWN_COMPLAINT in said) is (role == "monitor")


def test_every_expression_names_what_we_export(system: System) -> None:
    known = told_of() | system.exported | recorded()

    for expression in [*OURS, *OTHERS.values()]:
        for selector in selectors(expression):
            assert selector.name in known, f"{selector.name} of {expression}"
            assert selector.labels - known[selector.name] <= OF_PROMETHEUS, f"{selector} of {expression}"
        kept = set().union(*(known[selector.name] for selector in selectors(expression)))
        assert grouped_by(expression) - kept <= OF_PROMETHEUS, expression


def test_a_metric_or_label_that_is_not_there_would_be_found() -> None:
    assert selectors('sum by (a) (rate(x_total{b="1"}[5m])) unless y') == {
        Selector("x_total", frozenset("b")),
        Selector("y", frozenset()),
    }
    assert grouped_by("sum by (a) (max by (c, d) (x))") == {"a", "c", "d"}


@pytest.mark.parametrize("name", OTHERS)
def test_the_expressions_of_others_have_data(system: System, name: str) -> None:
    assert system.prometheus.query(OTHERS[name])


def test_every_panel_of_the_dashboard_has_data(system: System) -> None:
    empty = [expression for expression in DASHBOARD if not system.prometheus.query(expression)]

    # nothing stands still, and no gateway has a spool
    assert [one for one in empty if "partition_state" not in one] == []


def test_prometheus_takes_the_rules_and_none_fails(system: System) -> None:
    groups = system.prometheus.get("rules")["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}

    assert set(rules) == {rule.get("alert") or rule["record"] for rule in RULES}
    assert {name: rule["lastError"] for name, rule in rules.items() if rule.get("lastError")} == {}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_a_command_of_the_runbook_ends_as_it_says(system: System, command: Command) -> None:
    ports = {"8080": "monitor", "8001": "gateway"}
    text = re.sub(r"http://127\.0\.0\.1:(\d+)", lambda match: system.urls[ports[match[1]]], command.text)
    text = re.sub(r"^python ", f"{sys.executable} ", text)
    ran = subprocess.run(["bash", "-c", text], env=system.environ, cwd=ROOT, capture_output=True, timeout=120)

    assert ran.returncode == command.ends_with, (ran.stdout + ran.stderr).decode()[-2000:]
