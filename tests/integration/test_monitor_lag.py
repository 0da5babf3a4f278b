"""Lag of real groups on a real broker: exact in records and seconds, never negative, honest about what is unknown."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from rich.console import Console

from schemas.runtime import exits
from schemas.topics import CALLS
from streams.errors import StreamsError
from streams.monitor.lag import poller as polling
from streams.monitor.lag.command import LagOptions, print_lag
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import MEANINGS
from streams.monitor.settings import MonitorSettings
from streams.output import PIPE_WIDTH
from streams.settings import KafkaSettings
from tests.support.clients import create_topic
from tests.support.processes.monitor import admin_client, kafka_producer
from tests.support.waiting import PATIENCE_S, wait_until

POLLS_UNDER_FIRE = 150
DECIDED_WITHIN_S = 15
AHEAD_BUDGET_S = 30.0  # instead of half a second: a busy broker may take longer than that, and then ages are unknown


class Scene:
    """A topic of one partition and a group, both of this test alone."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.bootstrap, self.topic, self.group = bootstrap, topic, f"group-{topic}"
        self.tp = TopicPartition(self.topic, 0)
        kafka = KafkaSettings(bootstrap_servers=bootstrap)
        self.poller = LagPoller(MonitorSettings(kafka=kafka, app_id="nobody", groups="group-*"))

    async def produce(self, count: int) -> list[int]:
        """`count` records, each acknowledged; their timestamps."""
        async with kafka_producer(self.bootstrap) as producer:
            return [(await producer.send_and_wait(self.topic, b"x", partition=0)).timestamp for _ in range(count)]

    @asynccontextmanager
    async def member(self, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        """A live member of the group; it commits nothing by itself."""
        consumer = AIOKafkaConsumer(
            self.topic,
            bootstrap_servers=self.bootstrap,
            group_id=group or self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def commit(self, offset: int, group: str | None = None) -> None:
        """As a member, then leave."""
        async with self.member(group) as consumer:
            await consumer.commit({self.tp: offset})

    async def row(self) -> PartitionLag:
        return row_of(await self.poller.poll_once(), self.group)

    async def row_once(self, holds: Callable[[PartitionLag], bool]) -> PartitionLag:
        """The first row of which this holds: a broker ends a transaction a moment after its producer."""
        found: list[PartitionLag] = []

        async def seen() -> bool:
            found[:] = [await self.row()]
            return holds(found[0])

        await wait_until(seen, DECIDED_WITHIN_S, "the transaction's end is seen")
        return found[0]


def group_of(snapshot: LagSnapshot, name: str) -> GroupLag:
    [group] = [group for group in snapshot.groups if group.consumergroup == name]
    return group


def row_of(snapshot: LagSnapshot, name: str) -> PartitionLag:
    [row] = group_of(snapshot, name).partitions
    return row


@pytest.fixture
async def scene(kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(polling, "AHEAD_BUDGET_S", AHEAD_BUDGET_S)
    scene = Scene(kafka_bootstrap, await create_topic(kafka_bootstrap, CALLS.config()))
    yield scene
    await scene.poller.aclose()


async def test_lag_is_exact_in_records_and_to_the_millisecond(scene: Scene) -> None:
    appended_at = await scene.produce(10)
    await scene.commit(4)
    snapshot = await scene.poller.poll_once()
    row = row_of(snapshot, scene.group)

    assert (row.current_offset, row.begin_offset, row.end_offset, row.lag) == (4, 0, 10, 6)
    assert row.lag_seconds == (snapshot.as_of_ms - appended_at[4]) / 1000


async def test_the_age_grows_with_the_clock_and_shrinks_with_each_commit(scene: Scene) -> None:
    appended_at = await scene.produce(3)
    await scene.commit(0)
    first = await scene.row()
    await scene.commit(2)
    snapshot = await scene.poller.poll_once()

    assert first.lag_seconds is not None
    assert row_of(snapshot, scene.group).lag_seconds == (snapshot.as_of_ms - appended_at[2]) / 1000


async def test_a_group_that_read_all_has_no_lag(scene: Scene) -> None:
    await scene.produce(3)
    await scene.commit(3)
    row = await scene.row()

    assert (row.lag, row.lag_seconds, row.verdict) == (0, 0.0, "ok")


async def test_two_groups_at_two_offsets_of_one_partition_have_two_ages(scene: Scene) -> None:
    appended_at = await scene.produce(6)
    other = f"{scene.group}-other"
    await scene.commit(1)
    await scene.commit(5, other)
    snapshot = await scene.poller.poll_once()

    ages = [row_of(snapshot, group).lag_seconds for group in (scene.group, other)]
    assert ages == [(snapshot.as_of_ms - appended_at[i]) / 1000 for i in (1, 5)]


async def test_where_a_member_that_never_committed_begins_is_known_of_our_worker_only(scene: Scene) -> None:
    await scene.produce(3)
    ours = LagPoller(MonitorSettings(kafka=KafkaSettings(bootstrap_servers=scene.bootstrap), app_id=scene.group))
    async with scene.member():
        foreign = await scene.row()
        found = row_of(await ours.poll_once(), scene.group)
    await ours.aclose()

    assert (foreign.current_offset, foreign.lag, foreign.lag_seconds, foreign.verdict) == (None, None, None, "unknown")
    assert (found.current_offset, found.lag, found.lag_seconds) == (None, 3, None)


async def test_members_and_state_are_the_groups(scene: Scene) -> None:
    async with scene.member() as consumer:
        await consumer.commit({scene.tp: 0})
        alive = group_of(await scene.poller.poll_once(), scene.group)
    left = group_of(await scene.poller.poll_once(), scene.group)

    assert (alive.state, alive.members) == ("Stable", 1)
    assert (left.state, left.members) == ("Empty", 0)


async def test_a_stopped_consumer_with_a_backlog_is_a_stop_within_fifteen_seconds(scene: Scene) -> None:
    await scene.produce(3)
    await scene.commit(1)

    async def stopped() -> bool:
        return (await scene.row()).verdict == "stop"

    await wait_until(stopped, 15, "the verdict is stop")


async def test_abandoned_groups_at_deleted_offsets_do_not_slow_the_poll(scene: Scene) -> None:
    await scene.produce(60)
    for offset in (10, 20, 30, 40, 50):
        await scene.commit(offset, f"{scene.group}-{offset}")
    async with admin_client(scene.bootstrap) as admin:
        await admin.delete_records({scene.tp: RecordsToDelete(before_offset=60)})
    await scene.poller.poll_once()
    began_s = time.monotonic()
    snapshot = await scene.poller.poll_once()

    assert time.monotonic() - began_s < AHEAD_BUDGET_S, "it waited for records that are not there"
    rows = [row_of(snapshot, f"{scene.group}-{offset}") for offset in (10, 20, 30, 40, 50)]
    assert {(row.lag, row.lag_seconds, row.verdict) for row in rows} == {(0, 0.0, "ok")}


async def test_what_no_reader_sees_is_no_lag_and_what_waits_for_its_transaction_is(scene: Scene) -> None:
    await scene.produce(1)
    await scene.commit(1)
    producer = AIOKafkaProducer(bootstrap_servers=scene.bootstrap, transactional_id=scene.group)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(scene.topic, b"aborted", partition=0)
        undecided = await scene.row()
        await producer.abort_transaction()
        aborted = await scene.row_once(lambda row: (row.end_offset, row.lag) == (3, 0))
        async with producer.transaction():
            sent = await producer.send_and_wait(scene.topic, b"committed", partition=0)
        waiting = await scene.row_once(lambda row: row.end_offset == sent.offset + 2)
        await scene.commit(sent.offset + 1)
        read = await scene.row()
    finally:
        await producer.stop()

    assert (undecided.lag, undecided.lag_seconds is None, undecided.verdict) == (1, False, "unknown")
    assert (aborted.current_offset, aborted.end_offset, aborted.lag_seconds, aborted.verdict) == (1, 3, 0.0, "ok")
    assert (waiting.current_offset, waiting.lag, waiting.lag_seconds is None) == (1, 2, False)
    assert (read.end_offset - sent.offset, read.lag, read.verdict) == (2, 0, "ok")


async def test_an_offset_beyond_the_end_is_a_verdict_of_its_own(scene: Scene) -> None:
    await scene.produce(1)
    await scene.commit(100)
    row = await scene.row()

    assert (row.lag, row.verdict) == (None, "beyond")


async def test_lag_is_never_negative_however_fast_the_commits(scene: Scene) -> None:
    """The end offset is read after the committed one; the other way round this fails within seconds."""

    async def read_and_commit(consumer: AIOKafkaConsumer) -> None:
        async with kafka_producer(scene.bootstrap) as producer:
            while True:
                sent = await producer.send_and_wait(scene.topic, b"x", partition=0)
                await consumer.commit({scene.tp: sent.offset + 1})

    async with scene.member() as consumer:
        await consumer.commit({scene.tp: 0})
        task = asyncio.create_task(read_and_commit(consumer))
        rows = [await scene.row() for _ in range(POLLS_UNDER_FIRE)]
        while rows[-1].end_offset <= POLLS_UNDER_FIRE:
            rows.append(await scene.row())
        assert not task.done()
        task.cancel()

    assert all(row.lag is not None and row.lag >= 0 for row in rows)


async def test_records_that_retention_took_are_counted_to_the_record(scene: Scene) -> None:
    await scene.produce(10)
    await scene.commit(3)
    before = (await scene.poller.poll_once()).records_lost[scene.group, scene.topic]
    async with admin_client(scene.bootstrap) as admin:
        await admin.delete_records({scene.tp: RecordsToDelete(before_offset=8)})
    snapshot = await scene.poller.poll_once()

    assert (before, snapshot.records_lost[scene.group, scene.topic]) == (0, 5)
    assert row_of(snapshot, scene.group).begin_offset == 8


async def test_the_command_answers_at_the_first_try(scene: Scene) -> None:
    await scene.produce(2)
    await scene.commit(1)
    code, printed = await command(scene, LagOptions(groups=(scene.group,)))

    [row] = [line for line in printed.splitlines() if line.split()[:2] == [scene.group, scene.topic]]
    assert (row.split()[1], row.split()[2], row.split()[-1], code) == (scene.topic, "1", "stop", exits.NO)
    assert f"{scene.group} is behind: 1 record to read" in printed
    assert f"stop in {scene.topic}/0: {MEANINGS['stop']}" in printed


async def test_the_command_ends_with_0_for_a_group_that_has_read_all(scene: Scene) -> None:
    await scene.produce(2)
    await scene.commit(2)
    code, printed = await command(scene, LagOptions(groups=(scene.group,), as_json=True))

    [group] = json.loads(printed)["groups"]
    assert (group["consumergroup"], group["partitions"][0]["lag"], code) == (scene.group, 0, 0)


async def test_a_watch_in_a_terminal_is_live_and_ctrl_c_ends_it_with_the_last_state(scene: Scene) -> None:
    await scene.produce(3)
    await scene.commit(1)
    leader, terminal = pty.openpty()
    environ = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": scene.bootstrap, "TERM": "xterm", "COLUMNS": "120"}
    watch = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "streams", "lag", "--watch", "--group", scene.group),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = bytearray()

    def says_stop() -> bool:
        while select.select([leader], [], [], 0)[0]:
            shown.extend(os.read(leader, 65_536))
        return f"{scene.group} is behind: 2 records".encode() in shown and b"\x1b[" in shown

    try:
        await wait_until(says_stop, PATIENCE_S, "the screen says that the group is behind")
        watch.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(watch.wait(), PATIENCE_S) == exits.NO
    finally:
        if watch.returncode is None:
            watch.kill()
        os.close(leader)


async def command(scene: Scene, options: LagOptions) -> tuple[int, str]:
    """The exit code of the command, and what it prints without a terminal."""
    text = StringIO()
    code = await print_lag({"KAFKA_BOOTSTRAP_SERVERS": scene.bootstrap}, options, Console(file=text, width=PIPE_WIDTH))
    return code, text.getvalue()


async def test_the_command_says_so_when_the_broker_is_away() -> None:
    with pytest.raises(StreamsError, match=r"127\.0\.0\.1:1"):
        await print_lag({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, LagOptions())
