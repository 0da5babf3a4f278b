"""Whoever opens connections and says nothing, or never stops talking, takes nobody's answer. Needs no Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from streams.monitor.events import MAX_LISTENERS
from streams.monitor.http_limits import REQUEST_DEADLINE_S, raise_descriptor_limit
from tests.support.processes.monitor import MonitorProcess, running_monitor
from tests.support.waiting import wait_until

NOWHERE = "127.0.0.1:1"
LISTENS_S = 30
ANSWERS_WITHIN_S = 4  # less than the deadline after which a connection that waits for nothing is closed
MANY = 1_200
SOME = 60

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitorProcess]:
    raise_descriptor_limit()
    with running_monitor(NOWHERE, f"http://{NOWHERE}", tmp_path_factory.mktemp("monitor") / "log") as process:
        yield process


@pytest.fixture(autouse=True)
async def _listens(monitor: MonitorProcess) -> None:
    await wait_until(lambda: monitor.status("/livez"), LISTENS_S, "it listens")


@asynccontextmanager
async def connections(monitor: MonitorProcess, count: int, sent: bytes) -> AsyncIterator[list[Connection]]:
    """That many connections that each send this and nothing more."""
    opened: list[Connection] = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", monitor.port)
            writer.write(sent)
            opened.append((reader, writer))
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def assert_answers(monitor: MonitorProcess) -> None:
    started = time.monotonic()
    assert await monitor.status("/livez") == 200
    assert time.monotonic() - started < ANSWERS_WITHIN_S


async def write_without_end(connection: Connection) -> None:
    for _ in range(1000):
        connection[1].write(b"a" * 4096)
        await connection[1].drain()
        await asyncio.sleep(0)


async def is_closed(connection: Connection) -> bool:
    """Within the request's deadline and some slack."""
    async with asyncio.timeout(REQUEST_DEADLINE_S + 10):
        while await connection[0].read(65_536):
            pass
    return True


WAITING = {
    "silent": (MANY, b""),
    "half a head": (SOME, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "),
    "half a body": (SOME, b"POST /api/lag HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"),
    "idle after an answer": (SOME, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
    "upgrade": (SOME, b"GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
}


async def test_connections_that_wait_for_nothing_are_closed_and_keep_nobody_waiting(monitor: MonitorProcess) -> None:
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(connections(monitor, count, sent))
            for name, (count, sent) in WAITING.items()
        }
        await assert_answers(monitor)
        some = [connection for kind in opened.values() for connection in kind[:: max(1, len(kind) // 20)]]
        assert all(await asyncio.gather(*(is_closed(connection) for connection in some)))
        await assert_answers(monitor)


@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET / HTTP/1.1\r\nX-A: ", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: "],
    ids=["address", "header", "trailer"],
)
async def test_what_never_ends_is_cut_off(monitor: MonitorProcess, start: bytes) -> None:
    async with connections(monitor, 1, start) as [connection]:
        with pytest.raises(ConnectionError):
            await write_without_end(connection)
        await assert_answers(monitor)


async def test_as_many_listen_as_may_and_everything_else_goes_on(monitor: MonitorProcess) -> None:
    request = b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connections(monitor, MAX_LISTENERS, request) as listeners:
        statuses = await asyncio.gather(*(reader.readline() for reader, _ in listeners))
        assert {status.split()[1] for status in statuses} == {b"200"}
        assert await monitor.status("/api/events") == 503
        await assert_answers(monitor)


async def test_a_listener_hears_that_the_monitor_is_blind_though_no_poll_succeeds(monitor: MonitorProcess) -> None:
    async with connections(monitor, 1, b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n") as [(reader, _)]:
        beats = 0
        async with asyncio.timeout(10):
            while beats < 2:
                line = await reader.readline()
                beats += line.startswith(b"data: ") and b'"state": "blind"' in line
