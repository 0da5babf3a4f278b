"""streams/monitor/README.md has every endpoint, parameter, word, KPI and metric of the code, and none besides."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from msgspec import structs
from prometheus_client.metrics_core import Metric

from schemas.records.outcomes import QuestionOutcomes, WindowedOutcomes
from streams.monitor.app import create_app
from streams.monitor.conservation.ledger import Difference
from streams.monitor.conservation.metrics import ConservationMetrics
from streams.monitor.conservation.steps import STEPS, Term
from streams.monitor.events import Kind
from streams.monitor.health import EVIDENCE, HEALTH_STATES
from streams.monitor.history.names import SERIES
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import VERDICTS
from streams.monitor.lines.metrics import LineFamilies
from streams.monitor.lines.watch import LineWatch
from streams.monitor.metrics import MonitorMetrics
from streams.monitor.outcomes.parameters import NAMES
from streams.monitor.outcomes.store import Observer, OutcomeStore
from streams.monitor.outcomes.views import phase
from streams.monitor.pages.frame import PARAMETERS as PAGE_PARAMETERS
from streams.monitor.probe.hops import NAMES as HOPS
from streams.monitor.probe.ledger import ProbeLedger
from streams.monitor.probe.metrics import ProbeMetrics
from streams.monitor.settings import MonitorSettings
from streams.monitor.workflows.ranking import VERDICTS as WORKFLOW_VERDICTS
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW
from streams.rules.dispositions import DISPOSITIONS
from streams.rules.kpis import MIN_SAMPLES, kpis, quantile, question_kpis
from streams.rules.labels import Labels
from tests.support.panes import PANE_MS, line_workflow, pane, question
from tests.support.readmes import ROOT, Row, tables, word

PAGE = ROOT / "streams" / "monitor" / "README.md"
TABLES = tables(PAGE)
KPIS = [row for row in TABLES["KPIs"] if "kpi" in row]
QUANTILES = [row for row in TABLES["KPIs"] if "quantile kpi" in row]
QUESTION_KPIS = [row for row in TABLES["KPIs"] if "question kpi" in row]
SHORT = {"dials": "attempt_dispositions", "calls": "dispositions"}
NUMBERS = ("1", "2", "3", "4", "5+")


def column(heading: str, name: str) -> list[str]:
    """The words of one column, in order."""
    return [word(row[name]) for row in TABLES[heading]]


# -- the API


def test_every_endpoint_is_there() -> None:
    served = {re.sub(r":\w+}", "}", route.path) for route in create_app(MonitorSettings()).routes}  # type: ignore[attr-defined]

    assert set(column("Endpoints", "path")) == served


def test_every_parameter_is_explained() -> None:
    assert set(column("Parameters of outcomes", "parameter")) == NAMES


def test_every_parameter_of_a_page_is_explained() -> None:
    named = [name.strip("` ") for row in TABLES["Pages"] for name in row["parameter"].split(",")]

    assert set(named) == PAGE_PARAMETERS


def test_every_event_is_explained() -> None:
    assert column("Events", "event") == list(get_args(Kind))


def test_every_series_is_explained_with_its_unit() -> None:
    rows = [row for row in TABLES["History"] if "series" in row]
    explained = [(word(row["series"]), row["unit"].strip(" -"), row["of a step"].strip()) for row in rows]

    assert explained == [(kind.name, kind.unit, {"max": "highest", "mean": "mean"}[kind.joined]) for kind in SERIES]


def test_every_step_of_conservation_is_explained_in_order() -> None:
    rows = [row for row in TABLES["Conservation"] if "step" in row]

    assert tuple(word(row["step"]) for row in rows) == STEPS


def test_every_phase_is_explained() -> None:
    window = pane(0)
    phases = [phase(window, 0), phase(window, PANE_MS), phase(structs.replace(window, is_final=True), PANE_MS)]

    assert column("Shapes", "`phase`") == phases


# -- words


def test_every_state_of_health_is_explained_worst_first() -> None:
    assert column("Health", "state") == list(HEALTH_STATES)


def test_every_verdict_is_explained() -> None:
    assert set(column("Verdicts", "verdict")) == set(VERDICTS)


@pytest.mark.parametrize("row", TABLES["Verdicts"], ids=lambda row: row["order"])
def test_a_verdict_weighs_as_much_as_health_says(row: Row) -> None:
    weight = EVIDENCE.get(word(row["verdict"]))  # type: ignore[call-overload]

    assert row["health"] == (f"`{weight[0]}`" if weight else "-")


def test_every_hop_of_a_probe_is_explained_in_its_order() -> None:
    assert column("Probe", "hop") == list(HOPS)


# -- KPIs


LAST = QuestionOutcomes(completed=21_001, skipped=503, broke_off=211, not_reached=101, position_sum=80_000)


def window_of_different_counts() -> WindowedOutcomes:
    """A window in which no two counts are equal, so that no formula is right by chance."""
    return structs.replace(
        pane(0),
        calls=600_000,
        attempts=1_000_000,
        answered=300_000,
        short_calls=11_003,
        silent_answers=12_007,
        engaged_calls=13_009,
        answered_duration_s_sum=7_000_001,
        dispositions={name: 1_009 + 31 * number for number, name in enumerate(DISPOSITIONS)},
        attempt_dispositions={name: 2_003 + 37 * number for number, name in enumerate(DISPOSITIONS)},
        answered_on_attempt={number: 3_001 + 41 * place for place, number in enumerate(NUMBERS)},
        reached_attempt={number: 40_009 + 43 * place for place, number in enumerate(NUMBERS)},
        answered_hangup_types={"ByCallee": 5_003, "ByRobot": 6_007},
        questions={
            "a": LAST,
            "b": structs.replace(LAST, completed=LAST.completed - 1, position_sum=LAST.position_sum - 999),
        },
        answered_ring_time_s_histogram=[0, *range(100, 200, 10)],
        unanswered_ring_time_s_histogram=[500, *range(10)],
    )


def value_of(expression: str, counts: object) -> int:
    """`attempts - dials.unknown` of a window."""
    total, sign = 0, 1
    for part in word(expression).split():
        if part in ("+", "-"):
            sign = 1 if part == "+" else -1
            continue
        name, _, key = part.partition(".")
        if name == "last":
            total += sign * getattr(LAST, key)
            continue
        found = getattr(counts, SHORT.get(name, name) if key else name)
        total += sign * (found[key] if key else found)
    return total


@pytest.mark.parametrize("row", KPIS, ids=lambda row: row["kpi"])
def test_a_kpi_is_what_its_formula_says(row: Row) -> None:
    window = window_of_different_counts()
    values, samples = kpis(window)
    kpi, n = values[word(row["kpi"])], value_of(row["denominator, `n`"], window)

    assert kpi is not None
    assert kpi["value"] == pytest.approx(value_of(row["numerator"], window) / n, abs=1e-6)
    assert samples[word(row["kpi"])] == kpi["n"] == n
    assert row["kind"] == ("mean" if kpi["low"] is None else "ratio")


@pytest.mark.parametrize("row", QUANTILES, ids=lambda row: row["quantile kpi"])
def test_a_quantile_is_of_the_histogram_that_its_row_names(row: Row) -> None:
    window = window_of_different_counts()
    histogram = getattr(window, word(row["histogram"]))
    values, samples = kpis(window)
    name = word(row["quantile kpi"])

    assert values[name] == quantile(histogram, float(row["quantile"]))
    assert samples[name] == sum(histogram)


def test_every_kpi_has_a_formula() -> None:
    told = [word(row[name]) for name in ("kpi", "quantile kpi") for row in TABLES["KPIs"] if name in row]
    assert sorted(told) == sorted(kpis(pane(0))[0])
    assert f"Below **{MIN_SAMPLES}** samples" in PAGE.read_text(encoding="utf-8")


def test_every_kpi_of_a_question_is_what_its_formula_says() -> None:
    counts = QuestionOutcomes(completed=1_009, skipped=503, broke_off=211, not_reached=101)
    found = question_kpis(structs.replace(pane(0), questions={"q": counts}))["q"]
    told = {
        word(row["question kpi"]): (value_of(row["numerator"], counts), value_of(row["denominator, `n`"], counts))
        for row in QUESTION_KPIS
    }

    assert {name: n for name, (_, n) in told.items()} == found["kpi_samples"]
    assert {name: kpi["value"] for name, kpi in found["kpis"].items()} == {
        name: pytest.approx(part / n, abs=1e-6) for name, (part, n) in told.items()
    }


# -- metrics


@dataclass
class Known:
    """A poller and a reader that know something of everything."""

    snapshot: LagSnapshot
    caught_up_store: OutcomeStore
    as_of_ms: int | None
    undecodable: int = field(default=0)
    is_caught_up: bool = True

    def observe(self, observer: Observer) -> None:
        self.caught_up_store.observe(observer)


def line_families(start: int) -> LineFamilies:
    """Of two lines that share a workflow."""
    lines, labels = OutcomeStore(), {dimension: Labels(2) for dimension in DIMENSIONS}
    for line in ("line-1", "line-2"):
        cells = {"wf-1": line_workflow(50, 20, delivered=45, failed=5)}
        lines.put(SIP_LINE, pane(start, dimension="sip_line", value=line, by_workflow=cells), start)
        labels[SIP_LINE].take(line)
    labels[WORKFLOW].take("wf-1")
    state = LineWatch(PANE_MS // 1000).look(lines, start)
    return LineFamilies(lambda: state, labels)


def families() -> list[Metric]:
    """Every family of a scrape with a group, a lost record, a workflow and a line."""
    now_ms = int(time.time() * 1000)
    start = now_ms - now_ms % PANE_MS
    partition, store = Partition("t", 0), OutcomeStore()
    row = PartitionLag(*partition, 6, 0, 10, 4, 1.5, "ok")
    group = GroupLag("g", "Stable", 1, (row,), {"t": 3.0})
    snapshot = LagSnapshot(now_ms, (group,), {("g", "t"): 5}, {partition: 0}, {partition: 10})
    for dimension in DIMENSIONS:
        counts = {"attempts": 40, "attempt_dispositions": {"answered": 40}, "questions": {"q": question(completed=1)}}
        store.put(dimension, pane(start, dimension=dimension.name, **counts), now_ms)
    metrics, known = MonitorMetrics(PANE_MS // 1000), Known(snapshot, store, now_ms)
    ProbeMetrics(metrics.registry, ProbeLedger())
    metrics.registry.register(line_families(start))
    known_difference: Any = SimpleNamespace(differences=lambda _: [Difference("stored", Term(), 0)])
    metrics.registry.register(ConservationMetrics(known_difference))
    metrics.watch(known, known)
    return [family for family in metrics.families() if not family.name.startswith("process_")]


def test_every_metric_has_its_type_and_labels() -> None:
    there = {}
    for family in families():
        labels = dict.fromkeys(name for sample in family.samples for name in sample.labels if name != "le")
        name = family.name + ("_total" if family.type == "counter" else "")
        there[name] = (family.type, ", ".join(labels) or "-")

    assert {word(row["metric"]): (row["type"], row["labels"]) for row in TABLES["Metrics"]} == there


# -- workflows


def test_every_verdict_on_a_workflow_is_explained() -> None:
    assert set(column("Workflows", "verdict")) == set(WORKFLOW_VERDICTS)
