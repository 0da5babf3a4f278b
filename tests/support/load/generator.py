"""The load generator: one process, keep-alive connections, requests built before the clock starts.

    python -m tests.support.load.generator '{"port": 8000, "shape": "5kB", "prefix": "a", "seconds": 5, "rate": 500}'

Without `rate` the loop is closed: every connection sends its next request when it has its answer, which finds the
throughput. With `rate` it is open: requests are due at random instants (Poisson arrivals) whatever the server does, and
a latency runs from the instant a request was due, also when no connection was free. So a server that stalls shows all
the waiting it caused (no coordinated omission).

wrk, hey, bombardier and h2load, which Debian has, either close the loop or send one body only; hence our own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from abc import abstractmethod
from array import array
from collections import Counter, deque
from pathlib import Path
from random import Random

import msgspec
import psutil
import uvloop

from tests.support.load.bodies import Requests
from tests.support.load.connection import LoadConnection, RequestSource
from tests.support.load.spec import Latency, Result, Spec, latency_of, quantile

TICK_S = 0.001
DRAIN_S = 15.0  # what is unanswered so long after the last was due is counted as such
IDLE_S = 3.0  # uvicorn closes after 5
BUILT_AHEAD_S = 1.0


class Load(RequestSource):
    """One run of a Spec: what closed and open loop share. Times are seconds from the start."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._end_s = spec.warm_up_s + spec.seconds
        self._requests = Requests(spec.shape, spec.prefix)
        self._built: dict[int, bytes] = {}
        self._open = 0
        self._sent = 0
        self._answered = 0
        self._broken = 0
        self._total = 0
        self._statuses: Counter[str] = Counter()
        self._latencies: list[tuple[float, float]] = []  # (began, how long)
        self._lateness: list[float] = []
        self._last_answer_s = 0.0
        self._started = 0.0

    async def run(self) -> Result:
        """Build, send, and tell what came of it."""
        self.build()
        gc.freeze()
        gc.disable()
        cpu, self._started = sum(psutil.Process().cpu_times()[:2]), time.monotonic()
        await self.send_all()
        elapsed = self.now()
        return self._result((sum(psutil.Process().cpu_times()[:2]) - cpu) / elapsed)

    def now(self) -> float:
        """Seconds from the start."""
        return time.monotonic() - self._started

    @abstractmethod
    def build(self) -> None:
        """Make requests before the clock starts."""

    @abstractmethod
    async def send_all(self) -> None:
        """Returns when all that were sent are answered, or time is up."""

    @abstractmethod
    def began(self, number: int) -> float:
        """When the latency of a request begins."""

    @abstractmethod
    def counts(self, began: float, now: float) -> bool:
        """Whether an answer belongs to the time measured."""

    async def connect(self) -> None:
        """One more connection."""
        self._open += 1
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: LoadConnection(self), "127.0.0.1", self._spec.port
            )
        except OSError:
            self._open -= 1

    def send(self, connection: LoadConnection, number: int) -> None:
        """Write a request that was built."""
        connection.send(number, self._built.pop(number))
        self._sent += 1

    def is_answered(self, connection: LoadConnection, number: int, status: str) -> None:
        """Note it and use the connection again."""
        now, began = self.now(), self.began(number)
        self._answered += 1
        self._total += status == "200"
        if self.counts(began, now):
            self._statuses[status] += 1
            self._latencies.append((began, now - began))
            self._last_answer_s = now
        if not connection.is_closing:
            self.is_free(connection)

    def is_lost(self, connection: LoadConnection) -> None:
        """A request under way on it is broken."""
        self._open -= 1
        self._broken += connection.number >= 0

    async def wait_for_answers(self) -> None:
        """Until all that were sent are answered, at most DRAIN_S."""
        deadline = self.now() + DRAIN_S
        while self._answered + self._broken < self.expected() and self.now() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(TICK_S)

    def expected(self) -> int:
        """How many answers there should be."""
        return self._sent

    def _result(self, cores: float) -> Result:
        seconds = max(TICK_S, self._last_answer_s - self._spec.warm_up_s)
        return Result(
            seconds=seconds,
            statuses=dict(self._statuses),
            per_s=self._statuses["200"] / seconds,
            latency=latency_of([latency for _, latency in self._latencies]),
            slices=self._slices(),
            total=self._total,
            unanswered=self.expected() - self._answered - self._broken,
            broken=self._broken,
            sender_late_ms=round(quantile(sorted(self._lateness), 0.99) * 1000, 2),
            cores=round(cores, 2),
        )

    def _slices(self) -> list[Latency]:
        if not self._spec.slice_s:
            return []
        slices: dict[int, list[float]] = {}
        for began, latency in self._latencies:
            slices.setdefault(int((began - self._spec.warm_up_s) / self._spec.slice_s), []).append(latency)
        return [latency_of(slices[number]) for number in sorted(slices)]


