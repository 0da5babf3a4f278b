"""Who makes room: of the source with the most, first who has shown nothing, the longest waiting before the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import pytest
from starlette.types import Receive

from gateway.arrivals import Arrivals
from gateway.errors import OverLimitError, SlowBodyError
from gateway.http.body import read_body
from gateway.http.crowds import PROVED, UNPROVED, Wait, leaving
from gateway.limits import Admission, InFlight
from gateway.sources import source_of
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.requests import WEBHOOK, receive_of
from tests.support.served_door import (
    RawConnection,
    ServedDoor,
    connections,
    head,
    refused,
    serve_door,
    statuses,
)
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)


class Guest(NamedTuple):
    source: str
    wait: Wait | None


OLD, NEW = Wait(UNPROVED, 1.0), Wait(UNPROVED, 2.0)
IDLE = Wait(PROVED, 0.0)


@pytest.mark.parametrize(
    ("guests", "count", "left"),
    [
        ([Guest("a", NEW), Guest("a", OLD), Guest("b", OLD)], 1, [1]),
        ([Guest("a", IDLE), Guest("a", NEW), Guest("b", OLD)], 1, [1]),
        ([Guest("a", None), Guest("a", None), Guest("b", OLD)], 1, [2]),
        ([Guest("a", None), Guest("a", None)], 1, []),
        ([Guest("a", NEW), Guest("a", OLD), Guest("a", IDLE), Guest("b", OLD)], 2, [1, 0]),
        ([Guest("a", NEW), Guest("b", OLD)], 1, [1]),
        ([Guest("a", NEW), Guest("a", None), Guest("b", OLD)], 5, [0]),
    ],
    ids=["longest", "unproved first", "not who is worked on", "none", "several", "equal sources", "only the crowd"],
)
def test_who_leaves(guests: list[Guest], count: int, left: list[int]) -> None:
    assert leaving(guests, count) == [guests[number] for number in left]


@pytest.mark.parametrize(
    ("address", "source"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "20010db800000000/64"), ("::ffff:192.0.2.1", "192.0.2.1"), (":", "")],
)
def test_a_source_is_what_one_sender_can_choose_between(address: str, source: str) -> None:
    assert source_of(address).lstrip("0") == source.lstrip("0")


def test_one_source_leaves_a_fifth_of_the_places_to_others() -> None:
    in_flight = InFlight(10, 100)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(in_flight.admission("many")).take_place()
        with pytest.raises(OverLimitError):
            stack.enter_context(in_flight.admission("many")).take_place()
        for number in range(2):
            stack.enter_context(in_flight.admission(f"one-{number}")).take_place()
        with pytest.raises(OverLimitError):
            stack.enter_context(in_flight.admission("last")).take_place()
    assert (in_flight.requests, dict(in_flight.by_source)) == (0, {})


class Bodies:
    """Bodies that are read until they are told to go on."""

    def __init__(self, max_bodies: int, max_bytes: int = 1000, seconds: float = 5.0) -> None:
        self.in_flight = InFlight(100, max_bytes)
        self.arrivals = Arrivals(seconds, max_bodies)
        self.in_flight.make_room = self.arrivals.make_room
        self.go_on = asyncio.Event()

    async def read(self, source: str, *parts: bytes) -> str:
        """What became of it: `read`, `slow`, `gave way`."""

        async def chunks() -> AsyncIterator[bytes]:
            for part in parts:
                yield part
            await self.go_on.wait()

        with self.in_flight.admission(source) as admission:
            return await self._read(receive_of(chunks()), admission)

    async def _read(self, receive: Receive, admission: Admission) -> str:
        try:
            await read_body(receive, admission, max_bytes=1000, arrivals=self.arrivals)
        except SlowBodyError:
            return "slow"
        except OverLimitError:
            return "gave way"
        return "read"

    async def start(self, *bodies: tuple[str, bytes]) -> list[asyncio.Task[str]]:
        tasks = []
        for source, part in bodies:
            tasks.append(asyncio.create_task(self.read(source, part)))
            await asyncio.sleep(0.001)
        return tasks

    async def results(self, tasks: list[asyncio.Task[str]]) -> list[str]:
        self.go_on.set()
        return await asyncio.gather(*tasks)


async def test_over_the_share_the_oldest_of_the_source_with_most_gives_way() -> None:
    bodies = Bodies(max_bodies=3)
    tasks = await bodies.start(("one", b"x"), ("many", b"x"), ("many", b"x"), ("many", b"x"), ("one", b"x"))

    assert await bodies.results(tasks) == ["read", "gave way", "gave way", "read", "read"]
    assert (bodies.in_flight.bytes, len(bodies.arrivals)) == (0, 0)


async def test_of_those_that_had_time_the_slowest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.arrivals.YOUNG_S", -1.0)
    bodies = Bodies(max_bodies=3)
    tasks = await bodies.start(("a", b"x" * 300), ("a", b"x"), ("a", b"x" * 200), ("a", b"x" * 9))

    assert await bodies.results(tasks) == ["read", "gave way", "read", "read"]


async def test_bytes_come_from_the_source_that_holds_most_of_them() -> None:
    bodies = Bodies(max_bodies=10, max_bytes=1000)
    tasks = await bodies.start(("one", b"x" * 300), ("many", b"x" * 350), ("many", b"x" * 350), ("new", b"x" * 100))

    assert bodies.in_flight.bytes == 300 + 350 + 100
    assert await bodies.results(tasks) == ["read", "gave way", "read", "read"]


async def test_who_holds_most_itself_takes_from_nobody() -> None:
    bodies = Bodies(max_bodies=10, max_bytes=1000)
    tasks = [*await bodies.start(("one", b"x" * 300)), asyncio.create_task(bodies.read("many", b"x" * 400, b"x" * 400))]

    assert await bodies.results(tasks) == ["read", "gave way"]


async def test_complete_bodies_are_not_pushed_out_by_coming_ones() -> None:
    bodies = Bodies(max_bodies=10, max_bytes=1000)
    with bodies.in_flight.admission("complete") as complete:
        complete.hold_bytes(900)
        tasks = await bodies.start(("coming", b"x" * 200))

        assert complete.bytes == 900
        assert await bodies.results(tasks) == ["gave way"]


async def test_time_is_up_for_a_body_as_ever() -> None:
    bodies = Bodies(max_bodies=10, seconds=0.01)

    assert await asyncio.gather(*await bodies.start(("one", b"x"))) == ["slow"]


@asynccontextmanager
async def held(door: ServedDoor, count: int, sent: bytes) -> AsyncIterator[list[RawConnection]]:
    """So many connections, each with the beginning of something."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(await stack.enter_async_context(door.connection()))
            made[-1].writer.write(sent)
        yield made


