"""Each defect of Faust's transport that we mend: shown on the stock class, and absent on ours. No broker.

The names in brackets are those of research on Faust: L1 to L9 are the ways in which it loses records.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import faust
import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaError
from faust.exceptions import ValueDecodeError
from faust.transport.conductor import ConductorCompiler
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.worker.fetching import Fetched, RunConsumerThread
from streams.worker.outbox import Outbox
from streams.worker.pipeline import Pipeline, UnitOfWork
from streams.worker.transport import IdempotentProducer, RunConsumer, RunSchema, RunTransport
from tests.unit.streams.worker.fakes import FakeProducer, outgoing, turn

P0, P1, CHANGELOG = TP("callbacks", 0), TP("callbacks", 1), TP("app-calls-changelog", 0)


class Record(NamedTuple):
    """As much of aiokafka's ConsumerRecord as is looked at."""

    offset: int
    topic: str = P0.topic
    partition: int = 0
    timestamp: int = 1_710_163_513_250
    timestamp_type: int = 1
    key: bytes = b"k"
    value: bytes = b"v"
    headers: tuple[tuple[str, bytes], ...] = ()
    checksum: None = None
    serialized_key_size: int = 1
    serialized_value_size: int = 1


def app_with(transport: type[Any]) -> Any:
    app: Any = faust.App("transport-test", broker="kafka://127.0.0.1:1", autodiscover=False, web_enabled=False)
    app.transport = app.producer_transport = transport(app.conf.broker_consumer, app)
    return app


@contextmanager
def consumer_of(transport: type[Any]) -> Iterator[Any]:
    """A consumer that thinks it owns P0 and P1; its thread is never started, only its event loop must be closed."""
    consumer = app_with(transport).consumer
    consumer.assignment = lambda: {P0, P1}
    consumer.app.topics.acks_enabled_for = lambda topic: True
    loop = consumer._thread.thread_loop
    yield consumer
    loop.close()


@pytest.fixture
async def stock() -> AsyncIterator[Any]:
    with consumer_of(driver.Transport) as consumer:
        yield consumer


@pytest.fixture
async def ours() -> AsyncIterator[Any]:
    with consumer_of(RunTransport) as consumer:
        yield consumer


def message_at(offset: int, tp: TP = P0, generation: int = 0) -> Any:
    return ConsumerMessage(
        tp.topic, tp.partition, offset, 0.0, 1, [], None, None, None, None, None, tp, generation_id=generation
    )


def settle(consumer: RunConsumer, *offsets: int) -> None:
    for offset in offsets:
        consumer.settle(message_at(offset, generation=consumer.app.consumer_generation_id))


# -- how long a fetch waits, and for how much


async def fetch_of(consumer: Any) -> tuple[int, int]:
    client = consumer._thread._create_worker_consumer(consumer.transport)
    await client.stop()
    return client._fetch_max_wait_ms, client._fetch_min_bytes


async def test_stock_takes_any_record_and_waits_so_long_that_other_partitions_wait_for_it(stock: Any) -> None:
    assert await fetch_of(stock) == (1500, 1)


async def test_ours_gathers_records_for_a_twentieth_of_a_second(ours: RunConsumer) -> None:
    assert await fetch_of(ours) == (50, 256 * 1024)


@pytest.mark.parametrize(
    ("transport", "expected"), [(driver.Transport, "read_uncommitted"), (RunTransport, "read_committed")]
)
async def test_stock_reads_what_was_aborted_and_ours_does_not(transport: type[Any], expected: str) -> None:
    with consumer_of(transport) as consumer:
        client = consumer._thread._create_worker_consumer(consumer.transport)
        await client.stop()

    assert client._isolation_level == expected


# -- L4: a hole at the head


async def test_stock_commits_over_a_record_in_hand_at_the_head_of_a_partition(stock: Any) -> None:
    stock._committed_offset[P0] = 10
    stock._acked[P0] = [11, 12, 13]

    assert stock._new_offset(P0) == 14


