"""Effects become durable in order: rows, outputs, cleared rows, settled; and what fails settles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import NotEnoughReplicasError

from streams.worker.outbox import Outbox
from streams.worker.pipeline import DEPTH, Pipeline, UnitOfWork
from tests.unit.streams.worker.fakes import FakeProducer, outgoing, turn


class Bench:
    """A pipeline on a producer that delivers only on demand, and a diary of what happened."""

    def __init__(self, depth: int = DEPTH) -> None:
        self.producer = FakeProducer(holding=True)
        self.failures: list[BaseException] = []
        self.diary: list[str] = []
        self.pipeline = Pipeline(Outbox(lambda: self.producer), self.failures.append, depth)

    def work(self, name: str, *, clears: bool = False) -> UnitOfWork:
        def clear() -> list[object]:
            self.diary.append(f"clear {name}")
            return [outgoing("changelog", None)] if clears else []

        return UnitOfWork(
            rows=[outgoing("changelog", name.encode())],
            outputs=[outgoing("results", name.encode())],
            clear=clear,  # type: ignore[arg-type]  # Outgoing, seen through object
            stored=lambda partition, first, last: self.diary.append(f"stored {partition}:{first}-{last}"),
            settled=[lambda: self.diary.append(f"settled {name}")],
        )

    def topics(self) -> list[str]:
        return [sent.topic for sent in self.producer.batches]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.pipeline.reset()


async def test_rows_go_first_and_outputs_wait_for_them(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    await turn()
    assert bench.topics() == ["changelog"]

    bench.producer.deliver("changelog")
    await turn()
    assert bench.topics() == ["changelog", "results"]
    assert bench.diary == ["stored 0:0-0"]


async def test_rows_are_cleared_when_the_outputs_are_acknowledged_and_then_it_is_settled(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a", clears=True))
    bench.producer.deliver("changelog")
    await turn()
    bench.producer.deliver("results")
    await turn()
    assert bench.topics() == ["changelog", "results", "changelog"]
    assert bench.diary == ["stored 0:0-0", "clear a"]

    bench.producer.deliver("changelog")
    await turn()
    assert bench.diary == ["stored 0:0-0", "clear a", "stored 0:1-1", "settled a"]


async def test_units_are_handed_over_and_settled_in_order(bench: Bench) -> None:
    bench.producer.holding = False

    for name in "abcdefgh":
        await bench.pipeline.submit(bench.work(name))
    await bench.pipeline.drain()

    assert [entry for entry in bench.diary if entry.startswith("settled")] == [f"settled {name}" for name in "abcdefgh"]
    assert bench.producer.values("results") == [name.encode() for name in "abcdefgh"]
    assert bench.producer.values("changelog") == [name.encode() for name in "abcdefgh"]


async def test_a_unit_whose_outputs_came_first_waits_for_the_one_before(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    await bench.pipeline.submit(bench.work("b"))
    bench.producer.deliver("changelog")
    await turn()
    later = [sent for sent in bench.producer.batches if sent.values == [b"b"] and sent.topic == "results"]
    later[0].delivered.set_result(None)
    await turn()

    assert not [entry for entry in bench.diary if entry.startswith("settled")]

    bench.producer.deliver("results")
    await turn()
    assert [entry for entry in bench.diary if entry.startswith("settled")] == ["settled a", "settled b"]


async def test_a_unit_without_effects_is_settled_in_its_turn(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    await bench.pipeline.submit(UnitOfWork(settled=[lambda: bench.diary.append("settled empty")]))
    await turn()
    assert bench.diary == []

    bench.producer.deliver("changelog")
    await turn()
    bench.producer.deliver("results")
    await turn()
    assert bench.diary == ["stored 0:0-0", "clear a", "settled a", "settled empty"]


async def test_no_more_units_than_the_depth_are_on_their_way(bench: Bench) -> None:
    for name in "abc"[:DEPTH]:
        await bench.pipeline.submit(bench.work(name))
    waiting = asyncio.create_task(bench.pipeline.submit(bench.work("one too many")))
    await turn()
    assert not waiting.done()

    bench.producer.deliver("changelog")
    await turn()
    bench.producer.deliver("results")
    await turn()
    assert waiting.done()


@pytest.mark.parametrize("topic", ["changelog", "results"])
async def test_a_delivery_that_fails_ends_the_process_and_settles_nothing(bench: Bench, topic: str) -> None:
    await bench.pipeline.submit(bench.work("a"))
    await bench.pipeline.submit(bench.work("b"))
    if topic == "results":
        bench.producer.deliver("changelog")
        await turn()
    bench.producer.refuse(topic, NotEnoughReplicasError())
    await turn()

    assert {type(error) for error in bench.failures} == {NotEnoughReplicasError}
    assert not [entry for entry in bench.diary if entry.startswith(("settled", "clear"))]


async def test_outputs_are_not_sent_when_the_rows_failed(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    bench.producer.refuse("changelog", NotEnoughReplicasError())
    await turn()

    assert bench.topics() == ["changelog"]


async def test_a_cleared_row_that_fails_settles_nothing(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a", clears=True))
    bench.producer.deliver("changelog")
    await turn()
    bench.producer.deliver("results")
    await turn()
    bench.producer.refuse("changelog", NotEnoughReplicasError())
    await turn()

    assert len(bench.failures) == 1
    assert "settled a" not in bench.diary


async def test_drain_waits_until_all_is_settled(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    drained = asyncio.create_task(bench.pipeline.drain())
    bench.producer.deliver("changelog")
    await turn()
    assert not drained.done()

    bench.producer.deliver("results")
    await drained
    assert "settled a" in bench.diary


async def test_an_idle_pipeline_is_drained_at_once(bench: Bench) -> None:
    await bench.pipeline.drain()

    assert bench.diary == []


async def test_reset_drops_what_is_on_its_way(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    await bench.pipeline.reset()
    bench.producer.deliver("changelog")
    await turn()

    assert (bench.topics(), bench.diary, bench.failures) == (["changelog"], [], [])


async def test_reset_lets_go_who_waits_to_submit(bench: Bench) -> None:
    for name in "abc"[:DEPTH]:
        await bench.pipeline.submit(bench.work(name))
    waiting = asyncio.create_task(bench.pipeline.submit(bench.work("too many")))
    await turn()

    await bench.pipeline.reset()
    await turn()

    assert waiting.done()
    assert b"too many" not in bench.producer.values("changelog")


async def test_reset_lets_go_who_waits_for_the_end(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("a"))
    drained = asyncio.create_task(bench.pipeline.drain())
    await turn()

    await bench.pipeline.reset()
    await turn()

    assert drained.done()


async def test_after_a_reset_work_goes_on(bench: Bench) -> None:
    await bench.pipeline.submit(bench.work("old"))
    await bench.pipeline.reset()
    bench.producer.holding = False
    for name in "abcdef":
        await bench.pipeline.submit(bench.work(name))
    await bench.pipeline.drain()

    assert [entry for entry in bench.diary if entry.startswith("settled")] == [f"settled {name}" for name in "abcdef"]


async def test_a_batch_the_broker_already_had_moves_no_offset(bench: Bench) -> None:
    # With idempotence a batch that was stored before is acknowledged without an offset.
    await bench.pipeline.submit(bench.work("a"))
    bench.producer.batches[0].delivered.set_result(type("Metadata", (), {"offset": -1}))
    await turn()

    assert bench.topics() == ["changelog", "results"]
    assert bench.diary == []


async def test_what_is_stored_is_reported_by_partition_and_offsets(bench: Bench) -> None:
    work = bench.work("a")
    work.rows = [outgoing("changelog", b"x", 3), outgoing("changelog", b"y", 3)]
    await bench.pipeline.submit(work)
    bench.producer.deliver("changelog")
    await turn()

    assert bench.diary == ["stored 3:0-1"]
