"""`python -m streams lag`: polls the broker, prints the lag, and ends with a code that says whether all is well."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console
from rich.text import Text

from schemas.runtime import exits, instants
from streams import output
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.table import is_all_ok, lag_table, summary
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.lag.verdicts import STOP_AFTER_S
from streams.monitor.lag.views import lag_view
from streams.monitor.lag.watched import watches
from streams.monitor.lag.watching import Watched, watch_lines, watch_live
from streams.monitor.settings import MonitorSettings

# One look cannot distinguish a reader that stands still from one that works.
LOOKS_APART_S: Final = STOP_AFTER_S + 1


@dataclass(frozen=True)
class LagOptions:
    """The command's options. groups: names or patterns; none means the worker's group and those of MONITOR_GROUPS."""

    groups: Sequence[str] = ()
    as_json: bool = False
    by_partition: bool = False
    watch: bool = False


async def print_lag(environ: Mapping[str, str], options: LagOptions, console: Console | None = None) -> int:
    """Print the lag of the groups. Returns 0 when all was seen and every verdict is `ok`, else exits.NO.

    With `watch` it goes on until it is cancelled, and returns the code of the last state.
    Raises: SettingsError, BrokerUnavailableError.
    """
    wanted = ",".join(options.groups)
    settings = MonitorSettings.from_env({**environ, **({"MONITOR_GROUPS": wanted} if wanted else {})})
    out = console or output.console()
    poller = LagPoller(settings)
    try:
        if options.watch:
            return await _watch(poller, out, options)
        snapshot = _only(await _seen(poller, out), wanted)
    finally:
        await poller.aclose()
    if wanted and not snapshot.groups:
        sys.stderr.write(f"no consumer group fits {wanted}\n")
        return exits.NO
    _print(snapshot, out, options)
    return 0 if is_all_ok(snapshot) else exits.NO


async def _seen(poller: LagPoller, out: Console) -> LagSnapshot:
    """The first look, or a second one where the first leaves a verdict open."""
    first = await poller.poll_once()
    if is_all_ok(first) or not any(group.is_known for group in first.groups):
        return first
    with out.status(f"not all is ok; looking again after {LOOKS_APART_S:.0f} s"):
        await asyncio.sleep(LOOKS_APART_S)
        return await poller.poll_once()


async def _watch(poller: LagPoller, out: Console, options: LagOptions) -> int:
    wanted = ",".join(options.groups)

    def only(snapshot: LagSnapshot) -> LagSnapshot:
        return _only(snapshot, wanted)

    watched = Watched(only(await poller.poll_once()), options.by_partition)
    if out.is_terminal and not options.as_json:
        return await watch_live(poller, out, watched, only)
    return await watch_lines(poller, watched, only, lambda snapshot: _print(snapshot, out, options))


def _only(snapshot: LagSnapshot, wanted: str) -> LagSnapshot:
    """The groups that fit, and what could not be seen of them; all of it when nothing particular is wanted."""
    if not wanted:
        return snapshot
    fits = watches(wanted)
    groups = tuple(group for group in snapshot.groups if fits(group.consumergroup))
    topics = {row.topic for group in groups for row in group.partitions}
    unseen = tuple(
        missing
        for missing in snapshot.unseen
        if (missing.group is None or fits(missing.group)) and (missing.topic is None or missing.topic in topics)
    )
    return replace(snapshot, groups=groups, unseen=unseen)


def _print(snapshot: LagSnapshot, out: Console, options: LagOptions) -> None:
    if options.as_json:
        out.file.write(json.dumps(lag_view(snapshot)) + "\n")
        out.file.flush()
        return
    out.print(Text(f"Consumer lag at {instants.text(snapshot.as_of_ms)}"))
    out.print(lag_table(snapshot, options.by_partition))
    for line in summary(snapshot):
        out.print(Text(line))
