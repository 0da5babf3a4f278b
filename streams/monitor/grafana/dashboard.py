"""The Grafana dashboard as code: rows of panels, each with its expressions. Pure.

Plain dictionaries in the form of Grafana's dashboard JSON, schema 41: its SDK for Python has release numbers that pip
orders wrongly, and would be a dependency for a hundred lines.
"""

import json
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple

UID: Final = "airudder"
TITLE: Final = "AiRudder: calls, lag and lines"
SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
COLUMNS: Final = 24
HEIGHT: Final = 8
STAT_HEIGHT: Final = 4


class Panel(NamedTuple):
    """One panel. series: expressions with their legends. unit: Grafana's name of it. is_stat: one number, no time."""

    title: str
    unit: str
    series: tuple[tuple[str, str], ...]
    is_stat: bool = False
    most: float | None = None


class Row(NamedTuple):
    """Panels beside one another, below a heading."""

    title: str
    panels: tuple[Panel, ...]


def stat(title: str, unit: str, expression: str) -> Panel:
    """A panel of one number."""
    return Panel(title, unit, ((expression, ""),), is_stat=True)


def ratio(title: str, expression: str, legend: str) -> Panel:
    """A panel of shares, from 0 to 1."""
    return Panel(title, "percentunit", ((expression, legend),), most=1)


COUNTED_AGE: Final = 'stream_event_age_seconds_bucket{stage="table"}'
LINE_KPI: Final = 'sip_line_kpi_ratio{{kpi="{}",window="15m"}}'
ROWS: Final = (
    Row("Is anything wrong?", (
        stat("Oldest unread record", "s", "max(kafka_consumergroup_lag_seconds)"),
        stat("Callbacks", "reqps", 'sum(rate(webhook_requests_total{source="airudder"}[5m]))'),
        stat("Records lost, 24 h", "short", "sum(increase(kafka_consumergroup_records_lost_total[24h]))"),
        stat("Dead letters, 24 h", "short", "sum(increase(stream_dead_letter_total[24h]))"),
        stat("Lag read, age", "s", "time() - max(kafka_lag_last_success_timestamp_seconds)"),
        stat("Outcomes read, age", "s", "time() - max(monitor_outcomes_as_of_timestamp_seconds)"),
    )),
    Row("Lag", (
        Panel("Age of the next unread record", "s", (
            ("max by (consumergroup, topic) (kafka_consumergroup_lag_seconds)", "{{consumergroup}} {{topic}}"),
        )),
        Panel("Records still to read", "short", (
            ("sum by (consumergroup, topic) (kafka_consumergroup_lag)", "{{consumergroup}} {{topic}}"),
        )),
        Panel("Partitions by verdict, ok left out", "short", ((
            'sum by (consumergroup, topic, state) (kafka_consumergroup_partition_state{state!="ok"}) > 0',
            "{{consumergroup}} {{topic}} {{state}}",
        ),)),
    )),
    Row("Front door", (
        Panel("Callbacks by what became of them", "reqps", (
            ('sum by (outcome) (rate(webhook_requests_total{source="airudder"}[5m])) > 0', "{{outcome}}"),
        )),
        Panel("Time to Kafka's acknowledgement", "s", tuple(
            (f"histogram_quantile({share}, sum by (le) (rate(webhook_publish_duration_seconds_bucket[5m])))", legend)
            for share, legend in (("0.5", "median"), ("0.99", "99 %"))
        )),
        Panel("Spool", "s", (("max(webhook_spool_oldest_age_seconds)", "oldest record"),)),
    )),
    Row("Worker", (
        Panel("Age of a call when it was counted", "s", tuple(
            (f"histogram_quantile({share}, sum by (le) (rate({COUNTED_AGE}[5m])))", legend)
            for share, legend in (("0.5", "median"), ("0.99", "99 %"))
        )),
        Panel("Records by stage and outcome", "short", (
            ("sum by (stage, outcome) (rate(stream_records_total[5m]))", "{{stage}} {{outcome}}"),
        )),
        Panel("Time to process a run", "s", ((
            "sum by (messaging_destination_name) (rate(messaging_process_duration_seconds_sum[5m]))"
            " / sum by (messaging_destination_name) (rate(messaging_process_duration_seconds_count[5m]))",
            "{{messaging_destination_name}}",
        ),)),
    )),
    Row("SIP lines, 15 minutes", (
        ratio("Network effectiveness", LINE_KPI.format("ner"), "{{sip_line}}"),
        ratio("Answer-seizure ratio", LINE_KPI.format("asr"), "{{sip_line}}"),
        ratio("Dials that never rang", LINE_KPI.format("failure_ratio"), "{{sip_line}}"),
        Panel("Dials judged, the n of these ratios", "short", (
            ('sip_line_kpi_samples{kpi="ner",window="15m"}', "{{sip_line}}"),
        )),
    )),
    Row("Calls", (
        Panel("Dials by disposition", "short", (
            ("sum by (class) (increase(call_attempts_total[15m]))", "{{class}}"),
        )),
        Panel("Calls by ring word", "short", (
            ("sum by (ring_type) (increase(call_ring_type_total[15m])) > 0", "{{ring_type}}"),
        )),
        Panel("Answered on which dial", "short", (
            ("sum by (attempt) (increase(call_answered_on_attempt_total[15m]))", "{{attempt}}"),
        )),
        Panel("Duration of answered calls", "s", (
            ("sum(rate(call_duration_seconds_sum[15m])) / sum(rate(call_duration_seconds_count[15m]))", "mean"),
        )),
    )),
    Row("Workflows", (
        Panel("Callees by what came of the call", "short", (
            ("sum by (outcome) (increase(call_contacts_total[15m]))", "{{outcome}}"),
        )),
        Panel("Questions", "short", (("sum by (state) (increase(answer_total[15m]))", "{{state}}"),)),
        Panel("Turns of conversation", "short", (
            ("sum(rate(call_talk_rounds_sum[15m])) / sum(rate(call_talk_rounds_count[15m]))", "mean"),
        )),
    )),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana takes it."""
    heights = [1 + (STAT_HEIGHT if row.panels[0].is_stat else HEIGHT) for row in ROWS]
    tops = [0, *accumulate(heights)]
    panels = list(chain.from_iterable(_row(row, top) for row, top in zip(ROWS, tops, strict=False)))
    return {
        "uid": UID,
        "title": TITLE,
        "schemaVersion": 41,
        "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def text() -> str:
    """The dashboard as the committed file has it."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def _row(row: Row, top: int) -> list[dict[str, Any]]:
    width = COLUMNS // len(row.panels)
    heading = {
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "panels": [],
        "gridPos": _place(0, top, COLUMNS, 1),
    }
    return [heading, *(_panel(panel, number * width, top + 1, width) for number, panel in enumerate(row.panels))]


def _panel(panel: Panel, left: int, top: int, width: int) -> dict[str, Any]:
    bounds = {} if panel.most is None else {"min": 0, "max": panel.most}
    return {
        "type": "stat" if panel.is_stat else "timeseries",
        "title": panel.title,
        "gridPos": _place(left, top, width, STAT_HEIGHT if panel.is_stat else HEIGHT),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, **bounds}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(panel.series)
        ],
    }


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"h": height, "w": width, "x": left, "y": top}