async def test_ours_commits_nothing_over_a_run_in_hand(ours: RunConsumer) -> None:
    for offset in (10, 11, 12, 13):
        ours.offsets.deliver(P0, offset)
    settle(ours, 11, 12, 13)
    assert ours._new_offset(P0) is None

    settle(ours, 10)
    assert ours._new_offset(P0) == 14


async def test_stock_commits_over_a_record_in_hand_when_nothing_was_committed_yet(stock: Any) -> None:
    stock._committed_offset[P0] = None
    stock._acked[P0] = [1, 2]

    assert stock._new_offset(P0) == 3


# -- L5: a refused commit


def refusing(consumer: Any) -> Any:
    async def _commit(offsets: Mapping[TP, int]) -> bool:
        return False

    async def flush() -> None:
        pass

    consumer._commit = _commit
    consumer.app.producer = SimpleNamespace(flush=flush)
    return consumer


async def test_stock_moves_its_books_when_the_broker_refused_the_commit(stock: Any) -> None:
    assert not await refusing(stock)._commit_offsets({P0: 14})

    assert stock._committed_offset[P0] == 14
    assert not stock._should_commit(P0, 14)  # so the offset is never committed again


async def test_ours_keeps_a_refused_offset_due(ours: RunConsumer) -> None:
    assert not await refusing(ours)._commit_offsets({P0: 14})

    assert ours._committed_offset[P0] is None
    assert ours._should_commit(P0, 14)


async def test_ours_commits_what_the_broker_takes_and_moves_its_books(ours: RunConsumer) -> None:
    taken: list[Mapping[TP, int]] = []

    async def _commit(offsets: Mapping[TP, int]) -> bool:
        taken.append(offsets)
        return True

    ours._commit = _commit  # type: ignore[method-assign]

    assert await ours._commit_offsets({P0: 14, TP("callbacks", 9): 3})
    assert (taken, ours._committed_offset[P0]) == ([{P0: 14}], 14)


async def test_ours_asks_the_broker_nothing_when_all_was_revoked(ours: RunConsumer) -> None:
    ours._commit = None  # type: ignore[assignment, method-assign]

    assert not await ours._commit_offsets({TP("callbacks", 9): 3})


class _Broker:
    """A consumer's commit that fails as it is told."""

    def __init__(self, error: KafkaError | None) -> None:
        self.error = error
        self.offsets: dict[Any, Any] = {}

    async def commit(self, offsets: dict[Any, int]) -> None:
        if self.error is not None:
            raise self.error
        self.offsets.update(offsets)


def thread_of(kind: type[Any], consumer: Any, broker: _Broker) -> tuple[Any, list[BaseException]]:
    crashes: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashes.append(error)

    thread: Any = object.__new__(kind)
    thread.consumer, thread.tp_last_committed_at, thread.crash = consumer, {}, crash
    thread.log = SimpleNamespace(exception=lambda *_: None, warning=lambda *_: None)
    thread._ensure_consumer = lambda: broker
    thread.assignment = consumer.assignment
    return thread, crashes


async def test_stock_crashes_the_app_when_the_broker_is_away_at_a_commit(stock: Any) -> None:
    thread, crashes = thread_of(driver.AIOKafkaConsumerThread, stock, _Broker(KafkaConnectionError()))

    assert not await thread._commit({P0: 14})
    assert [type(error) for error in crashes] == [KafkaConnectionError]


@pytest.mark.parametrize("error", [KafkaConnectionError(), CommitFailedError("rebalance in progress")])
async def test_ours_tries_a_commit_again_later_when_the_broker_does_not_take_it(
    ours: RunConsumer, error: KafkaError
) -> None:
    thread, crashes = thread_of(RunConsumerThread, ours, _Broker(error))

    assert not await thread._commit({P0: 14})
    assert (crashes, thread.tp_last_committed_at) == ([], {})


async def test_ours_commits_only_partitions_that_are_still_its_own(ours: RunConsumer) -> None:
    broker = _Broker(None)
    thread, _ = thread_of(RunConsumerThread, ours, broker)
    ours.commit_note = "partitions=2"

    assert await thread._commit({P0: 14, TP("callbacks", 9): 3})
    assert broker.offsets == {driver.ensure_aiokafka_TP(P0): (14, "partitions=2")}