class ClosedLoop(Load):
    """Every connection sends its next request when it has its answer."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self._began: dict[int, float] = {}

    def build(self) -> None:
        now = time.time()
        self._built = {number: self._requests.request(number, now) for number in range(self._spec.at_most)}

    async def send_all(self) -> None:
        for _ in range(self._spec.connections):
            await self.connect()
        while self._built and self.now() < self._end_s:  # noqa: ASYNC110  # an event would cost every answer
            await asyncio.sleep(10 * TICK_S)
        await self.wait_for_answers()

    def is_free(self, connection: LoadConnection) -> None:
        if self._built and self.now() < self._end_s:
            self._began[self._sent] = self.now()
            self.send(connection, self._sent)

    def began(self, number: int) -> float:
        return self._began.pop(number)

    def counts(self, began: float, now: float) -> bool:
        return self._spec.warm_up_s <= now <= self._end_s


class OpenLoop(Load):
    """Requests are due when they are due. Needs `rate`."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self._due = self._schedule(spec.rate or 1.0)
        self._free: list[LoadConnection] = []
        self._waiting: deque[int] = deque()  # due and without a connection
        self._connecting: set[asyncio.Future[None]] = set()
        self._answers = array("q", bytes(8 * len(self._due)))

    def _schedule(self, rate: float) -> list[float]:
        random, due, at = Random(6), [], 0.0
        while (at := at + random.expovariate(rate)) < self._end_s:
            due.append(at)
        return due

    def build(self) -> None:
        self._wall = time.time()
        if not self._spec.is_live:
            self._built = {n: self._requests.request(n, self._wall) for n in range(len(self._due))}
        self._next_to_build = len(self._built)

    async def send_all(self) -> None:
        number = 0
        while number < len(self._due):
            now = self.now()
            self._build_ahead(now)
            while number < len(self._due) and self._due[number] <= now:
                self._dispatch(number)
                number += 1
            await asyncio.sleep(TICK_S)
        await self.wait_for_answers()
        self._keep_answers()

    def _keep_answers(self) -> None:
        if self._spec.answers:
            Path(self._spec.answers).write_bytes(self._answers.tobytes())

    def _build_ahead(self, now: float) -> None:
        while (number := self._next_to_build) < len(self._due) and self._due[number] < now + BUILT_AHEAD_S:
            self._built[number] = self._requests.request(number, self._wall + self._due[number])
            self._next_to_build += 1

    def _dispatch(self, number: int) -> None:
        while self._free:
            connection = self._free.pop()  # the one used last, so that those not needed grow old and are closed
            if connection.is_closing:
                continue
            if self.now() - connection.idle_since_s < IDLE_S:
                self.send(connection, number)
                return
            connection.close()
        self._waiting.append(number)
        self._connect_one()

    def _connect_one(self) -> None:
        if self._open < self._spec.connections:
            connecting = asyncio.ensure_future(self.connect())
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    def send(self, connection: LoadConnection, number: int) -> None:
        self._lateness.append(self.now() - self._due[number])
        super().send(connection, number)

    def is_free(self, connection: LoadConnection) -> None:
        if self._waiting:
            self.send(connection, self._waiting.popleft())
        else:
            connection.idle_since_s = self.now()
            self._free.append(connection)

    def is_lost(self, connection: LoadConnection) -> None:
        super().is_lost(connection)
        if connection in self._free:
            self._free.remove(connection)
        if self._waiting:
            self._connect_one()

    def is_answered(self, connection: LoadConnection, number: int, status: str) -> None:
        if status == "200":
            self._answers[number] = time.monotonic_ns()
        super().is_answered(connection, number, status)

    def began(self, number: int) -> float:
        return self._due[number]

    def counts(self, began: float, now: float) -> bool:
        return began >= self._spec.warm_up_s

    def expected(self) -> int:
        return len(self._due)


def main() -> None:
    spec = msgspec.convert(json.loads(sys.argv[1]), Spec)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one for each connection

    async def run() -> Result:
        return await (ClosedLoop(spec) if spec.rate is None else OpenLoop(spec)).run()

    print(msgspec.json.encode(uvloop.run(run())).decode())


if __name__ == "__main__":
    main()
