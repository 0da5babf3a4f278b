"""Whether a run counts. Pure: what was found in the topics against what the job expects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.benchmarks.peers.job import Expected, Trace, Windows


@dataclass
class Found:
    """What a runner has left in the topics: every output record, and the latest count of every window."""

    outputs: list[Trace]
    windows: Windows


def faults_in(found: Found, expected: Expected) -> list[str]:
    """What is missing, wrong or too much; empty when everything is there once, byte for byte, and counted.

    A fault never goes away by waiting when it starts with "wrong": see `is_final`.
    """
    return [*_output_faults(found.outputs, expected.outputs), *_window_faults(found.windows, expected.windows)]


def is_final(faults: list[str]) -> bool:
    """True when waiting cannot mend it."""
    return any(fault.startswith("wrong") for fault in faults)


def _output_faults(found: list[Trace], expected: set[Trace]) -> list[str]:
    faults = []
    for topic in sorted({trace.topic for trace in [*found, *expected]}):
        ours = [trace for trace in found if trace.topic == topic]
        wanted = {trace for trace in expected if trace.topic == topic}
        if invented := set(ours) - wanted:
            faults.append(f"wrong: {len(invented)} records of {topic} are not the expected ones, byte for byte")
        elif len(set(ours)) < len(ours):
            faults.append(f"wrong: {len(ours) - len(set(ours))} records of {topic} were written twice")
        if missing := wanted - set(ours):
            faults.append(f"{len(missing)} of {len(wanted)} records of {topic} are missing")
    return faults


def _window_faults(found: Windows, expected: Windows) -> list[str]:
    faults = []
    for topic, wanted in expected.items():
        counted = Counter(found.get(topic, {}))
        if more := counted - Counter(wanted):
            faults.append(f"wrong: {more.total()} calls too many in windows of {topic}")
        if fewer := Counter(wanted) - counted:
            faults.append(f"{fewer.total()} of {sum(wanted.values())} calls are not counted in {topic}")
    return faults
