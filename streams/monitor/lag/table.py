"""Pure: what `python -m streams lag` prints: a row per group and topic within 80 columns, then who is behind."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from streams.monitor.lag.facts import FACTS, LAG, LAG_SECONDS, UNKNOWN_TEXT, TopicLag, topics_of, worst
from streams.monitor.lag.tracker import GroupLag, LagSnapshot
from streams.monitor.lag.trend import Trends
from streams.monitor.lag.verdicts import MEANINGS, LagVerdict

STYLES: Final[dict[LagVerdict, str]] = {
    "ok": "green",
    "warn": "yellow",
    "rewind": "yellow",
    "behind": "yellow",
    "stop": "red",
    "stall": "red",
    "beyond": "red",
}
MAX_NAMED: Final = 6


def is_all_ok(snapshot: LagSnapshot) -> bool:
    """True when nothing was left unseen, and every topic is read as it should be."""
    topics = (topic for group in snapshot.groups for topic in topics_of(group))
    return not snapshot.unseen and all(group.is_known for group in snapshot.groups) and not _bad(topics)


def lag_table(snapshot: LagSnapshot, by_partition: bool = False, trends: Trends | None = None) -> Table:
    """A row per group and topic, or per partition; `-` where nobody can know. trends: shown of topics."""
    titles = [(fact, fact.of_partition if by_partition else fact.of_topic) for fact in FACTS]
    facts = [(fact, title) for fact, title in titles if title]
    table = Table(box=None, pad_edge=False)
    for title in ("group", "topic", *(["partition"] if by_partition else [])):
        table.add_column(title, overflow="fold")
    for _, title in facts:
        table.add_column(title, overflow="fold", justify="right")
    table.add_column("verdict", overflow="fold")
    if trends and not by_partition:
        table.add_column("trend", overflow="fold")
    for topic in (topic for group in snapshot.groups for topic in topics_of(group)):
        head = (topic.group.consumergroup, topic.topic)
        if by_partition:
            for row in topic.partitions:
                cells = (str(row.partition), *(fact.text(row) for fact, _ in facts))
                table.add_row(*map(Text, (*head, *cells)), _verdict(row.verdict))
        else:
            cells = tuple(fact.text(*topic.partitions) for fact, _ in facts)
            trend = [Text(trends.of(*head) or UNKNOWN_TEXT)] if trends else []
            table.add_row(*map(Text, (*head, *cells)), _verdict(topic.verdict), *trend)
    return table


def summary(snapshot: LagSnapshot) -> Iterator[str]:
    """A line per group that says whether it is behind, and a line per thing that could not be seen."""
    for group in snapshot.groups:
        yield f"{group.consumergroup} {_answer(group)}"
    for missing in snapshot.unseen:
        yield f"not seen: {missing.what}: {missing.why}"


def _answer(group: GroupLag) -> str:
    if not group.is_known:
        return "has never read anything: the broker does not know this group"
    topics = topics_of(group)
    found = worst(topic.verdict for topic in topics)
    size = _size(group)
    if found == "ok":
        return f"is not behind: {size}"
    if found == "unknown":
        return f"may be behind or not: {size}; {_why_unknown(topics)}"
    return f"is behind: {size}\n  {found} in {_places(topics, found)}: {MEANINGS[found]}"


def _size(group: GroupLag) -> str:
    """`3 records to read, the oldest 1.2 s old; 1 member (Stable)`."""
    records, oldest = LAG.of(*group.partitions), LAG_SECONDS.of(*group.partitions)
    to_read = "an unknown number of records" if records is None else _counted(records, "record")
    age = f", the oldest {oldest:.1f} s old" if oldest else ""
    return f"{to_read} to read{age}; {_counted(group.members, 'member')} ({group.state})"


def _counted(count: float, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _why_unknown(topics: list[TopicLag]) -> str:
    rows = [row for topic in topics for row in topic.partitions if row.verdict == "unknown" and row.has_records]
    if any(row.current_offset is None for row in rows):
        return "it has committed nothing yet in a part of the topics"
    return "it was not watched for long enough: --watch sees more"


def _places(topics: list[TopicLag], found: LagVerdict) -> str:
    """`airudder.callbacks.v1/7, airudder.rekeyed-details.v1 (2 of 12 partitions)`, MAX_NAMED of them."""
    places = [_place(topic) for topic in topics if topic.verdict == found]
    more = f" and {_counted(len(places) - MAX_NAMED, 'more topic')}" if len(places) > MAX_NAMED else ""
    return ", ".join(places[:MAX_NAMED]) + more


def _place(topic: TopicLag) -> str:
    if len(topic.guilty) == 1:
        return f"{topic.topic}/{topic.guilty[0].partition}"
    return f"{topic.topic} ({len(topic.guilty)} of {len(topic.partitions)} partitions)"


def _bad(topics: Iterator[TopicLag]) -> bool:
    return any(topic.verdict != "ok" for topic in topics)


def _verdict(found: LagVerdict) -> Text:
    # Text, not str: a group may be called [red] and must not be read as markup
    return Text(found, STYLES.get(found, "dim"))