# -- L1: a record that the broker refused


async def test_stock_takes_a_record_for_published_whose_delivery_failed(stock: Any) -> None:
    """What `topic.send` gives its caller is done as soon as the record is in a batch; nobody asks what became of it."""
    stock.app._consumer = stock
    stock._committed_offset[P0] = 10
    delivery: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def send(*_: Any, **__: Any) -> asyncio.Future[Any]:
        return delivery

    flushes: list[None] = []

    async def flush() -> None:
        flushes.append(None)

    stock.app.producer = SimpleNamespace(send=send, flush=flush)
    stock.app.maybe_start_producer = _returning(stock.app.producer)
    stock._commit = _returning(True)
    sent = await stock.app.topic("calls", key_type=bytes, value_type=bytes).send(value=b"v")
    stock.track_message(message := _tracked(stock, 10))
    message.incref()
    message.ack(stock)  # what the stream does when the agent asks for the next event
    delivery.set_exception(KafkaError("refused"))
    await turn()

    assert isinstance(sent.exception(), KafkaError)
    assert await stock.commit()
    assert (stock._committed_offset[P0], len(flushes)) == (11, 1)


async def test_ours_settles_no_run_whose_output_was_refused(ours: RunConsumer) -> None:
    producer = FakeProducer(holding=True)
    failures: list[BaseException] = []
    pipeline = Pipeline(Outbox(lambda: producer), failures.append)
    ours.offsets.deliver(P0, 10)
    await pipeline.submit(UnitOfWork(outputs=[outgoing("calls", b"v")], settled=[lambda: settle(ours, 10)]))
    await turn()
    producer.refuse("calls", KafkaError("refused"))
    await turn()

    assert [type(failure) for failure in failures] == [KafkaError]
    assert ours._new_offset(P0) is None
    await pipeline.reset()


# -- L6: a changelog record on its way


async def test_stock_flushes_no_changelog_record_that_is_just_being_handed_over(stock: Any) -> None:
    buffer, gate = stock.app.producer.buffer, asyncio.Event()

    async def publish(*_: Any, **__: Any) -> None:
        await gate.wait()  # aiokafka waits for room, or for metadata

    record = SimpleNamespace(message=SimpleNamespace(channel=SimpleNamespace(publish_message=publish)))
    handing_over = asyncio.create_task(type(buffer)._handle_pending.fun(buffer))
    buffer.put(record)
    await turn()
    await asyncio.wait_for(buffer.flush(), 5)

    assert not gate.is_set(), "flushed, and the commit follows, but the record was never handed over"
    handing_over.cancel()


async def test_ours_settles_no_run_whose_row_is_on_its_way(ours: RunConsumer) -> None:
    producer = FakeProducer(holding=True)
    failures: list[BaseException] = []
    pipeline = Pipeline(Outbox(lambda: producer), failures.append)
    ours.offsets.deliver(P0, 10)
    row = outgoing(CHANGELOG.topic, b"row")
    await pipeline.submit(UnitOfWork(rows=[row], settled=[lambda: settle(ours, 10)]))
    await turn()
    assert ours._new_offset(P0) is None

    producer.deliver(CHANGELOG.topic)
    await asyncio.wait_for(pipeline.drain(), 5)
    assert (ours._new_offset(P0), failures) == (11, [])
    await pipeline.reset()


def _returning(value: Any) -> Callable[..., Awaitable[Any]]:
    async def function(*_: Any, **__: Any) -> Any:
        return value

    return function


# -- L7: the producer


@pytest.mark.parametrize(
    ("transport", "expected"),
    [(driver.Transport, {}), (RunTransport, {"acks": "all", "enable_idempotence": True})],
    ids=["stock's does nothing about it", "ours"],
)
async def test_a_retried_batch_can_neither_repeat_nor_reorder(
    transport: type[Any], expected: dict[str, object]
) -> None:
    producer = app_with(transport).producer

    assert producer._settings_extra() == expected


