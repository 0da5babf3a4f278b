"""Runs that one event brought: processed together, one by one put aside, and dropped when they are revoked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from faust.types import TP

from streams.errors import LostRunError
from streams.worker.pipeline import UnitOfWork
from streams.worker.run_agent import RunAgent
from streams.worker.transport import Run
from tests.support.agents import context_of
from tests.unit.streams.worker.fakes import outgoing

P0, P1 = TP("callbacks", 0), TP("callbacks", 1)
NEW_SCHEMA = b"new"


class Pipe:
    """A pipeline that settles at once whatever it is given."""

    def __init__(self) -> None:
        self.works: list[UnitOfWork] = []

    async def submit(self, work: UnitOfWork) -> None:
        self.works.append(work)
        for settle in work.settled:
            settle()

    async def reset(self) -> None:
        self.works.clear()


class Agent(RunAgent):
    """Puts the values of a run out, and stops at `gate` when it is told to."""

    stage: ClassVar[str] = "call"
    gate: asyncio.Event | None = None

    async def process_run(self, run: Any, unit: UnitOfWork) -> None:
        unit.outputs.extend(outgoing("out", record.value) for record in run.value)
        if self.gate is not None:
            await self.gate.wait()


class Bench:
    def __init__(self) -> None:
        self.pipe = Pipe()
        self.settled: list[TP] = []
        self.failures: list[BaseException] = []
        table: Any = SimpleNamespace(stored=None)
        registry: Any = SimpleNamespace(is_known=lambda head: head != NEW_SCHEMA, learn=self._learn)
        context = context_of(
            self.pipe, registry, {}, settle=lambda run: self.settled.append(run.tp), fail=self.failures.append
        )
        self.agent = Agent(table, context)

    @staticmethod
    async def _learn(what: Any) -> None:
        await asyncio.Event().wait()

    def outputs(self) -> list[list[Any]]:
        return [[output.value for output in work.outputs] for work in self.pipe.works]


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    yield bench
    await bench.agent.reset()


def run_of(tp: TP, *values: bytes, last: int = 0, after: int | None = None) -> Any:
    run = Run(SimpleNamespace(value=value) for value in values)
    run.after = after
    return SimpleNamespace(tp=tp, partition=tp.partition, offset=last, value=run)


async def test_runs_of_one_event_are_one_unit_of_work_and_each_is_settled(bench: Bench) -> None:
    await bench.agent.receive([run_of(P0, b"a", b"b"), run_of(P1, b"c")])

    assert bench.outputs() == [[b"a", b"b", b"c"]]
    assert bench.settled == [P0, P1]


async def test_a_run_with_a_new_schema_waits_and_those_beside_it_do_not(bench: Bench) -> None:
    await bench.agent.receive([run_of(P0, NEW_SCHEMA), run_of(P1, b"c")])
    assert (bench.outputs(), bench.settled) == ([[b"c"]], [P1])

    await bench.agent.receive([run_of(P0, b"behind it", last=1, after=0)])
    assert (bench.outputs(), bench.settled) == ([[b"c"]], [P1])


async def test_runs_revoked_while_they_are_processed_leave_nothing_behind(bench: Bench) -> None:
    bench.agent.gate = asyncio.Event()
    taking = asyncio.create_task(bench.agent.receive([run_of(P0, b"a"), run_of(P1, b"c")]))
    await asyncio.sleep(0)
    await bench.agent.reset()
    bench.agent.gate.set()
    await taking

    assert (bench.outputs(), bench.settled, bench.failures) == ([], [], [])


async def test_a_run_that_never_came_ends_the_process_before_anything_behind_it_is_out(bench: Bench) -> None:
    await bench.agent.receive([run_of(P0, b"a", last=4)])
    taking = asyncio.create_task(bench.agent.receive([run_of(P1, b"c"), run_of(P0, b"z", last=9, after=7)]))
    await asyncio.sleep(0)
    taking.cancel()

    assert [type(failure) for failure in bench.failures] == [LostRunError]
    assert bench.outputs() == [[b"a"]]
