"""How soon the line alarm finds a bad line, and how often it names a sound one: simulated, seeded, for many weeks.

    python -m tests.benchmarks.line_alarms [--weeks 25] [--looks 5]

Four lines share a workflow whose share of delivered dials swings by 8 points a day around 45 %; lines differ by up to 3
points for good. `found` is of a line that loses 60 %: panes of five minutes until its alarm, half and 95 % of 200 runs.
`false` is alarms per week of a sound line, with several looks into each pane. After half of the time the list costs all
lines 15 points: that must be one notice a run. Prints a table for streams/monitor/README.md.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from tests.support.line_traffic import LINES, WEEK_PANES, looks, panes_until_found, traffic, watch

VOLUMES = (200, 60, 30, 10)
RUNS = 200
DIFFER = 0.03


def row(dials: int, weeks: int, per_pane: int) -> str:
    """One row of the table."""
    found = panes_until_found(range(RUNS), dials, within=80)
    began = notices = 0
    for seed in range(weeks):
        week = traffic(seed, WEEK_PANES, dials, differ=DIFFER, list_from=WEEK_PANES // 2)
        said = watch(week, looks(week.panes, per_pane))
        began, notices = began + len(said.began), notices + len(said.notices)
    half, most = np.median(found), np.percentile(found, 95)
    line_weeks = weeks * LINES
    false = f"{began / line_weeks:.2f} ({began} in {line_weeks})"
    return f"| {dials} | {half:.0f} | {most:.0f} | {false} | {notices / weeks:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=25)
    parser.add_argument("--looks", type=int, default=5, choices=(1, 5))
    asked = parser.parse_args()
    print("| dials a pane | found: half | found: 95 % | false alarms a line and week | notices of a list change |")
    print("|---|---|---|---|---|")
    began = time.monotonic()
    for dials in VOLUMES:
        print(row(dials, asked.weeks, asked.looks), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