async def test_our_producer_is_idempotent_when_it_is_made() -> None:
    producer = app_with(RunTransport).producer
    made: list[dict[str, Any]] = []

    class Kafka:
        def __init__(self, **settings: Any) -> None:
            made.append(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(producer), "_producer_type", Kafka)
        producer._new_producer()

    assert isinstance(producer, IdempotentProducer)
    assert (made[0]["enable_idempotence"], made[0]["acks"]) == (True, "all")


# -- L2, L3: what raises or is skipped is acknowledged


async def hand_to_an_agent_that_raises(consumer: Any, message: Any) -> None:
    """What Faust does around an agent's body: the event is acknowledged on the way out, whatever happened."""
    consumer.track_message(message)
    message.incref()
    event = consumer.app.create_event(None, None, {}, message)
    with pytest.raises(ZeroDivisionError):
        async with event:
            raise ZeroDivisionError


async def test_stock_takes_a_record_whose_agent_raised_for_done(stock: Any) -> None:
    stock.app._consumer = stock

    await hand_to_an_agent_that_raises(stock, _tracked(stock, 500))

    assert stock._new_offset(P0) == 501


async def test_ours_takes_a_run_whose_agent_raised_for_open(ours: RunConsumer) -> None:
    ours.offsets.deliver(P0, 500)

    await hand_to_an_agent_that_raises(ours, _tracked(ours, 500))

    assert ours._new_offset(P0) is None
    assert ours.offsets.unsettled() == 1


def _tracked(consumer: Any, offset: int) -> Any:
    message = message_at(offset)
    message.tracked = True
    return message


async def test_faults_own_acknowledgement_settles_nothing(ours: RunConsumer) -> None:
    ours.offsets.deliver(P0, 5)
    message = message_at(5)

    assert not ours.ack(message)
    assert (message.acked, ours._new_offset(P0)) == (True, None)


async def test_a_run_of_an_earlier_generation_settles_nothing(ours: RunConsumer) -> None:
    ours.offsets.deliver(P0, 5)

    ours.settle(message_at(5, generation=ours.app.consumer_generation_id - 1))

    assert ours._new_offset(P0) is None


async def test_stock_takes_a_record_that_does_not_decode_for_done(stock: Any) -> None:
    stock.app._consumer = stock
    stock._committed_offset[P0] = 500
    garbage = _tracked(stock, 500)
    garbage.value = b"{not json"
    topic = stock.app.topic(P0.topic, value_type=dict, value_serializer="json")
    on_message = ConductorCompiler().build(SimpleNamespace(app=stock.app), P0, {topic})  # type: ignore[arg-type]
    stock.track_message(garbage)
    stock.app.flow_control.resume()
    await on_message(garbage)

    assert stock._new_offset(P0) == 501
    with pytest.raises(ValueDecodeError):
        topic.queue.get_nowait()  # in the agent's loop, which it ends: the agent is started again at the next record


async def test_a_record_that_does_not_decode_reaches_the_agent() -> None:
    app = app_with(RunTransport)
    decode = RunSchema().compile(app)
    garbage = message_at(5)
    garbage.value = [Record(5, value=b"\xff\x00garbage")]

    event = await decode(garbage)

    assert event.message.value == garbage.value


# -- runs


class _Thread(NamedTuple):
    """What the consumer asks of its thread: where to go on, and where a partition begins."""

    sought: list[dict[TP, int]]
    beginnings: dict[TP, int]

    async def seek_wait(self, offsets: Mapping[TP, int]) -> None:
        self.sought.append({TP(*tp): offset for tp, offset in offsets.items()})

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.beginnings[tp] for tp in partitions}


class Delivered(NamedTuple):
    """One run as the agent gets it."""

    tp: TP
    offsets: list[int]
    after: int | None


