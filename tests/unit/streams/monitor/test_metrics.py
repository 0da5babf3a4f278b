"""/metrics: drop-in names, no stale series, no zero where nothing is known, and never more than the cap."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streams.monitor.errors import NotReadyError
from streams.monitor.lag import metrics as lag_metrics
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.metrics import MonitorMetrics
from streams.monitor.outcomes.metrics import OutcomeFamilies
from streams.monitor.outcomes.store import Observer, OutcomeStore
from streams.rules.dimensions import SIP_LINE
from tests.support.panes import NOON_MS, PANE_MS, pane

MAX_SERIES = 15_000  # of lines alone; streams/monitor/README.md has the figure of all


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

    is_caught_up: bool = True

    @property
    def caught_up_store(self) -> OutcomeStore:
        return self.store

    def observe(self, observer: Observer) -> None:
        self.store.observe(observer)


def row(lag: int | None = 4, lag_seconds: float | None = 1.5, current_offset: int | None = 6) -> PartitionLag:
    return PartitionLag("t", 0, current_offset, 0, 10, lag, lag_seconds, "ok" if lag is not None else "unknown")


def snapshot(*rows: PartitionLag, name: str = "g", drain: float = 3.0) -> LagSnapshot:
    drains = {"t": drain} if rows and rows[0].lag is not None else {}
    group = GroupLag(name, "Stable", 1, rows, drains)
    return LagSnapshot(NOON_MS, (group,), {("g", "t"): 5}, {Partition("t", 0): 0}, {Partition("t", 0): 10})


def scraped(poller: Poller, reader: Reader | None = None) -> dict[str, float]:
    """Every sample of a scrape, by name and sorted labels."""
    metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
    metrics.watch(poller, reader or Reader())
    return samples(metrics)


def samples(metrics: MonitorMetrics) -> dict[str, float]:
    text = metrics.answer({}).body.decode()
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


def test_open_metrics_has_the_same_samples_and_one_end() -> None:
    metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
    metrics.watch(Poller(snapshot(row())), Reader(lines(2)))
    text = metrics.answer({"accept": "application/openmetrics-text; version=1.0.0"}).body.decode()
    families: list[Metric] = list(open_metrics(text))  # type: ignore[no-untyped-call]  # untyped there
    found = {sample.name for family in families for sample in family.samples}

    assert text.count("# EOF") == 1
    assert found == {series.split()[0] for series in samples(metrics)}


def test_before_the_first_poll_there_is_no_lag_and_no_success() -> None:
    assert [s for s in scraped(Poller()) if s.startswith(("kafka_consumergroup", "kafka_lag_last"))] == []


def test_the_series_of_a_group_that_is_gone_vanish() -> None:
    metrics, poller = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000), Poller(snapshot(row()))
    metrics.watch(poller, Reader())
    before = samples(metrics)
    poller.found = snapshot(row(), name="another")
    after = samples(metrics)

    assert any("consumergroup=g " in f"{series} " for series in before)
    gone = [s for s in after if "consumergroup=g " in f"{s} " and "lost" not in s]
    assert gone == []


def test_stale_lag_is_absent_and_its_last_success_stays() -> None:
    old = replace(snapshot(row(0, 0.0)), as_of_ms=NOON_MS - 60_000)
    found = scraped(Poller(old))

    assert [series for series in found if series.startswith(("kafka_consumergroup", "kafka_topic"))] == []
    assert found["kafka_lag_last_success_timestamp_seconds"] == NOON_MS / 1000 - 60


def test_outcomes_that_are_stale_have_no_kpis_and_tell_their_age() -> None:
    found = scraped(Poller(), Reader(lines(1), as_of_ms=NOON_MS - 60_000))

    assert [series for series in found if series.startswith("sip_line_kpi")] == []
    assert found["monitor_outcomes_as_of_timestamp_seconds"] == NOON_MS / 1000 - 60


def test_the_monitor_tells_its_own_cost_and_doubles_no_counter() -> None:
    found = scraped(Poller(snapshot(row())))

    assert found["process_cpu_seconds_total"] > 0
    assert [series for series in found if "_created" in series] == []


def test_more_partitions_than_the_cap_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag_metrics, "MAX_PARTITIONS", 50)
    rows = tuple(replace(row(), partition=i) for i in range(57))
    group = GroupLag("g", "Stable", 1, rows, {})
    found = scraped(Poller(LagSnapshot(NOON_MS, (group,), {}, {}, {})))

    assert len([series for series in found if series.startswith("kafka_consumergroup_lag ")]) == 50
    assert found["kafka_lag_partitions_left_out"] == 7
    assert found["kafka_consumergroup_lag_sum consumergroup=g topic=t"] == 4 * 57


@pytest.mark.parametrize("minutes", [20, 180])
def test_a_fleet_that_died_has_no_kpi_of_the_last_quarter_of_an_hour(minutes: int) -> None:
    now = NOON_MS + minutes * 60_000
    families = observed(lines(1), now / 1000).refresh(lines(1)).families
    spans = {sample.labels["window"] for family in families for sample in family.samples if "kpi" in sample.name}

    assert spans == ({"1h"} if minutes == 20 else set())


def test_families_are_made_anew_when_only_time_went_on() -> None:
    times, store = [NOON_MS / 1000], lines(1)
    families = OutcomeFamilies(300, lambda: times[0])
    store.observe(families.observe)
    assert kpis_of(families.refresh(store).families)
    times[0] += 3 * 3600

    assert not kpis_of(families.refresh(store).families)


def kpis_of(families: Iterable[Metric]) -> list[Sample]:
    return [sample for family in families for sample in family.samples if "_kpi_" in sample.name]


def observed(store: OutcomeStore, now_s: float = NOON_MS / 1000) -> OutcomeFamilies:
    families = OutcomeFamilies(300, lambda: now_s)
    store.observe(families.observe)
    return families


@pytest.mark.parametrize("name", ["other", "__other__"])
def test_a_line_may_bear_the_overflows_name(name: str) -> None:
    store = lines(101)
    store.put(SIP_LINE, pane(dimension="sip_line", value=name, attempts=7), NOON_MS)
    metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
    metrics.watch(Poller(), Reader(store))
    series = [line.split("} ")[0] for line in metrics.answer({}).body.decode().splitlines() if "}" in line]

    assert [one for one in set(series) if series.count(one) > 1] == []


def test_values_of_fifty_thousand_characters_cost_no_more_than_others() -> None:
    store = OutcomeStore()
    for i in range(300):
        value = "x" * 50_000 + str(i)
        store.put(SIP_LINE, pane(dimension="sip_line", value=value, attempts=40), NOON_MS)
    metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
    metrics.watch(Poller(), Reader(store))

    assert len(metrics.answer({}).body) < 2_000_000


def lines(count: int) -> OutcomeStore:
    store = OutcomeStore()
    for i in range(count):
        record = pane(dimension="sip_line", value=f"line-{i}", attempts=40, attempt_dispositions={"answered": 10})
        store.put(SIP_LINE, record, NOON_MS)
    return store


def test_a_kpi_is_the_newest_spans() -> None:
    store = lines(1)
    old = pane(NOON_MS - 12 * PANE_MS, dimension="sip_line", value="line-0", attempts=1000)
    recent = pane(NOON_MS - 11 * PANE_MS, dimension="sip_line", value="line-0", attempts=60)
    store.put(SIP_LINE, old, NOON_MS)
    store.put(SIP_LINE, recent, NOON_MS)
    found = scraped(Poller(), Reader(store))

    assert found["sip_line_kpi_ratio kpi=asr sip_line=line-0 window=15m"] == 0.25
    assert found["sip_line_kpi_samples kpi=asr sip_line=line-0 window=1h"] == 100
    assert "sip_line_kpi_ratio kpi=short_call_ratio sip_line=line-0 window=15m" not in found


def test_ten_thousand_invented_lines_stay_under_the_cap_and_are_counted() -> None:
    metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
    metrics.watch(Poller(), Reader(lines(10_000)))
    found = samples(metrics)
    labels = {s.split("sip_line=")[1].split()[0] for s in found if s.startswith("sip_line_kpi_samples")}

    assert len(labels) == SIP_LINE.max_labels + 1
    assert found["sip_line_kpi_samples kpi=asr sip_line=__other__ window=15m"] == 40 * (10_000 - SIP_LINE.max_labels)
    assert found["label_values_dropped_total label=sip_line"] == 10_000 - SIP_LINE.max_labels
    assert found["call_attempts_total class=answered sip_line=__other__"] == 10 * (10_000 - SIP_LINE.max_labels)
    assert len(found) < MAX_SERIES


def test_a_scrape_of_ten_thousand_lines_makes_nothing() -> None:
    """Counted, not timed: once the background has rendered, a scrape takes no more calls than one of a single line."""
    calls = []
    for count in (1, 10_000):
        metrics = MonitorMetrics(300, now_s=lambda: NOON_MS / 1000)
        metrics.watch(Poller(), Reader(lines(count)))
        metrics.answer({})
        calls.append(calls_of(metrics.answer))

    assert calls[1] <= calls[0] + 50


def calls_of(answer: Callable[[Mapping[str, str]], object]) -> int:
    """How many functions are called, C's included."""
    counted = [0]

    def count(frame: object, event: str, argument: object) -> None:
        counted[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        answer({})
    finally:
        sys.setprofile(None)
    return counted[0]


def test_families_are_made_again_only_when_something_changed() -> None:
    store = lines(3)
    families = observed(store)
    first = families.refresh(store)
    assert families.refresh(store) is first

    store.put(SIP_LINE, pane(dimension="sip_line", value="new"), NOON_MS)
    assert families.refresh(store) is not first


def test_a_scrape_only_hands_out_what_the_background_rendered() -> None:
    renderings: list[object] = []

    def render(made: object) -> bytes:
        renderings.append(made)
        return str(len(renderings)).encode()

    store = lines(1)
    families = observed(store)
    first = families.rendered(store, "text", render)
    store.put(SIP_LINE, pane(dimension="sip_line", value="new"), NOON_MS)

    assert families.rendered(store, "text", render) == first
    families.refresh(store)
    assert families.rendered(store, "text", render) == b"2"
    assert len(renderings) == 2, "rendered when it was made, and by no scrape"
