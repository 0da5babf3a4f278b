"""What tracing costs: processor time of a callback with it off, at 1 % and at 100 %, in gateway and worker.

    python -m tests.benchmarks.tracing [--callbacks 2000] [--repetitions 5]

The product's own code between socket and producer, in one process; Kafka, RocksDB and HTTP's parser are away, so the
ratios are upper bounds. Spans go by OTLP to a collector in a process of its own, and the exporter's thread is in the
figure. The three run in turns, and a ratio is of one repetition.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing.connection import Connection
from typing import Final

from structlog.testing import capture_logs

from gateway.gateway import Gateway
from gateway.http.app import create_app
from schemas.headers import TraceContext, headers_for, under_span
from schemas.runtime.spans import Spans
from schemas.runtime.tracing import TracingVariables
from schemas.topics import CALLBACKS
from tests.benchmarks.worker import one
from tests.support.agents import NOW_MS, Agents
from tests.support.load.asgi import EncodingPublisher, deliver
from tests.support.load.bodies import Requests
from tests.support.otlp import running_collector
from tests.support.requests import settings
from tests.support.topics import callback_of

RATIOS: Final = {"off": None, "1 %": 0.01, "100 %": 1.0}
ANSWERS: Final = 8
RUN: Final = 250
SENDER: Final = "b7ad6b7169203331"
SHARE: Final = 2**64

Measured = Callable[[Spans | None, int, str], Awaitable[float]]


async def gateway(spans: Spans | None, callbacks: int, prefix: str) -> float:
    """Processor seconds of one callback, from the ASGI server to the publisher and back."""
    app = create_app(Gateway(settings(), EncodingPublisher(), spans=spans))
    requests = Requests("5kB", prefix)
    for number in range(RUN):
        await deliver(app, requests, number)
    began_s = time.process_time()
    for number in range(RUN, RUN + callbacks):
        await deliver(app, requests, number)
    return _since(began_s, spans) / callbacks


async def worker(spans: Spans | None, callbacks: int, prefix: str) -> float:
    """Processor seconds of one callback through the three agents, the windows included."""
    agents = Agents(partitions=4, spans=spans)
    await agents.start()
    ratio = RATIOS[prefix] or 0.0
    for number in range(callbacks):
        callback = callback_of(one(number, ANSWERS), NOW_MS)
        trace_id = callback.event_id[:32]
        flags = "01" if int(trace_id[16:], 16) < ratio * SHARE else "00"
        headers = headers_for("Callback", callback.event_id, "/x", NOW_MS, TraceContext(trace_id, flags))
        headers = under_span(headers, f"00-{trace_id}-{SENDER}-{flags}".encode(), b"")
        agents.write(CALLBACKS, f"call-{number}".encode(), callback, headers=headers)
    began_s = time.process_time()
    await agents.process_all()
    return _since(began_s, spans) / callbacks


def _since(began_s: float, spans: Spans | None) -> float:
    if spans:
        spans.close()
    return time.process_time() - began_s


def _collect(address: Connection) -> None:
    with running_collector() as collector:
        address.send(collector.url)
        address.recv()


async def measure(measured: Measured, callbacks: int, repetitions: int, url: str) -> dict[str, list[float]]:
    """Milliseconds of a callback, by share and repetition."""
    found: dict[str, list[float]] = {share: [] for share in RATIOS}
    for _ in range(repetitions):
        for share, ratio in RATIOS.items():
            variables = TracingVariables(
                is_wanted=True,
                endpoint=url,
                sampler="parentbased_traceidratio",
                sampler_arg=str(ratio),
                max_queue="1000000",
            )
            spans = None if ratio is None else Spans(variables, "worker", lambda outcome, number: None)
            gc.collect()
            gc.disable()  # the roles collect seldom, and a collection takes longer the more is alive
            with capture_logs(), redirect_stdout(StringIO()):
                found[share].append(1000 * await measured(spans, callbacks, share))
            gc.enable()
    return found


def table(name: str, found: dict[str, list[float]]) -> None:
    """Print one line a share: the median, its range, and the median ratio to off."""
    for share, times_ms in found.items():
        ratios = [one_ms / off_ms for one_ms, off_ms in zip(times_ms, found["off"], strict=True)]
        middle, low, high = statistics.median(times_ms), min(times_ms), max(times_ms)
        print(f"{name:8} {share:>6}  {middle:.3f} ms ({low:.3f}-{high:.3f})  x {statistics.median(ratios):.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=2000)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    collector = multiprocessing.get_context("spawn").Process(target=_collect, args=(theirs,), daemon=True)
    collector.start()
    url = ours.recv()
    for name, measured in (("gateway", gateway), ("worker", worker)):
        table(name, asyncio.run(measure(measured, arguments.callbacks, arguments.repetitions, url)))
    ours.send(None)
    collector.join()


if __name__ == "__main__":
    main()
