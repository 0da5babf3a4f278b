"""The worker's metrics, named and described once. No id, number or free text is ever a label."""

from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime.build import show_build
from schemas.runtime.registry_metrics import RegistryMetrics
from schemas.runtime.tracing import SPAN_OUTCOMES, SpanOutcome
from schemas.topics import TABLES
from streams.rules.counts import MAPS, RECORD_MAPS
from streams.rules.dimensions import DIMENSIONS
from streams.rules.dispositions import SECONDS_UNREACHABLE, TALKED_NO_SECONDS, TALKED_UNREACHABLE
from streams.rules.times import Source
from streams.worker.talk_rounds import TalkRounds

AGE_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
PROCESS_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STAGES: Final = ("call", "table")  # the stages of the agents
CONTRADICTIONS: Final = (TALKED_NO_SECONDS, TALKED_UNREACHABLE, SECONDS_UNREACHABLE, "call_times")


class WorkerMetrics:
    """What the worker counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        show_build("worker", self.registry)
        self.records = Counter(
            "stream_records",
            "Records processed, by stage and outcome: in = sum of outcomes",
            ["stage", "outcome"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "stream_dead_letter", "Records kept as dead letters", ["stage", "reason"], registry=self.registry
        )
        self.late = Counter(
            "stream_window_late", "Calls that came after their window was closed", ["table"], registry=self.registry
        )
        self.late_corrections = Counter(
            "stream_late_corrections",
            "Corrections among stream_window_late: the call was counted, or refused, before",
            ["table"],
            registry=self.registry,
        )
        self.event_time_faults = Counter(
            "stream_event_time_fault",
            "Calls whose event time was taken from their receipt, by fault",
            ["fault"],
            registry=self.registry,
        )
        self.contradictions = Counter(
            "stream_call_contradiction",
            "Calls whose fields contradict each other, by rule (streams/README.md, Contradictions)",
            ["rule"],
            registry=self.registry,
        )
        self.far_keys = Gauge(
            "stream_clock_far_keys",
            "Workflows or SIP lines whose calls end hours before their receipt (behind) or after it (ahead)",
            ["table", "state"],
            registry=self.registry,
        )
        self.age = Histogram(
            "stream_event_age_seconds",
            "Age of a call, from its receipt at the gateway, when a stage had processed it",
            ["stage"],
            buckets=AGE_BUCKETS_S,
            registry=self.registry,
        )
        self.table_keys = Gauge("stream_table_keys", "Open windows held in memory", ["table"], registry=self.registry)
        self.overflow = Counter(
            "stream_window_overflow",
            "Words counted as `other` because a window's map had no name left, by table and map",
            ["table", "map"],
            registry=self.registry,
        )
        self.unsendable = Counter(
            "stream_window_unsendable",
            "Window results that could not be made; see the log",
            ["table"],
            registry=self.registry,
        )
        self.foreign_rows = Counter(
            "stream_foreign_row",
            "Records of a changelog that are no rows of ours, left out of the table",
            ["table"],
            registry=self.registry,
        )
        self.unsettled_runs = Gauge(
            "stream_unsettled_runs", "Runs of records in hand, not yet settled", registry=self.registry
        )
        self.schema_registry_waits = Counter(
            "schema_registry_waits", "Times a record waited for the schema registry", registry=self.registry
        )
        self.waiting_partitions = Gauge(
            "schema_registry_waiting_partitions",
            "Partitions that wait for a schema that the registry has not sent yet",
            registry=self.registry,
        )
        self.held_partitions = Gauge(
            "stream_held_partitions",
            "Partitions whose records cannot be read because a transaction before them is open",
            registry=self.registry,
        )
        self.spans = Counter(
            "stream_spans",
            "Spans that were recorded: exported, failed (the collector took them not), dropped (the queue was full)",
            ["outcome"],
            registry=self.registry,
        )
        self.process_duration = Histogram(
            "messaging_process_duration_seconds",
            "Time to process a run of records, up to giving it to the producer",
            ["messaging_destination_name", "messaging_consumer_group_name", "error_type"],
            buckets=PROCESS_BUCKETS_S,
            registry=self.registry,
        )
        self.recovery_seconds = Gauge(
            "stream_table_recovery_seconds",
            "The newest recovery, from the assignment to the table's last row; 0 when there was none to restore",
            ["table"],
            registry=self.registry,
        )
        self.talk_rounds = TalkRounds(self.registry)
        self.schema_registry = RegistryMetrics(self.registry)
        self.recoveries = Counter("stream_recoveries", "Times tables were recovered", registry=self.registry)
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        """Create the series of every counter with closed labels, so that `increase()` sees the first event.

        Not `stream_records`: the agents decide which outcomes a stage has.
        """
        for outcome in SPAN_OUTCOMES:
            self.spans.labels(outcome)
        for stage in STAGES:
            for reason in DEAD_LETTER_REASONS:
                self.dead_letters.labels(stage, reason)
        for dimension in DIMENSIONS:
            self.late.labels(dimension.table)
            self.late_corrections.labels(dimension.table)
            self.unsendable.labels(dimension.table)
            for name in sorted({*MAPS, *RECORD_MAPS} - {"overflow"}):
                self.overflow.labels(dimension.table, name)
        for table in TABLES:
            self.foreign_rows.labels(table)
        for fault in sorted({*get_args(Source)} - {"provider"}):
            self.event_time_faults.labels(fault)
        for rule in CONTRADICTIONS:
            self.contradictions.labels(rule)

    def count_spans(self, outcome: SpanOutcome, spans: int) -> None:
        """Count spans that left, or did not."""
        self.spans.labels(outcome).inc(spans)