async def opened(consumer: Any, committed: dict[TP, int], beginnings: dict[TP, int] | None = None) -> list[Delivered]:
    """Let the consumer begin at these offsets, with all tables recovered; returns what gets delivered, as it does."""
    delivered: list[Delivered] = []

    async def seek_to_committed() -> Mapping[TP, int]:
        return committed

    async def callback(event: Any) -> None:
        for run in event.value:
            delivered.append(Delivered(run.tp, [record.offset for record in run.value], run.value.after))

    consumer.assignment = lambda: {*committed, *(beginnings or {})}
    consumer.seek_to_committed = seek_to_committed
    consumer.callback = callback
    consumer._thread = _Thread([], beginnings or {})
    consumer.app.tables.actives_ready = True
    consumer.flow_active = True
    await consumer.perform_seek()
    return delivered


def batch(*offsets: int, tp: TP = P0, start: int | None = None, end: int | None = None) -> dict[TP, Fetched]:
    """What a fetch brought; from its first record to behind its last when nothing else is said."""
    records = [Record(offset, tp.topic, tp.partition) for offset in offsets]
    return {
        tp: Fetched(records, offsets[0] if start is None else start, end if end is not None else records[-1].offset + 1)
    }


async def test_all_fetched_records_of_a_partition_are_one_run(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})

    await ours._deliver_all({**batch(5, 6, 7), **batch(7, tp=P1)}, {P0, P1})

    assert delivered == [(P0, [5, 6, 7], None), (P1, [7], None)]


async def test_runs_of_a_topic_come_in_one_event_and_those_of_another_in_its_own(ours: Any) -> None:
    other = TP("outcomes", 0)
    await opened(ours, {P0: 5, P1: 7, other: 2})
    events: list[list[TP]] = []

    async def callback(event: Any) -> None:
        events.append([run.tp for run in event.value])

    ours.callback = callback
    fetched = {**batch(5, 6), **batch(2, tp=other), **batch(7, tp=P1)}
    await ours._deliver_all(fetched, {P0, P1, other})
    assert events == [[P0, P1], [other]]
    assert [ours.offsets.delivered(tp) for tp in (P0, P1, other)] == [6, 7, 2]

    await ours._deliver_all(fetched, {P0, P1, other})
    assert events == [[P0, P1], [other]], "fetched again, as after a seek, but not delivered again"


async def test_a_run_names_the_offset_delivered_before_it(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(5, 6), {P0})
    await ours._deliver_all(batch(7), {P0})

    assert [run.after for run in delivered] == [None, 6]


async def test_records_before_the_next_offset_are_not_delivered_again(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(3, 4, 5, 6), {P0})
    await ours._deliver_all(batch(5, 6), {P0})
    await ours._deliver_all(batch(6, 7), {P0})

    assert [run.offsets for run in delivered] == [[5, 6], [7]]


async def test_a_hole_is_fetched_again_before_anything_behind_it_is_delivered(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(8, 9), {P0})
    assert (delivered, ours._thread.sought) == ([], [{P0: 5}])

    await ours._deliver_all(batch(5, 6, 7, 8, 9), {P0})
    assert [run.offsets for run in delivered] == [[5, 6, 7, 8, 9]]


async def test_a_hole_that_is_still_there_the_second_time_is_stepped_over(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(8, 9), {P0})
    await ours._deliver_all(batch(8, 9), {P0})

    assert [run.offsets for run in delivered] == [[8, 9]]
    assert len(ours._thread.sought) == 1


async def test_a_hole_that_the_fetch_itself_covers_is_the_logs_own(ours: Any) -> None:
    """As one between two transactions: nothing is fetched twice for it."""
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(8, 9, start=5), {P0})

    assert ([run.offsets for run in delivered], ours._thread.sought) == ([[8, 9]], [])


async def test_a_marker_behind_the_last_record_is_committed_with_it(ours: RunConsumer) -> None:
    await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(5, 6, end=8), {P0})
    assert ours._new_offset(P0) is None

    settle(ours, 6)
    assert ours._new_offset(P0) == 8


async def test_a_marker_that_comes_after_its_records_is_committed_with_them(ours: RunConsumer) -> None:
    await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(5, 6), {P0})
    await ours._deliver_all(batch(start=7, end=8), {P0})
    assert ours._new_offset(P0) is None

    settle(ours, 6)
    assert ours._new_offset(P0) == 8


