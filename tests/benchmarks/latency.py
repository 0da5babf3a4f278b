"""How long from the gateway's 200 until a subscriber has the call, and until the monitor's windows count it.

    python -m tests.benchmarks.latency [--seconds 30] [--out FILE.json]

The whole system on one machine at 30 %, 50 % and 70 % of what it can take, which the same run finds first. Requests
are the provider's 5 kB example with a call of its own each, at random instants. The call's record is timed at a plain
consumer of the calls topic. Windows come from the monitor's API, polled every 50 ms: the n-th call is there once the
windows count n calls.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from array import array
from pathlib import Path

import msgspec

from tests.benchmarks import machine
from tests.benchmarks.whole_system import (
    CONNECTIONS,
    OUT_S,
    CallsSeen,
    WholeSystem,
    WindowsSeen,
    saturation,
    whole_system,
)
from tests.support.load.bodies import Requests
from tests.support.load.process import send
from tests.support.load.spec import Latency, Spec, latency_of
from tests.support.waiting import wait_until

SHARES = (0.3, 0.5, 0.7)
GOAL_MS = 250.0  # p99 to the call's record at half of saturation


class Delay(msgspec.Struct):
    """One share of saturation. answer: from due to the 200; to_call and to_window: from the 200."""

    share: float
    asked_per_s: float
    answer: Latency
    to_call: Latency
    to_window: Latency


async def measure(system: WholeSystem, share: float, rate: float, seconds: float, directory: Path) -> Delay:
    """One run at one rate; every call that was answered 200 must come out at both ends."""
    prefix, answers = f"share{share}", directory / f"answers-{share}"
    spec = Spec(
        system.gateway.port,
        "5kB",
        prefix,
        seconds,
        rate=rate,
        connections=CONNECTIONS,
        is_live=True,
        answers=str(answers),
    )
    async with CallsSeen(system.bootstrap) as calls, WindowsSeen(system.monitor) as windows:
        result = await send(spec)
        await wait_until(lambda: len(calls.at_ns) >= result.total, OUT_S, f"{result.total} calls at the consumer")
        await wait_until(lambda: windows.counts[-1][1] >= result.total, OUT_S, "those calls in the monitor's windows")
    answered = _answered(answers)
    requests = Requests("5kB", prefix)
    to_call = [(calls.at_ns[requests.call_id(number)] - at) / 1e9 for number, at in answered.items()]
    counted = windows.at_ns(len(answered))
    to_window = [(seen - at) / 1e9 for seen, at in zip(counted, sorted(answered.values()), strict=True)]
    return Delay(share, rate, result.latency, latency_of(to_call), latency_of(to_window))


def _answered(path: Path) -> dict[int, int]:
    times = array("q", path.read_bytes())
    return {number: at for number, at in enumerate(times) if at}


def line(delay: Delay) -> str:
    """As a row of the table."""
    cells = (f"{latency.p50:,.0f} / {latency.p99:,.0f}" for latency in (delay.answer, delay.to_call, delay.to_window))
    return f"| {delay.share:.0%} | {delay.asked_per_s:,.0f} | " + " | ".join(cells) + f" | {delay.to_call.count} |"


async def run(seconds: float) -> list[Delay]:
    """Saturation, then each share of it."""
    found = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        directory = Path(name)
        async with whole_system(directory) as system:
            gateway, whole = await saturation(system, "5kB", min(seconds, 10.0))
            print(f"saturation: gateway {gateway:,.0f} /s, whole system {whole:,.0f} /s", flush=True)
            print("| share | callbacks/s | due to 200, ms p50 / p99 | 200 to call | 200 to window | calls |")
            print("|---|---|---|---|---|---|", flush=True)
            for share in SHARES:
                found.append(await measure(system, share, min(gateway, whole) * share, seconds, directory))
                print(line(found[-1]), flush=True)
    half = next(delay for delay in found if delay.share == 0.5)
    verdict = "reached" if half.to_call.p99 < GOAL_MS else "not reached"
    print(f"goal: p99 from 200 to call under {GOAL_MS:.0f} ms at 50 %: {verdict} ({half.to_call.p99:,.0f} ms)")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="per share")
    parser.add_argument("--out", type=Path, help="everything as JSON")
    options = parser.parse_args()
    print(machine.describe())
    found = asyncio.run(run(options.seconds))
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found)))


if __name__ == "__main__":
    main()
