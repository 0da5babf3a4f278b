"""/metrics: drop-in names, no stale series, no zero where nothing is known, and never more than the cap."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.monitor.errors import NotReadyError
from streams.monitor.lag import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.metrics import MonitorMetrics
from streams.monitor.metrics_outcomes import CAPS, OutcomeFamilies
from streams.monitor.reading import Partition
from streams.monitor.stats import OutcomeStore
from tests.unit.streams.monitor.windows import NOON_MS, PANE_MS, pane


@dataclass
class Poller:
    """A poller that found this."""

    found: LagSnapshot | None = None

    @property
    def snapshot(self) -> LagSnapshot:
        if self.found is None:
            raise NotReadyError("not yet")
        return self.found


@dataclass
class Reader:
    """A reader that holds this."""

    store: OutcomeStore = field(default_factory=OutcomeStore)
    undecodable: int = 0
    as_of_ms: int | None = NOON_MS

    @property
    def caught_up_store(self) -> OutcomeStore:
        return self.store


def row(lag: int | None = 4, lag_seconds: float | None = 1.5, current_offset: int | None = 6) -> PartitionLag:
    return PartitionLag("t", 0, current_offset, 0, 10, lag, lag_seconds, "ok" if lag is not None else "unknown")


def snapshot(*rows: PartitionLag, name: str = "g", drain: float = 3.0) -> LagSnapshot:
    drains = {"t": drain} if rows and rows[0].lag is not None else {}
    group = GroupLag(name, "Stable", 1, rows, drains)
    return LagSnapshot(NOON_MS, (group,), {("g", "t"): 5}, {Partition("t", 0): 0}, {Partition("t", 0): 10})


def scraped(poller: Poller, reader: Reader | None = None) -> dict[str, float]:
    """Every sample of a scrape, by name and sorted labels."""
    metrics = MonitorMetrics(300)
    metrics.watch(poller, reader or Reader())
    return samples(metrics)


def samples(metrics: MonitorMetrics) -> dict[str, float]:
    text = generate_latest(metrics.registry).decode()
    return {
        " ".join([sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ("kafka_consumergroup_lag consumergroup=g partition=0 topic=t", 4),
        ("kafka_consumergroup_lag_seconds consumergroup=g partition=0 topic=t", 1.5),
        ("kafka_consumergroup_lag_sum consumergroup=g topic=t", 4),
        ("kafka_consumergroup_current_offset consumergroup=g partition=0 topic=t", 6),
        ("kafka_consumergroup_members consumergroup=g", 1),
        ("kafka_consumergroup_drain_seconds consumergroup=g topic=t", math.inf),
        ("kafka_consumergroup_partition_state consumergroup=g partition=0 state=ok topic=t", 1),
        ("kafka_consumergroup_partition_state consumergroup=g partition=0 state=stop topic=t", 0),
        ("kafka_consumergroup_records_lost_total consumergroup=g topic=t", 5),
        ("kafka_topic_partition_current_offset partition=0 topic=t", 10),
        ("kafka_topic_partition_oldest_offset partition=0 topic=t", 0),
        ("kafka_lag_last_success_timestamp_seconds", NOON_MS / 1000),
    ],
)
def test_lag_has_the_names_and_labels_others_know(series: str, value: float) -> None:
    assert scraped(Poller(snapshot(row(), drain=math.inf)))[series] == value


def test_what_nobody_knows_is_absent_and_not_zero() -> None:
    found = scraped(Poller(snapshot(row(None, None, None))))

    unknown = ("lag", "lag_seconds", "lag_sum", "current_offset", "drain_seconds")
    assert [s for s in found if s.split()[0].removeprefix("kafka_consumergroup_") in unknown] == []
    assert found["kafka_consumergroup_partition_state consumergroup=g partition=0 state=unknown topic=t"] == 1


def test_before_the_first_poll_there_is_no_lag_and_no_success() -> None:
    assert [s for s in scraped(Poller()) if s.startswith(("kafka_consumergroup", "kafka_lag_last"))] == []


def test_the_series_of_a_group_that_is_gone_vanish() -> None:
    metrics, poller = MonitorMetrics(300), Poller(snapshot(row()))
    metrics.watch(poller, Reader())
    before = samples(metrics)
    poller.found = snapshot(row(), name="another")
    after = samples(metrics)

    assert any("consumergroup=g " in f"{series} " for series in before)
    gone = [s for s in after if "consumergroup=g " in f"{s} " and "lost" not in s]
    assert gone == []


def lines(count: int) -> OutcomeStore:
    store = OutcomeStore()
    for i in range(count):
        record = pane(dimension="sip_line", value=f"line-{i}", attempts=40, attempt_dispositions={"answered": 10})
        store.put("sip_line", record, NOON_MS)
    return store


def test_a_kpi_is_the_newest_spans() -> None:
    store = lines(1)
    old = pane(NOON_MS - 12 * PANE_MS, dimension="sip_line", value="line-0", attempts=1000)
    recent = pane(NOON_MS - 11 * PANE_MS, dimension="sip_line", value="line-0", attempts=60)
    store.put("sip_line", old, NOON_MS)
    store.put("sip_line", recent, NOON_MS)
    found = scraped(Poller(), Reader(store))

    assert found["sip_line_kpi_ratio kpi=asr sip_line=line-0 window=15m"] == 0.25
    assert found["sip_line_kpi_samples kpi=asr sip_line=line-0 window=1h"] == 100
    assert "sip_line_kpi_ratio kpi=short_call_ratio sip_line=line-0 window=15m" not in found


def test_ten_thousand_invented_lines_stay_under_the_cap_and_are_counted() -> None:
    metrics = MonitorMetrics(300)
    metrics.watch(Poller(), Reader(lines(10_000)))
    found = samples(metrics)
    labels = {s.split("sip_line=")[1].split()[0] for s in found if s.startswith("sip_line_kpi_samples")}

    assert len(labels) == CAPS["sip_line"] + 1
    assert found["sip_line_kpi_samples kpi=asr sip_line=other window=15m"] == 40 * (10_000 - CAPS["sip_line"])
    assert found["label_values_dropped_total label=sip_line"] == 10_000 - CAPS["sip_line"]


def test_a_second_scrape_reuses_what_has_not_changed() -> None:
    store, families = lines(3), OutcomeFamilies(300, clock=iter(range(0, 100, 4)).__next__)
    first = families.families(store)
    assert families.families(store) is first

    store.put("sip_line", pane(dimension="sip_line", value="new"), NOON_MS)
    assert families.families(store) is first, "many scrapers must not multiply the work"
    assert families.families(store) is first
    assert families.families(store) is not first
