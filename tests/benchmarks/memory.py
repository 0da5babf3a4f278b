"""How much memory windows take while millions of updates go over many keys, and that it stays there.

    python -m tests.benchmarks.memory --updates 10000000 --keys 100000

In one process, without a broker: the window operator, the rows it makes of what changed in each run of 1,000, and the
real RocksDB store. With `--whole` the whole agent instead: decoding, results, pipeline and real batches, which a
producer takes and drops; some ten times slower. Event time runs at `--per-second` updates a second, and windows close
as it goes on. Prints the resident set over time; exit code 1 when it was ever above `--cap-mib`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
import uvloop
from msgspec import msgpack, structs

from schemas.records.outcomes import OutcomeChange, QuestionState
from streams.rules.calls import SourcePosition
from streams.rules.dimensions import WORKFLOW
from streams.rules.windows import Windows, WindowSettings
from streams.worker.tables import pack_row
from streams.worker.windows_agent import _KEY, _pane_key
from tests.benchmarks import machine
from tests.benchmarks.windows import WindowsBench
from tests.support.records import change, outcome

START_MS = 1_710_163_500_000
RUN = 1000
MIB = 2**20
SHOWN = 40
QUESTIONS = 8


@dataclass
class Course:
    """Resident set in MiB and open windows, by updates done."""

    rss: list[float] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def highest(self) -> float:
        return max(self.rss)

    def growth(self) -> float:
        """MiB by which the highest of the last third is above the highest of the third before."""
        third = len(self.rss) // 3
        return max(self.rss[-third:]) - max(self.rss[third:-third])


class Calls:
    """Calls of random workflows, with as many questions as the provider's example."""

    def __init__(self, keys: int) -> None:
        self._random = Random(1)
        self._keys = [f"workflow-{number:06}" for number in range(keys)]
        questions = [QuestionState(question_name=f"Q{i}", state="completed") for i in range(QUESTIONS)]
        self._outcome = outcome(questions=questions)

    def run(self, size: int, at_ms: int) -> list[tuple[str, OutcomeChange]]:
        """Calls that ended at a time and were received at once."""
        added = structs.replace(self._outcome, ended_at=at_ms, duration_s=self._random.randrange(120))
        one = change(received_at=at_ms, added=added)
        return [(self._random.choice(self._keys), one) for _ in range(size)]


class Operator:
    """Windows and their rows."""

    def __init__(self, bench: WindowsBench, settings: WindowSettings) -> None:
        self._table = bench.table
        self.windows = Windows(WORKFLOW, settings)
        self._offset = 0

    async def take(self, changes: list[tuple[str, OutcomeChange]], at_ms: int) -> None:
        """Count a run, then close what is due; each change of rows goes into the store."""
        for key, one in changes:
            self.windows.apply(key, one, SourcePosition(0, self._offset))
            self._offset += 1
        self._store()
        due = self.windows.close_due(at_ms)
        for pane_id in due:
            self.windows.final(pane_id)
            self.windows.drop(pane_id)
        self._store()
        self._table.put(0, dict.fromkeys(map(_pane_key, due)))

    def _store(self) -> None:
        keys, panes = self.windows.pop_changes()
        clocks = {_KEY + value.encode(): pack_row(key.version, msgpack.encode(key)) for value, key in keys.items()}
        rows = {_pane_key(pane_id): pack_row(pane.revision, msgpack.encode(pane)) for pane_id, pane in panes.items()}
        self._table.put(0, {**clocks, **rows})


class Agent:
    """Everything a worker does but Kafka."""

    def __init__(self, bench: WindowsBench) -> None:
        self._bench = bench

    @property
    def windows(self) -> Windows:
        """Those that are open."""
        return self._bench.agent._windows[0]

    async def take(self, changes: list[tuple[str, OutcomeChange]], at_ms: int) -> None:
        """Work a run off, then close what is due."""
        await self._bench.take(changes)
        await self._bench.agent.close_due(0, at_ms)
        await self._bench.agent.drain()


async def measure(
    directory: Path,
    updates: int,
    keys: int,
    per_second: int,
    settings: WindowSettings,
    *,
    whole: bool,
    tell: Callable[[str], None] = lambda line: None,
) -> Course:
    """Work the updates off."""
    bench, calls, course = WindowsBench(directory, settings), Calls(keys), Course()
    await bench.open()
    driven = Agent(bench) if whole else Operator(bench, settings)
    process, began, every = psutil.Process(), time.monotonic(), max(updates // SHOWN, 1)
    used = time.process_time()
    for first in range(0, updates, RUN):
        at_ms = START_MS + first * 1000 // per_second
        await driven.take(calls.run(min(RUN, updates - first), at_ms), at_ms)
        if (first + RUN) // every > first // every:
            rss, seconds = process.memory_info().rss / MIB, time.monotonic() - began
            course.rss.append(rss)
            course.windows.append(len(driven.windows))
            tell(f"{seconds:7.0f} s  {first + RUN:>11,} updates  {course.windows[-1]:>9,} open  {rss:8,.0f} MiB")
    course.seconds, course.cpu_s = time.monotonic() - began, time.process_time() - used
    await bench.close()
    return course


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--per-second", type=int, default=10_000, help="of event time, for how many windows are open")
    parser.add_argument("--window-s", type=int, default=60)
    parser.add_argument("--grace-s", type=int, default=60)
    parser.add_argument("--cap-mib", type=int, default=1536)
    parser.add_argument("--whole", action="store_true", help="drive the whole agent")
    options = parser.parse_args()
    print(machine.describe(), flush=True)
    settings = WindowSettings(options.window_s * 1000, options.grace_s * 1000)
    with tempfile.TemporaryDirectory() as directory:
        course = uvloop.run(
            measure(
                Path(directory),
                options.updates,
                options.keys,
                options.per_second,
                settings,
                whole=options.whole,
                tell=lambda line: print(line, flush=True),
            )
        )
    most = max(course.windows)
    print(
        f"{options.updates:,} updates over {options.keys:,} keys in {course.seconds:,.0f} s "
        f"({options.updates / course.cpu_s:,.0f} per second of one core): "
        f"{course.highest:,.0f} MiB at most, {most:,} windows open at most "
        f"({course.highest * MIB / most:,.0f} bytes each, all in all), {course.growth():+,.0f} MiB in the last third"
    )
    sys.exit(int(course.highest > options.cap_mib))


if __name__ == "__main__":
    main()
