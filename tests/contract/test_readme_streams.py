"""streams/README.md has every rule, count, bound, metric, word and exit code as the code has them, and none besides."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase

from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime import exits
from streams.rules import bounds
from streams.rules.counts import OutcomeCounts
from streams.rules.dispositions import (
    DELIVERED,
    DISPOSITIONS,
    SECONDS_UNREACHABLE,
    TALKED_NO_SECONDS,
    TALKED_UNREACHABLE,
    disposition_of,
)
from streams.rules.times import Source
from streams.tools.dead_letters.decisions import ReplayDecision
from streams.tools.recount.comparison import WindowState
from streams.worker.metrics import WorkerMetrics
from streams.worker.talk_rounds import TalkRounds
from tests.support.readmes import ROOT, Row, tables, word, words

PAGE = ROOT / "streams" / "README.md"
TABLES = tables(PAGE)
RULES = TABLES["Disposition of a dial"]
NOTHING: dict[str, Any] = dict.fromkeys(
    ("result", "ring_type", "hangup_type", "ring_time_s", "duration_s", "talk_round"), None
)
RING_RULES = [rule for rule in RULES if rule["the dial"].startswith("has the ring word")]


def column(heading: str, name: str) -> list[str]:
    """The words of one column, in order."""
    return [word(row[name]) for row in TABLES[heading]]


def dial_of(example: str) -> dict[str, Any]:
    """`ring_type=busy ring_time_s=3` as arguments of the rule."""
    pairs = (pair.split("=") for pair in word(example).split())
    return NOTHING | {name: int(value) if value.isdigit() else value for name, value in pairs}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["rule"])
def test_a_rules_example_has_the_rules_disposition(rule: Row) -> None:
    assert disposition_of(**dial_of(rule["example"])) == word(rule["disposition"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["rule"])
def test_a_disposition_is_delivered_as_its_rule_says(rule: Row) -> None:
    assert (word(rule["disposition"]) in DELIVERED) is {"yes": True, "no": False}[rule["delivered"]]


@pytest.mark.parametrize("rule", RING_RULES, ids=lambda rule: rule["rule"])
def test_every_ring_word_of_a_rule_decides_alone(rule: Row) -> None:
    found = {ring: disposition_of(**NOTHING | {"ring_type": ring}) for ring in words(rule["the dial"])}

    assert set(found.values()) == {word(rule["disposition"])}


def test_every_disposition_has_a_rule() -> None:
    assert {word(rule["disposition"]) for rule in RULES} == set(DISPOSITIONS)
    assert [rule["rule"] for rule in RULES] == [str(number) for number in range(1, len(RULES) + 1)]


def test_every_contradiction_is_explained() -> None:
    rules = {TALKED_NO_SECONDS, TALKED_UNREACHABLE, SECONDS_UNREACHABLE, "call_times"}

    assert set(column("Contradictions", "rule")) == rules


def test_every_source_of_event_time_is_explained() -> None:
    assert column("Times", "`ended_at_source`") == list(get_args(Source))


def test_every_count_of_a_window_is_explained() -> None:
    assert column("What a window counts", "count") == list(OutcomeCounts.__struct_fields__)


def test_every_bound_has_its_value() -> None:
    there = {name: value for name, value in vars(bounds).items() if name.startswith("MAX_")}

    assert {word(row["bound"]): int(row["value"]) for row in TABLES["Bounds"]} == there


def test_every_metric_of_the_worker_has_its_type_and_labels() -> None:
    registry = WorkerMetrics().registry
    collectors = [one for one in registry._collector_to_names if isinstance(one, MetricWrapperBase)]
    there = {
        one._name + ("_total" if one._type == "counter" else ""): (one._type, ", ".join(one._labelnames) or "-")
        for one in collectors
    }
    ours = [family for one in registry._collector_to_names if isinstance(one, TalkRounds) for family in one.describe()]
    there |= {family.name: (family.type, ", ".join(family._labelnames)) for family in ours}  # type: ignore[attr-defined]

    rows = TABLES["Health and metrics of the worker"]
    assert {word(row["metric"]): (row["type"], row["labels"]) for row in rows} == there


def test_every_state_of_a_recount_is_explained() -> None:
    assert column("Are the windows right?", "state") == [state.value for state in WindowState]


def test_every_reason_to_leave_a_dead_letter_out_is_explained() -> None:
    left_out = [decision.value for decision in ReplayDecision if decision is not ReplayDecision.DUE]

    assert column("What could not be processed?", "left out as") == left_out


def test_every_reason_of_a_dead_letter_has_a_remedy() -> None:
    assert column("Dead letters appear", "reason") == list(DEAD_LETTER_REASONS)


def test_every_exit_code_has_its_meaning() -> None:
    there = {str(code): meaning for code, meaning in exits.TABLE.items()}

    assert {row["code"]: row["meaning"] for row in TABLES["Exit codes"]} == there


def test_every_room_is_named() -> None:
    rooms = {f"{path.parent.name}/" for path in (ROOT / "streams").glob("*/__init__.py")}

    assert {name for row in TABLES["streams: Kafka to Kafka, and eyes on both"] for name in words(row["room"])} == rooms
