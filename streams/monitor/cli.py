"""`python -m streams lag`: one look at the broker as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.monitor.instants import written
from streams.monitor.lag import LagSnapshot
from streams.monitor.poller import LagPoller
from streams.monitor.settings import MonitorSettings
from streams.monitor.verdicts import State

STYLES: dict[State, str] = {"ok": "green", "warn": "yellow", "rewind": "yellow", "stop": "red", "stall": "red"}
HEADS = ("group", "state", "members", "topic", "partition", "committed", "end", "lag", "seconds", "verdict")


async def lag_snapshot(environ: Mapping[str, str]) -> LagSnapshot:
    """One look. A single look says `unknown` of most backlogs: verdicts need the monitor's history.

    Raises: SettingsError, KafkaUnavailableError.
    """
    poller = LagPoller(MonitorSettings.from_env(environ))
    try:
        return await poller.poll_once()
    finally:
        await poller.aclose()


async def print_lag(environ: Mapping[str, str], console: Console | None = None) -> None:
    """Print the lag of every group, one row per partition. Raises: SettingsError, KafkaUnavailableError."""
    (console or Console()).print(lag_table(await lag_snapshot(environ)))


def lag_table(snapshot: LagSnapshot) -> Table:
    """The table of a snapshot; a dash where nobody can know."""
    table = Table(*HEADS, title=f"Consumer lag at {written(snapshot.as_of_ms)}")
    for group in snapshot.groups:
        for row in group.partitions:
            seconds = None if row.lag_seconds is None else f"{row.lag_seconds:.1f}"
            cells = (row.topic, row.partition, row.current_offset, row.end_offset, row.lag, seconds)
            table.add_row(
                # Text, not str: a group may be called [red] and must not be read as markup
                *(Text(str(cell)) for cell in (group.consumergroup, group.state, group.members)),
                *(Text("-" if cell is None else str(cell)) for cell in cells),
                Text(row.state, STYLES.get(row.state, "dim")),
            )
    return table