async def test_a_partition_of_nothing_but_aborted_records_is_committed_to_its_end(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5}, beginnings={P1: 0})
    await ours._deliver_all(batch(tp=P1, start=0, end=40), {P1})
    assert (delivered, ours._new_offset(P1)) == ([], 40)

    await ours._deliver_all(batch(40, tp=P1), {P1})
    assert (delivered, ours._new_offset(P1)) == ([(P1, [40], None)], 40)


async def test_what_was_dropped_is_not_taken_for_a_stretch_without_records(ours: Any) -> None:
    await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(start=8, end=9), {P0})
    assert (ours._thread.sought, ours._new_offset(P0)) == ([{P0: 5}], None)

    await ours._deliver_all(batch(5, 6, 7, end=9), {P0})
    assert ours.offsets.delivered(P0) == 7


async def test_a_log_that_begins_again_is_not_committed_backwards(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(start=5, end=0), {P0})

    assert (delivered, ours._new_offset(P0)) == ([], None)


async def test_nothing_is_delivered_until_tables_are_recovered(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    ours.app.tables.actives_ready = False
    await ours._deliver_all(batch(5, 6), {P0})
    assert delivered == []

    ours.app.tables.actives_ready = True
    await ours._deliver_all(batch(5, 6), {P0})
    assert [run.offsets for run in delivered] == [[5, 6]]


async def test_nothing_is_delivered_of_a_partition_that_was_never_sought(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})

    await ours._deliver_all(batch(0, 1, tp=TP("callbacks", 9)), None)

    assert delivered == []


async def test_changelog_records_are_delivered_from_the_offset_read(ours: Any) -> None:
    await opened(ours, {P0: 5, P1: 7})
    ours._is_changelog_tp = lambda tp: tp == CHANGELOG
    ours._read_offset[CHANGELOG] = 6
    offsets: list[int] = []

    async def callback(message: Any) -> None:
        run = message.value if isinstance(message.value, list) else [message]
        offsets.extend(record.offset for record in run)

    ours.callback = callback
    await ours._deliver_all(batch(5, 6, 7, tp=CHANGELOG), None)

    assert offsets == [6, 7]
    assert ours._read_offset[CHANGELOG] == 7


async def test_a_changelog_is_restored_up_to_its_end_also_when_no_row_is_there(ours: Any) -> None:
    """Recovery ends when the last offset has come; a marker or an empty batch brings no record that has it."""
    await opened(ours, {P0: 5, P1: 7})
    ours._is_changelog_tp = lambda tp: tp == CHANGELOG
    ours._read_offset[CHANGELOG] = 6
    restored: list[tuple[int, int]] = []

    async def callback(message: Any) -> None:
        restored.append((message.offset, len(message.value)))

    ours.callback = callback
    await ours._deliver_all(batch(6, tp=CHANGELOG, end=8), None)
    await ours._deliver_all(batch(tp=CHANGELOG, start=8, end=10), None)
    await ours._deliver_all(batch(tp=CHANGELOG, start=10, end=10), None)

    assert restored == [(7, 1), (9, 0)]


async def test_runs_of_partitions_that_are_not_active_are_left_alone(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})

    await ours._deliver_all({**batch(5), **batch(7, tp=P1)}, {P1})

    assert [run.tp for run in delivered] == [P1]


async def test_delivery_stops_when_the_group_has_changed(ours: Any) -> None:
    other = TP("outcomes", 0)
    delivered = await opened(ours, {P0: 5, P1: 7, other: 2})
    deliver = ours.callback

    async def callback(event: Any) -> None:
        await deliver(event)
        ours.app.consumer_generation_id = 99

    ours.callback = callback
    await ours._deliver_all({**batch(5), **batch(2, tp=other)}, {P0, other})

    assert [run.tp for run in delivered] == [P0]


