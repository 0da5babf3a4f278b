"""A run that waits for the registry is put aside with what follows in its partition, and processed in order."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas.errors import RegistryError, RegistryUnavailableError
from streams.worker import parking
from streams.worker.metrics import WorkerMetrics
from streams.worker.parking import Parking
from tests.support.agents import context_of
from tests.unit.streams.worker.fakes import turn

P0, P1 = TP("callbacks", 0), TP("callbacks", 1)
KNOWN, NEW = b"\x00\x00\x00\x00\x01rest", b"\x00\x00\x00\x00\x09rest"


class Registry:
    """Knows one schema; tells others unless it is away."""

    def __init__(self) -> None:
        self.known = {KNOWN[:5]}
        self.trouble: Exception | None = RegistryUnavailableError("away")
        self.has_it = True

    def is_known(self, head: bytes) -> bool:
        return head in self.known

    async def learn(self, head: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        if self.has_it:
            self.known.add(head)


class Bench:
    def __init__(self) -> None:
        self.registry, self.metrics = Registry(), WorkerMetrics()
        self.processed: list[int] = []
        self.held: list[TP] = []
        self.released: list[TP] = []
        self.failures: list[BaseException] = []
        self.progress = 0
        made: Any = self.registry
        context = context_of(
            None,
            made,
            {},
            self.metrics,
            hold=self.held.append,
            release=self._release,
            fail=self.failures.append,
            progressed=self._progressed,
        )
        self.parking = Parking(context, self._process)

    async def _process(self, message: Any) -> None:
        self.processed.append(message.offset)

    def _progressed(self) -> None:
        self.progress += 1

    async def _release(self, tp: TP) -> None:
        self.released.append(tp)

    @property
    def waiting(self) -> float:
        value: float = self.metrics.waiting_partitions._value.get()
        return value


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(parking, "REGISTRY_PAUSE_S", (0.0,))
    return Bench()


def run(offset: int, *values: bytes | None, tp: TP = P0) -> Any:
    records = [SimpleNamespace(value=value) for value in values]
    return SimpleNamespace(tp=tp, topic=tp.topic, partition=tp.partition, offset=offset, value=records)


async def test_a_run_of_known_schemas_is_not_processn_over(bench: Bench) -> None:
    assert not bench.parking.park(run(1, KNOWN, None))
    assert (bench.held, bench.waiting) == ([], 0)


async def test_a_run_with_a_new_schema_waits_with_what_follows_in_its_partition_only(bench: Bench) -> None:
    assert bench.parking.park(run(1, KNOWN, NEW))
    assert bench.parking.park(run(2, KNOWN))
    assert not bench.parking.park(run(1, KNOWN, tp=P1))
    await turn()

    assert (bench.processed, bench.held, bench.waiting) == ([], [P0], 1)
    assert bench.metrics.schema_registry_waits._value.get() == bench.progress > 0
    await bench.parking.reset()


@pytest.mark.parametrize("answer", ["told", "no such schema"])
async def test_once_the_registry_answers_it_is_processed_in_order_and_the_partition_goes_on(
    bench: Bench, answer: str
) -> None:
    for offset in (1, 2, 3):
        bench.parking.park(run(offset, NEW))
    await turn()
    bench.registry.has_it = answer == "told"
    bench.registry.trouble = None
    await turn(100)

    assert (bench.processed, bench.released, bench.waiting) == ([1, 2, 3], [P0], 0)
    assert bench.parking.park(run(4, NEW)) == (answer != "told")
    await bench.parking.reset()


async def test_after_a_rebalance_nothing_of_it_is_left(bench: Bench) -> None:
    bench.parking.park(run(1, NEW))
    await bench.parking.reset()
    bench.registry.trouble = None
    await turn(100)

    assert (bench.processed, bench.released, bench.waiting) == ([], [], 0)


async def test_a_registry_that_refuses_ends_the_process(bench: Bench) -> None:
    bench.registry.trouble = RegistryError("401")
    bench.parking.park(run(1, NEW))
    await asyncio.wait_for(turn(100), 5)

    assert [type(failure) for failure in bench.failures] == [RegistryError]
    await bench.parking.reset()
