"""How far the monitor's lag in seconds is from the truth, poll after poll without a pause, in five shapes of traffic.

    python -m tests.benchmarks.lag_truth [--polls 10000]

A broker of its own; steady records, bursts of 600, one record in 20 s, an idle group and a stopped one, each with
commits while it polls. It ends with 1 when an age was further than a second from the truth, or any number negative.
Polls that fail (a busy machine) and ages that were not known in time are counted, not hidden.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from streams.monitor.lag.poller import LagPoller
from streams.monitor.settings import MonitorSettings
from streams.settings import KafkaSettings
from tests.support.lag_shapes import Pace, Seen, flowing, observe
from tests.support.processes.service import KafkaProcess

WITHIN_S = 1.0


async def measure(bootstrap: str, polls: int) -> Seen:
    """So many polls, one after the other."""
    settings = MonitorSettings(kafka=KafkaSettings(bootstrap_servers=bootstrap), app_id="nobody", groups="truth-*")
    poller = LagPoller(settings)
    try:
        async with flowing(bootstrap, Pace()) as shapes:
            return await observe(poller, shapes, lambda seen: seen.polls < polls, 0.0)
    finally:
        await poller.aclose()


def main() -> int:
    """Measure, and print a line a shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polls", type=int, default=10_000)
    polls: int = parser.parse_args().polls
    with tempfile.TemporaryDirectory() as directory, KafkaProcess(Path(directory)) as kafka:
        began = time.monotonic()
        seen = asyncio.run(measure(kafka.bootstrap_servers, polls))
    took_s = time.monotonic() - began
    print(
        f"{seen.polls} polls in {took_s:.0f} s, {seen.failed} failed; "
        f"{seen.unknown} ages unknown, {seen.negative} negative"
    )
    for name, found in sorted(seen.errors_s.items()):
        ordered = sorted(found)
        print(
            f"{name:8} {len(found):6} ages up to {seen.highest_s[name]:6.1f} s; "
            f"error p99 {ordered[len(found) * 99 // 100] * 1000:5.0f} ms, worst {ordered[-1] * 1000:5.0f} ms"
        )
    return int(seen.negative > 0 or max(seen.worst_s.values()) > WITHIN_S)


if __name__ == "__main__":
    sys.exit(main())
