"""`/lag`: who is behind, by how long, since when, and is it getting better?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from streams.monitor.history.history import History
from streams.monitor.history.memory import Memory, VerdictKey
from streams.monitor.history.names import of_topic
from streams.monitor.lag.facts import LAG, LAG_SECONDS, TopicLag, topics_of, worst
from streams.monitor.lag.tracker import GroupLag, PartitionLag
from streams.monitor.lag.trend import TREND_S, Trend, trend_of
from streams.monitor.lag.verdicts import LAG_SLO_S, MEANINGS, WORST_FIRST, LagVerdict
from streams.monitor.links import partition_path
from streams.monitor.monitor import Monitor
from streams.monitor.pages.drawing import Chart, Line, Strip, Values, column, spans_over
from streams.monitor.pages.frame import Page, PageRequest

POINTS: Final = 240
SPARK_S: Final = 3600
SPARK_POINTS: Final = 48


@dataclass(frozen=True)
class Cell:
    """One partition: its row, its place in /api/lag, since when it is as it is, its own view."""

    row: PartitionLag
    pointer: str
    since_ms: int | None
    link: str


@dataclass(frozen=True)
class TopicRow:
    """One topic of a group, as one row; pointer: the group's place in /api/lag."""

    lag: TopicLag
    pointer: str
    cells: tuple[Cell, ...]
    spark: Values
    trend: Trend
    since_ms: int | None
    rate_in: float | None
    rate_out: float | None

    @property
    def records(self) -> float | None:
        """Records still to read."""
        return LAG.of(*self.lag.partitions)

    @property
    def seconds(self) -> float | None:
        """Age of the oldest record that waits."""
        return LAG_SECONDS.of(*self.lag.partitions)


@dataclass(frozen=True)
class GroupPanel:
    """One group. is_abandoned: nobody is in it, and it is not ours: shown folded."""

    group: GroupLag
    pointer: str
    rows: tuple[TopicRow, ...]
    chart: Chart | None
    is_abandoned: bool

    @property
    def verdict(self) -> LagVerdict:
        """The worst of its topics."""
        return worst(row.lag.verdict for row in self.rows)

    @property
    def badness(self) -> tuple[int, float, str]:
        """For sorting, the worst first."""
        oldest = max((row.seconds or 0 for row in self.rows), default=0)
        return WORST_FIRST.index(self.verdict), -oldest, self.group.consumergroup


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """Every group that is watched, the worst first. Raises: NotReadyError before the first poll."""
    snapshot, ours = monitor.poller.snapshot, monitor.settings.group
    panels = [
        _panel(monitor, asked, group, f"/groups/{place}", is_ours=group.consumergroup == ours)
        for place, group in enumerate(snapshot.groups)
    ]
    panels.sort(key=lambda panel: panel.badness)
    values = {
        "as_of_ms": snapshot.as_of_ms,
        "panels": [panel for panel in panels if not panel.is_abandoned],
        "abandoned": [panel for panel in panels if panel.is_abandoned],
        "unseen": snapshot.unseen,
        "meanings": MEANINGS,
        "slo_s": LAG_SLO_S,
    }
    return Page("Lag", "lag.html", values)


def partition_link(asked: PageRequest, group: str, topic: str, partition: int) -> str:
    """The view of one partition."""
    return asked.link(partition_path(group, topic, partition))


def lag_chart(history: History, asked: PageRequest, title: str, names: Mapping[str, str]) -> Chart:
    """Lag in seconds over the range, a line for each name of a series, shaded where one was over the objective."""
    step_s = max(10, (asked.to_ms - asked.from_ms) // 1000 // POINTS)
    found = {label: history.series(name, asked.from_ms, asked.to_ms, step_s) for label, name in names.items()}
    at_ms, _ = column(next(iter(found.values()), []))
    lines = [Line(label, column(points)[1]) for label, points in found.items()]
    shaded = sorted({span for line in lines for span in spans_over(at_ms, line.values, LAG_SLO_S)})
    strip = Strip("age of the oldest record that waits", "s", lines)
    return Chart(title, at_ms, [strip], shaded, f"over {LAG_SLO_S:.0f} s", asked.zone.key)


def _panel(monitor: Monitor, asked: PageRequest, group: GroupLag, pointer: str, *, is_ours: bool) -> GroupPanel:
    name = group.consumergroup
    rows = tuple(_row(monitor.memory, asked, topic, pointer) for topic in topics_of(group))
    names = {row.lag.topic: of_topic("lag_seconds", name, row.lag.topic) for row in rows}
    chart = lag_chart(monitor.history, asked, f"Lag of {name}", names) if rows else None
    return GroupPanel(group, pointer, rows, chart, group.members == 0 and not is_ours)


def _row(memory: Memory, asked: PageRequest, topic: TopicLag, pointer: str) -> TopicRow:
    group, history = topic.group.consumergroup, memory.history
    cells = tuple(_cells(memory, asked, topic, pointer))
    guilty = {row.partition for row in topic.guilty}
    since = [cell.since_ms for cell in cells if cell.since_ms is not None and cell.row.partition in guilty]
    now_ms = asked.now_ms
    spark = history.series(
        of_topic("lag_seconds", group, topic.topic), now_ms - SPARK_S * 1000, now_ms, SPARK_S // SPARK_POINTS
    )
    return TopicRow(
        topic,
        pointer,
        cells,
        column(spark)[1],
        _trend(history, of_topic("lag_records", group, topic.topic), now_ms),
        min(since, default=None),
        _newest(history, of_topic("rate_in", group, topic.topic), now_ms),
        _newest(history, of_topic("rate_out", group, topic.topic), now_ms),
    )


def _cells(memory: Memory, asked: PageRequest, topic: TopicLag, pointer: str) -> Iterator[Cell]:
    group = topic.group
    places = {(row.topic, row.partition): place for place, row in enumerate(group.partitions)}
    for row in topic.partitions:
        since_ms = memory.verdicts.since_ms(VerdictKey(group.consumergroup, row.topic, row.partition))
        link = partition_link(asked, group.consumergroup, row.topic, row.partition)
        yield Cell(row, f"{pointer}/partitions/{places[row.topic, row.partition]}", since_ms, link)


def _trend(history: History, name: str, now_ms: int) -> Trend:
    span_ms = TREND_S * 1000
    before, after = (
        [value for _, value in history.series(name, start, start + span_ms) if value is not None]
        for start in (now_ms - 2 * span_ms, now_ms - span_ms)
    )
    return trend_of(before, after)


def _newest(history: History, name: str, now_ms: int) -> float | None:
    points = history.series(name, now_ms - TREND_S * 1000, now_ms)
    return next((value for _, value in reversed(points) if value is not None), None)
