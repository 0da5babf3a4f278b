"""The thread that owns the aiokafka consumer: its fetches and commits.

Offsets without a record exist: markers of transactions, aborted records, and what compaction or retention removed. So a
fetch is handed on with the range of offsets that it covers, and no record is waited for that never comes.
"""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any, Final, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.header_names import tolerate_header_names

# How long a fetch waits, and for how much. Each event has a cost of its own, so few large ones are cheaper. A partition
# whose records were still in hand when a fetch began is not in it, and waits until it is back.
FETCH_WAIT_MS: Final = 50
FETCH_MIN_BYTES: Final = 256 * 1024
ISOLATION: Final = "read_committed"


class Fetched(list[Any]):
    """Records of one partition, in order: all that lie from offset `start` up to, but without, `end`."""

    def __init__(self, records: Iterable[Any], start: int, end: int) -> None:
        super().__init__(records)
        self.start = start
        self.end = end


class RunConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        """The consumer, with fetches of our own sizes and of committed records only: Faust has no settings for them."""
        tolerate_header_names()
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_min_bytes = FETCH_MIN_BYTES
        consumer._isolation_level = ISOLATION
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's signature
        max_records: int | None = None,
    ) -> Mapping[Any, Fetched]:
        """The records, and for every partition that moved on the offsets covered, also without a record."""
        before = _positions(consumer, active_partitions)
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        after = _positions(consumer, active_partitions)
        moved = {tp for tp, position in after.items() if position != before.get(tp)}
        return {tp: _fetched(records.get(tp, ()), before.get(tp), after.get(tp)) for tp in moved | records.keys()}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit. False when the broker refused or is away: the offsets are sent again with the next commit.

        Stock Faust crashes the app on every error but one.
        """
        consumer = self._ensure_consumer()
        mine, note = self.assignment(), cast(Any, self.consumer).commit_note
        due = {driver.ensure_aiokafka_TP(tp): (offset, note) for tp, offset in offsets.items() if tp in mine}
        try:
            await consumer.commit(due)
        except KafkaError as error:
            self.log.warning("commit refused, will be tried again: %s", type(error).__name__)
            return False
        self.tp_last_committed_at.update(dict.fromkeys(offsets, monotonic()))
        return True


def _positions(consumer: Any, partitions: Iterable[TP] | None) -> dict[TP, int]:
    """The next offset to be handed out, of each partition that is ours and has one."""
    subscription = consumer._subscription.subscription
    assignment = subscription and subscription.assignment
    if not assignment or not assignment.active:
        return {}
    states = ((tp, assignment.state_value(tp)) for tp in partitions or ())
    return {tp: state.position for tp, state in states if state is not None and state.has_valid_position}


def _fetched(records: Any, before: int | None, after: int | None) -> Fetched:
    """An unknown position, as around a seek, follows from the records; without any, nothing is covered."""
    if before is None:
        before = records[0].offset if records else after
    if after is None:
        after = records[-1].offset + 1
    assert before is not None
    return Fetched(records, before, after)
