"""`python -m streams lag --watch`: the table, live in a terminal; without one it is printed again and again."""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from schemas.runtime import exits, instants
from streams.errors import BrokerUnavailableError
from streams.monitor.lag.poller import POLL_INTERVAL_S, LagPoller
from streams.monitor.lag.table import is_all_ok, lag_table, summary
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.lag.trend import Trends

TICK_S: Final = 1.0  # ages go on between polls

Print = Callable[[LagSnapshot], None]


@dataclass
class Watched:
    """The newest look, and why the last one failed. trends: of all topics, over all looks."""

    snapshot: LagSnapshot
    by_partition: bool = False
    fault: str = ""
    trends: Trends = field(default_factory=Trends)

    def look(self, snapshot: LagSnapshot) -> None:
        """A look that succeeded."""
        self.snapshot, self.fault = snapshot, ""
        self.trends.add(snapshot)

    @property
    def exit_code(self) -> int:
        """The state as an exit code: 0 all is ok, 1 it is not, 69 Kafka does not answer."""
        if self.fault:
            return exits.UNAVAILABLE
        return 0 if is_all_ok(self.snapshot) else exits.NO

    def screen(self, now_ms: int) -> Group:
        """What stands in the terminal now."""
        age_s = max(0, now_ms - self.snapshot.as_of_ms) // 1000
        head = f"Consumer lag at {instants.text(self.snapshot.as_of_ms)}, {age_s} s ago; Ctrl-C ends"
        faults = [Text(f"not read since: {self.fault}", "red")] if self.fault else []
        lines = [Text(line) for line in summary(self.snapshot)]
        return Group(Text(head), *faults, lag_table(self.snapshot, self.by_partition, self.trends), *lines)


async def watch_live(
    poller: LagPoller, out: Console, watched: Watched, only: Callable[[LagSnapshot], LagSnapshot]
) -> int:
    """Show it in the terminal until it is cancelled; the exit code of the last state."""
    watched.look(watched.snapshot)
    with Live(console=out, auto_refresh=False, vertical_overflow="ellipsis") as live:
        ticking = asyncio.create_task(_tick(live, watched))
        try:
            while True:
                await _look(poller, watched, only)
                live.update(watched.screen(_now_ms()), refresh=True)
        except asyncio.CancelledError:  # Ctrl-C is how a watch ends
            return watched.exit_code
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


async def watch_lines(
    poller: LagPoller, watched: Watched, only: Callable[[LagSnapshot], LagSnapshot], show: Print
) -> int:
    """Print every look until it is cancelled, and faults on stderr; the exit code of the last state."""
    try:
        show(watched.snapshot)
        while True:
            await _look(poller, watched, only)
            if watched.fault:
                sys.stderr.write(f"{watched.fault}\n")
            else:
                show(watched.snapshot)
    except asyncio.CancelledError:
        return watched.exit_code


async def _look(poller: LagPoller, watched: Watched, only: Callable[[LagSnapshot], LagSnapshot]) -> None:
    await asyncio.sleep(POLL_INTERVAL_S)
    try:
        watched.look(only(await poller.poll_once()))
    except BrokerUnavailableError as error:
        watched.fault = str(error)


async def _tick(live: Live, watched: Watched) -> None:
    while True:
        live.update(watched.screen(_now_ms()), refresh=True)
        await asyncio.sleep(TICK_S)


def _now_ms() -> int:
    return int(time.time() * 1000)
