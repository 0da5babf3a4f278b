"""A publisher with a spool: what Kafka does not take is kept, sent in order, and never overtaken by its own key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from gateway.errors import PublishError, RecordTooLargeError, SpoolError, SpoolFullError
from gateway.publishing.publisher import Published, Spooled, Stored
from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import Entry
from gateway.publishing.spooled import SpoolingPublisher
from schemas.headers import Headers, TraceContext, headers_for
from schemas.records.kept import QuarantinedRequest
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, MAX_RECORD_BYTES, QUARANTINE, Topic
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.fakes import FakePublisher
from tests.support.provider import read_callback
from tests.support.waiting import PATIENCE_S, wait_until

MIB = 1024 * 1024
DEADLINE_S = 2 * PATIENCE_S  # so that what is kept at once is told from what waits for it


def callback(event_id: str, size: int = 0) -> Callback:
    body = to_body(with_detail(intention_description="x" * size) if size else EXAMPLE)
    return read_callback(body, event_id=event_id, received_at=1, signature_scheme="none", signature_key_id=None)


def headers(event_id: str) -> Headers:
    return headers_for("Callback", event_id * 16, "/airudder/gateway", 1, TraceContext("1" * 32))


class Picky(FakePublisher):
    """Refuses records of one key for good, and counts how often it was asked."""

    refused_key = ""
    asked = 0

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        if key == self.refused_key:
            self.asked += 1
            raise RecordTooLargeError("too large for this topic")
        return await super().publish(topic, key, record, headers)


class Rig:
    """A publisher with a spool around one in memory."""

    def __init__(self, directory: Path, max_bytes: int, deadline_s: float) -> None:
        self.inner = Picky(deadline_s)
        self.spool = Spool(directory, max_bytes)
        self.publisher = SpoolingPublisher(self.inner, self.spool, deadline_s)

    async def publish(self, event_id: str, key: str = "call", size: int = 0) -> Stored:
        return await self.publisher.publish(CALLBACKS, key, callback(event_id, size), headers(event_id))

    def event_ids(self, key: str = "call") -> list[str]:
        return [s.record.event_id for s in self.inner.stored if s.key == key and isinstance(s.record, Callback)]

    async def wait_until_drained(self) -> None:
        await wait_until(lambda: not self.spool.is_filled.is_set(), PATIENCE_S, "the spool to be drained")


@asynccontextmanager
async def open_rig(
    directory: Path, max_bytes: int = 16 * MIB, fault: str = "", deadline_s: float = DEADLINE_S
) -> AsyncIterator[Rig]:
    rig = Rig(directory, max_bytes, deadline_s)
    await rig.publisher.start()
    rig.inner.fault = fault
    try:
        yield rig
    finally:
        await rig.publisher.stop()


async def test_while_kafka_takes_it_nothing_is_spooled(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        position = await rig.publish("a")

        assert position == Published(CALLBACKS.name, 0, 0)
        assert rig.spool.state().entries == 0


async def test_while_kafka_is_away_it_is_kept_at_once_and_sent_unchanged_when_it_is_back(tmp_path: Path) -> None:
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        async with asyncio.timeout(PATIENCE_S):
            position = await rig.publish("a")
        assert isinstance(position, Spooled)
        assert rig.publisher.faults() == []
        assert rig.publisher.spool_state().notes == ("Kafka: away; callbacks go to the spool",)  # type: ignore[union-attr]
        rig.inner.fault = ""
        await rig.wait_until_drained()

        (stored,) = rig.inner.stored
        assert (stored.topic, stored.key, stored.headers) == (CALLBACKS.name, "call", headers("a"))
        assert stored.record == callback("a")


async def test_without_an_acknowledgement_in_time_it_is_kept_when_the_deadline_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.publishing.spooled.SPOOL_MARGIN_S", PATIENCE_S)  # a busy disk takes its time
    async with open_rig(tmp_path, deadline_s=0.3) as rig:
        rig.inner.hold = asyncio.Event()
        async with asyncio.timeout(PATIENCE_S):
            position = await rig.publish("a")

        assert isinstance(position, Spooled)
        rig.inner.hold.set()
        await rig.wait_until_drained()
        assert rig.event_ids() == ["a"]


async def test_nothing_overtakes_a_spooled_record_of_its_key_and_other_keys_do_not_wait(tmp_path: Path) -> None:
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        for number in range(20):
            await rig.publish(f"a{number}")
        rig.inner.hold = asyncio.Event()
        rig.inner.fault = ""
        await wait_until(lambda: rig.inner.waiting, PATIENCE_S, "the drain to wait for its first acknowledgement")
        behind = await rig.publish("a20")
        assert isinstance(behind, Spooled)
        rig.inner.hold.set()
        other = await rig.publish("b", key="other")
        await rig.wait_until_drained()
        live = await rig.publish("a21")

        assert isinstance(other, Published)
        assert isinstance(live, Published)
        assert rig.event_ids() == [f"a{number}" for number in range(22)]


async def test_after_a_restart_what_was_kept_is_sent_before_new_records_of_its_key(tmp_path: Path) -> None:
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        for number in range(5):
            await rig.publish(f"a{number}")
    async with open_rig(tmp_path) as rig:
        await rig.publish("a5")
        await rig.wait_until_drained()

        assert rig.event_ids() == [f"a{number}" for number in range(6)]


async def test_a_full_spool_refuses_while_kafka_is_away_is_not_ready_and_lets_live_records_through(
    tmp_path: Path,
) -> None:
    async with open_rig(tmp_path, max_bytes=MIB, fault="Kafka: away") as rig:
        accepted = 10
        for number in range(accepted):
            await rig.publish(f"a{number}", size=100_000)
        with pytest.raises(SpoolFullError):
            await rig.publish("too much", size=100_000)
        assert "spool" in rig.publisher.faults()[-1]
        rig.inner.fault = ""
        assert rig.publisher.faults() == []
        assert isinstance((await rig.publish("b", key="other")), Published)
        await rig.wait_until_drained()
        assert rig.event_ids() == [f"a{number}" for number in range(accepted)]


async def test_a_record_that_no_topic_takes_is_refused_not_kept(tmp_path: Path) -> None:
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        with pytest.raises(RecordTooLargeError):
            await rig.publish("a", size=MAX_RECORD_BYTES)

        assert rig.spool.state().entries == 0


async def test_a_record_that_kafka_refuses_for_good_is_set_aside_once_and_those_behind_it_go_on(tmp_path: Path) -> None:
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        rig.inner.refused_key = "poison"
        for event_id, key in (("a0", "call"), ("p", "poison"), ("a1", "call")):
            await rig.publish(event_id, key)
        rig.inner.fault = ""
        await rig.wait_until_drained()
        await rig.publish("a2")

        state = rig.publisher.spool_state()
        assert state
        assert rig.event_ids() == ["a0", "a1", "a2"]
        assert (rig.inner.asked, state.entries, state.refused) == (1, 0, 1)
        assert "set aside" in state.notes[0]


async def test_the_quarantine_is_not_spooled(tmp_path: Path) -> None:
    record = QuarantinedRequest(
        event_id="e",
        received_at=1,
        reason="malformed",
        detail="",
        method="POST",
        path="/",
        headers={},
        body=b"",
        remote_address="",
    )
    async with open_rig(tmp_path, fault="Kafka: away") as rig:
        with pytest.raises(PublishError):
            await rig.publisher.publish(QUARANTINE, "e", record, headers("e"))


async def test_a_disk_that_refuses_is_reported_once_and_not_called_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.publishing.spooled.DRAIN_RETRY_S", 0.01)
    looks = 0

    async def refuse(count: int) -> list[Entry]:
        nonlocal looks
        looks += 1
        raise SpoolError("the disk refused: database or disk is full")

    with structlog.testing.capture_logs() as told:
        async with open_rig(tmp_path, fault="Kafka: away") as rig:
            await rig.publish("a")
            rig.spool.first = refuse  # type: ignore[method-assign]
            await wait_until(lambda: looks > 20, PATIENCE_S, "many looks")

    errors = [line for line in told if line["log_level"] == "error"]
    assert [(line["event"], line["reason"]) for line in errors] == [
        ("spool.stuck", "the disk refused: database or disk is full")
    ]
    assert "GATEWAY_SPOOL_DIR" in errors[0]["remedy"]


@pytest.mark.parametrize(("free", "is_told"), [(1024, True), (1024 * MIB, False)])
async def test_a_limit_that_the_disk_has_no_room_for_is_reported_at_the_start_and_by_readyz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, is_told: bool
) -> None:
    monkeypatch.setattr("gateway.publishing.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    with structlog.testing.capture_logs() as told:
        async with open_rig(tmp_path) as rig:
            state = rig.publisher.spool_state()

    assert state
    assert state.free_bytes == free
    assert any("GATEWAY_SPOOL_MAX_BYTES" in note and str(free) in note for note in state.notes) == is_told
    assert ("spool.disk_small" in [line["event"] for line in told]) == is_told