IDLE_SENDERS = {
    "silence": b"",
    "half a head": b"POST / HTTP/1.1\r\nx: ",
    "a refusal": b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n",
    "an unwanted body": b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\nx",
    "an unfinished body": head() + BODY[:10],
    "no body": head(),
    "half a chunk": head("transfer-encoding: chunked") + b"5\r\nx",
}


@pytest.mark.parametrize("sent", IDLE_SENDERS.values(), ids=IDLE_SENDERS.keys())
async def test_beside_many_connections_that_wait_a_callback_is_accepted(sent: bytes) -> None:
    async with serve_door(max_connections=20) as door, held(door, 40, sent), door.connection() as connection:
        await wait_until(lambda: len(connections(door)) <= 20, PATIENCE_S, "the limit kept")
        connection.write()

        assert await statuses(connection, 1) == [200]


async def test_who_was_accepted_stays_longer_than_who_shows_nothing() -> None:
    async with serve_door(max_connections=10) as door, door.connection() as genuine:
        genuine.write()
        assert await statuses(genuine, 1) == [200]
        async with held(door, 30, b""):
            await wait_until(lambda: refused(door, "too_many_connections") >= 20, PATIENCE_S, "others to leave")
            genuine.write(to_body(with_detail(call_id="again")))

            assert await statuses(genuine, 1) == [200]


async def test_while_all_are_at_work_another_connection_is_told_to_come_again() -> None:
    async with serve_door(max_connections=2) as door, door.connection() as one, door.connection() as two:
        door.publisher.hold = asyncio.Event()
        one.write()
        two.write(to_body(with_detail(call_id="two")))
        await wait_until(lambda: door.publisher.waiting == 2, PATIENCE_S, "both at work")
        async with door.connection() as third:
            answer = await third.answer()
        door.publisher.hold.set()

        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
        assert [await statuses(one, 1), await statuses(two, 1)] == [[200], [200]]


async def test_half_a_head_is_reported_before_it_makes_room() -> None:
    async with serve_door(max_connections=1) as door, door.connection() as first:
        first.writer.write(b"POST / HTTP/1.1\r\n")
        await wait_until(lambda: any(one._is_in_head for one in connections(door)), PATIENCE_S, "half a head")
        async with door.connection() as second:
            second.write()

            assert [await statuses(first, 1), await statuses(second, 1)] == [[503], [200]]


async def test_after_a_refusal_a_connection_may_idle_as_long_as_headers_may_take_and_not_longer() -> None:
    async with serve_door() as door, door.connection() as bad, door.connection() as good:
        good.write()
        bad.writer.write(head(path="/x") + BODY)
        assert [await statuses(bad, 1), await statuses(good, 1)] == [[404], [200]]
        assert await bad.rest() == b""
        assert len(connections(door)) == 1


async def test_who_does_not_read_its_answers_makes_room() -> None:
    async with serve_door(max_connections=2) as door, held(door, 2, b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n") as deaf:
        for connection in deaf:
            assert await statuses(connection, 1) == [404]
        for one in connections(door):
            one.pause_writing()
        for connection in deaf:
            connection.write()
        await wait_until(
            lambda: all(one.cycle.scope["path"] == WEBHOOK for one in connections(door)), PATIENCE_S, "requests"
        )
        async with door.connection() as connection:
            connection.write(to_body(with_detail(call_id="genuine")))

            assert await statuses(connection, 1) == [200]
        for one in connections(door):
            one.resume_writing()