async def test_nothing_is_delivered_while_flow_is_stopped(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    ours.flow_active = False

    await ours._deliver_all(batch(5), {P0})

    assert delivered == []


async def test_a_delivery_that_waits_for_room_is_given_up_when_flow_stops(ours: Any) -> None:
    await opened(ours, {P0: 5, P1: 7})

    async def callback(message: Any) -> None:
        await asyncio.Event().wait()

    ours.callback = callback
    delivery = asyncio.create_task(ours._deliver_all(batch(5), {P0}))
    await turn()
    assert not delivery.done()

    ours.suspend_flow.set()
    await delivery


async def test_what_was_delivered_before_a_seek_counts_no_more(ours: RunConsumer) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    await ours._deliver_all(batch(5, 6), {P0})
    await ours.perform_seek()
    settle(ours, 6)
    assert (ours._new_offset(P0), ours._committed_offset[P0]) == (None, 5)

    await ours._deliver_all(batch(5, 6), {P0})
    assert [(run.offsets, run.after) for run in delivered] == [([5, 6], None), ([5, 6], None)]


async def test_a_partition_never_committed_is_read_from_its_beginning(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5}, beginnings={P1: 3})

    await ours._deliver_all(batch(3, 4, tp=P1), {P1})

    assert ours._thread.sought == [{P1: 3}]
    assert [run.offsets for run in delivered] == [[3, 4]]


async def test_a_partition_that_was_held_goes_on_behind_what_was_delivered(ours: Any) -> None:
    delivered = await opened(ours, {P0: 5, P1: 7})
    fetched_as = driver.ensure_aiokafka_TP(P0)
    ours._set_active_tps({P0, P1})
    await ours._deliver_all(batch(5, 6, tp=fetched_as), {P0, P1})
    ours.pause_partitions({fetched_as})
    await ours._deliver_all(batch(7, 8, tp=fetched_as), ours._get_active_partitions())
    assert [run.offsets for run in delivered] == [[5, 6]]

    await ours.release(fetched_as)
    assert ours._thread.sought == [{P0: 7}]
    await ours._deliver_all(batch(7, 8, tp=fetched_as), ours._get_active_partitions())
    assert [run.offsets for run in delivered] == [[5, 6], [7, 8]]


# -- back-pressure and rebalances


async def test_stock_takes_a_full_partition_out_of_the_fetch_and_then_sleeps(stock: Any) -> None:
    stock._active_partitions = {P0}
    stock.app.in_recovery = False
    stock.on_buffer_full(P0)

    assert stock._active_partitions == set()


async def test_ours_leaves_a_full_partition_to_hold_the_fetcher_back(ours: RunConsumer) -> None:
    ours._active_partitions = {P0}
    ours.app.in_recovery = False
    ours.on_buffer_full(P0)

    assert ours._active_partitions == {P0}


@pytest.mark.parametrize("drained", [True, False])
async def test_what_agents_hold_is_finished_and_committed_before_partitions_go(
    ours: RunConsumer, drained: bool
) -> None:
    steps: list[str] = []

    async def drain(timeout_s: float) -> bool:
        steps.append("drain")
        return drained

    async def commit(*_: Any) -> bool:
        steps.append("commit")
        return True

    ours.on_drain, ours.commit = drain, commit  # type: ignore[assignment, method-assign]
    ours._unacked_messages.add(message_at(5))  # stock would wait for it, for ever
    await ours.wait_empty()

    assert steps == ["drain", "commit"]


async def test_only_partitions_with_something_settled_are_looked_at_for_a_commit(ours: RunConsumer) -> None:
    for tp in (P0, P1):
        ours.offsets.deliver(tp, 5)
    settle(ours, 5)

    assert list(ours._filter_tps_with_pending_acks()) == [P0]
    assert list(ours._filter_tps_with_pending_acks({P1})) == []
    assert list(ours._filter_tps_with_pending_acks({"callbacks"})) == [P0]


async def test_our_app_is_made_of_our_parts(ours: RunConsumer) -> None:
    parts = (type(ours), type(ours.app.producer), type(ours._thread))

    assert parts == (RunConsumer, IdempotentProducer, RunConsumerThread)
