"""`python -m streams lag`: how far behind is each group, for people, for pipes and for scripts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.errors import BrokerUnavailableError
from streams.monitor import instants
from streams.monitor.lag.poller import POLL_INTERVAL_S, LagPoller
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import STOP_AFTER_S, WORST_FIRST, LagVerdict
from streams.monitor.lag.views import lag_view
from streams.monitor.settings import MonitorSettings

STYLES: dict[LagVerdict, str] = {
    "ok": "green",
    "warn": "yellow",
    "rewind": "yellow",
    "behind": "yellow",
    "stop": "red",
    "stall": "red",
    "beyond": "red",
}
TOTALS = ("group", "state", "members", "topic", "partitions", "records", "seconds", "verdict")
PARTITIONS = ("group", "state", "members", "topic", "partition", "committed", "end", "records", "seconds", "verdict")
LOOKS_APART_S = STOP_AFTER_S + 1
"""One look cannot tell a reader that stands still from one that works."""

PIPE_WIDTH = 10_000
EXIT_ALL_OK, EXIT_NOT_OK = 0, 1


async def print_lag(
    environ: Mapping[str, str],
    console: Console | None = None,
    *,
    as_json: bool = False,
    by_partition: bool = False,
    watch: bool = False,
) -> int:
    """Print the lag of every group; the exit code: 0 when all was seen and every verdict is `ok`, 1 when not.

    Raises: SettingsError, BrokerUnavailableError.
    """
    poller = LagPoller(MonitorSettings.from_env(environ))
    out = console or _console()
    try:
        snapshot = await _looked_twice(poller, out if watch else None)
        while watch:
            _print(snapshot, out, as_json, by_partition)
            snapshot = await _next(poller, snapshot)
        _print(snapshot, out, as_json, by_partition)
        return EXIT_ALL_OK if is_all_ok(snapshot) else EXIT_NOT_OK
    finally:
        await poller.aclose()


def is_all_ok(snapshot: LagSnapshot) -> bool:
    """True when all was seen, and every partition is read as it should be."""
    return not snapshot.unseen and all(row.verdict == "ok" for group in snapshot.groups for row in group.partitions)


def lag_table(snapshot: LagSnapshot, by_partition: bool = False, is_plain: bool = False) -> Table:
    """A row per group and topic, or per partition; a dash where nobody can know. Plain has no lines."""
    table = Table(title=f"Consumer lag at {instants.text(snapshot.as_of_ms)}", box=None if is_plain else box.HEAVY_HEAD)
    for title in PARTITIONS if by_partition else TOTALS:
        table.add_column(title, overflow="fold")
    for group in snapshot.groups:
        for cells, state in _partitions(group) if by_partition else _topics(group):
            head = (group.consumergroup, group.state, group.members)
            texts = ("-" if cell is None else str(cell) for cell in (*head, *cells))
            # Text, not str: a group may be called [red] and must not be read as markup
            table.add_row(*map(Text, texts), Text(state, STYLES.get(state, "dim")))
    return table


def _console() -> Console:
    """As wide as the terminal; without one as wide as it takes, for nothing may be cut off before a grep."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


async def _looked_twice(poller: LagPoller, waiting: Console | None) -> LagSnapshot:
    """The second look, where the first leaves anything to be told."""
    first = await poller.poll_once()
    if waiting is not None or is_all_ok(first) or not any(group.is_known for group in first.groups):
        return first
    await asyncio.sleep(LOOKS_APART_S)
    return await poller.poll_once()


async def _next(poller: LagPoller, before: LagSnapshot) -> LagSnapshot:
    await asyncio.sleep(POLL_INTERVAL_S)
    try:
        return await poller.poll_once()
    except BrokerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return before


def _print(snapshot: LagSnapshot, out: Console, as_json: bool, by_partition: bool) -> None:
    if as_json:
        out.file.write(json.dumps(lag_view(snapshot)) + "\n")
        return
    out.print(lag_table(snapshot, by_partition, is_plain=not out.is_terminal))
    for group in snapshot.groups:
        if not group.is_known:
            out.print(Text(f"{group.consumergroup}: the broker does not know this group; nothing was ever read"))
    for missing in snapshot.unseen:
        out.print(Text(f"not seen: {missing.what}: {missing.why}"))


def _partitions(group: GroupLag) -> Iterator[tuple[tuple[object, ...], LagVerdict]]:
    for row in group.partitions:
        cells = (row.topic, row.partition, row.current_offset, row.end_offset, row.lag, _seconds([row]))
        yield cells, row.verdict


def _topics(group: GroupLag) -> Iterator[tuple[tuple[object, ...], LagVerdict]]:
    for topic in sorted({row.topic for row in group.partitions}):
        rows = [row for row in group.partitions if row.topic == topic]
        known = [row.lag for row in rows if row.lag is not None]
        worst = min((row.verdict for row in rows), key=WORST_FIRST.index)
        yield (topic, len(rows), sum(known) if known else None, _seconds(rows)), worst


def _seconds(rows: list[PartitionLag]) -> str | None:
    known = [row.lag_seconds for row in rows if row.lag_seconds is not None]
    return f"{max(known):.1f}" if known else None
