"""Duplicates and the spool against small models of what they promise, in any order of events Hypothesis thinks of."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.duplicates import Duplicates
from gateway.errors import PublishError, SpoolFullError
from gateway.publishing.spool import Spool, size_of
from gateway.publishing.spool_file import Content
from schemas.codec import schema_text
from schemas.topics import CALLBACKS

EVENTS = st.sampled_from("abcde")
REMEMBERED = 3
PROFILE = profile(max_examples=100, stateful_step_count=40)
ON_DISK = profile(max_examples=25, stateful_step_count=30)


class WithLoop(RuleBasedStateMachine):
    """A machine whose subject is asynchronous."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.loop.close()


@dataclass
class Delivery:
    """One run of a delivery, and everybody who waits for it: the first of them is who runs it."""

    acknowledged: asyncio.Future[int]
    waiting: list[asyncio.Task[tuple[int, bool]]] = field(default_factory=list)


class DuplicatesModel(WithLoop):
    """The model: what is under way, and the last REMEMBERED events acknowledged, with their results."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = Duplicates[int](REMEMBERED)
        self.done: OrderedDict[str, int] = OrderedDict()
        self.underway: dict[str, Delivery] = {}
        self.runs = 0

    @rule(event=EVENTS)
    def post(self, event: str) -> None:
        self.run(self._post(event))

    async def _post(self, event: str) -> None:
        runs_before, task = self.runs, asyncio.create_task(self._deliver_once(event))
        await _settled()
        if event in self.done:
            self.done.move_to_end(event)
            assert task.result() == (self.done[event], True)
            assert self.runs == runs_before
        else:
            assert not task.done()
            assert self.runs == runs_before + (not self.underway[event].waiting)
            self.underway[event].waiting.append(task)

    async def _deliver_once(self, event: str) -> tuple[int, bool]:
        async def deliver() -> int:
            self.runs += 1
            delivery = self.underway[event] = Delivery(asyncio.get_running_loop().create_future())
            return await delivery.acknowledged

        return await self.subject.once(event, deliver)

    @precondition(lambda self: self.underway)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        event, delivery = self._end_one(data)
        delivery.acknowledged.set_result(self.runs)
        first, *twins = self.run(_outcomes(delivery.waiting))
        self.done[event] = self.runs
        if len(self.done) > REMEMBERED:
            self.done.popitem(last=False)

        assert first == (self.runs, False)
        assert twins == [(self.runs, True)] * len(twins)

    @precondition(lambda self: self.underway)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        _, delivery = self._end_one(data)
        delivery.acknowledged.set_exception(PublishError("away"))

        assert {type(outcome) for outcome in self.run(_outcomes(delivery.waiting))} == {PublishError}

    @precondition(lambda self: self.underway)
    @rule(data=st.data())
    def interrupt_the_first(self, data: st.DataObject) -> None:
        _, delivery = self._end_one(data)
        delivery.waiting[0].cancel()
        first, *twins = self.run(_outcomes(delivery.waiting))

        assert isinstance(first, asyncio.CancelledError)
        assert all(isinstance(twin, PublishError) for twin in twins)

    @precondition(lambda self: any(len(delivery.waiting) > 1 for delivery in self.underway.values()))
    @rule(data=st.data())
    def interrupt_a_twin(self, data: st.DataObject) -> None:
        delivery = data.draw(st.sampled_from([one for one in self.underway.values() if len(one.waiting) > 1]))
        twin = delivery.waiting.pop(data.draw(st.integers(1, len(delivery.waiting) - 1)))
        twin.cancel()
        self.run(_outcomes([twin]))

        assert not any(task.done() for task in delivery.waiting)

    @invariant()
    def only_what_was_acknowledged_is_remembered(self) -> None:
        assert self.subject._done == self.done
        assert set(self.subject._running) == set(self.underway)

    def _end_one(self, data: st.DataObject) -> tuple[str, Delivery]:
        event = data.draw(st.sampled_from(sorted(self.underway)))
        return event, self.underway.pop(event)

    def teardown(self) -> None:
        tasks = [task for delivery in self.underway.values() for task in delivery.waiting]
        for task in tasks:
            task.cancel()
        self.run(_outcomes(tasks))
        super().teardown()


async def _settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def _outcomes(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


SIZES = st.sampled_from([0, 1, 700, 3000])  # the last one never fits
MAX_BYTES = 3500
KEYS = ("call-0", "call-1", "call-2")


@dataclass
class Kept:
    """An entry of the model."""

    content: Content
    is_set_aside: bool = False


class SpoolModel(WithLoop):
    """The model: entries in the order they came. A crash is the files as they are at a moment when all was promised."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spool-model-"))
        self.lives = 0
        self.subject = self._opened()
        self.kept: list[Kept] = []

    @rule(number=st.integers(0, 12), size=SIZES)
    def put(self, number: int, size: int) -> None:
        """Also again, while it is kept or after it was removed; of one id there is one content."""
        content = content_of(number, size)
        kept = next((one for one in self.kept if one.content.record_id == content.record_id), None)
        if self._bytes() + size_of(content) > MAX_BYTES:
            with pytest.raises(SpoolFullError):
                self.run(self.subject.put(content))
            return
        self.run(self.subject.put(content))
        if kept is None:
            self.kept.append(Kept(content))

    @rule(count=st.integers(1, 5), acknowledged=st.integers(0, 5))
    def drain(self, count: int, acknowledged: int) -> None:
        """Some of the first are read, and some of those acknowledged by Kafka."""
        entries = self.run(self.subject.first(count))
        waiting = self._waiting()[:count]
        self.run(self.subject.remove([entry.seq for entry in entries[:acknowledged]]))
        self.kept = [one for one in self.kept if one not in waiting[:acknowledged]]

        assert [entry.content for entry in entries] == [one.content for one in waiting]

    @precondition(lambda self: self._waiting())
    @rule()
    def set_the_first_aside(self) -> None:
        (entry,) = self.run(self.subject.first(1))
        self.run(self.subject.set_aside(entry.seq, "too large"))
        self._waiting()[0].is_set_aside = True

    @rule()
    def restart(self) -> None:
        self.run(self.subject.close())
        self._open_again()

    @rule()
    def crash(self) -> None:
        """What a killed process leaves: files that nobody closed."""
        old = self.subject.directory
        self.lives += 1
        shutil.copytree(old, self.subject.directory.parent / str(self.lives))
        self.run(self.subject.close())
        shutil.rmtree(old)
        self._open_again()

    @invariant()
    def counts_are_right(self) -> None:
        state, waiting = self.subject.state(), self._waiting()
        assert (state.entries, state.refused) == (len(waiting), len(self.kept) - len(waiting))
        assert state.bytes == self._bytes() <= MAX_BYTES
        assert (state.oldest_at is None) == (not waiting)
        assert self.subject.is_filled.is_set() == bool(waiting)
        held = {one.content.key for one in waiting}
        assert {key for key in KEYS if self.subject.holds(CALLBACKS.name, key)} == held

    def _open_again(self) -> None:
        self.subject = self._opened()
        for one in self.kept:
            one.is_set_aside = False

    def _opened(self) -> Spool:
        spool = Spool(self.directory / str(self.lives), MAX_BYTES)
        self.run(spool.open())
        return spool

    def _waiting(self) -> list[Kept]:
        return [one for one in self.kept if not one.is_set_aside]

    def _bytes(self) -> int:
        return sum(size_of(one.content) for one in self.kept)

    def teardown(self) -> None:
        self.run(self.subject.close())
        shutil.rmtree(self.directory)
        super().teardown()


def content_of(number: int, size: int) -> Content:
    record_id = f"e{number}-{size}"
    headers = [("ce_id", record_id.encode())]
    value = bytes([number]) * size
    return Content(CALLBACKS.name, KEYS[number % len(KEYS)], record_id, schema_text("Callback"), headers, value)


TestDuplicates = DuplicatesModel.TestCase
TestDuplicates.settings = PROFILE
TestSpool = SpoolModel.TestCase
TestSpool.settings = ON_DISK
